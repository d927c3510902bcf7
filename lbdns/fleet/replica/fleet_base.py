"""A base: a whole state in the stream, so that whoever comes needs nothing from before it.

    entry 1, entry 2, ... entry 1000, [parts], base as of entry 1000, entry 1001, ...
    '------- removed, once the base is there ------'

The newest entry before a base stays: an append names its sequence, and a subject without messages counts from 0 again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lbdns.fleet.replica.message_parts import Framed, framed
from lbdns.fleet.replica.revision_message import (
    ObjectRow,
    TokenRow,
    number_in,
    object_row,
    read_soundly,
    sum_text,
    text_in,
    token_row,
)

REVISIONS_MAX: Final = 1_000
"""How many revisions come after a base before there is another one."""
GROWTH_MAX: Final = 4
"""What comes after a base may take as many times what it takes, and that much more: a small one is soon outgrown."""
GROWTH_OCTETS_MIN: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class FleetBase:
    """A state as of the entry at the sequence `as_of`: objects in the order in which they were made, tokens, and what a
    store knows beside them. `revision` is the newest, with when, by whom and why."""

    id: str
    by: str
    as_of: int
    revision: int
    sum: int
    account_id: str
    given_out: int = 0
    time: str = ""
    author: str = ""
    message: str = ""
    objects: tuple[ObjectRow, ...] = ()
    tokens: tuple[TokenRow, ...] = ()


@dataclass(frozen=True, slots=True)
class BaseNote:
    """What a machine remembers of the newest base: which revision it is of, and how many octets it takes."""

    revision: int
    octets: int


def encode_base(base: FleetBase) -> Framed:
    """Return a base as messages; raises BadDocument where it is too large."""
    return framed(
        base.id,
        {
            "by": base.by,
            "as_of": base.as_of,
            "revision": base.revision,
            "sum": sum_text(base.sum),
            "account_id": base.account_id,
            "given_out": base.given_out,
            "about": [base.time, base.author, base.message],
            "objects": list(base.objects),
            "tokens": list(base.tokens),
        },
        ("as_of", "revision"),
    )


def decode_base(said: Mapping[str, Any]) -> FleetBase:
    """Return the base that a document is; raises BadDocument."""

    def read() -> FleetBase:
        time, author, message = map(str, said["about"][:3])
        return FleetBase(
            id=text_in(said, "id"),
            by=text_in(said, "by"),
            as_of=number_in(said, "as_of"),
            revision=number_in(said, "revision"),
            sum=int(text_in(said, "sum"), 16),
            account_id=text_in(said, "account_id"),
            given_out=number_in(said, "given_out", 0),
            time=time,
            author=author,
            message=message,
            objects=tuple(map(object_row, said["objects"])),
            tokens=tuple(map(token_row, said["tokens"])),
        )

    return read_soundly("a base of the stream", read)


def is_due(base: BaseNote | None, revision: int, octets_since: int) -> bool:
    """Tell whether it is time for another base: there is none, or much has come after it."""
    if base is None:
        return True
    return revision - base.revision > REVISIONS_MAX or octets_since > max(GROWTH_MAX * base.octets, GROWTH_OCTETS_MIN)
