"""What a snapshot says of names, wherever it says it: rows, record data and templates may stand in another order."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.fastpath.layout import NO_TEMPLATE, SIGNED_BY_ROW, TEMPLATE_CHOICE, TEMPLATE_STEERS
from lbdns.fastpath.template_packing import HEAD, PAIR, RELOCATION, STEERS_TAIL
from lbdns.fastpath.template_rows import TEMPLATE_COLUMNS
from lbdns.mapped.blob import read_text
from lbdns.mapped.columns import COLUMNS, NONE_32
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.snapshot.compile.name_columns import NAME_COLUMNS
from lbdns.snapshot.lookup.name_rows import (
    FLAGS_SHIFT,
    NAME_OCCLUDED,
    NAME_ROW,
    NO_NAME,
    ROW_LINK,
    ROW_LOAD_BALANCER,
    ROW_RRSETS,
    ROW_ZONE,
)
from lbdns.snapshot.lookup.name_table import Suffixes, find, set_name

_ANYWHERE = {*NAME_COLUMNS, *TEMPLATE_COLUMNS}
_OF_ROWS = [name for name in COLUMNS if name.startswith(("lb_", "list_", "member_", "trie_")) or name == "class_list"]
_OF_ROW = ("lb_select", "lb_flags", "lb_ttl", "lb_fallback", "lb_policy", "lb_slot", "lb_rules")


def differing(found: Snapshot, wanted: Snapshot, table: HealthTable, clients: Sequence[Client] = ()) -> list[str]:
    """Return which columns say something else, "names" for those of names, "meta" for what is beside columns.

    With `clients` rows of load balancers may be others, with lists and places that nothing leads to: instead of what
    these say, what these clients are answered counts ("answers").
    """
    alike = [*_ANYWHERE, *(_OF_ROWS if clients else ())]
    unlike = [name for name in wanted.columns if name not in alike and _said(found, name) != _said(wanted, name)]
    if found.meta != wanted.meta:
        unlike.append("meta")
    ours, theirs = ServingView(found, table), ServingView(wanted, table)
    if dict(_names(ours)) != dict(_names(theirs)):
        unlike.append("names")
    if any(_answers(ours, client) != _answers(theirs, client) for client in clients):
        unlike.append("answers")
    return unlike


def _answers(view: ServingView, client: Client) -> dict[tuple[bytes, int], bytes | None]:
    """Return what a client is answered for each name that load balancers stand at, by type."""
    rows, found = view.columns["name_row"], {}
    for entry, _, name in _entries(view):
        if any(row != NONE_32 for row in rows[entry * NAME_ROW + ROW_LOAD_BALANCER : (entry + 1) * NAME_ROW]):
            for rtype in (1, 28, 15):
                query = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + name + struct.pack("!2H", rtype, 1)
                found[name, rtype] = respond(view, query, client, Transport.TCP, 0, 7)
    return found


def _balancer(view: ServingView, row: int) -> Any:
    """Return what a load balancer's row says by itself."""
    if row == NONE_32:
        return None
    return view.text("lb_text", row), *(view.columns[name][row] for name in _OF_ROW)


def _said(snapshot: Snapshot, name: str) -> Any:
    """Return what a column says; texts may stand anywhere in the blob."""
    column = snapshot.columns[name]
    return [read_text(snapshot.columns["blob"], at) for at in column] if name.endswith("_text") else column


def differing_templates(found: Snapshot, wanted: Snapshot, table: HealthTable) -> list[Any]:
    """Return what has another template: RRsets by zone, name and type, names and zones."""
    ours, theirs = dict(_templates(ServingView(found, table))), dict(_templates(ServingView(wanted, table)))
    assert ours.keys() == theirs.keys()
    return [what for what, template in theirs.items() if ours[what] != template]


def _entries(view: ServingView) -> Iterator[tuple[int, int, bytes]]:
    """Yield the row of each name of a zone, the zone's index, and the name."""
    rows = view.columns["name_row"]
    for entry in range(len(rows) // NAME_ROW - len(view.columns["zone_apex"])):
        yield entry, rows[entry * NAME_ROW + ROW_ZONE] - 1, view.name(entry)


def _names(view: ServingView) -> Iterator[tuple[Any, Any]]:
    """Yield what is said of each name, by its zone and itself."""
    columns, suffixes = view.columns, Suffixes()
    rows, apexes = columns["name_row"], [*columns["zone_apex"]]
    for entry, zone, name in _entries(view):
        row = rows[entry * NAME_ROW : (entry + 1) * NAME_ROW]
        set_name(suffixes, name)
        assert find(view.steering, zone + 1, suffixes, 0) == entry, "a name is found where it stands"
        assert [at for at, apex in enumerate(apexes) if apex <= entry][-1] == zone, "a zone's names stand together"
        flags, link = row[ROW_RRSETS] >> FLAGS_SHIFT, row[ROW_LINK]
        rrsets = [(one.owner, one.type, one.ttl, one.rdatas) for one in view.rrsets(entry)]
        led_to = None if link == NO_NAME else view.name(link)
        assert flags & NAME_OCCLUDED or led_to in (None, b"\1*" + name)
        yield (zone, name), (flags, led_to, [_balancer(view, one) for one in row[ROW_LOAD_BALANCER:]], rrsets)
    for zone, apex in enumerate(apexes):
        set_name(suffixes, view.name(apex))
        at = find(view.steering, 0, suffixes, 0)
        yield ("apex", zone), (view.name(apex), rows[at * NAME_ROW + ROW_LINK])
    yield "zones", [columns[name].tolist() for name in ("public_zones", "zone_transfer")]


def _templates(view: ServingView) -> Iterator[tuple[Any, Any]]:
    """Yield the template of each RRset, name and zone."""
    columns = view.columns
    for entry, zone, name in _entries(view):
        yield (zone, name), _template(view, columns["name_template"][entry])
        first, count = view.rrset_rows(entry)
        for row in range(first, first + count):
            yield (zone, name, columns["rrset_type"][row]), _template(view, columns["rrset_template"][row])
    for zone, at in enumerate(columns["zone_template"]):
        yield zone, _template(view, at)


def _template(view: ServingView, at: int) -> Any:
    """Return a template, with those that it leads to in their offsets' places (fastpath/template_packing.py)."""
    if at in (NONE_32, NO_TEMPLATE, SIGNED_BY_ROW):
        return at
    blob = view.columns["template_blob"]
    head = HEAD.unpack(blob[at : at + HEAD.size])
    body, flags, pointers, signed = head[0], head[1], head[5], head[9]
    at += HEAD.size
    if flags & TEMPLATE_CHOICE:
        pairs = [PAIR.unpack(blob[one : one + PAIR.size]) for one in range(at, at + body * PAIR.size, PAIR.size)]
        return {rtype: _template(view, other) for rtype, other in pairs}
    steers: Any = None
    if flags & TEMPLATE_STEERS:
        balancer, none, entry, family = STEERS_TAIL.unpack(blob[at : at + STEERS_TAIL.size])
        steers = _balancer(view, balancer), _template(view, none), view.name(entry), family
        at += STEERS_TAIL.size
    octets = bytes(blob[at : at + pointers * RELOCATION.size + body])
    return head[:9], _template(view, signed), steers, octets
