"""A monitor worker in a fleet: what it finds is told, what others find counts, and whoever is cut off keeps the peace.

    own results --noted()--> Observer --> BusTalk --> bus --> BusTalk --> Observer --> RemoteVoices --> ledger
                                 |
                                 '--> who is heard: Docket --> what that concerns is judged anew, in turns
                                      probes shared out; people told

Without a bus all of it goes on: nobody is heard then, and what was agreed last stands.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.fleet.bus.fleet_bus import FleetBus
from lbdns.fleet.bus.nats_bus import NatsBus
from lbdns.fleet.observing.agreed import AgreedWhen, endpoint_key
from lbdns.fleet.observing.docket import Docket
from lbdns.fleet.observing.health_news import HealthNews, OrderNews
from lbdns.fleet.observing.judging import judge
from lbdns.fleet.observing.neighbour import RemoteChange
from lbdns.fleet.observing.observer import Observer, ObserverOutcome
from lbdns.health import forced
from lbdns.health.events import HealthChange
from lbdns.health.forced import Forced
from lbdns.health.verdict import UNKNOWN
from lbdns.model.fleet_terms import FleetTerms
from lbdns.model.targets_document import EndpointSpec, Vantage
from lbdns.monitor.joined.bus_talk import BusTalk, TalkListener
from lbdns.monitor.joined.fleet_keeping import FleetKeeping
from lbdns.monitor.joined.fleet_series import FleetSeries, check_hash
from lbdns.monitor.joined.hearing_telling import HearingTelling
from lbdns.monitor.joined.remote_voices import RemoteVoices
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.ledger.states import EndpointHealth, Series, Taker
from lbdns.monitor.probe_plan import ProbePlan
from lbdns.monitor.targets import Member, Targets

KEEP_KNOWN_S: Final = 60.0
KEEP_AGREED_S: Final = 5.0
PER_TURN: Final = 200  # endpoints that are judged, or changes that are taken, in one turn of the event loop
TELLING_S: Final = 2.0  # a machine that is heard so long after a change has told of it: it gathers for less, and sends

log = logging.getLogger("lbdns.monitor")


def nats_bus(terms: FleetTerms) -> FleetBus:
    """Return a connection to the bus, which is made in the background."""
    bus = NatsBus(terms.access)
    bus.start()
    return bus


class FleetPart:
    """The part of one monitor worker, from when its settings name a fleet until they do no longer."""

    def __init__(
        self,
        targets: Targets,
        terms: FleetTerms,
        ledger: Ledger,
        plan: ProbePlan,
        report: Callable[[HealthChange], None],
        state_dir: Path | None,
        run_dir: Path,
        read_orders: Callable[[], None],
        wall: Callable[[], float] = time.time,
        make_bus: Callable[[FleetTerms], FleetBus] | None = None,
    ) -> None:
        """Begin with what was kept, inside a running loop; `read_orders` has the file of forced states applied. `wall`
        is the time of day, in unix seconds; `make_bus` connects, as `nats_bus` does."""
        self.terms = terms
        self._wall = wall
        self._ledger, self._plan = ledger, plan
        self._state_dir, self._read_orders = state_dir, read_orders
        self._loop = asyncio.get_running_loop()
        self._keeping = FleetKeeping(state_dir, terms.access.fleet_id, terms.machine)
        kept, self._agreed = self._keeping.load()
        self._own = {one.name: one for one in targets.vantages}
        self._observer = Observer(
            terms.machine,
            _words(targets.vantages),
            terms.probe_from,
            int(self._wall() * 1e9),
            self._loop.time(),
            self._wall(),
            kept,
        )
        self._listed = self._observer.orders.orders()  # what the file of forced states said last
        self._voices = RemoteVoices(ledger, self._observer)
        self._endpoint_keys: dict[int, bytes] = {}
        self._changes: deque[RemoteChange] = deque()
        self._docket: Docket[int] = Docket()  # of endpoints by identity
        self._is_judging = False
        self._unplanned: deque[EndpointHealth] = deque()
        self._addresses: Callable[[EndpointSpec], Sequence[str]] = lambda spec: ()
        self._timer: asyncio.TimerHandle | None = None
        self._is_pumping = self._is_adopted = self._is_closed = False
        self._telling = HearingTelling(self._observer, self._agreed, report, run_dir, wall)
        self._unwritten = LastingTrouble(log, "forced states of other machines are kept again")
        self._known_due_s = self._agreed_due_s = 0.0
        self._talk = BusTalk(
            terms.machine,
            (make_bus or nats_bus)(terms),
            TalkListener(
                self._heard, self._replied, self._observer.whole, lambda: self._observer.all_orders(self._wall())
            ),
        )
        self._beginning = asyncio.create_task(self._talk.begin(), name="fleet begins")
        ledger.join(self)
        plan.shares = self

    # --- generations ---

    def adopt(self, targets: Targets, addresses: Callable[[EndpointSpec], Sequence[str]]) -> None:
        """Take a generation's vantage points, before the ledger and the plan take it; `addresses`: of a hostname."""
        self._own = {one.name: one for one in targets.vantages}
        self._addresses = addresses
        self._observer.set_vantages(_words(targets.vantages), self._loop.time())

    def adopted(self) -> None:
        """Take it that the ledger and the plan have the generation."""
        endpoints = self._ledger.endpoints
        self._voices.keep_only(endpoints)
        for gone in self._endpoint_keys.keys() - endpoints.keys():
            del self._endpoint_keys[gone]
        self._agreed.keep_only(set(self._endpoint_keys.values()))
        own = [
            one
            for endpoint in endpoints.values()
            for one in endpoint.series
            if isinstance(one, FleetSeries) and one.speaker.is_own
        ]
        for series in own:
            self._rename(series)
        self._observer.keep_only({(one.vantage.name, one.key) for one in own}, self._loop.time())
        self._unplanned.clear()
        self._is_adopted = True
        self._docket.keep_only(endpoints)
        self._docket.call(endpoints)
        self._judge_due()
        self._pump()

    @property
    def shown_vantages(self) -> tuple[Vantage, ...]:
        """All vantage points that are known, this machine's own first."""
        others = [one for one in self._observer.speakers.values() if not one.is_own]
        return (
            *self._own.values(),
            *(Vantage(one.name, one.region) for one in sorted(others, key=lambda one: one.name)),
        )

    # --- the plan asks (probe_plan.ProbeShares) ---

    def standing_in(self, regions: Sequence[str]) -> Sequence[Vantage]:
        """Return this machine's vantage points that probe a pool with these check regions."""
        return [one for one in self._own.values() if self._voices.stands(regions, one.region)]

    def chosen(self, member: Member, spec: EndpointSpec, vantages: Sequence[Vantage]) -> Sequence[Vantage]:
        """Return those of its vantage points to which a monitor's probes of an endpoint fall."""
        names = set(self._observer.chosen(check_hash(member, spec), [(one.name, one.region) for one in vantages]))
        return [one for one in vantages if one.name in names]

    def replanned(self, endpoint: EndpointHealth, addresses: Sequence[str]) -> None:
        """Take it that an endpoint is to be probed at these addresses, by whomever."""
        spec = endpoint.spec
        key = endpoint_key(spec.pool, spec.name, f"{spec.address} {spec.port}", spec.network)
        former = self._endpoint_keys.get(spec.identity)
        if key != former:
            self._endpoint_keys[spec.identity] = key
            if self._agreed.of(key) == UNKNOWN:
                known = self._agreed.of(former) if former is not None else UNKNOWN
                self._agreed.note(key, known or endpoint.state)
        self._voices.follow(endpoint, addresses)

    def _rename(self, series: FleetSeries) -> None:
        """Have an own series be told under its endpoint's present name."""
        if series.rekey() is not None and series.quiet_s is None:
            self._observer.see(series.vantage.name, series.key, series.observation(), self._loop.time())

    # --- the ledger tells (ledger/fellows.py) ---

    def begin_series(
        self, taker: Taker, endpoint: EndpointHealth, member: Member, address: str, vantage: Vantage
    ) -> Series:
        """Return a series that is a voice."""
        speaker = self._observer.speakers[vantage.name]
        self._docket.speaks(vantage.name, endpoint.spec.identity)
        return FleetSeries(taker, endpoint, member, address, vantage, speaker, self._loop.time())

    def noted(self, series: Series, flips: bool) -> None:
        """Tell others of an own series' result, where it says anything new."""
        if not isinstance(series, FleetSeries):
            return
        now_s = self._loop.time()
        series.quiet_s = None
        if flips:
            series.turned_s = now_s
        self._observer.see(series.vantage.name, series.key, series.observation(), now_s)
        self._schedule()

    def set_aside(self, series: Series) -> None:
        """Take it that nothing follows of an own series' last failure; what it said before counts no longer either."""
        if isinstance(series, FleetSeries) and series.quiet_s is None:
            series.quiet_s = self._loop.time()

    def ended(self, series: Series) -> None:
        """Tell others that an own series is no more."""
        endpoint = series.endpoint
        if not any(one.vantage.name == series.vantage.name for one in endpoint.series):
            self._docket.ceases(series.vantage.name, endpoint.spec.identity)
        if isinstance(series, FleetSeries) and series.speaker.is_own:
            self._observer.see(series.vantage.name, series.key, None, self._loop.time())
            self._schedule()

    def state_of(self, endpoint: EndpointHealth) -> int:
        """Return the state that follows from all of an endpoint's voices; it is what is agreed, unless cut off."""
        voices = [one for one in endpoint.series if isinstance(one, FleetSeries)]
        key = self._endpoint_keys.get(endpoint.spec.identity)
        if not voices or key is None:
            return endpoint.state
        is_cut_off, agreed = self._observer.is_cut_off, self._agreed.of(key)
        state = judge(voices, is_cut_off, agreed, self.terms.probe_from)
        if not is_cut_off and state != agreed:
            self._agreed.note(key, state)
        self._docket.judged(endpoint.spec.identity, is_cut_off, agreed == UNKNOWN != state)
        return state

    def doubt(self, vantage: Vantage, is_cut_off: bool) -> None:
        """Take it that an own vantage point believes itself cut off from all that it probes, or does no longer."""
        self._observer.doubt(vantage.name, is_cut_off, self._loop.time())
        self._pump()

    # --- orders ---

    def orders_read(self, orders: tuple[Forced, ...]) -> None:
        """Take the file of forced states as it is; their ends in unix seconds."""
        before = self._observer.orders.digest
        self._observer.give_orders(orders, self._loop.time(), self._wall(), self._listed)
        self._listed = orders
        if self._observer.orders.digest != before:
            self._keep_known()
        self._schedule()

    def _write_orders(self) -> None:
        """Have the file say what all machines ordered, and what an operator of this one wrote into it meanwhile."""
        if self._state_dir is None:
            return
        try:
            with forced.changing(self._state_dir):
                now = self._loop.time(), self._wall()
                self._observer.give_orders(forced.load(self._state_dir), *now, self._listed)
                self._listed = self._observer.orders.orders()
                forced.save(self._state_dir, self._listed)
                self._keep_known()
        except LbdnsError as error:
            self._unwritten.begin(str(error))
            return
        self._unwritten.end()
        self._read_orders()

    # --- the bus ---

    def _heard(self, news: HealthNews | OrderNews) -> None:
        now_s = self._loop.time()
        self._observer.take(news, now_s, self._wall())
        if isinstance(news, OrderNews) or news.entries or self._observer.next_due_s <= now_s:
            self._pump()

    def _replied(self, machine: str, news: HealthNews | None) -> None:
        self._observer.take_whole(machine, news, self._loop.time(), self._wall())
        self._pump()

    def _schedule(self) -> None:
        due_s = self._observer.next_due_s
        if self._is_closed or (self._timer is not None and self._timer.when() <= due_s):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(max(due_s, self._loop.time()), self._pump)

    def _pump(self) -> None:
        """Do what is due, and what follows from all that was taken."""
        if self._is_pumping or self._is_closed:
            return
        self._is_pumping = True
        try:
            now_s = self._loop.time()
            if self._observer.next_due_s <= now_s:
                self._observer.tick(now_s, self._wall())
            self._apply(self._observer.drain())
        finally:
            self._is_pumping = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._schedule()

    def _apply(self, outcome: ObserverOutcome) -> None:
        for news in outcome.messages:
            self._talk.tell(news)
        for ask in outcome.asks:
            self._talk.ask(ask)
        if outcome.changes:
            is_at_it = bool(self._changes)
            self._changes += outcome.changes
            if not is_at_it:
                self._take_changes()
        if outcome.are_orders_new:
            self._loop.call_soon(self._write_orders)
        is_share_due = outcome.are_shares_new
        if outcome.are_vantages_new:
            is_share_due |= self._voices.follow_vantages()
            self._ledger.show_vantages([one.name for one in self.shown_vantages])
            self._keep_known()
        if is_share_due and self._is_adopted:
            self._plan_all()
        for hearing in outcome.hearing:
            self._telling.tell_hearing(hearing.found, hearing.lost)
        if outcome.is_cut_off_new:
            self._plan.be_apart(self._observer.is_cut_off)
            if self._observer.is_cut_off:
                self._keep_agreed()
            self._docket.cut_off(self._observer.is_cut_off, self._own)
        self._docket.turn(outcome.turned)
        self._judge_due()
        if outcome.hearing or outcome.turned or outcome.is_cut_off_new or outcome.are_vantages_new:
            self._telling.show()

    def _take_changes(self) -> None:
        """Take what others say, some now and the rest in later turns."""
        with self._ledger.together():
            for _ in range(min(len(self._changes), PER_TURN)):
                self._voices.take(self._changes.popleft())
        if self._changes and not self._is_closed:
            self._loop.call_soon(self._take_changes)

    def _judge_due(self) -> None:
        if len(self._docket) and not self._is_judging:
            self._is_judging = True
            self._loop.call_soon(self._judge_some)

    def _judge_some(self) -> None:
        self._is_judging = False
        endpoints, docket = self._ledger.endpoints, self._docket
        with self._ledger.together():
            for _ in range(min(len(docket), PER_TURN)):
                endpoint = endpoints.get(docket.next())
                if endpoint is not None:
                    self._ledger.judge_anew(endpoint)
        if not self._is_closed:
            self._judge_due()

    def _plan_all(self) -> None:
        is_at_it = bool(self._unplanned)
        self._unplanned = deque(self._ledger.endpoints.values())
        if not is_at_it:
            self._loop.call_soon(self._plan_some)

    def _plan_some(self) -> None:
        current = self._ledger.endpoints
        for _ in range(min(len(self._unplanned), PER_TURN)):
            endpoint = self._unplanned.popleft()
            if current.get(endpoint.spec.identity) is endpoint:
                self._plan.replan(endpoint, self._addresses)
        if self._unplanned and not self._is_closed:
            self._loop.call_soon(self._plan_some)

    # --- what people see ---

    def tells(self) -> bool:
        """Whether notifications go out from this machine: the first by name of those that are heard."""
        return self._observer.hearing.first_heard == self.terms.machine

    def substitute(self) -> Callable[[], bool]:
        """Return what says later whether this machine is to tell what happens now: it is the first by then, and whoever
        is the first now fell silent before it can have told."""
        hearing, told_s = self._observer.hearing, self._loop.time() + TELLING_S
        teller = hearing.first_heard
        return lambda: self.tells() and (hearing.last_s(teller) or 0.0) < told_s

    def look(self) -> None:
        """Do what is done each second."""
        now_s, observer = self._loop.time(), self._observer
        self._voices.look()
        has_begun = observer.hearing.has_begun(now_s)
        if now_s >= self._known_due_s:
            self._keep_known()
        if not observer.is_cut_off and has_begun:
            self._agreed.when = AgreedWhen(self._wall(), observer.count)
        if now_s >= self._agreed_due_s and not observer.is_cut_off:
            self._keep_agreed()
        self._telling.look()

    def _keep_known(self) -> None:
        self._known_due_s = self._loop.time() + KEEP_KNOWN_S
        self._keeping.save_known(self._observer.kept(self._loop.time(), self._wall()))

    def _keep_agreed(self) -> None:
        self._agreed_due_s = self._loop.time() + KEEP_AGREED_S
        if self._agreed.is_kept:
            self._keeping.save_when(self._agreed.when)
        else:
            self._keeping.save_agreed(self._agreed)

    async def close(self, is_leaving: bool = False) -> None:
        """Keep what a restart begins with, and stop; `is_leaving`: this machine is in the fleet no longer."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._beginning.cancel()
        await asyncio.wait({self._beginning})
        if is_leaving:
            self._talk.tell(self._observer.farewell())
        self._keep_known()
        if not self._observer.is_cut_off:
            self._keep_agreed()
        await self._talk.close()

    def leave(self) -> None:
        """Have the ledger and the plan go on alone; what others said is forgotten."""
        self._voices.end_all()
        self._ledger.join(None)
        self._plan.shares = None
        self._plan.be_apart(False)


def _words(vantages: Sequence[Vantage]) -> list[tuple[str, str]]:
    return [(one.name, one.region) for one in vantages]
