"""What is checked of each endpoint, as a number: equal where the same probes judge the same target in the same way.

Names are no part of it, neither of pools, endpoints, monitors nor groups: a check that stays the same keeps its result
whatever it is called. Thresholds are none either: they say what follows from results, and act on those to come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from operator import itemgetter

from lbdns.base.probe_types import NOT_CHECKED, acts
from lbdns.model.configuration import Configuration
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Endpoint, EndpointKey, Pool
from lbdns.model.probed import probe_settings, probed_port
from lbdns.model.virtual_network import NetworkTable


@dataclass(frozen=True, slots=True)
class Judges:
    """The monitors that judge a pool's endpoints, in an order of their own, and what they do, told without names."""

    told: tuple[str, ...] = ()
    monitors: tuple[Monitor, ...] = ()

    @classmethod
    def of(cls, parts: Iterable[tuple[Monitor, bool, bool]]) -> Judges:
        """Return those of (monitor, whether it votes, whether it must be healthy)."""
        rows = sorted(
            ((f"{probe_settings(monitor)}{votes}{must}", monitor.port, monitor) for monitor, votes, must in parts),
            key=itemgetter(0, 1),
        )
        return cls(tuple(row[0] for row in rows), tuple(row[2] for row in rows))


class Checking:
    """What a configuration's monitors and groups check; `of` says it of a pool's endpoints."""

    def __init__(self, configuration: Configuration) -> None:
        """Look at the monitors; groups follow when a pool asks for one."""
        self.monitors = configuration.monitors
        self.networks = configuration.virtual_networks
        self.routes = configuration.routes
        self._table = NetworkTable.of(self.networks, self.routes)
        self.groups = configuration.monitor_groups
        self._alone: dict[str, Judges] = {}
        self._together: dict[str, Judges] = {}

    def is_of(self, configuration: Configuration) -> bool:
        """Whether another configuration's monitors check the same, pool for pool."""
        return (self.monitors, self.groups, self.networks, self.routes) == (
            configuration.monitors,
            configuration.monitor_groups,
            configuration.virtual_networks,
            configuration.routes,
        )

    def of(self, pool: Pool) -> dict[EndpointKey, int]:
        """Return for each endpoint of a pool what is checked of it, NOT_CHECKED where nobody probes it."""
        return _numbers(pool, self._judges(pool) if pool.enabled else Judges(), self._way)

    def _way(self, endpoint: Endpoint) -> str:
        """Return what tells the way to an endpoint from others to its address: its network's id, and how that is
        reached; "" where it is in none. Names are no part of it."""
        name = self._table.network_of(endpoint)
        if not name:
            return ""
        network = self.networks[name]
        return repr((network.uuid, network.via))

    def _judges(self, pool: Pool) -> Judges:
        if pool.monitor is not None:
            found = self._alone.get(pool.monitor)
            if found is None:
                found = self._alone[pool.monitor] = Judges.of([(self.monitors[pool.monitor], True, False)])
            return found
        if pool.monitor_group is None:
            return Judges()
        found = self._together.get(pool.monitor_group)
        if found is None:
            members = [one for one in self.groups[pool.monitor_group].members if one.enabled]
            found = self._together[pool.monitor_group] = Judges.of(
                (self.monitors[one.monitor], not one.monitoring_only, one.must_be_healthy) for one in members
            )
        return found


def _numbers(pool: Pool, judges: Judges, ways: Callable[[Endpoint], str]) -> dict[EndpointKey, int]:
    if not judges.told:
        return {pool.endpoint_key(one): _looked_up(one, ways(one)) for one in pool.origins}
    begun = blake2b(repr((judges.told, sorted(pool.check_regions or ()))).encode(), digest_size=8)
    with_host = any(acts(monitor.type, "header") for monitor in judges.monitors)
    return {pool.endpoint_key(one): _number(one, judges, with_host, ways(one), begun.copy()) for one in pool.origins}


def _number(endpoint: Endpoint, judges: Judges, with_host: bool, way: str, begun: blake2b) -> int:
    if not endpoint.is_used:
        return NOT_CHECKED
    ports = [probed_port(monitor, endpoint.port) for monitor in judges.monitors]
    begun.update(repr((endpoint.address, endpoint.host if with_host else "", ports)).encode() + way.encode())
    return _as_number(begun)


def _looked_up(endpoint: Endpoint, way: str) -> int:
    """Return the number of an endpoint that no monitor looks after: what is known of a hostname is its addresses."""
    if not endpoint.is_used or endpoint.ip is not None:
        return NOT_CHECKED
    return _as_number(blake2b(endpoint.address.encode() + way.encode(), digest_size=8))


def _as_number(digest: blake2b) -> int:
    return int.from_bytes(digest.digest(), "little") or 1
