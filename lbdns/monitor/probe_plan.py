"""The plan: which checks the configuration wants, and which series listen to them.

A generation changes only what differs: a check that is still wanted keeps its place in time, one that nobody wants any
more ends in the middle of its probe, a new one starts at once. One that another pool runs already is joined, and its
last result is news to the newcomer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import fields, replace
from operator import attrgetter
from typing import Final, Protocol

from lbdns.health.verdict import HEALTHY
from lbdns.model.bounds import ALL_REGIONS
from lbdns.model.probe_networks import DEFAULT, ReachTerms
from lbdns.model.targets_document import NOT_ON_WIRE, EndpointSpec, Vantage, is_name
from lbdns.monitor.isolation import IsolationGate
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.ledger.states import EndpointHealth, Series
from lbdns.monitor.probe_check import Check, CheckKey, check_key, cut_off
from lbdns.monitor.schedule import Scheduler
from lbdns.monitor.targets import Member, Targets
from lbdns.monitor.ways.way import Way

on_wire: Final = attrgetter(*(field.name for field in fields(EndpointSpec) if field.name not in NOT_ON_WIRE))
"""Returns what of an endpoint reaches its probes, as a tuple."""

# Which monitor's part, on which address, from where, and what of the endpoint reaches the wire.
SeriesKey = tuple[Member, str, Vantage, tuple[object, ...]]
Addresses = Callable[[EndpointSpec], Sequence[str]]
CUTS_PER_TURN: Final = 128  # of the event loop, and the rest of the last pool


def _no_way(network: str) -> Way | None:
    """Return the way into a network where there are none."""
    return None


class ProbeShares(Protocol):
    """Which of a fleet's probes are this machine's, where it is in one."""

    def standing_in(self, regions: Sequence[str]) -> Sequence[Vantage]:
        """Return this machine's vantage points that probe a pool with these check regions."""
        ...

    def chosen(self, member: Member, spec: EndpointSpec, vantages: Sequence[Vantage]) -> Sequence[Vantage]:
        """Return those of its vantage points to which a monitor's probes of an endpoint fall."""
        ...

    def replanned(self, endpoint: EndpointHealth, addresses: Sequence[str]) -> None:
        """Take it that an endpoint is to be probed at these addresses, none: not at all, by whomever."""
        ...


class ProbePlan:
    """The checks in force."""

    def __init__(
        self,
        ledger: Ledger,
        scheduler: Scheduler,
        tell: Callable[[Vantage, bool], None],
        way_into: Callable[[str], Way | None] = _no_way,
    ) -> None:
        """Begin with no checks; `tell` hears of vantage points that are cut off, and that are no more; `way_into` gives
        the way into a virtual network."""
        self._ledger = ledger
        self._scheduler = scheduler
        self._tell = tell
        self._way_into = way_into
        self._vantages: tuple[Vantage, ...] = ()
        self._gates: dict[Vantage, IsolationGate[Check]] = {}
        self._series: dict[int, dict[SeriesKey, tuple[Series, Check]]] = {}  # by the endpoint's identity
        self._members: dict[Member, Member] = {}
        self._networks: ReachTerms = DEFAULT
        self.shares: ProbeShares | None = None
        self._is_apart = False
        self._about: tuple[object, ...] = ()  # what all checks rest on beside pools and their monitors
        self._has_ended = False  # a check, since vantage points were looked through
        self.checks: dict[CheckKey, Check] = {}

    def adopt(self, targets: Targets, addresses: Addresses) -> None:
        """Plan for a generation that the ledger has adopted; `addresses` gives those of a hostname."""
        self._networks = targets.probe_networks
        about = targets.vantages, *(self._way_into(network.name) for network in targets.networks), self.shares
        is_about_same, self._about = about == self._about and self.shares is None, about
        self._vantages = targets.vantages
        former, self._members = self._members, {}
        self._members = {member: former.get(member, member) for pool in targets.pools for member in pool.members}
        for endpoint in self._due() if is_about_same else self._ledger.endpoints.values():
            self.replan(endpoint, addresses)
        # Those that are gone after those that are new: a check that only changes hands goes on.
        for gone in self._series.keys() - self._ledger.endpoints.keys():
            for series, check in self._series.pop(gone).values():
                self._leave(check, series)
        if self._has_ended:
            self._has_ended = False
            for vantage in self._gates.keys() - {check.vantage for check in self.checks.values()}:
                del self._gates[vantage]

    def _due(self) -> Iterator[EndpointHealth]:
        """Yield the endpoints whose checks may be others where pools alone are: those of pools that the generation
        before had otherwise, and hostnames, whose addresses may have come with it."""
        yield from (endpoint for pool in self._ledger.begun for endpoint in pool.endpoints)
        yield from (endpoint for endpoint in self._ledger.endpoints.values() if endpoint.spec.is_name)

    def be_apart(self, is_apart: bool) -> None:
        """Take it that this machine hears too little of its fleet, or hears enough of it again."""
        self._is_apart = is_apart
        for gate in self._gates.values():
            gate.be_apart(is_apart)

    def follow_way(self, way: Way) -> None:
        """Have every endpoint behind a way be down with it, or be probed now that it is back."""
        behind: dict[Check, None] = {}
        ends = []  # of pools among them
        for pool in self._ledger.pools.values():
            planned = (self._series.get(endpoint.spec.identity, {}) for endpoint in pool.endpoints)
            found = (check for each in planned for _, check in each.values() if check.target.way is way)
            behind.update(dict.fromkeys(found))
            ends.append(len(behind))
        self._follow_some(way, list(behind), deque(ends))

    def _follow_some(self, way: Way, checks: list[Check], ends: deque[int], begin: int = 0) -> None:
        """Do so for some from `begin` on, and for the rest in later turns; no pool is cut in two."""
        end = begin
        while ends and end - begin < CUTS_PER_TURN:
            end = ends.popleft()
        with self._ledger.together():
            for check in checks[begin:end]:
                if not check.active:
                    continue
                if way.fault:
                    # What it sent is lost with the way: a time-out would be told as the endpoint's.
                    self._scheduler.break_off(check)
                    check.give(cut_off(way, way.fault), check.started_s)
                else:
                    self._scheduler.hurry(check)
        if ends:
            asyncio.get_running_loop().call_soon(self._follow_some, way, checks, ends, end)

    @property
    def vantages(self) -> Set[Vantage]:
        """The vantage points that probe something."""
        return self._gates.keys()

    def replan(self, endpoint: EndpointHealth, addresses: Addresses) -> None:
        """Bring one endpoint's checks up to its specification and its addresses."""
        if self.shares is not None:
            self.shares.replanned(endpoint, self._probed_addresses(endpoint.spec, addresses) if endpoint.probed else ())
        identity = endpoint.spec.identity
        planned = self._series.get(identity, {})
        if not endpoint.probed:
            wanted: dict[SeriesKey, None] = {}
        else:
            wanted = dict.fromkeys(self._wanted(endpoint, addresses))
        if wanted.keys() == planned.keys():
            return
        kept = {key: planned[key] for key in wanted if key in planned}
        going = {key: planned[key] for key in planned if key not in wanted}
        new = set(wanted.keys() - planned.keys())
        names = {}
        for key in wanted:
            former = self._same_check(endpoint, key, going) if key in new else None
            if former is not None:
                kept[key] = going.pop(former)
                kept[key][0].member = key[0]
                names[former[0].name] = key[0].name
                new.discard(key)
        endpoint.rename_members(names)
        # New ones first: a check that only changes hands goes on.
        for key in wanted:
            if key not in kept:
                kept[key] = self._join(endpoint, key)
        if kept:
            self._series[identity] = kept
        else:
            self._series.pop(identity, None)
        for series, check in going.values():
            self._leave(check, series)
            self._ledger.end_series(endpoint, series)
        for key, (series, check) in kept.items():
            if key in new and check.last is not None:
                series.take(check.last)

    def _same_check(
        self, endpoint: EndpointHealth, key: SeriesKey, going: Mapping[SeriesKey, tuple[Series, Check]]
    ) -> SeriesKey | None:
        """Return the series that goes on as another one: with the same probes and a vote as before, under whatever
        name, threshold or weight; the one of its name where there are several."""
        member = key[0]
        wanted = self._key_of(endpoint, key)
        found = [one for one, (_, check) in going.items() if check.key == wanted and one[0].votes == member.votes]
        return min(found, key=lambda one: one[0].name != member.name, default=None)

    def _wanted(self, endpoint: EndpointHealth, addresses: Addresses) -> list[SeriesKey]:
        spec, pool = endpoint.spec, endpoint.pool.spec
        regions = pool.check_regions
        shares = self.shares
        vantages = standing_in(regions, self._vantages) if shares is None else shares.standing_in(regions)
        way = self._way_into(spec.network)
        own = *on_wire(spec), pool.is_local, way
        return [
            (self._members[member], address, vantage, own)
            for address in self._probed_addresses(spec, addresses)
            for member in pool.members
            for vantage in self._probing(member, spec, address, vantages, way is not None and way.is_given)
        ]

    def _probed_addresses(self, spec: EndpointSpec, addresses: Addresses) -> Sequence[str]:
        way = self._way_into(spec.network)
        return (spec.address,) if not spec.is_name or (way is not None and way.resolves) else addresses(spec)

    def _probing(
        self, member: Member, spec: EndpointSpec, address: str, vantages: Sequence[Vantage], is_given: bool
    ) -> Sequence[Vantage]:
        """Return the vantage points that probe an address; `is_given`: by a way into a network of its own."""
        found = vantages if is_given else reaching(vantages, address)
        return found if self.shares is None else self.shares.chosen(member, spec, found)

    def _key_of(self, endpoint: EndpointHealth, key: SeriesKey) -> CheckKey:
        member, address, vantage, _ = key
        spec = endpoint.spec
        way = self._way_into(spec.network)
        return check_key(member.monitor, spec, address, vantage, endpoint.pool.spec.is_local, way)

    def _join(self, endpoint: EndpointHealth, key: SeriesKey) -> tuple[Series, Check]:
        member, address, vantage, _ = key
        gate = self._gates.get(vantage)
        if gate is None:
            gate = self._gates[vantage] = IsolationGate(
                vantage, self._scheduler.hurry, self._tell, self._scheduler.clock
            )
            gate.be_apart(self._is_apart)
        wanted = self._key_of(endpoint, key)
        check = self.checks.get(wanted)
        if check is None:
            may_reach = self._may_reach if wanted.is_local else self._may_reach_for_others
            check = self.checks[wanted] = Check(wanted, member.monitor, gate, may_reach)
            self._scheduler.add(check)
            if check.target.way is not None:
                check.target.way.join(check.target.address, check.target.port)
        series = self._ledger.begin_series(endpoint, member, address, vantage)
        check.listeners.append(series)
        if series.state == HEALTHY:
            gate.expect(check)
        return series, check

    def _may_reach(self, address: str) -> bool:
        return is_name(address) or not self._networks.refuses(address)

    def _may_reach_for_others(self, address: str) -> bool:
        return is_name(address) or not self._networks.refuses(address, is_local=False)

    def _leave(self, check: Check, series: Series) -> None:
        check.listeners.remove(series)
        if not check.listeners:
            self._scheduler.remove(check)
            del self.checks[check.key]
            self._has_ended = True
            if check.target.way is not None:
                check.target.way.leave(check.target.address, check.target.port)
            gate = self._gates.get(check.vantage)
            if gate is not None:
                gate.forget(check)


def standing_in(regions: Sequence[str], vantages: Sequence[Vantage]) -> Sequence[Vantage]:
    """Return the vantage points that probe a pool with these check regions.

    Where none stands in any of them, all probe: that is better than nobody.
    """
    if ALL_REGIONS in regions:
        return vantages
    return [vantage for vantage in vantages if vantage.region in regions] or vantages


def reaching(vantages: Sequence[Vantage], address: str) -> list[Vantage]:
    """Return the vantage points that can probe an address: those whose source is of its family, or left open.

    Where none can, all probe from whatever address the system chooses: a result from the wrong address beats none.
    """
    found = [one for one in vantages if not one.source or (":" in one.source) == (":" in address)]
    return found or [replace(one, source="") for one in vantages]
