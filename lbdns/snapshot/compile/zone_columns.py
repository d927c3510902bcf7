"""Zones as columns: every name that exists, what stands there, and what a look-up has to know about its surroundings.

A name exists where records or a load balancer stand at it or below it (an empty non-terminal, RFC 8020). Each knows the
cut above it, if any, and its wildcard child, so that a query needs no walk but the one towards the closest encloser.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.progress import STEP, report
from lbdns.base.words import BALANCER_TYPES
from lbdns.dns.codes import TYPE_CNAME, TYPE_DNAME, TYPE_NS
from lbdns.dns.name import WILDCARD_LABEL, longest_match, parent
from lbdns.dns.rdata.record_types import HIDDEN_TYPES
from lbdns.dns.zone import RRset, Zone
from lbdns.mapped.blob import Blob
from lbdns.mapped.columns import NONE_32
from lbdns.snapshot.compile.flat_rows import NO_FLATS, Flat, FlatRows
from lbdns.snapshot.compile.signed_rows import SignedRows
from lbdns.snapshot.compile.view_zones import DirectoryRow
from lbdns.snapshot.lookup.name_rows import (
    DIRECTORY,
    FLAGS_SHIFT,
    NAME_CNAME,
    NAME_CUT,
    NAME_DNAME,
    NAME_OCCLUDED,
    NAME_ROW,
    NAME_UNREADY,
    NO_NAME,
    ROW_FIRST_RRSET,
)
from lbdns.snapshot.lookup.name_table import Suffixes, build_table, hash_in, set_name

Columns = dict[str, "array[int]"]


_NO_BALANCERS: Final[Mapping[str, int]] = MappingProxyType({})
"""What most names have; a mapping for each of very many takes more than their rows."""


_FLAGS_OF_TYPE: Final = {TYPE_DNAME: NAME_DNAME, TYPE_CNAME: NAME_CNAME}
_NO_BALANCER_ROWS: Final = (NONE_32,) * len(BALANCER_TYPES)


class NodeDraft:
    """What stands at a name. There are very many."""

    __slots__ = ("load_balancers", "rrsets")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rrsets: list[RRset] = []
        self.load_balancers: Mapping[str, int] = _NO_BALANCERS


BY_NAME: Final = NONE_32
"""In place of a zone's index: the one with the longest apex."""
Placed = tuple[int, bytes, str, int]
"""Where an enabled load balancer stands: the zone's index, or BY_NAME, and the wire name; its kind and its row."""


def compile_zones(
    columns: Columns,
    blob: Blob,
    zones: Sequence[Zone],
    load_balancers: Iterable[Placed],
    directories: Sequence[DirectoryRow] | None,
    flats: Mapping[int, Flat] = NO_FLATS,
) -> array[int]:
    """Fill the name columns, and return the hashes of the names, as the table has them. A zone without RRsets is not
    ready to be served.

    `directories`: which zones are in which; None: all in the public one. `flats`: what transfers of zones, by their
    indices, have in place of load balancers.
    """
    apexes = {zone.apex: index for index, zone in enumerate(zones)}
    trees: list[dict[bytes, NodeDraft]] = [_nodes(zone) for zone in zones]
    balanced: set[int] = set()
    for at, name, kind, index in load_balancers:
        zone_index = longest_match(name, apexes) if at == BY_NAME else at
        if zone_index is None:
            raise LbdnsError(f"load balancer {index} stands in no zone; the configuration was not checked")
        balanced.add(zone_index)
        node = _node(trees[zone_index], name, zones[zone_index].apex)
        node.load_balancers = {**node.load_balancers, kind: index}
        hidden = HIDDEN_TYPES[kind]
        node.rrsets = [rrset for rrset in node.rrsets if rrset.type not in hidden]
    if directories is None:
        directories = [DirectoryRow(DIRECTORY, zone.apex, index) for index, zone in enumerate(zones)]
    public = [row.instance for row in directories if row.directory == DIRECTORY and row.instance != NO_NAME]
    columns["public_zones"].append(max(public, default=-1) + 1)
    signed = SignedRows(columns, blob) if any(zone.signed for zone in zones) else None
    rows = NameRows(columns, blob, signed)
    flat = FlatRows(columns, blob, flats)
    for index, (zone, tree) in enumerate(zip(zones, trees, strict=True)):
        columns["zone_apex"].append(len(rows.hashes))
        if signed:
            signed.begin_zone(zone)
        _append_zone(rows, index, zone, tree)
        if signed:
            signed.end_zone()
        flat.find(index, index in balanced, _row_finder(columns, tree))
    for row in directories:
        rows.append_name(row.directory, row.apex, row.instance, 0, NodeDraft())
    if signed:
        _append_nsec3(columns, rows, zones, signed)
    flat.append(zones, rows.append_rrset)
    columns["table"] = build_table(rows.hashes)
    return rows.hashes


class NameRows:
    """Appends the rows of names and of their RRsets: what that takes is at hand, as there are very many."""

    def __init__(self, columns: Columns, blob: Blob, signed: SignedRows | None) -> None:
        """Append to columns whose `public_zones` are there."""
        self.hashes = array("Q")
        self._signed = signed
        self._suffixes = Suffixes()
        self._public_zones = columns["public_zones"][0]
        self._add = blob.add
        self._names = columns["name_row"]
        self._types, self._ttls = columns["rrset_type"], columns["rrset_ttl"]
        self._starts, self._counts = columns["rrset_rdata_start"], columns["rrset_rdata_count"]
        self._offsets, self._lengths = columns["rdata_offset"], columns["rdata_length"]

    def append_name(self, zone: int, name: bytes, link: int, flags: int, node: NodeDraft) -> None:
        """Append a name's row; its RRsets follow from the present end of theirs."""
        rrsets, load_balancers = node.rrsets, node.load_balancers
        if self._signed is not None:
            self._signed.add_name(len(self.hashes), name, rrsets, bool(flags & NAME_OCCLUDED))
        set_name(self._suffixes, name)
        self.hashes.append(hash_in(self._suffixes.hashes[0], zone, self._public_zones))
        steered = (
            [load_balancers.get(kind, NONE_32) for kind in BALANCER_TYPES] if load_balancers else _NO_BALANCER_ROWS
        )
        row = (self._add(name), zone, link, len(self._types), len(rrsets) | flags << FLAGS_SHIFT, *steered)
        self._names.extend(row)

    def append_rrset(self, rrset: RRset) -> None:
        """Append an RRset's row, and those of its records."""
        rdatas = rrset.rdatas
        self._types.append(rrset.type)
        self._ttls.append(rrset.ttl)
        self._starts.append(len(self._offsets))
        self._counts.append(len(rdatas))
        for rdata in rdatas:
            self._offsets.append(self._add(rdata))
            self._lengths.append(len(rdata))
        if self._signed is not None:
            self._signed.add_rrset(rrset)


def _row_finder(columns: Columns, tree: Mapping[bytes, NodeDraft]) -> Callable[[bytes, int], int]:
    """Return what finds the row of an RRset of the zone that was appended last by owner and type, NONE_32 where it has
    none."""
    first = columns["zone_apex"][-1]
    numbers: dict[bytes, int] = {}

    def find_row(owner: bytes, rtype: int) -> int:
        node = tree.get(owner)
        types = [rrset.type for rrset in node.rrsets] if node else []
        if rtype not in types:
            return NONE_32
        if not numbers:
            numbers.update((name, number) for number, name in enumerate(tree, first))
        return columns["name_row"][numbers[owner] * NAME_ROW + ROW_FIRST_RRSET] + types.index(rtype)

    return find_row


def _nodes(zone: Zone) -> dict[bytes, NodeDraft]:
    apex = zone.apex
    tree: dict[bytes, NodeDraft] = {apex: NodeDraft()}
    for rrset in zone.rrsets:
        node = tree.get(rrset.owner) or _node(tree, rrset.owner, apex)
        node.rrsets.append(rrset)
    return tree


def _node(tree: dict[bytes, NodeDraft], name: bytes, apex: bytes) -> NodeDraft:
    """Return the node of a name, made with its empty non-terminals where it is new."""
    found = tree.get(name)
    if found is None:
        found = tree[name] = NodeDraft()
        above = parent(name)
        while above not in tree:
            tree[above] = NodeDraft()
            above = parent(above)
    return found


def _append_zone(rows: NameRows, index: int, zone: Zone, tree: dict[bytes, NodeDraft]) -> None:
    first = len(rows.hashes)
    apex = zone.apex
    numbers = {name: first + offset for offset, name in enumerate(tree)}
    cuts = {name for name, node in tree.items() for rrset in node.rrsets if rrset.type == TYPE_NS and name != apex}
    flags_of_all = 0 if zone.rrsets else NAME_UNREADY
    for number, (name, node) in enumerate(tree.items()):
        if number % STEP == 0:
            report("compiling records", number, len(tree))
        flags = flags_of_all | flags_of(node.rrsets)
        if name in cuts:
            flags |= NAME_CUT
        link = numbers.get(WILDCARD_LABEL + name, NO_NAME)
        cut = _cut_above(name, apex, cuts) if cuts else None
        if cut is not None:
            flags |= NAME_OCCLUDED
            link = numbers[cut]
        rows.append_name(index + 1, name, link, flags, node)
        for rrset in node.rrsets:
            rows.append_rrset(rrset)


def flags_of(rrsets: Iterable[RRset]) -> int:
    """Return what a name's row says of some RRsets there, delegations left out."""
    flags = 0
    for rrset in rrsets:
        flags |= _FLAGS_OF_TYPE.get(rrset.type, 0)
    return flags


def _append_nsec3(columns: Columns, rows: NameRows, zones: Sequence[Zone], signed: SignedRows) -> None:
    """Append the NSEC3 records of all zones: behind the RRsets of names, as none of these owns them."""
    for zone in zones:
        first = len(columns["rrset_type"])
        for _, rrset in zone.signed.nsec3 if zone.signed else ():
            rows.append_rrset(rrset)
        signed.add_nsec3(zone, range(first, len(columns["rrset_type"])))


def _cut_above(name: bytes, apex: bytes, cuts: set[bytes]) -> bytes | None:
    """Return the topmost cut strictly above a name, or None."""
    topmost = None
    while name != apex:
        name = parent(name)
        if name in cuts:
            topmost = name
    return topmost
