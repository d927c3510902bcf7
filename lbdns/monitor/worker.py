"""The monitor worker: adopts what the supervisor tells it to probe, and keeps the health table.

    control file --(generation)--> targets --> ledger, names, plan --> scheduler --> probes --> ledger --> table

It needs nobody to go on: a dead supervisor leaves it probing, and a new worker continues from the table's states.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.health import forced
from lbdns.health.events import HealthChange, Record, duration_text
from lbdns.health.verdict import HEALTHY
from lbdns.mapped.control import Control
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.resolved import read_addresses, write_addresses
from lbdns.monitor import latency
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.ledger.states import EndpointHealth
from lbdns.monitor.notify.notifier import Notifier
from lbdns.monitor.probe_plan import ProbePlan
from lbdns.monitor.resolving import HostNames, Resolved
from lbdns.monitor.schedule import IN_FLIGHT_MAX, Scheduler
from lbdns.monitor.targets import Targets, Vantage, load_targets
from lbdns.monitor.toggles import toggles

TICK_S: Final = 0.2  # heartbeat, and how soon a forced state or a new generation is seen where nobody tells of it
SLOW_TICK_S: Final = 1.0
SAVE_LATENCY_S: Final = 60.0
RETRY_ADOPTION_S: Final = 1.0
GC_THRESHOLDS: Final = (20_000, 20, 1000)
SPARE_FILES: Final = 64  # descriptors that are not probes'

log = logging.getLogger("lbdns.monitor")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. `state_dir`: where the record and figures are kept; None keeps nothing. `wake_fd`: an
    eventfd that is written when the control file has news."""

    run_dir: Path
    control_file: Path
    state_dir: Path | None = None
    orphan_ok: bool = False
    wake_fd: int | None = None


class MonitorWorker:
    """One monitor worker, from start to `stop`."""

    def __init__(self, options: Options) -> None:
        """Describe the worker; `run` does the rest."""
        self._options = options
        self._parent = os.getppid()
        self._control = Control.attach(options.control_file, writable=True)
        self._control_inode = os.stat(options.control_file).st_ino
        self._record = Record(options.state_dir) if options.state_dir else None
        self._record_failed = False
        self._targets: Targets | None = None
        self._ledger: Ledger | None = None
        self._plan: ProbePlan | None = None
        self._by_name: dict[str, list[EndpointHealth]] = {}
        self._forced_seen: tuple[int, float] = (-1, 0.0)
        self._forced: tuple[forced.Forced, ...] = ()
        self._forced_expiry_s = float("inf")
        self._cut_off: dict[Vantage, float] = {}  # since when, unix s
        self._failed_generation = 0
        self._retry_s = 0.0
        self._is_stopping = False
        self._woken = asyncio.Event()

    def stop(self) -> None:
        """Ask the worker to end; `run` returns soon after."""
        self._is_stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Probe until told to stop, or until another worker or supervisor has taken over."""
        self._control.monitor_pid = os.getpid()
        if self._options.wake_fd is not None:
            asyncio.get_running_loop().add_reader(self._options.wake_fd, self._wake, self._options.wake_fd)
        self._scheduler = Scheduler(in_flight_limit())
        self._names = HostNames(self._name_changed, self._name_failed)
        self._notifier = Notifier(self._options.state_dir)
        slow_s = save_s = time.monotonic()
        try:
            while not self._is_stopping and not self._superseded():
                self._tick()
                now_s = time.monotonic()
                if now_s - slow_s >= SLOW_TICK_S and self._ledger is not None:
                    slow_s = now_s
                    self._slow_tick()
                if now_s - save_s >= SAVE_LATENCY_S:
                    save_s = now_s
                    self._save_latency()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), TICK_S)
                self._woken.clear()
        finally:
            await self._names.close()
            await self._scheduler.close()
            self._save_latency()
            await self._notifier.close()
            if self._record is not None:
                self._record.close()

    def _wake(self, wake_fd: int) -> None:
        os.eventfd_read(wake_fd)
        self._woken.set()

    def _superseded(self) -> bool:
        """Whether the health table is another's to write, or nobody is left to write it for."""
        if self._control.monitor_pid != os.getpid():
            log.info("another monitor worker (pid %d) has taken over", self._control.monitor_pid)
            return True
        if not self._options.orphan_ok and os.getppid() != self._parent:
            log.info("the supervisor is gone")
            return True
        try:
            replaced = os.stat(self._options.control_file).st_ino != self._control_inode
        except OSError:
            replaced = True
        if replaced:
            log.info("the server that this worker belonged to is gone")
        return replaced

    def _tick(self) -> None:
        # Before a new generation, whose adoption takes a while where there are thousands of pools.
        if self._ledger is not None and self._control.get("forced_version") != self._forced_seen[0]:
            self._read_forced()
        generation = self._control.generation
        adopted = self._targets.generation if self._targets else 0
        is_due = generation != self._failed_generation or time.monotonic() >= self._retry_s
        if generation not in (0, adopted) and is_due:
            self._adopt(generation)
        if self._ledger is not None:
            columns = self._ledger.table.columns
            columns["heartbeat_ns"][0] = time.monotonic_ns()
            columns["probes_started"][0] = self._scheduler.started
            columns["probes_late"][0] = self._scheduler.late
            columns["probes_in_flight"][0] = self._scheduler.in_flight
            if time.time() >= self._forced_expiry_s:
                self._apply_forced()

    def _slow_tick(self) -> None:
        assert self._ledger is not None
        self._ledger.sample()
        if self._forced_file_s() != self._forced_seen[1]:
            self._read_forced()

    # --- a new generation ---

    def _adopt(self, generation: int) -> None:
        try:
            targets = load_targets(self._options.run_dir / f"targets-{generation}.json")
            table = self._table(targets.table)
        except LbdnsError as error:
            if generation != self._failed_generation:
                log.error("generation %d is not adopted, what was probed before is probed on: %s", generation, error)
            self._failed_generation, self._retry_s = generation, time.monotonic() + RETRY_ADOPTION_S
            return
        former = self._ledger.table if self._ledger else None
        if self._ledger is None:
            self._ledger = Ledger(table, time.time, self._report, self._publish)
            self._plan = ProbePlan(self._ledger, self._scheduler, self._tell_cut_off)
            self._read_forced()
        self._notifier.adopt(targets.notifications, targets.pools, targets.balancers)
        if self._targets is not None:
            for change in toggles(self._targets.pools, targets.pools, time.time()):
                self._report(change)
        self._ledger.adopt(targets.pools, targets.balancers, table)
        self._targets = targets
        self._adopt_names(targets)
        assert self._plan is not None
        self._plan.adopt(targets, self._names.addresses)
        self._show_cut_off()
        for endpoints in self._by_name.values():
            for endpoint in endpoints:
                self._publish(endpoint)
        if former is not None and former is not table:
            former.close()
        if former is None:
            self._restore_latency()
        table.columns["adopted_generation"][0] = generation
        self._control.set("monitor_generation", generation)
        _settle_memory()
        count = sum(len(pool.endpoints) for pool in targets.pools)
        log.info(
            "generation %d: %d endpoints in %d pools, %d checks",
            generation,
            count,
            len(targets.pools),
            len(self._plan.checks),
        )

    def _table(self, path: Path) -> HealthTable:
        if self._ledger is not None and self._ledger.table.path == path:
            return self._ledger.table
        return HealthTable.attach(path, writable=True)

    # --- hostnames ---

    def _adopt_names(self, targets: Targets) -> None:
        assert self._ledger is not None
        self._by_name = {}
        for endpoint in self._ledger.endpoints.values():
            if endpoint.spec.is_name and endpoint.spec.enabled:
                self._by_name.setdefault(endpoint.spec.address, []).append(endpoint)
                self._names.seed(endpoint.spec.address, self._found_earlier(endpoint))
        needed = {one for one, endpoints in self._by_name.items() if any(each.spec.must_resolve for each in endpoints)}
        self._names.adopt(self._by_name, targets.resolvers, self._by_name.keys() - needed)

    def _found_earlier(self, endpoint: EndpointHealth) -> Resolved:
        assert self._ledger is not None
        columns, slot = self._ledger.table.columns, endpoint.spec.slot
        v4 = tuple(str(ip_address(packed)) for packed in read_addresses(columns, slot, 4))
        v6 = tuple(str(ip_address(packed)) for packed in read_addresses(columns, slot, 6))
        return Resolved(v4, v6, float(columns["resolved_expiry"][slot]))

    def _name_changed(self, name: str) -> None:
        assert self._plan is not None
        for endpoint in self._by_name.get(name, ()):
            self._plan.replan(endpoint, self._names.addresses)
            self._publish(endpoint)

    def _name_failed(self, name: str) -> None:
        assert self._ledger is not None
        for endpoint in self._by_name.get(name, ()):
            self._ledger.unresolved(endpoint)

    def _publish(self, endpoint: EndpointHealth) -> None:
        """Write a name's addresses to the table: those that are healthy, or all where none is or nobody asks."""
        assert self._ledger is not None
        found = self._names.found(endpoint.spec.address)
        healthy = {series.address for series in endpoint.series if series.state == HEALTHY}
        healthy -= {series.address for series in endpoint.series if series.state != HEALTHY and series.member.votes}
        v4, v6 = _chosen(found.v4, healthy), _chosen(found.v6, healthy)
        if healthy.isdisjoint(found.addresses):
            v4, v6 = found.v4, found.v6
        columns, slot = self._ledger.table.columns, endpoint.spec.slot
        packed4, packed6 = [ip_address(one).packed for one in v4], [ip_address(one).packed for one in v6]
        unchanged = (
            columns["resolved_expiry"][slot] == int(found.expiry_s)
            and read_addresses(columns, slot, 4) == packed4
            and read_addresses(columns, slot, 6) == packed6
        )
        if not unchanged:
            write_addresses(columns, slot, packed4, packed6, int(found.expiry_s))

    # --- forced states ---

    def _forced_file_s(self) -> float:
        if self._options.state_dir is None:
            return 0.0
        try:
            return (self._options.state_dir / forced.FILE_NAME).stat().st_mtime
        except OSError:
            return 0.0

    def _read_forced(self) -> None:
        self._forced_seen = (self._control.get("forced_version"), self._forced_file_s())
        if self._options.state_dir is None:
            return
        try:
            self._forced = forced.load(self._options.state_dir)
        except LbdnsError as error:
            log.error("%s; the forced states stay as they were", error)
            return
        self._apply_forced()

    def _apply_forced(self) -> None:
        assert self._ledger is not None
        self._forced_expiry_s = forced.next_expiry_s(self._forced, time.time())
        self._ledger.force(self._forced)

    # --- round-trip times ---

    def _save_latency(self) -> None:
        if self._options.state_dir is None or self._ledger is None:
            return
        pools = [(pool.spec.name, pool.spec.slot) for pool in self._ledger.pools.values()]
        try:
            latency.save(self._options.state_dir, self._ledger.table.columns, pools)
        except LbdnsError as error:
            log.warning("%s", error)

    def _restore_latency(self) -> None:
        if self._options.state_dir is None or self._ledger is None:
            return
        kept = latency.load(self._options.state_dir, time.time())
        for pool in self._ledger.pools.values():
            latency.restore(self._ledger.table.columns, pool.spec.slot, kept.get(pool.spec.name, {}))

    # --- telling people ---

    def _report(self, change: HealthChange) -> None:
        """Log and record a change; first good results are expected and go to the record alone."""
        self._notifier.tell(change)
        good = change.after in ("healthy", "connected", "enabled", "disabled")
        first = change.before == "unknown" and good and (change.kind == "endpoint" or change.cause == "configuration")
        log.log(logging.DEBUG if first else logging.INFO if good else logging.WARNING, "%s", change.text)
        if self._record is None:
            return
        try:
            self._record.append(change)
            self._record_failed = False
        except OSError as error:
            if not self._record_failed:
                log.error("the record of changes cannot be written: %s", error.strerror)
            self._record_failed = True

    def _show_cut_off(self) -> None:
        """Write to the table since when a vantage point that is in use has been cut off."""
        assert self._ledger is not None and self._plan is not None
        in_use = self._plan.vantages
        self._cut_off = {vantage: since_s for vantage, since_s in self._cut_off.items() if vantage in in_use}
        self._ledger.table.columns["frozen_since"][0] = min(self._cut_off.values(), default=0.0)

    def _tell_cut_off(self, vantage: Vantage, cut_off: bool) -> None:
        assert self._ledger is not None
        now_s = time.time()
        since_s = self._cut_off.pop(vantage, now_s)
        if cut_off:
            self._cut_off[vantage] = now_s
        self._show_cut_off()
        if cut_off:
            log.error("vantage point %s seems cut off: no target answers; health stays as it was", vantage.name)
        else:
            log.info("vantage point %s is connected again after %s", vantage.name, duration_text(now_s - since_s))
        states = ("connected", "cut off") if cut_off else ("cut off", "connected")
        self._report(HealthChange(now_s, "vantage_point", vantage.name, *states, vantage=vantage.name))


def _chosen(addresses: Sequence[str], healthy: set[str]) -> tuple[str, ...]:
    return tuple(address for address in addresses if address in healthy)


def _settle_memory() -> None:
    """Take the objects that live as long as the generation out of the collector's sight.

    With 10,000 endpoints each full collection stopped all probes for up to 0.4 s. What a generation left behind is
    collected here, once; probes leave no cycles behind, so that full collections may be rare.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def in_flight_limit() -> int:
    """Return how many probes may be in flight, after raising the soft limit of open files as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IN_FLIGHT_MAX + SPARE_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(min(IN_FLIGHT_MAX, soft - SPARE_FILES), 2)
