"""Endpoints whose address is a hostname: what it resolves to is probed, and what of that is healthy is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING

from lbdns.health.verdict import HEALTHY
from lbdns.mapped.resolved import read_addresses, write_addresses
from lbdns.model.targets_document import EndpointSpec
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.ledger.states import EndpointHealth
from lbdns.monitor.probe_check import cut_off
from lbdns.monitor.probe_plan import ProbePlan
from lbdns.monitor.resolving import HostNames, Resolved, Sources
from lbdns.monitor.ways.way import Way

if TYPE_CHECKING:
    from lbdns.monitor.own_names import OwnNames


class NamedEndpoints:
    """Looks up the names of a generation's endpoints, and writes their addresses to the health table."""

    def __init__(self, ledger: Ledger, plan: ProbePlan, way_into: Callable[[str], Way | None]) -> None:
        """Begin with no names; new addresses are planned for in `plan`, `way_into` gives the way into a network."""
        self._ledger = ledger
        self._plan = plan
        self._way_into = way_into
        self._names: dict[str, tuple[Way | None, HostNames]] = {}  # by virtual network ("": none)
        self._by_name: dict[tuple[str, str], list[EndpointHealth]] = {}

    def adopt(self, resolvers: Sequence[str], own: OwnNames | None) -> None:
        """Look up the names that the ledger's generation has, beginning with what the table says of them; `own`: those
        of its zones."""
        self._by_name = {}
        for endpoint in self._ledger.endpoints.values():
            spec = endpoint.spec
            if spec.is_name and spec.enabled and (spec.must_resolve or not self._goes_as_it_is(spec)):
                self._by_name.setdefault((spec.network, spec.address), []).append(endpoint)
                self._names_in(spec.network).seed(spec.address, self._found_earlier(endpoint))
        wanted: dict[str, set[str]] = {}
        quiet: dict[str, set[str]] = {}
        for (network, name), endpoints in self._by_name.items():
            wanted.setdefault(network, set()).add(name)
            if not any(each.spec.must_resolve for each in endpoints):
                quiet.setdefault(network, set()).add(name)
        for network, (_, names) in self._names.items():
            names.adopt(wanted.get(network, ()), resolvers, quiet.get(network, ()), own)
        for gone in self._names.keys() - wanted.keys():
            del self._names[gone]

    def _names_in(self, network: str) -> HostNames:
        """Return who looks names of a network up, another where its way is another."""
        way = self._way_into(network)
        known = self._names.get(network)
        if known is not None and known[0] is way:
            return known[1]
        if known is not None:
            known[1].adopt((), ())
        changed, failed = partial(self._changed, network), partial(self._failed, network)
        elsewhere = partial(_names_there, way) if way is not None and way.is_given and not way.resolves else None
        names = HostNames(changed, failed, elsewhere)
        self._names[network] = way, names
        return names

    def _goes_as_it_is(self, spec: EndpointSpec) -> bool:
        """Whether probes take an endpoint's name with them, and only answers need its addresses."""
        way = self._way_into(spec.network)
        return way is not None and way.resolves

    def follow_system(self) -> None:
        """Look up again what the system's own files say otherwise now."""
        for _, names in self._names.values():
            names.follow_system()

    def follow_way(self, way: Way) -> None:
        """Look up the names of a network that is back, and take it that those without addresses are down where it
        is."""
        led, names = self._names.get(way.name, (None, None))
        if names is None or led is not way or way.resolves:
            return
        if not way.fault:
            names.ask_again()
            return
        for (network, _), endpoints in self._by_name.items():
            for endpoint in endpoints if network == way.name else ():
                self._ledger.unreached(endpoint, cut_off(way, way.fault))

    def addresses(self, spec: EndpointSpec) -> Sequence[str]:
        """Return the addresses of an endpoint's name; none where it never resolved."""
        _, names = self._names.get(spec.network, (None, None))
        return names.addresses(spec.address) if names is not None else ()

    def publish(self) -> None:
        """Write the addresses of all names to the table."""
        for endpoints in self._by_name.values():
            for endpoint in endpoints:
                self.publish_one(endpoint)

    def publish_one(self, endpoint: EndpointHealth) -> None:
        """Write a name's addresses to the table: those that are healthy, or all where none is or nobody asks."""
        found = self._names_in(endpoint.spec.network).found(endpoint.spec.address)
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

    async def close(self) -> None:
        """Stop looking up."""
        for _, names in self._names.values():
            await names.close()

    def _found_earlier(self, endpoint: EndpointHealth) -> Resolved:
        columns, slot = self._ledger.table.columns, endpoint.spec.slot
        v4 = tuple(str(ip_address(packed)) for packed in read_addresses(columns, slot, 4))
        v6 = tuple(str(ip_address(packed)) for packed in read_addresses(columns, slot, 6))
        return Resolved(v4, v6, float(columns["resolved_expiry"][slot]))

    def _changed(self, network: str, name: str) -> None:
        for endpoint in self._by_name.get((network, name), ()):
            self._plan.replan(endpoint, self.addresses)
            self.publish_one(endpoint)
            if self.addresses(endpoint.spec):
                self._ledger.resolved(endpoint)

    def _failed(self, network: str, name: str, problem: str) -> None:
        way = self._way_into(network)
        for endpoint in self._by_name.get((network, name), ()):
            if way is not None and way.fault and not way.resolves:
                self._ledger.unreached(endpoint, cut_off(way, way.fault))
            else:
                self._ledger.unresolved(endpoint, problem, self._goes_as_it_is(endpoint.spec))


def _chosen(addresses: Iterable[str], healthy: set[str]) -> tuple[str, ...]:
    return tuple(address for address in addresses if address in healthy)


def _names_there(way: Way, servers: Sequence[str]) -> Sources:
    # Needed by who has hostnames in virtual networks alone.
    from lbdns.monitor.ways.names_there import NamesThere

    return NamesThere(way, servers)
