"""How the DNSSEC of a zone stands, as the signer says it to whoever shows it: public data, JSON on the way.

Command line, API, metrics, `lbdns status` and the dashboard show what stands here, and work nothing out of it twice.
Times are unix seconds; a DS is the text of its data (RFC 4034 section 5.3): "12345 13 2 49FD46...".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from lbdns.dns.codes import ALGORITHM_NAMES


def algorithm_text(algorithm: int) -> str:
    """Return an algorithm's mnemonic, or its number."""
    return ALGORITHM_NAMES.get(algorithm, str(algorithm))


class SigningState(StrEnum):
    """How a zone stands; the words are the v4 API's."""

    ACTIVE = "active"
    """Signed, and the zone above has its DS."""
    PENDING = "pending"
    """Signed, and the DS is to be given to the zone above: until then resolvers take it for unsigned."""
    DISABLED = "disabled"
    """Not signed."""
    PENDING_DISABLED = "pending-disabled"
    """Still signed: its DS is to leave the zone above, and every cache, first."""
    ERROR = "error"
    """Something keeps it from being signed as it is to be: `problem` says what."""


class KeyRole(StrEnum):
    """What a key signs: the other keys, the zone, or both."""

    KSK = "ksk"
    ZSK = "zsk"
    CSK = "csk"


ZONE_SIGNING: Final = (KeyRole.ZSK, KeyRole.CSK)
"""The keys that sign what is in a zone, beside its keys."""


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """One key of a zone. `id` has 16 hex digits; `state` and `next_state` are words of the key-state machine.

    `next_at_s` is None where it waits for something other than time: for what, `waits_for` says. `ds` is "" for a key
    that the zone above never hears of.
    """

    id: str
    role: KeyRole
    tag: int
    algorithm: int
    flags: int
    public_key: str  # base64, as in a DNSKEY record
    state: str
    since_s: float
    ds: str = ""
    next_state: str = ""
    next_at_s: float | None = None
    waits_for: str = ""

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> KeyStatus:
        """Return what `as_json` made JSON of."""
        return KeyStatus(**{**said, "role": KeyRole(said["role"])})


@dataclass(frozen=True, slots=True)
class ZoneStatus:
    """A zone. `zone` is its name without the last dot; `since_s` when `status` became what it is.

    `ds` is what the zone above is to have, `parent_ds` what it had when it was asked last (`parent_checked_s`; None
    where that never came to an answer: `parent_problem`). `next_step` says what happens next and `next_at_s` when, None
    where that is not a matter of time; `to_do` what somebody has to do for it, "" where nobody has to do anything.
    `expires_s`: when the first of the signatures in force ends.
    """

    zone: str
    status: SigningState
    since_s: float
    denial: str = ""
    keys: tuple[KeyStatus, ...] = ()
    ds: tuple[str, ...] = ()
    parent_ds: tuple[str, ...] | None = None
    parent_checked_s: float | None = None
    parent_problem: str = ""
    next_step: str = ""
    next_at_s: float | None = None
    to_do: str = ""
    expires_s: float | None = None
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return {**dataclasses.asdict(self), "ds": list(self.ds), "keys": [dataclasses.asdict(key) for key in self.keys]}

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> ZoneStatus:
        """Return what `as_json` made JSON of."""
        keys = tuple(map(KeyStatus.from_json, said["keys"]))
        seen = said["parent_ds"]
        parent_ds = None if seen is None else tuple(seen)
        status = SigningState(said["status"])
        return ZoneStatus(**{**said, "status": status, "keys": keys, "ds": tuple(said["ds"]), "parent_ds": parent_ds})

    @property
    def is_signed(self) -> bool:
        """Whether its answers are signed."""
        return self.status in (SigningState.ACTIVE, SigningState.PENDING, SigningState.PENDING_DISABLED)
