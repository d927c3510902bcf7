"""A new generation: who is in it, what is known of each from before, and whose slots fell free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lbdns.health.identity import identity
from lbdns.health.verdict import STATE_MASK, UNKNOWN
from lbdns.mapped.health_table import HealthTable
from lbdns.model.targets_document import BalancerSpec
from lbdns.monitor.ledger.states import BalancerHealth, EndpointHealth, PoolHealth
from lbdns.monitor.ledger.table_rows import TableRows
from lbdns.monitor.targets import PoolSpec


@dataclass(frozen=True, slots=True)
class Roster:
    """One generation's pools by name, endpoints by identity, and load balancers.

    `left`: identity -> slot of the endpoints that the generation before had and this one has not.
    """

    pools: Mapping[str, PoolHealth] = field(default_factory=dict)
    endpoints: Mapping[int, EndpointHealth] = field(default_factory=dict)
    balancers: Sequence[BalancerHealth] = ()
    left: Mapping[int, int] = field(default_factory=dict)


def adopt_roster(
    former: Roster,
    former_table: HealthTable,
    rows: TableRows,
    pools: Iterable[PoolSpec],
    balancers: Iterable[BalancerSpec],
) -> Roster:
    """Return the roster of a generation; whom the former one knew goes on, others begin as the table says.

    `rows` are those of the generation's table, which may be another than `former_table`.
    """
    found: dict[str, PoolHealth] = {}
    endpoints: dict[int, EndpointHealth] = {}
    for spec in pools:
        pool = found[spec.name] = PoolHealth(spec)
        for endpoint_spec in spec.endpoints:
            endpoint = EndpointHealth(endpoint_spec, pool)
            _adopt_endpoint(endpoint, former.endpoints.get(endpoint_spec.identity), former_table, rows)
            pool.endpoints.append(endpoint)
            endpoints[endpoint_spec.identity] = endpoint
        _adopt_pool(pool, former.pools.get(spec.name), rows)
    _clear_left(former.left, endpoints, rows)
    left = {gone: former.endpoints[gone].spec.slot for gone in former.endpoints.keys() - endpoints.keys()}
    return Roster(found, endpoints, _adopt_balancers(balancers, former.balancers, found), left)


def _adopt_endpoint(
    endpoint: EndpointHealth, known: EndpointHealth | None, known_in: HealthTable, rows: TableRows
) -> None:
    slot, owner = endpoint.spec.slot, rows.endpoint_identity
    with rows.writing(slot):
        if known is not None and (known_in is not rows.table or known.spec.slot != slot):
            rows.table.copy_endpoint(known_in, known.spec.slot, slot)
        elif owner[slot] != endpoint.spec.identity:
            rows.table.clear_endpoint(slot)
        owner[slot] = endpoint.spec.identity
        if not endpoint.probed:  # nobody probes it
            rows.endpoint_measured[slot] = UNKNOWN
            rows.endpoint_streak[slot] = 0
    if endpoint.probed:
        endpoint.state = rows.endpoint_measured[slot] & STATE_MASK
        if known is not None:
            endpoint.series, endpoint.watched = known.series, known.watched
            for series in endpoint.series:
                series.endpoint = endpoint
    endpoint.effective = rows.endpoint_state[slot]


def _adopt_pool(pool: PoolHealth, known: PoolHealth | None, rows: TableRows) -> None:
    slot, owner, mine = pool.spec.slot, rows.pool_identity, identity(pool.spec.name)
    if owner[slot] != mine:
        rows.table.clear_pool(slot)
        owner[slot] = mine
    pool.effective = known.effective if known is not None else rows.pool_state[slot]


def _clear_left(left: Mapping[int, int], endpoints: Mapping[int, EndpointHealth], rows: TableRows) -> None:
    """Make slots nobody's that fell free a generation ago: then no reader of an older snapshot is left.

    So whoever gets the slot later begins as unknown, even in the moment before this worker hears of it.
    """
    for gone, slot in left.items():
        if rows.endpoint_identity[slot] == gone and gone not in endpoints:
            rows.table.clear_endpoint(slot)


def _adopt_balancers(
    specs: Iterable[BalancerSpec], former: Iterable[BalancerHealth], pools: Mapping[str, PoolHealth]
) -> list[BalancerHealth]:
    words = {balancer.spec.name: balancer.word for balancer in former}
    balancers = []
    for spec in specs:
        balancer = BalancerHealth(spec)
        balancer.word = words.get(spec.name, "")
        for name in dict.fromkeys(spec.pools):
            pool = pools.get(name)
            if pool is not None and pool.spec.enabled:
                balancer.pools.append(pool)
                pool.balancers.append(balancer)
        balancers.append(balancer)
    return balancers
