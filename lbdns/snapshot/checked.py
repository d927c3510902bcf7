"""What is checked of each endpoint, as a number: equal where the same probes judge the same target in the same way.

Names are no part of it, neither of pools, endpoints, monitors nor groups: a check that stays the same keeps its result
whatever it is called. Thresholds are none either: they say what follows from results, and act on those to come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from operator import itemgetter
from typing import Final

from lbdns.base.probe_types import acts
from lbdns.model.configuration import Configuration
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Endpoint, Pool
from lbdns.model.probed import probe_settings, probed_port

NOT_CHECKED: Final = 0
"""The number of an endpoint that nobody probes, and whose address needs no looking up."""

EndpointKey = tuple[str, str, str]
"""Pool, name and address of an endpoint."""


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
        self.groups = configuration.monitor_groups
        self._alone: dict[str, Judges] = {}
        self._together: dict[str, Judges] = {}

    def is_of(self, configuration: Configuration) -> bool:
        """Whether another configuration's monitors check the same, pool for pool."""
        return self.monitors == configuration.monitors and self.groups == configuration.monitor_groups

    def of(self, pool: Pool) -> dict[EndpointKey, int]:
        """Return for each endpoint of a pool what is checked of it, NOT_CHECKED where nobody probes it."""
        return _numbers(pool, self._judges(pool) if pool.enabled else Judges())

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


def _numbers(pool: Pool, judges: Judges) -> dict[EndpointKey, int]:
    if not judges.told:
        return {(pool.name, one.name, one.address): _looked_up(one) for one in pool.origins}
    begun = blake2b(repr((judges.told, sorted(pool.check_regions or ()))).encode(), digest_size=8)
    with_host = any(acts(monitor.type, "header") for monitor in judges.monitors)
    return {(pool.name, one.name, one.address): _number(one, judges, with_host, begun.copy()) for one in pool.origins}


def _number(endpoint: Endpoint, judges: Judges, with_host: bool, begun: blake2b) -> int:
    if not endpoint.is_used:
        return NOT_CHECKED
    ports = [probed_port(monitor, endpoint.port) for monitor in judges.monitors]
    begun.update(repr((endpoint.address, endpoint.host if with_host else "", ports)).encode())
    return _as_number(begun)


def _looked_up(endpoint: Endpoint) -> int:
    """Return the number of an endpoint that no monitor looks after: what is known of a hostname is its addresses."""
    if not endpoint.is_used or endpoint.ip is not None:
        return NOT_CHECKED
    return _as_number(blake2b(endpoint.address.encode(), digest_size=8))


def _as_number(digest: blake2b) -> int:
    return int.from_bytes(digest.digest(), "little") or 1
