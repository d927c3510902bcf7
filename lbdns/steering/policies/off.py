"""`off`: the first available pool of `default_pools`; an earlier pool is back in use as soon as it is up."""

from __future__ import annotations

from lbdns.model.balancer import LoadBalancer
from lbdns.steering.kernel.numbers import SELECT_FIRST
from lbdns.steering.policies.context import Context
from lbdns.steering.policies.plan import PLACES_DO_NOT_MATTER, Plan, unweighted

SAME_EVERYWHERE = PLACES_DO_NOT_MATTER


def plan(load_balancer: LoadBalancer, context: Context) -> Plan:
    """Return one list, in order; location does not matter."""
    return Plan(SELECT_FIRST, (unweighted(load_balancer.default_pools),))
