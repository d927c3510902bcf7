"""A new generation: who is in it, what is known of each from before, and whose slots fell free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from lbdns.base.words import Health
from lbdns.health.reasons import Reason
from lbdns.health.verdict import STATE_MASK, UNHEALTHY, UNKNOWN, UNRESOLVED, shown_pool_word
from lbdns.mapped.health_table import HealthTable
from lbdns.model.targets_document import BalancerSpec
from lbdns.monitor.ledger.balancer_roster import BalancerRoster
from lbdns.monitor.ledger.states import EndpointHealth, PoolHealth
from lbdns.monitor.ledger.table_rows import TableRows
from lbdns.monitor.targets import PoolSpec


@dataclass(frozen=True, slots=True)
class Roster:
    """One generation's pools by name, endpoints by identity, and load balancers.

    `left`: slot -> identity of whom the generation before had there, where this one has nobody. `begun`: the pools that
    the generation before had otherwise, in another table, or not at all; all others, and their endpoints, are the very
    objects that it had.
    """

    pools: Mapping[str, PoolHealth] = field(default_factory=dict)
    endpoints: Mapping[int, EndpointHealth] = field(default_factory=dict)
    balancers: BalancerRoster = field(default_factory=BalancerRoster)
    left: Mapping[int, int] = field(default_factory=dict)
    begun: Sequence[PoolHealth] = ()


def adopt_roster(
    former: Roster,
    former_table: HealthTable,
    rows: TableRows,
    pools: Iterable[PoolSpec],
    balancers: Sequence[BalancerSpec],
) -> Roster:
    """Return the roster of a generation; whom the former one knew goes on, others begin as the table says.

    `rows` are those of the generation's table, which may be another than `former_table`. An endpoint's identity
    goes with its check from name to name and from slot to slot.
    """
    found: dict[str, PoolHealth] = {}
    endpoints: dict[int, EndpointHealth] = {}
    begun: list[PoolHealth] = []
    is_same_table = former_table is rows.table
    for spec in pools:
        known = former.pools.get(spec.name)
        if known is not None and known.spec is spec and is_same_table and _are_theirs(known, rows):
            pool = known
        else:
            pool = _begin_pool(spec, former, former_table, rows)
            begun.append(pool)
        found[spec.name] = pool
        for endpoint in pool.endpoints:
            endpoints[endpoint.spec.identity] = endpoint
    taken = {endpoint.spec.slot for endpoint in endpoints.values()}
    _clear_left(former.left, taken, rows)
    left = {one.spec.slot: one.spec.identity for one in former.endpoints.values() if one.spec.slot not in taken}
    return Roster(found, endpoints, former.balancers.follow(balancers, former.pools, found, begun), left, begun)


def _are_theirs(pool: PoolHealth, rows: TableRows) -> bool:
    """Whether the table's rows are a pool's and its endpoints' own: not where generations were passed over, and others
    have had them since."""
    owners = rows.endpoint_identity
    return rows.pool_identity[pool.spec.slot] == pool.identity and all(
        [owners[one.spec.slot] == one.spec.identity for one in pool.endpoints]
    )


def _begin_pool(spec: PoolSpec, former: Roster, former_table: HealthTable, rows: TableRows) -> PoolHealth:
    pool = PoolHealth(spec)
    for endpoint_spec in spec.endpoints:
        endpoint = EndpointHealth(endpoint_spec, pool)
        _adopt_endpoint(endpoint, former.endpoints.get(endpoint_spec.identity), former_table, rows)
        pool.endpoints.append(endpoint)
    _adopt_pool(pool, former.pools.get(spec.name), rows)
    return pool


def _adopt_endpoint(
    endpoint: EndpointHealth, known: EndpointHealth | None, known_in: HealthTable, rows: TableRows
) -> None:
    slot, owner = endpoint.spec.slot, rows.endpoint_identity
    if known is not None and known_in.columns["endpoint_identity"][known.spec.slot] != known.spec.identity:
        known = None  # generations were passed over, and others have had the slot since
    with rows.writing(slot):
        if known is not None and known.spec.slot != slot:
            # Answers follow what was published with the slot: it heeds the orders for the present name.
            effective, is_begun = rows.endpoint_state[slot], owner[slot] == endpoint.spec.identity
            rows.table.copy_endpoint(known_in, known.spec.slot, slot)
            if is_begun:
                rows.endpoint_state[slot] = effective
        elif known is not None and known_in is not rows.table:
            rows.table.copy_endpoint(known_in, slot, slot)
        elif owner[slot] != endpoint.spec.identity:
            rows.table.clear_endpoint(slot)
        owner[slot] = endpoint.spec.identity
        if not endpoint.probed:  # nobody probes it
            rows.endpoint_measured[slot] = UNKNOWN
            rows.endpoint_streak[slot] = 0
    if endpoint.probed:
        endpoint.state = rows.endpoint_measured[slot] & STATE_MASK
        if known is not None:
            endpoint.series, endpoint.watched, endpoint.told = known.series, known.watched, known.told
            for series in endpoint.series:
                series.endpoint = endpoint
        elif endpoint.state == UNHEALTHY and rows.endpoint_reason[slot] == Reason.NETWORK_DOWN:
            endpoint.told = UNKNOWN  # by an earlier worker
    endpoint.effective = rows.endpoint_state[slot]
    if endpoint.spec.is_name and endpoint.spec.enabled and endpoint.spec.must_resolve:
        if known is not None:
            endpoint.resolution = known.resolution
        elif endpoint.effective & UNRESOLVED:
            endpoint.resolution = Health.UNRESOLVED


def _adopt_pool(pool: PoolHealth, known: PoolHealth | None, rows: TableRows) -> None:
    slot, owner = pool.spec.slot, rows.pool_identity
    if owner[slot] != pool.identity:
        rows.table.clear_pool(slot)
        owner[slot] = pool.identity
    pool.effective = known.effective if known is not None else rows.pool_state[slot]
    pool.word = known.word if known is not None else shown_pool_word(pool.effective, pool.spec.monitored)


def _clear_left(left: Mapping[int, int], taken: Set[int], rows: TableRows) -> None:
    """Make slots nobody's that fell free a generation ago: then no reader of an older snapshot is left.

    So whoever gets the slot later begins as unknown, even in the moment before this worker hears of it.
    """
    for slot, gone in left.items():
        if rows.endpoint_identity[slot] == gone and slot not in taken:
            rows.table.clear_endpoint(slot)
