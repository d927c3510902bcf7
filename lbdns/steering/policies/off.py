"""`off`: the first available pool of `default_pools`; an earlier pool is back in use as soon as it is up."""

from __future__ import annotations

from lbdns.steering.kernel.numbers import SELECT_FIRST
from lbdns.steering.policies.context import Context
from lbdns.steering.policies.plan import PLACES_DO_NOT_MATTER, Plan, unweighted
from lbdns.steering.policies.what_steers import Steered

SAME_EVERYWHERE = PLACES_DO_NOT_MATTER


def plan(steered: Steered, context: Context) -> Plan:
    """Return one list, in order; location does not matter."""
    return Plan(SELECT_FIRST, (unweighted(steered.default_pools),))
