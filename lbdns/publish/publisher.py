"""From a checked configuration to a generation in force: compile, write, try, swap. Nothing is served before the swap.

    slots.assign -> compile -> snapshot-N.bin, targets-N.json, slots-N.json -> canaries -> control.generation = N

Tries are written to tries-N.bin where they are not those of the generation before. Files of the generation before stay
for readers that are just opening them; older ones that no generation left refers to are removed.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.fastpath.templates import add_templates
from lbdns.health.pool_state import effective_byte
from lbdns.health.verdict import COUNTS
from lbdns.mapped.control import Control
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Pool
from lbdns.places.geodata import Geodata
from lbdns.places.place_tree import PlaceTree
from lbdns.publish.canary import try_canaries
from lbdns.publish.monitor_targets import TargetsMemo, write_targets
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots

ENDPOINT_CAPACITY_MIN = 64
POOL_CAPACITY_MIN = 32
GENERATIONS_KEPT = 2

log = logging.getLogger("lbdns.publish")


@dataclass(frozen=True, slots=True)
class Published:
    """A generation that can be in force: what was configured and where its parts are."""

    generation: int
    configuration: Configuration
    slots: Slots
    snapshot: Snapshot
    table: HealthTable


class Publisher:
    """Makes generations in one run directory; `current` is the one in force."""

    def __init__(self, control: Control, run: RunDirectory) -> None:
        """Continue after whatever generation the control file says."""
        self._control = control
        self._run = run
        self._slots = Slots()
        self._saved = (Slots(), _slots_text(Slots()))
        self._table: HealthTable | None = None
        self._memo, self._targets_memo = CompileMemo(), TargetsMemo()
        self._tried: tuple[Configuration, PlaceTree, HealthTable] | None = None
        self._tries: tuple[object, Path] | None = None
        self.current: Published | None = None

    def resume(self) -> bool:
        """Take over slots and health table of the generation in force; False, with a warning, where this version cannot
        read them: health begins as unknown then."""
        generation = self._control.generation
        try:
            layout_id = Snapshot.open(self._run.snapshot(generation)).layout_id
            table = HealthTable.attach(self._run.table(layout_id), writable=True)
            slots = _load_slots(self._run.slots(generation))
        except (LbdnsError, OSError, ValueError, KeyError, TypeError) as error:
            log.warning("what the earlier start measured cannot be taken over, so health begins as unknown: %s", error)
            return False
        self._table, self._slots = table, slots
        return True

    def prepare(self, configuration: Configuration) -> Published:
        """Compile, write and try the next generation; raises LbdnsError, and leaves nothing behind then."""
        generation = self._control.generation + 1
        slots = self._slots.assign(configuration)
        geodata = Geodata.open(configuration.settings.geodata.city, configuration.settings.geodata.asn)
        table = self._table_for(slots)
        path = self._run.snapshot(generation)
        try:
            compiled = compile_snapshot(configuration, geodata, slots, generation, table.layout_id, self._memo)
            add_templates(compiled, ServingView(compiled, table)).write(path, self._write_tries(compiled, generation))
            snapshot = Snapshot.open(path)
            try_canaries(configuration, snapshot, table, self._comparable(configuration, geodata, table))
            self._tried = (configuration, geodata.tree, table)
            targets = self._run.targets(generation)
            write_targets(configuration, slots, generation, table.path, targets, self._targets_memo)
            self._save_slots(slots, self._run.slots(generation))
        except (LbdnsError, OSError) as error:
            self._discard(generation, table)
            if isinstance(error, OSError):
                raise LbdnsError(f"{self._run.path}: cannot write there: {error.strerror}") from error
            raise
        return Published(generation, configuration, slots, snapshot, table)

    def _write_tries(self, compiled: Snapshot, generation: int) -> Path:
        """Return where the tries of a snapshot are, after writing them unless they are those written last."""
        nodes = compiled.columns["trie_nodes"].obj
        if self._tries is None or self._tries[0] is not nodes:
            path = self._run.tries(generation)
            compiled.write_tries(path)
            self._tries = (nodes, path)
        return self._tries[1]

    def _save_slots(self, slots: Slots, path: Path) -> None:
        if slots != self._saved[0]:
            self._saved = (slots, _slots_text(slots))
        path.write_text(self._saved[1])

    def publish(self, prepared: Published) -> None:
        """Put a prepared generation in force: the next batch of every worker is answered from it."""
        self._begin_as_unknown(prepared)
        self._slots, self._table = prepared.slots, prepared.table
        self._control.generation = prepared.generation
        self.current = prepared
        self._remove_older(prepared)

    def _begin_as_unknown(self, prepared: Published) -> None:
        """Have new pools and endpoints, and pools that got a monitor, begin as unknown, save where they are forced.

        What stands in their slots is a former owner's, or from when nobody looked; the monitor worker, whose the table
        is, puts that right as well, but only moments after the swap.
        """
        table, slots = prepared.table, prepared.slots
        pool_owners, endpoint_owners = (table.columns[f"{one}_identity"] for one in ("pool", "endpoint"))
        for name in slots.pool.keys() - self._slots.pool.keys():
            if pool_owners[slots.pool[name]]:
                table.clear_pool(slots.pool[name])
        for key in slots.endpoint.keys() - self._slots.endpoint.keys():
            if endpoint_owners[slots.endpoint[key]]:
                table.clear_endpoint(slots.endpoint[key])
        before = self.current.configuration.pools if self.current else {}
        for name, pool in prepared.configuration.pools.items():
            known = before.get(name)
            if known is pool or known is None or known.is_monitored or not pool.is_monitored:
                continue
            states, slot = table.columns["pool_state"], slots.pool[name]
            unwatched = effective_byte(_bytes_of(known, self._slots, table), known.minimum_origins, False, None)
            # Where it is not what its endpoints make of it, the pool itself is forced.
            if not states[slot] & COUNTS or states[slot] == unwatched:
                states[slot] = effective_byte(_bytes_of(pool, slots, table), pool.minimum_origins, True, None)

    def abandon(self, prepared: Published) -> None:
        """Remove a prepared generation that shall not be served after all."""
        self._discard(prepared.generation, prepared.table)

    def _comparable(self, configuration: Configuration, geodata: Geodata, table: HealthTable) -> Configuration | None:
        """Return the last configuration that was tried, None where this one is served from another place, by other
        geolocation or with another health table."""
        if self._tried is None:
            return None
        before, places, table_before = self._tried
        is_alike = before.settings.pop == configuration.settings.pop and places is geodata.tree
        return before if is_alike and table is table_before else None

    def _table_for(self, slots: Slots) -> HealthTable:
        """Return the health table in use, or one with more room that starts with all the old one knows."""
        old = self._table
        if old and slots.endpoint_count <= old.endpoint_capacity and slots.pool_count <= old.pool_capacity:
            return old
        number = 1 + max((_number(path) for path in self._run.path.glob("health-*.bin")), default=0)
        endpoints = max(ENDPOINT_CAPACITY_MIN, 2 * slots.endpoint_count)
        table = HealthTable.create(
            self._run.table(number), endpoints, max(POOL_CAPACITY_MIN, 2 * slots.pool_count), number
        )
        if old:
            table.copy_from(old)
        return table

    def _discard(self, generation: int, table: HealthTable) -> None:
        for path in (self._run.snapshot(generation), self._run.targets(generation), self._run.slots(generation)):
            path.unlink(missing_ok=True)
        if self._tries and self._tries[1] == self._run.tries(generation):
            self._tries[1].unlink(missing_ok=True)
            self._tries = None
        if table is not self._table:
            table.path.unlink(missing_ok=True)

    def _remove_older(self, in_force: Published) -> None:
        oldest = in_force.generation - GENERATIONS_KEPT + 1
        for pattern in ("snapshot-*.bin", "targets-*.json", "slots-*.json"):
            for path in self._run.path.glob(pattern):
                if _number(path) < oldest:
                    path.unlink(missing_ok=True)
        try:
            used = self._shared_files() | {in_force.table.path}
        except LbdnsError:
            return  # a snapshot of another version of lbdns, which an earlier start left: the next change removes it
        for pattern in ("health-*.bin", "tries-*.bin"):
            for path in self._run.path.glob(pattern):
                if path not in used:
                    path.unlink(missing_ok=True)

    def _shared_files(self) -> set[Path]:
        """Return the tries and health tables that the snapshots refer to; raises LbdnsError."""
        used: set[Path] = set()
        for path in self._run.path.glob("snapshot-*.bin"):
            snapshot = Snapshot.open(path)
            used.update(part.path for part in snapshot.parts)
            used.add(self._run.table(snapshot.layout_id))
        return used


def _bytes_of(pool: Pool, slots: Slots, table: HealthTable) -> list[int]:
    """Return the effective bytes of a pool's enabled endpoints."""
    states = table.columns["endpoint_state"]
    return [states[slots.endpoint[pool.name, one.name, one.address]] for one in pool.origins if one.is_used]


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _slots_text(slots: Slots) -> str:
    document = {
        "endpoint": [[*key, slot] for key, slot in slots.endpoint.items()],
        "pool": dict(slots.pool),
        "load_balancer": [[*key, slot] for key, slot in slots.load_balancer.items()],
        "counts": [slots.endpoint_count, slots.pool_count, slots.load_balancer_count],
        "freed": [slots.endpoint_freed, slots.pool_freed, slots.load_balancer_freed],
    }
    return json.dumps(document)


def _load_slots(path: Path) -> Slots:
    document = json.loads(path.read_text())
    counts = document["counts"]
    freed = [tuple(tuple(group) for group in groups) for groups in document["freed"]]
    return Slots(
        endpoint={(pool, name, address): slot for pool, name, address, slot in document["endpoint"]},
        pool=document["pool"],
        load_balancer={(name, kind): slot for name, kind, slot in document["load_balancer"]},
        endpoint_count=counts[0],
        pool_count=counts[1],
        load_balancer_count=counts[2],
        endpoint_freed=freed[0],
        pool_freed=freed[1],
        load_balancer_freed=freed[2],
    )
