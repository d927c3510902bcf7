"""Why no wildcard answered: something makes a name exist that it would have reached (RFC 4592 section 2.2)."""

from __future__ import annotations

from typing import Any

from lbdns.answer.match import Match, MatchKind, match
from lbdns.answer.serving_view import ServingView
from lbdns.dns.name import WILDCARD_LABEL, is_at_or_below, parent, show_name
from lbdns.dns.rdata.record_types import type_text
from lbdns.snapshot.lookup.look_up import has_load_balancer
from lbdns.snapshot.lookup.name_rows import NAME_ROW, ROW_ZONE

_ANSWERING = (MatchKind.HIT, MatchKind.CNAME, MatchKind.STEERED)


def hidden_wildcard_steps(view: ServingView, directory: int, found: Match, qtype: int) -> list[dict[str, Any]]:
    """Return a step that names the wildcard which would have answered a name without data or a name that does not
    exist, and what hides it; nothing where there is none."""
    if found.kind not in (MatchKind.NODATA, MatchKind.NXDOMAIN):
        return []
    name = view.name(found.entry)
    wildcard = _wildcard_of(view, found.zone, name)
    if wildcard is None:
        return []
    would = match(view, directory, wildcard, qtype)
    if would.kind not in _ANSWERING:
        return []
    what = "load balancer" if would.kind is MatchKind.STEERED else f"{type_text(qtype)} records"
    if would.kind is MatchKind.CNAME:
        what = "CNAME"
    hidden, at, by = show_name(name), show_name(wildcard), _cause(view, found)
    text = f'"{hidden}" exists by {by}, so the {what} of "{at}" cannot reach it or what is below it (RFC 4592)'
    return [{"stage": "wildcard", "text": text, "wildcard": at, "hidden": hidden, "by": by}]


def _wildcard_of(view: ServingView, zone: int, name: bytes) -> bytes | None:
    """Return the wildcard that would reach a name if nothing made it exist: the way up goes by empty names alone."""
    apex = view.name(view.columns["zone_apex"][zone])
    if name.startswith(WILDCARD_LABEL):
        return None
    while name != apex:
        name = parent(name)
        if view.find_name(zone, WILDCARD_LABEL + name) is not None:
            return WILDCARD_LABEL + name
        entry = view.find_name(zone, name)
        if entry is None or _stands_at(view, entry):
            return None
    return None


def _cause(view: ServingView, found: Match) -> str:
    """Return what makes a name exist: what stands there, else the nearest in the snapshot that stands below."""
    name = view.name(found.entry)
    rows = view.columns["name_row"]
    count = len(rows) // NAME_ROW
    for distance in range(count):
        for entry in {found.entry - distance, found.entry + distance}:
            if 0 <= entry < count and rows[entry * NAME_ROW + ROW_ZONE] == found.zone + 1 and _stands_at(view, entry):
                owner = view.name(entry)
                if is_at_or_below(owner, name):
                    return f"{show_name(owner)} {_stands_at(view, entry)}"
    raise AssertionError("a name exists by something")


def _stands_at(view: ServingView, entry: int) -> str:
    """Return what stands at a name, in words; "" for an empty one."""
    found = [type_text(rrset.type) for rrset in view.rrsets(entry)]
    if has_load_balancer(view.steering, entry):
        found.append("load balancer")
    return ", ".join(found)
