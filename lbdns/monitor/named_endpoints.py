"""Endpoints whose address is a hostname: what it resolves to is probed, and what of that is healthy is answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

from lbdns.health.verdict import HEALTHY
from lbdns.mapped.resolved import read_addresses, write_addresses
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.ledger.states import EndpointHealth
from lbdns.monitor.probe_plan import ProbePlan
from lbdns.monitor.resolving import HostNames, Resolved

if TYPE_CHECKING:
    from lbdns.monitor.own_names import OwnNames


class NamedEndpoints:
    """Looks up the names of a generation's endpoints, and writes their addresses to the health table."""

    def __init__(self, ledger: Ledger, plan: ProbePlan) -> None:
        """Begin with no names; new addresses are planned for in `plan`."""
        self._ledger = ledger
        self._plan = plan
        self._names = HostNames(self._changed, self._failed)
        self._by_name: dict[str, list[EndpointHealth]] = {}

    def adopt(self, resolvers: Sequence[str], own: OwnNames | None) -> None:
        """Look up the names that the ledger's generation has, beginning with what the table says of them; `own`: those
        of its zones."""
        self._by_name = {}
        for endpoint in self._ledger.endpoints.values():
            if endpoint.spec.is_name and endpoint.spec.enabled:
                self._by_name.setdefault(endpoint.spec.address, []).append(endpoint)
                self._names.seed(endpoint.spec.address, self._found_earlier(endpoint))
        needed = {one for one, endpoints in self._by_name.items() if any(each.spec.must_resolve for each in endpoints)}
        self._names.adopt(self._by_name, resolvers, self._by_name.keys() - needed, own)

    def follow_system(self) -> None:
        """Look up again what the system's own files say otherwise now."""
        self._names.follow_system()

    def addresses(self, name: str) -> Sequence[str]:
        """Return the addresses of a name; none where it never resolved."""
        return self._names.addresses(name)

    def publish(self) -> None:
        """Write the addresses of all names to the table."""
        for endpoints in self._by_name.values():
            for endpoint in endpoints:
                self.publish_one(endpoint)

    def publish_one(self, endpoint: EndpointHealth) -> None:
        """Write a name's addresses to the table: those that are healthy, or all where none is or nobody asks."""
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

    async def close(self) -> None:
        """Stop looking up."""
        await self._names.close()

    def _found_earlier(self, endpoint: EndpointHealth) -> Resolved:
        columns, slot = self._ledger.table.columns, endpoint.spec.slot
        v4 = tuple(str(ip_address(packed)) for packed in read_addresses(columns, slot, 4))
        v6 = tuple(str(ip_address(packed)) for packed in read_addresses(columns, slot, 6))
        return Resolved(v4, v6, float(columns["resolved_expiry"][slot]))

    def _changed(self, name: str) -> None:
        for endpoint in self._by_name.get(name, ()):
            self._plan.replan(endpoint, self.addresses)
            self.publish_one(endpoint)
            if self.addresses(name):
                self._ledger.resolved(endpoint)

    def _failed(self, name: str, problem: str) -> None:
        for endpoint in self._by_name.get(name, ()):
            self._ledger.unresolved(endpoint, problem)


def _chosen(addresses: Iterable[str], healthy: set[str]) -> tuple[str, ...]:
    return tuple(address for address in addresses if address in healthy)
