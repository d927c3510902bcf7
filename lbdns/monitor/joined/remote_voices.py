"""What other machines say of this one's endpoints: a series for each vantage point, monitor and address of which
anybody says anything.

    a change heard --> known here, and its region is asked? --> series (begun with the first word) --> ledger

What is said of something that is not known here yet stays with the observer, until a generation brings it. Where an
endpoint or its pool gets another name, what was said of it stands, silent, until it is said under the new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from lbdns.fleet.observing.asked_regions import AskedRegions
from lbdns.fleet.observing.neighbour import CARRY_S, RemoteChange
from lbdns.fleet.observing.observer import Observer
from lbdns.model.targets_document import Vantage
from lbdns.monitor.joined.fleet_series import FleetSeries, key_of, result_of
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.ledger.states import EndpointHealth
from lbdns.monitor.targets import Member

At = tuple[str, bytes]
SAMPLE_S: Final = 30
"""Round-trip times that others tell, and that have not moved, are sampled as often: some each second."""


class RemoteVoices:
    """The series of others."""

    def __init__(self, ledger: Ledger, observer: Observer) -> None:
        """Begin with none."""
        self._ledger = ledger
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._places: dict[bytes, tuple[int, Member, str]] = {}  # identity, member and address, by key
        self._keys: dict[int, set[bytes]] = {}  # by identity
        self._series: dict[At, FleetSeries] = {}
        self._carried_until_s: dict[At, float] = {}  # under a new name, and nobody has said so yet
        self._new: set[bytes] = set()
        self._unsampled: list[FleetSeries] = []
        self._per_look = 0
        self._standing = AskedRegions(observer.speakers)

    # --- what is to be heard of ---

    def follow(self, endpoint: EndpointHealth, addresses: Sequence[str]) -> None:
        """Take it that an endpoint is probed at these addresses, by its present name and monitors."""
        identity, members = endpoint.spec.identity, endpoint.pool.spec.members
        wanted = {
            key_of(endpoint.spec, member, address): (identity, member, address)
            for address in addresses
            for member in members
        }
        former = self._keys.pop(identity, set())
        for key in former - wanted.keys():
            self._places.pop(key, None)
        self._places.update(wanted)
        if wanted:
            self._keys[identity] = set(wanted)
        for series in [one for one in endpoint.series if isinstance(one, FleetSeries) and not one.speaker.is_own]:
            self._carry(endpoint, series, wanted)
        new = wanted.keys() - former
        if new:
            if not self._new:
                self._loop.call_soon(self._find_new)
            self._new |= new

    def _carry(
        self, endpoint: EndpointHealth, series: FleetSeries, wanted: dict[bytes, tuple[int, Member, str]]
    ) -> None:
        """Have a series go on by the present monitors and name, or end."""
        at = series.vantage.name, series.key
        place = wanted.get(series.key)
        if place is not None and self.stands(endpoint.pool.spec.check_regions, series.vantage.region):
            series.member = place[1]
            return
        is_one_of_one = len(endpoint.pool.spec.members) == 1
        renamed = next(
            (
                key
                for key, (_, member, address) in wanted.items()
                if address == series.address and (is_one_of_one or member.name == series.member.name)
            ),
            None,
        )
        if place is not None or renamed is None or (at[0], renamed) in self._series:
            self._end(at, series)
            return
        self._series.pop(at, None)
        series.key, series.member, series.quiet_s = renamed, wanted[renamed][1], self._loop.time()
        self._series[at[0], renamed] = series
        self._carried_until_s[at[0], renamed] = self._loop.time() + CARRY_S

    def keep_only(self, identities: Iterable[int]) -> None:
        """Let go of endpoints that are no more."""
        for gone in self._keys.keys() - set(identities):
            for key in self._keys.pop(gone):
                if self._places.get(key, (gone,))[0] == gone:
                    self._places.pop(key, None)
        for at in [at for at in self._series if at[1] not in self._places]:
            del self._series[at]
            self._carried_until_s.pop(at, None)

    def _find_new(self) -> None:
        new, self._new = self._new, set()
        with self._ledger.together():
            for change in self._observer.find(new):
                self.take(change)

    def stands(self, regions: Sequence[str], region: str) -> bool:
        """Whether a vantage point of a region probes a pool with these check regions."""
        return self._standing.stands(regions, region)

    def follow_vantages(self) -> bool:
        """Take it that other vantage points are known than before; return whether regions came or went by that."""
        are_regions_new = self._standing.follow()
        for at, series in list(self._series.items()):
            if self._observer.speakers.get(at[0]) is not series.speaker:
                self._end(at, series)
                self._new.add(at[1])
        self._loop.call_soon(self._find_new)
        return are_regions_new

    # --- what is heard ---

    def take(self, change: RemoteChange) -> None:
        """Take what a vantage point says now."""
        at = change.vantage, change.key
        series = self._series.get(at)
        if change.seen is None:
            if series is not None:
                self._end(at, series)
            return
        if change.is_quiet:
            if series is not None:
                series.quiet_s = self._loop.time()
                self._ledger.judge_anew(series.endpoint)
            return
        if series is None:
            series = self._begin(at)
        if series is None:
            return
        is_turn = change.is_turn or (
            self._carried_until_s.pop(at, None) is not None and series.state != change.seen.state
        )
        if is_turn:
            series.turned_s = self._loop.time()
        series.quiet_s = None
        seen = change.seen
        self._ledger.hear(series, seen.state, seen.streak, result_of(seen), seen.at_s)

    def _begin(self, at: At) -> FleetSeries | None:
        place, speaker = self._places.get(at[1]), self._observer.speakers.get(at[0])
        if place is None or speaker is None:
            return None
        identity, member, address = place
        endpoint = self._ledger.endpoints.get(identity)
        if endpoint is None or not self.stands(endpoint.pool.spec.check_regions, speaker.region):
            return None
        series = self._ledger.begin_series(endpoint, member, address, Vantage(speaker.name, speaker.region))
        assert isinstance(series, FleetSeries), "the ledger makes them by the fleet's hand"
        self._series[at] = series
        return series

    def _end(self, at: At, series: FleetSeries) -> None:
        self._series.pop(at, None)
        self._carried_until_s.pop(at, None)
        self._ledger.end_series(series.endpoint, series)

    def look(self) -> None:
        """Do what is done each second: let go of what nobody says under its new name, sample round-trip times."""
        now_s = self._loop.time()
        for at in [at for at, until_s in self._carried_until_s.items() if now_s >= until_s]:
            self._end(at, self._series[at])
        if not self._unsampled:
            self._unsampled = sorted(self._series.values(), key=lambda one: one.endpoint.pool.spec.slot)
            self._per_look = len(self._unsampled) // SAMPLE_S + 1
        for series in self._unsampled[-self._per_look :]:
            if series.rtt_us and series.member.votes and series in series.endpoint.series:
                self._ledger.note_times(series.endpoint.pool, series.vantage.region)
        del self._unsampled[-self._per_look :]

    def end_all(self) -> None:
        """Let go of all of them."""
        for at, series in list(self._series.items()):
            self._end(at, series)
