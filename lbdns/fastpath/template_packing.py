"""Templates as they lie in a snapshot, as layout.py says: little-endian."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate, chain

from lbdns.answer.match import Match
from lbdns.answer.render import Template, render_template
from lbdns.answer.reply import ASKED, Answer, Records
from lbdns.dns.codes import FLAG_AA, FLAG_TC, UDP_BYTES_MAX
from lbdns.fastpath.layout import (
    NO_TEMPLATE,
    RELOCATION_BIAS,
    SIGNED_BY_ROW,
    TEMPLATE_CHOICE,
    TEMPLATE_CUT,
    TEMPLATE_LONG,
    TEMPLATE_STEERS,
)

PLAIN_KEPT = 512  # shapes of their templates
RECORD_HEAD_BYTES = 12  # a pointer to the name, type, class, TTL, length
HEAD = struct.Struct("<9HI")
STEERS_TAIL = struct.Struct("<IIIH")
RELOCATION = struct.Struct("<HH")
PAIR = struct.Struct("<II")


def pack_template(template: Template, steers: tuple[Match, int] | None, is_long: bool, signed: int) -> bytes:
    """Return a template as it lies in the snapshot.

    `steers`: the balancer that follows, and the template without; `is_long`: of a chain that may be cut short where
    others stand before it; `signed`: the template with signatures.
    """
    truncates = TEMPLATE_LONG if is_long else 0
    if len(template.body) > UDP_BYTES_MAX:
        if template.least <= UDP_BYTES_MAX:
            template, truncates = template.without_optional(), truncates | TEMPLATE_CUT
        else:
            template, truncates = template.truncated(), truncates | FLAG_TC
    flags = (FLAG_AA if template.is_authoritative else 0) | template.rcode | (TEMPLATE_STEERS if steers else 0)
    parts = [
        HEAD.pack(
            len(template.body),
            flags | truncates,
            *template.counts,
            len(template.pointers),
            template.ttl_at,
            template.least,
            template.optional,
            signed,
        )
    ]
    if steers:
        match, none = steers
        parts.append(STEERS_TAIL.pack(match.load_balancer, none, match.entry, match.family))
    parts += [RELOCATION.pack(position, target + RELOCATION_BIAS) for position, target in template.pointers]
    return b"".join(parts) + template.body


def plain_template(rtype: int, ttl: int, rdatas: tuple[bytes, ...]) -> bytes:
    """Return the template of an answer that is one RRset, whatever its name is, of a type without names in its data:
    with other data of the same lengths, all else of it is the same."""
    shape = _plain_shape(rtype, ttl, tuple(map(len, rdatas)))
    if shape is None:
        return _rendered_plain(rtype, ttl, rdatas)[0]
    before, heads = shape
    return b"".join((before, *chain.from_iterable(zip(heads, rdatas, strict=True))))


@lru_cache(maxsize=PLAIN_KEPT)
def _plain_shape(rtype: int, ttl: int, lengths: tuple[int, ...]) -> tuple[bytes, tuple[bytes, ...]] | None:
    """Return what stands before the records of such a template, and before the data of each; None where it is too large
    to have them all."""
    packed, body = _rendered_plain(rtype, ttl, tuple(map(bytes, lengths)))
    if not packed.endswith(body):
        return None
    starts = accumulate((RECORD_HEAD_BYTES + length for length in lengths), initial=0)
    heads = tuple(body[at : at + RECORD_HEAD_BYTES] for at, _ in zip(starts, lengths, strict=False))
    return packed[: len(packed) - len(body)], heads


def _rendered_plain(rtype: int, ttl: int, rdatas: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """Return such a template, and the records as they are rendered."""
    made = render_template(Answer(answer=[Records(ASKED, rtype, ttl, rdatas)]))
    return pack_template(made, None, False, SIGNED_BY_ROW), made.body


def pack_choice(templates: Mapping[int, int], rest: int) -> bytes:
    """Return a choice of templates by type; `rest`: that of all types that have none of their own."""
    different = [PAIR.pack(rtype, template) for rtype, template in templates.items() if template != rest]
    head = HEAD.pack(len(different) + 1, TEMPLATE_CHOICE, 0, 0, 0, 0, 0, 0, 0, NO_TEMPLATE)
    return head + b"".join(different) + PAIR.pack(0, rest)
