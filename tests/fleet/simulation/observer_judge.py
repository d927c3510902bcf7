"""The product's judge: `lbdns.fleet.observing`, with as little around it as the monitor worker has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from lbdns.fleet.observing.agreed import Agreed
from lbdns.fleet.observing.asked_regions import AskedRegions
from lbdns.fleet.observing.docket import Docket
from lbdns.fleet.observing.health_news import (
    HealthNews,
    OrderNews,
    decode_news,
    decode_orders,
    encode_news,
    encode_orders,
    whole_pages,
)
from lbdns.fleet.observing.judging import Speaker, judge
from lbdns.fleet.observing.neighbour import RemoteChange
from lbdns.fleet.observing.observation import Observation
from lbdns.fleet.observing.observer import ORDERS, KeptFleet, Observer
from lbdns.fleet.observing.sharing_out import place_hash, rank
from lbdns.health.forced import Forced, State, change
from lbdns.health.verdict import UNKNOWN
from tests.fleet.simulation.judge import EVERYBODY, Published, Sent
from tests.fleet.simulation.virtual_prober import ProbedSeries


@dataclass(frozen=True, slots=True)
class VotingMember:
    """A monitor that votes."""

    votes: bool = True
    must_be_healthy: bool = False


MEMBER: Final = VotingMember()
NOTHING_KEPT: Final = KeptFleet()


@dataclass(slots=True, eq=False)
class SimulatedVoice:
    """What one vantage point says of one endpoint."""

    speaker: Speaker
    state: int
    rank: int
    turned_s: float = 0.0
    quiet_s: float | None = None
    address: str = ""
    member: Any = MEMBER


class Catalogue:
    """What all machines know of the endpoints: their keys and hashes, by name, and the check regions of some."""

    def __init__(self, endpoints: Sequence[str], check_regions: Mapping[str, tuple[str, ...]]) -> None:
        self.endpoints = endpoints
        self.check_regions = check_regions
        self.key_of = {name: place_hash(name).to_bytes(8, "little") + b"key." for name in endpoints}
        self.name_of = {key: name for name, key in self.key_of.items()}
        self.hash_of = {name: place_hash(name) for name in endpoints}


@dataclass(frozen=True, slots=True)
class FleetDisk:
    """What lies in a machine's state directory."""

    kept: KeptFleet = NOTHING_KEPT
    agreed: bytes = b""
    orders: tuple[Forced, ...] = ()
    epoch: int = 0


class ObserverJudge:
    """One machine's observer, voices and verdicts. `on_wire`: messages are encoded and decoded as on the bus.
    `lag_s`: so long what is on the docket waits for more; the worker does it in turns."""

    def __init__(
        self,
        machine: str,
        region: str,
        catalogue: Catalogue,
        per_region: int | None,
        disk: object,
        now_s: float,
        wall_s: float,
        on_wire: bool,
        lag_s: float = 0.0,
    ) -> None:
        self._catalogue = catalogue
        self._per_region = per_region
        self._on_wire = on_wire
        self._lag_s = lag_s
        self._docket: Docket[str] = Docket()
        self._docket_due_s = float("inf")
        self._is_share_due = False
        found = disk if isinstance(disk, FleetDisk) else FleetDisk()
        self._epoch = found.epoch + 1
        self._agreed = Agreed.decode(found.agreed) if found.agreed else Agreed()
        self._orders = found.orders
        self._own = (machine, region)
        self.observer = Observer(machine, [self._own], per_region, self._epoch, now_s, wall_s, found.kept)
        self._standing = AskedRegions(self.observer.speakers)
        self._voices: dict[str, dict[str, SimulatedVoice]] = {}
        self._ranks = {name: place_hash(name) for name in (machine,)}
        self.verdicts: dict[str, int] = {name: self._agreed.of(catalogue.key_of[name]) for name in catalogue.endpoints}
        self.checks: set[str] = set()
        self._sent: list[Sent] = []
        self._published: list[Published] = []
        self._before: tuple[object, ...] = ()
        self._share_out()
        self._settle(now_s, wall_s)

    @property
    def next_due_s(self) -> float:
        """When `tick` has something to do, by the monotonic clock."""
        return min(self.observer.next_due_s, self._docket_due_s)

    def tick(self, now_s: float, wall_s: float) -> None:
        """Let time pass."""
        self.observer.tick(now_s, wall_s)
        if now_s >= self._docket_due_s:
            self._judge_due(now_s)
        self._settle(now_s, wall_s)

    def take(self, sender: str, subject: str, data: Any, now_s: float, wall_s: float) -> None:
        """Take a message: `obs`, `orders`, a question for all of it (`ask whole`, `ask orders`), or a page of that."""
        observer = self.observer
        match subject:
            case "obs":
                observer.take(decode_news(data).news if self._on_wire else data, now_s, wall_s)
            case "orders":
                observer.take(decode_orders(data) if self._on_wire else data, now_s, wall_s)
            case "ask whole":
                whole = observer.whole()
                self._sent.append(Sent(sender, "whole", whole_pages(whole)[0] if self._on_wire else whole))
            case "ask orders":
                orders = observer.all_orders(wall_s)
                self._sent.append(Sent(sender, "orders", encode_orders(orders) if self._on_wire else orders))
            case "whole":
                observer.take_whole(sender, decode_news(data).news if self._on_wire else data, now_s, wall_s)
        self._settle(now_s, wall_s)

    def result(self, series: ProbedSeries, passed: bool, now_s: float, wall_s: float) -> None:
        """Take a result of one of its own probes."""
        name = series.endpoint
        if name not in self.checks:
            return
        mine = self._voices.setdefault(name, {})
        voice = mine.get(self._own[0])
        if voice is None:
            voice = mine[self._own[0]] = self._voice(self._own[0], name, UNKNOWN)
        if voice.state != series.state:
            voice.turned_s = now_s if voice.state != UNKNOWN else 0.0
            voice.state = series.state
        voice.quiet_s = None
        seen = Observation(series.state, 0 if passed else 1, 0, 30_000, series.streak, wall_s)
        self.observer.see(self._own[0], self._catalogue.key_of[name], seen, now_s)
        self._judge(name)
        self._settle(now_s, wall_s)

    @property
    def is_cut_off(self) -> bool:
        """Whether it hears too few of those it knows."""
        return self.observer.is_cut_off

    def set_aside(self, series: ProbedSeries, now_s: float, wall_s: float) -> None:
        """Take it that a failure says nothing, nor what was before it, until the next result."""
        voice = self._voices.get(series.endpoint, {}).get(self._own[0])
        if voice is not None and voice.quiet_s is None:
            voice.quiet_s = now_s
            self._judge(series.endpoint)
            self._settle(now_s, wall_s)

    def doubt(self, is_doubtful: bool, now_s: float, wall_s: float) -> None:
        """Take it that none of its own probes comes back, or that some do again."""
        self.observer.doubt(self._own[0], is_doubtful, now_s)
        self._settle(now_s, wall_s)

    def order(self, pattern: str, state: str, why: str, now_s: float, wall_s: float) -> None:
        """Take an order of an operator at this machine."""
        self._orders = change(self._orders, Forced(pattern, cast(State, state), wall_s, why=why), wall_s)
        self.observer.give_orders(self._orders, now_s, wall_s)
        self._settle(now_s, wall_s)

    def orders(self) -> dict[str, str]:
        """Return the orders that hold: pattern -> why."""
        return {one.pattern: one.why for one in self.observer.orders.orders()}

    def said(self) -> tuple[list[Sent], list[Published]]:
        """Return what there is to send and to publish."""
        found = self._sent, self._published
        self._sent, self._published = [], []
        return found

    def kept(self, now_s: float, wall_s: float) -> FleetDisk:
        """Return what lies on its disk."""
        return FleetDisk(self.observer.kept(now_s, wall_s), self._agreed.encode(), self._orders, self._epoch)

    # -- what the monitor worker does around the observer --

    def _settle(self, now_s: float, wall_s: float) -> None:
        found = self.observer.drain()
        for changed in found.changes:
            self._take_change(changed, now_s)
        if found.are_vantages_new and self._standing.follow() and self._catalogue.check_regions:
            self._follow_vantages(now_s)
            self._is_share_due = True
        if found.is_cut_off_new:
            self._docket.cut_off(self.observer.is_cut_off, [self._own[0]])
        self._docket.turn(found.turned)
        self._is_share_due = self._is_share_due or found.are_shares_new
        if self._is_share_due or len(self._docket):
            self._docket_due_s = min(self._docket_due_s, now_s + self._lag_s)
            if not self._lag_s:
                self._judge_due(now_s)
        if found.are_orders_new:
            self._orders = self.observer.orders.orders()
        for message in found.messages:
            self._send(message)
        for ask in found.asks:
            self._sent.append(Sent(ask.machine, "ask orders" if ask.what == ORDERS else "ask whole", b""))

    def _judge_due(self, now_s: float) -> None:
        self._docket_due_s = float("inf")
        if self._is_share_due:
            self._is_share_due = False
            self._share_out(now_s)
        while len(self._docket):
            self._judge(self._docket.next())

    def hear_beats(self, beats: Iterable[HealthNews], now_s: float, wall_s: float) -> None:
        """Take heartbeats of many machines, which come together."""
        for one in beats:
            self.observer.take(one, now_s, wall_s)
        self._settle(now_s, wall_s)

    def _send(self, message: HealthNews | OrderNews) -> None:
        if isinstance(message, OrderNews):
            self._sent.append(Sent(EVERYBODY, "orders", encode_orders(message) if self._on_wire else message))
            return
        about = (message.sequence, message.digest, message.orders, message.vantages)
        repeats = not message.entries and about == self._before
        self._before = about
        self._sent.append(Sent(EVERYBODY, "obs", encode_news(message) if self._on_wire else message, repeats))

    def _share_out(self, now_s: float = 0.0) -> None:
        own = [self._own]
        chosen = self.observer.chosen
        hashes = self._catalogue.hash_of
        wanted = {
            name for name in self._catalogue.endpoints if chosen(hashes[name], own) and self._stands(name, self._own[1])
        }
        for name in sorted(self.checks - wanted):
            self._voices.get(name, {}).pop(self._own[0], None)
            self._docket.ceases(self._own[0], name)
            self.observer.see(self._own[0], self._catalogue.key_of[name], None, now_s)
            self._judge(name)
        self.checks = wanted

    def _stands(self, name: str, region: str) -> bool:
        return self._standing.stands(self._catalogue.check_regions.get(name, ()), region)

    def _follow_vantages(self, now_s: float) -> None:
        """Take it that others are known: whose word counts of pools with check regions may have changed."""
        for name in self._catalogue.check_regions:
            voices = self._voices.get(name, {})
            for vantage in [one for one, voice in voices.items() if not self._stands(name, voice.speaker.region)]:
                del voices[vantage]
                self._docket.ceases(vantage, name)
                self._docket.call([name])
        keys = {self._catalogue.key_of[name] for name in self._catalogue.check_regions}
        for said in self.observer.find(keys):
            if said.vantage not in self._voices.get(self._catalogue.name_of[said.key], {}):
                self._take_change(said, now_s)

    def _take_change(self, change: RemoteChange, now_s: float) -> None:
        vantage, key, seen, is_turn, is_quiet = change
        name = self._catalogue.name_of[key]
        voices = self._voices.setdefault(name, {})
        if seen is None:
            voices.pop(vantage, None)
            self._docket.ceases(vantage, name)
        else:
            voice = voices.get(vantage)
            if voice is None:
                speaker = self.observer.speakers.get(vantage)
                if speaker is None or not self._stands(name, speaker.region):
                    return
                voice = voices[vantage] = self._voice(vantage, name, seen.state)
            voice.quiet_s = now_s if is_quiet else None
            voice.state = seen.state
            if is_turn:
                voice.turned_s = now_s
        self._judge(name)

    def _voice(self, vantage: str, name: str, state: int) -> SimulatedVoice:
        place = self._ranks.get(vantage)
        if place is None:
            place = self._ranks[vantage] = place_hash(vantage)
        self._docket.speaks(vantage, name)
        return SimulatedVoice(self.observer.speakers[vantage], state, rank(self._catalogue.hash_of[name], place))

    def _judge(self, name: str) -> None:
        key, is_cut_off = self._catalogue.key_of[name], self.observer.is_cut_off
        voices, agreed = self._voices.get(name, {}), self._agreed.of(key)
        state = judge(list(voices.values()), is_cut_off, agreed, self._per_region)
        if state == UNKNOWN:
            state = self.verdicts[name]
        if not is_cut_off and state not in (UNKNOWN, agreed):
            self._agreed.note(key, state)
        self._docket.judged(name, is_cut_off, agreed == UNKNOWN != state)
        if state != self.verdicts[name]:
            self.verdicts[name] = state
            self._published.append(Published(name, state))
