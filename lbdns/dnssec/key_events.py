"""What happened to a zone's keys, in words: worked out of the states before and after, so that no step goes untold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbdns.base.wording import listed
from lbdns.dnssec.held import Ids
from lbdns.dnssec.zone_state import ZoneState
from lbdns.dnssec.zone_step import Level, ZoneStep

_SILENT_S: Final = 172_800
"""For how long it is not known what DS the parent has before that is told of."""
FOREIGN_DS: Final = "the zone above has a DS, and none of it is of a key of this zone: validators refuse the zone"


def told(before: ZoneState, after: ZoneState, now_s: float, is_new_keys: bool) -> Iterator[ZoneStep]:
    """Yield what made one state of another; `is_new_keys`: what the zone says of its keys differs."""
    texts = list(_texts(before, after))
    if is_new_keys and not texts:
        texts.append(("info", "the zone says of its keys what its changed policy wants"))
    for level, text in texts:
        yield ZoneStep(now_s, after.zone, text, level)


def _texts(before: ZoneState, after: ZoneState) -> Iterator[tuple[Level, str]]:
    there = {key.public.id: key for key in before.keys}
    for key in after.keys:
        old = there.pop(key.public.id, None)
        if old is None:
            yield "info", f"{key}: made" if not key.is_passive else f"{key}: taken over without its private half"
        elif old.is_wanted and not key.is_wanted:
            yield "info", f"{key}: another one is to take its place"
    if before.keyset.keys != after.keyset.keys:
        for key in after.known(after.keyset.keys - before.keyset.keys):
            yield "info", f"{key}: stands in the DNSKEY RRset from now on"
        for key in before.known(before.keyset.keys - after.keyset.keys):
            yield "info", f"{key}: stands in the DNSKEY RRset no longer"
    if before.signing.keys != after.signing.keys:
        by = _named(after, after.signing.keys)
        yield "info", f"the zone is signed by {by}" if by else "the zone has no signatures from now on"
    if after.asked and before.asked[-1:] != after.asked[-1:]:
        wanted = _named(after, after.asked[-1])
        yield "info", f"the zone above is asked to have {f'the DS of {wanted}' if wanted else 'no DS of the zone'}"
    yield from _parent_texts(before, after)
    for key in there.values():
        yield "info", f"{key}: removed; nothing that a resolver may hold needs it"
    if before.keys and after.is_over:
        yield "info", "the zone is unsigned"


def _parent_texts(before: ZoneState, after: ZoneState) -> Iterator[tuple[Level, str]]:
    was_silent = before.parent.checked_s - before.parent.known_s >= _SILENT_S
    if after.parent.checked_s - after.parent.known_s >= _SILENT_S and not was_silent:
        yield "warning", f"what DS the zone above has is not known: {after.parent.problem}"
    old, new = before.delegation, after.delegation
    if not new.is_same(old):
        seen = _named(after, new.keys)
        yield "info", f"the zone above has {f'the DS of {seen}' if seen else 'no DS of a key of the zone'}"
        if new.has_others and not new.keys:
            yield "error", FOREIGN_DS
        elif after.is_wanted and old.keys and not new.keys:
            yield "warning", "the zone above has no DS any more: validators take the zone for unsigned"


def _named(state: ZoneState, ids: Ids) -> str:
    return listed([str(key) for key in state.known(ids)])
