"""One server's publications in process: configurations compiled as the publisher does it, with what is transferred of
them, and restarts in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.dns.name import encode_canonical, read_name
from lbdns.dns.zone import RRset
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import views_of_zone
from lbdns.mapped.zone_journal import Differences, read_differences
from lbdns.model.configuration import Configuration
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.compile.signed_zones import SnapshotSigning
from lbdns.snapshot.lookup import zone_walk
from lbdns.snapshot.slots import Slots
from lbdns.transfer.content.settled_zone import serial_of
from lbdns.transfer.content.transfer_content import TransferContent
from lbdns.transfer.content.zone_difference import records_of

CAPACITY = 64
FOLLOWED: Mapping[str, Any] = {"access": {"transfer": [{"network": "127.0.0.0/8"}]}}


def flattening(*zones: str, steered: str = "flatten") -> dict[str, Any]:
    """Return settings under which anybody here may transfer every zone, with load balancers as records in some."""
    return {**FOLLOWED, "zones": {zone: {"transfer": {"steered": steered}} for zone in zones}}


def walked(view: ServingView, zone: int, kernel: ModuleType = zone_walk) -> list[RRset]:
    """Return the RRsets of a zone as the walk gives them, the SOA first."""
    cursor = kernel.ContentCursor()
    names = view.steering
    assert kernel.begin_content(names, zone, cursor)
    found = [view._read_rrset(read_name(view.columns["blob"], cursor.apex), cursor.soa)]
    while kernel.next_rrset(names, cursor):
        found.append(view._read_rrset(read_name(view.columns["blob"], cursor.owner), cursor.rrset))
    assert not kernel.next_rrset(names, cursor)
    return found


def zone_of(view: ServingView, name: str) -> int:
    """Return the index of a zone, the first of its instances."""
    apex = encode_canonical(name)
    return next(zone for zone in range(len(view.columns["zone_apex"])) if view.apex(zone) == apex)


class Transferred:
    """A zone as a secondary has it: serial, and every record in wire form, the SOA's among them."""

    def __init__(self, rrsets: Sequence[RRset]) -> None:
        listed = [record for rrset in rrsets for record in records_of(rrset)]
        self.serial = serial_of(rrsets[0])
        self.records = frozenset(listed)
        assert len(listed) == len(self.records), "a record is there twice"

    def after(self, changes: Differences) -> frozenset[bytes]:
        """Return the records after some differences, each of which must fit."""
        gone, come = {changes.old_soa, *changes.deleted}, {changes.new_soa, *changes.added}
        assert gone <= self.records, "what is not there is deleted"
        assert not come & (self.records - gone), "what is there is added"
        return (self.records - gone) | come


class Publications:
    """A server whose state directory is `folder`."""

    def __init__(self, folder: Path, signing: SnapshotSigning | None = None) -> None:
        self.folder = folder
        self.signing = signing
        self.generation = 0
        self.slots = Slots()
        self.table = HealthTable.create(folder / "health.bin", CAPACITY, CAPACITY, 1)
        self.view: ServingView
        self.restart()

    def restart(self) -> None:
        """Begin again from what is on the disk."""
        self.content = TransferContent(self.folder)
        self.memo = CompileMemo()

    def read(self, tree: Mapping[str, Any]) -> Configuration:
        """Return a configuration."""
        return parse(dict(tree), self.folder).configuration

    def publish(self, configuration: Configuration, is_abandoned: bool = False) -> ServingView:
        """Publish a configuration, or begin to and give it up; return what is in force."""
        self.slots = self.slots.assign(configuration)
        self.generation += 1
        settling = self.content.settling(configuration, self.table)
        snapshot = compile_snapshot(
            configuration, Geodata.open(), self.slots, self.generation, 1, self.memo, self.signing, settling
        )
        if settling is not None:
            settling.keep()
            (settling.abandon if is_abandoned else settling.take)()
        if not is_abandoned:
            self.view = ServingView(snapshot, self.table)
        return self.view

    def set_health(self, pool: str, is_up: bool) -> None:
        """Set the state of a pool and of its endpoints."""
        state = HEALTHY if is_up else UNHEALTHY
        self.table.columns["pool_state"][self.slots.pool[pool]] = state
        for (name, *_), slot in self.slots.endpoint.items():
            if name == pool:
                self.table.columns["endpoint_state"][slot] = state

    def transferred(self, name: str) -> Transferred:
        """Return a zone as it is in force."""
        return Transferred(walked(self.view, zone_of(self.view, name)))

    def differences(self, name: str, serial: int) -> Differences | None:
        """Return what leads from a serial of a zone to the one in force."""
        zone = zone_of(self.view, name)
        view = views_of_zone(self.view.snapshot, zone)[0]
        now = self.transferred(name).serial
        return read_differences(self.folder, encode_canonical(name), view, serial, now)
