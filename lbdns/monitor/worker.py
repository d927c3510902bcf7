"""The monitor worker at work: adopts what the supervisor tells it to probe, and keeps the health table.

    control file --(generation)--> targets --> ledger, names, plan --> scheduler --> probes --> ledger --> table

It needs nobody to go on: a dead supervisor leaves it probing, and a new worker continues from the table's states.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lbdns.base.clocks import elapsed_s, wall_offset_s
from lbdns.base.errors import LbdnsError
from lbdns.base.garbage import SELDOM
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.base.wording import counted
from lbdns.health.events import last_told
from lbdns.health.verdict import ENDPOINT_WORDS
from lbdns.mapped.run_directory import opener_path
from lbdns.model.targets_document import Vantage
from lbdns.monitor import latency
from lbdns.monitor.cut_offs import CutOffs
from lbdns.monitor.generations import Generation, Generations
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.ledger.states import EndpointHealth
from lbdns.monitor.named_endpoints import NamedEndpoints
from lbdns.monitor.network_states import NetworkStates
from lbdns.monitor.notify.notifier import Alone
from lbdns.monitor.probe_plan import ProbePlan
from lbdns.monitor.probe_watch import ProbeWatch
from lbdns.monitor.reporter import Reporter
from lbdns.monitor.schedule import IN_FLIGHT_MAX, Scheduler
from lbdns.monitor.standing_orders import StandingOrders
from lbdns.monitor.targets import Targets
from lbdns.monitor.tenure import Tenure
from lbdns.monitor.toggles import toggles
from lbdns.monitor.ways.opener_client import Opening
from lbdns.monitor.ways.way import Way
from lbdns.monitor.ways.ways import Ways

if TYPE_CHECKING:
    from lbdns.monitor.joined.fleet_part import FleetPart

TICK_S: Final = 0.2  # heartbeat, and how soon a forced state or a new generation is seen where nobody tells of it
SLOW_TICK_S: Final = 1.0
SAVE_LATENCY_S: Final = 60.0
SETTLINGS_MAX: Final = 3
"""Generations that are settled at once, of those between two slow ticks: each takes as long as all that is there."""
WORTH_SETTLING: Final = 10
"""Settled once one in so many pools and load balancers has come or gone."""
SPARE_FILES: Final = 64  # descriptors that are not probes'

log = logging.getLogger("lbdns.monitor")


class MonitorWorker:
    """One monitor worker, from its first generation to the end of its tenure."""

    def __init__(self, tenure: Tenure, generations: Generations, first: Generation, state_dir: Path | None) -> None:
        """Adopt the first generation, inside a running loop; `state_dir`: where the record, forced states and
        round-trip times are kept, None keeps nothing."""
        self._tenure = tenure
        self._generations = generations
        self._state_dir = state_dir
        self._unsaved = LastingTrouble(log, "round-trip times are kept again")
        self._targets = first.targets
        watch = ProbeWatch(tenure.control, generations.run_dir)
        self._scheduler = Scheduler(in_flight_limit(), runs=watch)
        self._reporter = Reporter(state_dir)
        self._ledger = Ledger(first.table, time.time, self._reporter.tell, self._address_flipped, elapsed_s)
        self._cut_offs = CutOffs(self._ledger, self._reporter.tell)
        self._networks = NetworkStates(self._ledger, self._reporter.tell)
        self._ways = Ways(Opening(opener_path(generations.run_dir)), self._way_changed)
        self._plan = ProbePlan(self._ledger, self._scheduler, self._tell_cut_off, self._ways.of)
        self._named = NamedEndpoints(self._ledger, self._plan, self._ways.of)
        self._orders = StandingOrders(state_dir, tenure.control, self._ledger.force)
        self._orders.follow()
        self._fleet: FleetPart | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._reporter.adopt(first.targets)
        self._adopt(first)
        self._restore_latency()
        self._recall_told()
        self._settlings = self._unsettled = 0
        self._say_adopted()
        self._have_settled()

    async def run(self) -> None:
        """Probe until the tenure is over."""
        slow_s = save_s = time.monotonic()
        try:
            while not self._tenure.is_over():
                self._tick()
                now_s = time.monotonic()
                if now_s - slow_s >= SLOW_TICK_S:
                    slow_s = now_s
                    self._scheduler.end_overdue()
                    self._ledger.sample()
                    self._orders.look()
                    self._named.follow_system()
                    if self._fleet is not None:
                        self._fleet.look()
                    self._settlings = 0
                    self._settle()
                if now_s - save_s >= SAVE_LATENCY_S:
                    save_s = now_s
                    self._save_latency()
                await self._tenure.pause(TICK_S)
        finally:
            if self._fleet is not None:
                await self._fleet.close()
            if self._leaving:
                await asyncio.wait(self._leaving)
            await self._named.close()
            await self._scheduler.close()
            await self._ways.close()
            self._save_latency()
            await self._reporter.close()

    def _tick(self) -> None:
        # Before a new generation, whose adoption takes a while where there are thousands of pools.
        self._orders.follow()
        following = self._generations.next(self._targets.generation, self._ledger.table)
        if following is not None:
            self._follow(following)
        columns = self._ledger.table.columns
        if not self._scheduler.is_stalled():  # it lives who probes
            columns["heartbeat_ns"][0] = time.monotonic_ns()
        columns["probes_started"][0] = self._scheduler.started
        columns["probes_late"][0] = self._scheduler.late
        columns["probes_in_flight"][0] = self._scheduler.in_flight
        count, since_ns = self._reporter.waiting
        self._tenure.control.set("notifications_waiting", count)
        self._tenure.control.set("notification_ns", since_ns)

    # --- a new generation ---

    def _follow(self, generation: Generation) -> None:
        """Go on with the next generation."""
        former = self._targets
        if generation.goes_on:  # nothing came, and nothing is left of the one before
            self._targets = generation.targets
            self._say_adopted()
            return
        self._reporter.adopt(generation.targets)
        for change in toggles(former.pools, generation.targets.pools, time.time()):
            self._reporter.tell(change)
        # The table before, where it is another, is unmapped when the last look-up that began with it has ended.
        self._adopt(generation)
        self._say_adopted()
        self._have_settled()

    def _adopt(self, generation: Generation) -> None:
        self._targets = targets = generation.targets
        self._join_fleet(targets)
        vantages = targets.vantages if self._fleet is None else self._fleet.shown_vantages
        lacks = generation.own.lacks_answers if generation.own is not None else None
        self._ledger.adopt(targets.pools, targets.balancers, generation.table, vantages, lacks)
        self._ways.adopt(targets.networks, targets.resolvers)
        self._networks.adopt(self._ways.all)
        self._named.adopt(targets.resolvers, generation.own)
        self._plan.adopt(targets, self._named.addresses)
        if self._fleet is not None:
            self._fleet.adopted()
        self._ways.begin()
        self._cut_offs.keep(self._plan.vantages)
        self._named.publish()

    def _join_fleet(self, targets: Targets) -> None:
        """Be in the fleet that a generation names, or in none."""
        fleet = self._fleet
        if fleet is not None and fleet.terms != targets.fleet:
            fleet.leave()
            is_leaving = targets.fleet is None or targets.fleet.machine != fleet.terms.machine
            self._leaving.add(task := asyncio.create_task(fleet.close(is_leaving)))
            task.add_done_callback(self._leaving.discard)
            self._fleet = fleet = None
            self._reporter.join("", Alone())
            self._orders.on_read = lambda orders: None
        if fleet is None and targets.fleet is not None:
            # Needed by who is in a fleet alone.
            from lbdns.monitor.joined.fleet_part import FleetPart

            fleet = self._fleet = FleetPart(
                targets,
                targets.fleet,
                self._ledger,
                self._plan,
                self._reporter.tell,
                self._state_dir,
                self._generations.run_dir,
                self._orders.read,
            )
            self._reporter.join(fleet.terms.machine, fleet)
            self._orders.on_read = fleet.orders_read
            self._orders.read()
        if fleet is not None:
            fleet.adopt(targets, self._named.addresses)

    def _tell_cut_off(self, vantage: Vantage, is_cut_off: bool) -> None:
        self._cut_offs.tell(vantage, is_cut_off)
        if self._fleet is not None:
            self._fleet.doubt(vantage, is_cut_off)

    def _say_adopted(self) -> None:
        targets = self._targets
        self._ledger.table.columns["adopted_generation"][0] = targets.generation
        self._tenure.control.set("monitor_generation", targets.generation)
        self._tenure.control.set("monitor_adopting", 0)
        log.info(
            "generation %d: %s in %s, %s",
            targets.generation,
            counted(sum(len(pool.endpoints) for pool in targets.pools), "endpoint"),
            counted(len(targets.pools), "pool"),
            counted(len(self._plan.checks), "check"),
        )

    def _have_settled(self) -> None:
        """Have settled what a generation left that was adopted, at once or later; not before it is worth it, since all
        that lives is walked for it."""
        ledger = self._ledger
        self._unsettled += len(ledger.begun) + ledger.gone + ledger.begun_balancers
        if WORTH_SETTLING * self._unsettled < len(ledger.pools) + len(ledger.balancers):
            return
        self._unsettled = 0
        self._is_settled = False
        if self._settlings < SETTLINGS_MAX:
            self._settle()

    def _settle(self) -> None:
        """Settle what generations left in memory; what many in a row leave, with the next slow tick."""
        if not self._is_settled:
            self._is_settled = True
            self._settlings += 1
            _settle_memory()

    def _way_changed(self, way: Way) -> None:
        """Tell of the network first, and then have all that is behind it follow."""
        self._networks.take(way)
        self._plan.follow_way(way)
        self._named.follow_way(way)

    def _address_flipped(self, endpoint: EndpointHealth) -> None:
        self._named.publish_one(endpoint)

    def _recall_told(self) -> None:
        """Go on with what an earlier worker told of endpoints whose network is down; the record alone knows."""
        cut_off = [one for one in self._ledger.endpoints.values() if one.told is not None]
        if not cut_off or self._state_dir is None:
            return
        try:
            told = last_told(self._state_dir)
        except LbdnsError as error:
            log.warning("what was told of endpoints whose network is down may be told again: %s", error)
            return
        for endpoint in cut_off:
            spec = endpoint.spec
            word = told.get((spec.pool, spec.name, spec.network))
            if word in ENDPOINT_WORDS:
                endpoint.told = ENDPOINT_WORDS.index(word)

    # --- round-trip times ---

    def _save_latency(self) -> None:
        if self._state_dir is None:
            return
        pools = [(pool.spec.name, pool.spec.slot) for pool in self._ledger.pools.values()]
        try:
            latency.save(self._state_dir, self._ledger.table.columns, pools, wall_offset_s())
        except LbdnsError as error:
            self._unsaved.begin(error)
        else:
            self._unsaved.end()

    def _restore_latency(self) -> None:
        if self._state_dir is None:
            return
        kept = latency.load(self._state_dir, elapsed_s(), time.time())
        for pool in self._ledger.pools.values():
            latency.restore(self._ledger.table.columns, pool.spec.slot, kept.get(pool.spec.name, {}))


def _settle_memory() -> None:
    """Take the objects that live as long as the generation out of the collector's sight.

    With 10,000 endpoints each full collection stopped all probes for up to 0.4 s. What a generation left behind is
    collected here, once; probes leave no cycles behind, so that full collections may be rare.
    """
    gc.set_threshold(*SELDOM)
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
