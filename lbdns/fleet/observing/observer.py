"""One machine of a fleet: what it observes, what it hears of others, whom it hears, what it tells. No I/O, no clock.

    see() own results    -+                      +-> messages: changes after NEWS_S, a heartbeat each second
    take() messages       +-> Observer - drain() +-> asks: of whom to ask all that it observes, or its orders
    take_whole() replies  |                      +-> changes of what others observe
    tick() time          -+                      '-> who is heard now, and whose words are to be judged anew

Whoever misses a message sees it by the sequence in the next, and whoever has anything else than its sender by the
digest; both ask for the whole. So traffic grows with changes and not with size, and nothing that is lost stays lost.
Round-trip times go out with the heartbeat, and only where they have moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lbdns.fleet.observing.health_news import ENTRIES_MAX, HealthNews, OrderNews, VantageWord
from lbdns.fleet.observing.hearing import Acquaintance, Hearing, HearingChanges, HearingCount, cut_off
from lbdns.fleet.observing.judging import Speaker
from lbdns.fleet.observing.neighbour import Neighbour, RemoteChange
from lbdns.fleet.observing.observation import DIGEST_MASK, Observation, ObservedEntry, entry_digest
from lbdns.fleet.observing.order_map import OrderEntry, OrderMap
from lbdns.fleet.observing.sharing_out import SharingOut
from lbdns.health.forced import Forced
from lbdns.health.verdict import HEALTHY

HEARTBEAT_S: Final = 1.0
NEWS_S: Final = 0.02
"""What changes within this time goes out in one message."""
RTT_AGAIN_S: Final = 10.0
ASK_AGAIN_S: Final = 2.0
GAP_S: Final = 0.1
"""A message that overtook another waits so long for it before the whole is asked for."""
MACHINES_MAX: Final = 4096
WHOLE: Final = "whole"
ORDERS: Final = "orders"


class Ask(NamedTuple):
    """That a machine be asked for WHOLE, all that it observes, or for its ORDERS."""

    machine: str
    what: str


@dataclass(slots=True)
class ObserverOutcome:
    """What came of all that was taken since it was drained last.

    `turned`: vantage points that are silent, or are not any more, or since another time: what they speak of is to be
    judged anew. `is_cut_off_new`: whether this machine is cut off is not as it was. `are_vantages_new`: others are
    known. `are_shares_new`: checks may have moved. `are_orders_new`: the orders to apply, and to keep, are others.
    """

    messages: list[HealthNews | OrderNews] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    changes: list[RemoteChange] = field(default_factory=list)
    hearing: list[HearingChanges] = field(default_factory=list)
    turned: dict[str, None] = field(default_factory=dict)  # in order
    is_cut_off_new: bool = False
    are_vantages_new: bool = False
    are_shares_new: bool = False
    are_orders_new: bool = False


class KeptFleet(NamedTuple):
    """What a restart begins with: the machines that were known, and the orders."""

    known: tuple[Acquaintance, ...] = ()
    orders: tuple[OrderEntry, ...] = ()


class Observer:
    """One machine of a fleet."""

    def __init__(
        self,
        machine: str,
        vantages: Iterable[tuple[str, str]],
        per_region: int | None,
        epoch: int,
        now_s: float,
        unix_s: float,
        kept: KeptFleet = KeptFleet(),  # noqa: B008 (it cannot change)
    ) -> None:
        """`vantages`: the (name, region) of each of its own vantage points; `epoch`: larger than that of any former
        life; `now_s` by a clock that goes on evenly, `unix_s` the time of day."""
        self.machine = machine
        self.per_region = per_region
        self.hearing = Hearing(machine, kept.known, now_s, unix_s)
        self.orders = OrderMap(machine, kept.orders)
        self.speakers: dict[str, Speaker] = {}
        self.is_cut_off = False
        self.cut_off_s: float | None = None  # since when
        self.namesake_s: float | None = None  # when another machine of this name was heard last
        self._epoch = epoch
        self._sequence = 0
        self._digest = 0
        self._own: dict[tuple[str, bytes], Observation] = {}
        self._up = 0
        self._told: dict[tuple[str, bytes], tuple[Observation, float]] = {}  # and when its round-trip time was told
        self._pending: dict[tuple[str, bytes], Observation | None] = {}
        self._news_due_s = self._beat_due_s = now_s
        self._has_news = False
        self._neighbours: dict[str, Neighbour] = {}
        self._asks: dict[Ask, float] = {}
        self._leaving_due_s = float("inf")
        self._sharing = SharingOut(per_region)
        self._outcome = ObserverOutcome(are_vantages_new=True)
        self._vantages: tuple[tuple[str, str], ...] = ()
        self._regions: set[str] = set()  # of its own vantage points
        self._had_begun = False
        for name in self.hearing.machines:
            self._know(name, now_s)
        self.set_vantages(vantages, now_s)
        self._judge_hearing(now_s)

    # --- what this machine observes ---

    def set_vantages(self, vantages: Iterable[tuple[str, str]], now_s: float) -> None:
        """Take this machine's own vantage points; where they are others, all that it observes is told anew."""
        wanted = tuple(vantages)
        if wanted == self._vantages:
            return
        former, self._vantages = dict(self._vantages), wanted
        self._regions = {region for _, region in wanted}
        for gone in former.keys() - dict(wanted).keys():
            self.speakers.pop(gone, None)
        for name, region in wanted:
            if name not in self.speakers or self.speakers[name].region != region:
                self.speakers[name] = Speaker(name, region, self.machine, is_own=True)
        if former:
            self._epoch += 1
            self._sequence = self._digest = 0
            self._told.clear()
            self._pending = {at: seen for at, seen in self._own.items() if at[0] in dict(wanted)}
            for at in [at for at in self._own if at[0] not in dict(wanted)]:
                self._forget_own(at)
            self._hurry_news(now_s)
        self._outcome.are_vantages_new = True
        self._outcome.turned |= dict.fromkeys([*former, *dict(wanted)])
        self._share_out(now_s)

    def see(self, vantage: str, key: bytes, seen: Observation | None, now_s: float) -> None:
        """Take what an own vantage point believes of something; None: it looks no longer."""
        at = vantage, key
        known = self._told.get(at)
        if seen is None:
            self._forget_own(at)
            self._judge_hearing(now_s)
            if known is None:
                self._pending.pop(at, None)
            else:
                self._pending[at] = None
                self._hurry_news(now_s)
            return
        former, was_up = self._own.get(at), self._up > 0
        self._up += (seen.state == HEALTHY) - (former is not None and former.state == HEALTHY)
        self._own[at] = seen
        if was_up != (self._up > 0):
            self._judge_hearing(now_s)
        if at in self._pending or known is None or seen.is_news(known[0]):
            self._pending[at] = seen
            if known is None or seen.is_news(known[0]):
                self._hurry_news(now_s)
        elif now_s - known[1] >= RTT_AGAIN_S and seen.is_slower_or_faster(known[0]):
            self._pending[at] = seen

    def keep_only(self, wanted: Set[tuple[str, bytes]], now_s: float) -> None:
        """Withdraw all that own vantage points look at no longer."""
        for at in [at for at in self._own if at not in wanted]:
            self.see(*at, None, now_s)

    def _forget_own(self, at: tuple[str, bytes]) -> None:
        former = self._own.pop(at, None)
        self._up -= former is not None and former.state == HEALTHY

    def doubt(self, vantage: str, is_doubtful: bool, now_s: float) -> None:
        """Take it that an own vantage point believes itself cut off from all that it probes, or does no longer."""
        speaker = self.speakers.get(vantage)
        if speaker is None or (speaker.silent_s is not None) == is_doubtful:
            return
        speaker.silent_s = now_s if is_doubtful else None
        self._outcome.turned[vantage] = None
        self._beat_due_s = min(self._beat_due_s, now_s)

    def give_orders(
        self, orders: Iterable[Forced], now_s: float, unix_s: float, was: Iterable[Forced] | None = None
    ) -> None:
        """Take the orders as this machine's operators have left them (`OrderMap.give`)."""
        new = self.orders.give(orders, unix_s, was)
        if new:
            self._outcome.messages.append(OrderNews(self.machine, unix_s, new))
            self._beat_due_s = min(self._beat_due_s, now_s)

    def whole(self) -> HealthNews:
        """Return all that this machine observes, as it was told."""
        entries = tuple([ObservedEntry(vantage, key, seen) for (vantage, key), (seen, _) in self._told.items()])
        return self._message(entries, is_whole=True)

    def all_orders(self, unix_s: float) -> OrderNews:
        """Return all orders that this machine has heard of."""
        return OrderNews(self.machine, unix_s, self.orders.entries)

    def farewell(self) -> HealthNews:
        """Return what says that this machine takes part no longer."""
        return self._message((), is_leaving=True)

    # --- what others say ---

    def take(self, message: HealthNews | OrderNews, now_s: float, unix_s: float) -> None:
        """Take a message of another machine."""
        there = self._neighbours.get(message.machine)
        if there is not None and there.repeats(message, now_s):
            if not self.hearing.hear_again(there.machine, now_s):
                self.hearing.hear(there.machine, there.vantages, True, now_s, unix_s)
            if there.orders != self.orders.digest:
                self._asks.setdefault(Ask(there.machine, ORDERS), now_s)
            return
        if isinstance(message, OrderNews):
            if message.machine != self.machine and self.orders.merge(message.entries, message.unix_s, unix_s):
                self._outcome.are_orders_new = True
            return
        if message.machine == self.machine:
            if message.epoch != self._epoch:
                self.namesake_s = now_s
            return
        if message.is_leaving:
            self._forget(message.machine, now_s)
            return
        if there is None:
            if len(self._neighbours) >= MACHINES_MAX:
                return
            there = self._neighbours[message.machine] = Neighbour(message.machine)
        if there.is_of_this_life(message, now_s):
            self._outcome.changes += there.take(message, now_s)
            self._hear(there, message, now_s, unix_s)
        if message.orders != self.orders.digest:
            self._asks.setdefault(Ask(there.machine, ORDERS), now_s)

    def take_whole(self, machine: str, message: HealthNews | None, now_s: float, unix_s: float) -> None:
        """Take a machine's reply to who asks for all that it observes; None: none came."""
        there = self._neighbours.get(machine)
        if there is None or message is None or not message.is_whole or not there.is_of_this_life(message, now_s):
            return
        self._outcome.changes += there.take_whole(message, now_s)
        self._hear(there, message, now_s, unix_s)

    def _hear(self, there: Neighbour, message: HealthNews, now_s: float, unix_s: float) -> None:
        former = self.hearing.vantages(there.machine)
        if self.hearing.hear(there.machine, there.vantages, there.is_whole, now_s, unix_s):
            self._know(there.machine, now_s)
            self._outcome.are_vantages_new = True
            if self._regions & {region for _, region in (*former, *there.vantages)}:
                self._share_out(now_s)
        if there.doubtful != there.shown_doubtful:
            there.shown_doubtful = there.doubtful
            self._show_silence(there.machine)
        ask = Ask(there.machine, WHOLE)
        if there.is_whole:
            self._asks.pop(ask, None)
        else:
            self._asks.setdefault(ask, now_s + (0.0 if there.is_wrong else GAP_S))
        self._leaving_due_s = min(self._leaving_due_s, there.leaving_due_s)

    def _know(self, machine: str, now_s: float) -> None:
        """Have a speaker for each vantage point of a machine."""
        wanted = dict(self.hearing.vantages(machine))
        for gone in [one.name for one in self.speakers.values() if one.machine == machine and one.name not in wanted]:
            del self.speakers[gone]
        for name, region in wanted.items():
            known = self.speakers.get(name)
            if known is None or (known.machine == machine and known.region != region):
                self.speakers[name] = Speaker(name, region, machine, silent_s=now_s)
        self._show_silence(machine)

    def _show_silence(self, machine: str) -> None:
        """Have the speakers of a machine be silent, or not, as follows from what is heard of it."""
        there = self._neighbours.get(machine)
        doubtful = there.doubtful if there is not None else {}
        is_heard = self.hearing.is_heard(machine)
        lost_s = self.hearing.last_s(machine)
        for name, _ in self.hearing.vantages(machine):
            speaker = self.speakers.get(name)
            if speaker is None or speaker.machine != machine:
                continue
            since_s = doubtful.get(name) if is_heard else (lost_s if lost_s is not None else speaker.silent_s)
            if since_s != speaker.silent_s:
                speaker.silent_s = since_s
                self._outcome.turned[name] = None

    def _forget(self, machine: str, now_s: float) -> None:
        there = self._neighbours.pop(machine, None)
        if there is not None:
            self._outcome.changes += there.nothing_more()
        self._asks = {ask: due_s for ask, due_s in self._asks.items() if ask.machine != machine}
        if machine in self.hearing.machines:
            self.hearing.forget(machine)
            self._forgotten(machine, now_s)
            self._judge_hearing(now_s)

    def _forgotten(self, machine: str, now_s: float) -> None:
        for gone in [one.name for one in self.speakers.values() if one.machine == machine]:
            del self.speakers[gone]
            self._outcome.turned[gone] = None
        self._outcome.are_vantages_new = True
        self._outcome.hearing.append(HearingChanges(forgotten=(machine,)))
        self._share_out(now_s)

    # --- time ---

    @property
    def next_due_s(self) -> float:
        """When `tick` has something to do."""
        news_s = self._news_due_s if self._has_news else float("inf")
        asks_s = min(self._asks.values()) if self._asks else float("inf")
        return min(self.hearing.next_due_s, news_s, self._beat_due_s, asks_s, self._leaving_due_s)

    def tick(self, now_s: float, unix_s: float) -> None:
        """Go on to a moment."""
        self.hearing.stood_still(now_s - self._beat_due_s, now_s)
        if now_s >= self.hearing.next_due_s:
            self._follow_hearing(now_s)
        if now_s >= self._beat_due_s:
            self._beat_due_s = max(self._beat_due_s + HEARTBEAT_S, now_s)
            if not self._tell_news(now_s):
                self._outcome.messages.append(self._message(()))
            self.orders.tidy(unix_s)
        elif self._has_news and now_s >= self._news_due_s:
            self._tell_news(now_s)
        for ask in [one for one, due_s in self._asks.items() if now_s >= due_s]:
            self._ask(ask, now_s)
        if now_s >= self._leaving_due_s:
            self._end_leaving(now_s)

    def _follow_hearing(self, now_s: float) -> None:
        changes = self.hearing.follow(now_s)
        for machine in (*changes.found, *changes.lost):
            self._show_silence(machine)
        for machine in changes.forgotten:
            there = self._neighbours.pop(machine, None)
            if there is not None:
                self._outcome.changes += there.nothing_more()
            self._forgotten(machine, now_s)
        if changes.found or changes.lost:
            self._outcome.hearing.append(HearingChanges(changes.found, changes.lost))
        has_begun = self.hearing.has_begun(now_s)
        if any(changes) or has_begun != self._had_begun:
            self._had_begun = has_begun
            self._share_out(now_s)
            self._judge_hearing(now_s)

    def _judge_hearing(self, now_s: float) -> None:
        is_cut_off = cut_off(self.hearing.count, self._up > 0, self.hearing.has_begun(now_s))
        if is_cut_off != self.is_cut_off:
            self.is_cut_off = is_cut_off
            self.cut_off_s = now_s if is_cut_off else None
            self._outcome.is_cut_off_new = True

    def _ask(self, ask: Ask, now_s: float) -> None:
        there = self._neighbours.get(ask.machine)
        is_needed = there is not None and (
            not there.is_whole if ask.what == WHOLE else there.orders != self.orders.digest
        )
        if is_needed:
            self._asks[ask] = now_s + ASK_AGAIN_S
            self._outcome.asks.append(ask)
        else:
            del self._asks[ask]

    def _end_leaving(self, now_s: float) -> None:
        self._leaving_due_s = float("inf")
        for there in self._neighbours.values():
            self._outcome.changes += there.end_leaving(now_s)
            self._leaving_due_s = min(self._leaving_due_s, there.leaving_due_s)

    def _hurry_news(self, now_s: float) -> None:
        if not self._has_news:
            self._has_news, self._news_due_s = True, now_s + NEWS_S

    def _tell_news(self, now_s: float) -> bool:
        """Put what is new into messages; return whether there is any."""
        self._has_news = False
        pending, self._pending = list(self._pending.items()), {}
        for begin in range(0, len(pending), ENTRIES_MAX):
            part = pending[begin : begin + ENTRIES_MAX]
            for at, seen in part:
                self._note_told(at, seen, now_s)
            self._sequence += 1
            entries = tuple([ObservedEntry(vantage, key, seen) for (vantage, key), seen in part])
            self._outcome.messages.append(self._message(entries))
        return bool(pending)

    def _note_told(self, at: tuple[str, bytes], seen: Observation | None, now_s: float) -> None:
        known = self._told.pop(at, None)
        if known is not None:
            self._digest -= entry_digest(*at, known[0])
        if seen is not None:
            self._digest += entry_digest(*at, seen)
            self._told[at] = seen, now_s
        self._digest &= DIGEST_MASK

    def _message(
        self, entries: tuple[ObservedEntry, ...], is_whole: bool = False, is_leaving: bool = False
    ) -> HealthNews:
        words = tuple(
            [VantageWord(name, region, self.speakers[name].silent_s is not None) for name, region in self._vantages]
        )
        head = self.machine, self._epoch, self._sequence, self._digest
        return HealthNews(*head, words, self.orders.digest, entries, is_whole, is_leaving)

    # --- sharing out ---

    def _share_out(self, now_s: float) -> None:
        counted_on = self.hearing.counted_on(now_s)
        if self._sharing.adopt(self._vantages, [one for one in counted_on if one[1] in self._regions]):
            self._outcome.are_shares_new = True

    def chosen(self, check: int, own: list[tuple[str, str]]) -> list[str]:
        """Return which of this machine's vantage points, given as (name, region), probe a check; `check`: the hash of
        what names it in the whole fleet."""
        return self._sharing.chosen(check, own)

    # --- what came of it ---

    def drain(self) -> ObserverOutcome:
        """Return what came of all that was taken, once."""
        found, self._outcome = self._outcome, ObserverOutcome()
        return found

    def find(self, keys: Set[bytes]) -> list[RemoteChange]:
        """Return what others say of these, as changes, for who has just begun to want it."""
        return [change for there in self._neighbours.values() for change in there.said_of(keys)]

    @property
    def count(self) -> HearingCount:
        """How many are heard, of how many that are known."""
        return self.hearing.count

    def kept(self, now_s: float, unix_s: float) -> KeptFleet:
        """Return what a restart is to begin with."""
        return KeptFleet(self.hearing.kept(now_s, unix_s), self.orders.entries)
