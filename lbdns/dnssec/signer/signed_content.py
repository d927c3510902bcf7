"""What stands in the signed zones of a snapshot, as far as it is signed when it is asked for: who is asked at a name,
and what each may be answered, as RRsets that want a signature."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from lbdns.dns.codes import TYPE_SOA
from lbdns.dns.name import WILDCARD_LABEL, read_name
from lbdns.dnssec.compact_denial import denial_ttl, nodata
from lbdns.dnssec.signer.asked_lately import KINDS, NUMBERS, Subject
from lbdns.dnssec.signer.deciding_rows import DecidingRow, DecidingRows
from lbdns.dnssec.signer.steered_sets import Given, SteeredSets
from lbdns.dnssec.signer.supposed_health import SupposedHealth
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import VIEWS, Snapshot
from lbdns.places import regions
from lbdns.snapshot.lookup.look_up import Found, directory_of, find_rrset, look_up
from lbdns.snapshot.lookup.name_rows import (
    DENIAL_UNSIGNED,
    KIND_STEERED,
    NAME_ROW,
    NO_NAME,
    NO_ROW,
    ROW_LINK,
    ROW_OFFSET,
    ROW_ZONE,
)
from lbdns.snapshot.lookup.name_table import Suffixes, set_name


class Instance(NamedTuple):
    """A zone as somebody sees it, and the directory that leads to it."""

    zone: int
    directory: int


class SignedContent:
    """A snapshot and the health of now."""

    def __init__(self, snapshot: Snapshot, table: HealthTable, before: SignedContent | None = None) -> None:
        """Pair them; they are of one layout. `before`: of the generation before, from which is taken what is the
        same."""
        self.columns = columns = snapshot.columns
        region = str(snapshot.meta["region"])
        number = regions.REGION_CODES.index(region) if region else -1
        self.health = SupposedHealth(columns, table.columns, number)
        self.view = self.health.view
        classes = before.rows.classes if before is not None and before.rows.classes.are_of(columns) else None
        self.rows: DecidingRows = DecidingRows(self.view, columns, classes)
        self.sets = SteeredSets(self.health, self.rows)
        self._suffixes = Suffixes()
        self._found = Found()
        self._views = len(snapshot.meta[VIEWS])
        self.signed_zones = np.zeros(len(columns["zone_apex"]), np.bool_)
        if len(columns["zone_signed"]):
            self.signed_zones[:] = np.frombuffer(columns["zone_signed"], np.uint8) != DENIAL_UNSIGNED
        self._denied: dict[int, tuple[int, int]] = {}
        slots = np.frombuffer(columns["endpoint_slot"], np.uint32)
        starts = np.frombuffer(columns["pool_endpoint_start"], np.uint32)
        self._pool_of_endpoint = np.searchsorted(starts, np.arange(len(slots)), side="right") - 1

    # --- zones and names ---

    @cached_property
    def instances(self) -> dict[bytes, list[Instance]]:
        """The signed zones, by their apex: each way in which one is seen, once."""
        found: dict[bytes, list[Instance]] = defaultdict(list)
        rows = np.frombuffer(self.columns["name_row"], np.uint32).reshape(-1, NAME_ROW)
        seen: set[int] = set()
        for view in range(self._views):
            directory = directory_of(view)
            for zone in rows[rows[:, ROW_ZONE] == directory, ROW_LINK].tolist():
                if zone != NO_NAME and zone not in seen and self.signed_zones[zone]:
                    seen.add(zone)
                    found[self.apex(zone)].append(Instance(zone, directory))
        return dict(found)

    def apex(self, zone: int) -> bytes:
        """Return the wire form of a zone's apex."""
        return self.name(self.columns["zone_apex"][zone])

    def name(self, entry: int) -> bytes:
        """Return the wire form of a name."""
        return read_name(self.columns["blob"], self.columns["name_row"][entry * NAME_ROW + ROW_OFFSET])

    def look_up(self, instance: Instance, owner: bytes, qtype: int) -> Found | None:
        """Return what stands at a name (lower case) for a type, None where another zone answers for it; its room is
        used again by the next look-up."""
        set_name(self._suffixes, owner)
        look_up(self.view, self._suffixes, qtype, instance.directory, self._found)
        return self._found if self._found.zone == instance.zone else None

    def subject_at(self, instance: Instance, owner: bytes, qtype: int) -> Subject | None:
        """Return who is asked at a name for a type, None where no load balancer is, or the name is a wildcard's."""
        number = NUMBERS.get(qtype)
        if number is None or owner.startswith(WILDCARD_LABEL):
            return None
        found = self.look_up(instance, owner, qtype)
        if found is None or found.kind != KIND_STEERED:
            return None
        return Subject(owner, instance.zone, found.entry, KINDS[number], found.load_balancer)

    def same_subject(self, other: SignedContent, subject: Subject) -> Subject | None:
        """Return the subject here that one of another snapshot is, None where that is none any more."""
        apex = other.apex(subject.zone)
        there = next((one for one in other.instances.get(apex, ()) if one.zone == subject.zone), None)
        here = [one for one in self.instances.get(apex, ()) if there is not None and one.directory == there.directory]
        return self.subject_at(here[0], subject.owner, subject.kind.qtype) if here else None

    # --- answers ---

    def now(self, subject: Subject) -> list[Unsigned]:
        """Return what a subject may be answered now."""
        return self._wanted(subject, self.sets.of(subject.load_balancer, subject.kind, subject.owner).now)

    def near(self, subject: Subject) -> list[Unsigned]:
        """Return what a subject may be answered besides after one flip."""
        return self._wanted(subject, self.sets.of(subject.load_balancer, subject.kind, subject.owner).near)

    def rows_of(self, subject: Subject) -> tuple[DecidingRow, ...]:
        """Return the rows that may decide for a subject."""
        return self.sets.rows_of(subject.load_balancer, subject.kind, subject.owner)

    def pools_of(self, subject: Subject) -> frozenset[int]:
        """Return the pools whose health a subject's answers hang on."""
        return self.sets.pools_of(self.rows_of(subject))

    def changed_pools(self) -> frozenset[int]:
        """Take the health of now; return the pools that are not as they were, or have an endpoint that is not."""
        endpoint_slots, pool_slots = self.health.refresh()
        if not len(endpoint_slots) and not len(pool_slots):
            return frozenset()
        self.sets.forget()
        endpoints = np.isin(np.frombuffer(self.columns["endpoint_slot"], np.uint32), endpoint_slots)
        pools = np.isin(np.frombuffer(self.columns["pool_slot"], np.uint32), pool_slots)
        return frozenset(self._pool_of_endpoint[endpoints].tolist()) | frozenset(np.flatnonzero(pools).tolist())

    def denial(self, subject: Subject, ttl: int) -> Unsigned:
        """Return what a subject gets where a decision of a TTL comes to no records."""
        of_chain, of_soa = self.denied(subject.zone)
        ttl_s = min(of_chain, of_soa, ttl)
        return nodata(self.columns, subject.zone, subject.entry, subject.owner, subject.kind.qtype, ttl_s)

    def denied(self, zone: int) -> tuple[int, int]:
        """Return the TTLs of a signed zone's denials, and of its SOA record with them, in seconds."""
        found = self._denied.get(zone)
        if found is None:
            row = find_rrset(self.view, self.columns["zone_apex"][zone], TYPE_SOA)
            soa = next(iter(self._rdatas(row)), b"") if row != NO_ROW else b""
            minimum_s = int.from_bytes(soa[-4:], "big")
            found = denial_ttl(self.columns, zone), min(self.columns["rrset_ttl"][row], minimum_s) if soa else 0
            self._denied[zone] = found
        return found

    def standing(self, row: int, apex: bytes, owner: bytes) -> Unsigned:
        """Return an RRset of the snapshot as it is signed under a name."""
        columns = self.columns
        return Unsigned(apex, owner, columns["rrset_type"][row], columns["rrset_ttl"][row], tuple(self._rdatas(row)))

    def _rdatas(self, row: int) -> Iterator[bytes]:
        columns = self.columns
        first = columns["rrset_rdata_start"][row]
        for at in range(first, first + columns["rrset_rdata_count"][row]):
            offset = columns["rdata_offset"][at]
            yield bytes(columns["blob"][offset : offset + columns["rdata_length"][at]])

    def _wanted(self, subject: Subject, those: Iterable[Given]) -> list[Unsigned]:
        apex = self.apex(subject.zone)
        return [
            self.denial(subject, ttl) if data is None else Unsigned(apex, subject.owner, data.type, ttl, data.rdatas)
            for ttl, data in those
        ]
