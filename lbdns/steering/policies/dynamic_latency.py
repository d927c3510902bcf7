"""`dynamic_latency`: the pool with the lowest round-trip time from this PoP's region, as the health table has it
now."""

from __future__ import annotations

from lbdns.model.balancer import LoadBalancer
from lbdns.steering.kernel.numbers import SELECT_FASTEST
from lbdns.steering.policies.context import Context
from lbdns.steering.policies.plan import PLACES_DO_NOT_MATTER, Plan, unweighted

SAME_EVERYWHERE = PLACES_DO_NOT_MATTER


def plan(load_balancer: LoadBalancer, context: Context) -> Plan:
    """Return one list: pools without a figure stand after those with one, in this order."""
    return Plan(SELECT_FASTEST, (unweighted(load_balancer.default_pools),))
