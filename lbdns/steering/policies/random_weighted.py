"""`random`: one pool by weight, drawn anew for each query."""

from __future__ import annotations

from lbdns.steering.kernel.numbers import SELECT_WEIGHTED
from lbdns.steering.policies.context import Context
from lbdns.steering.policies.plan import PLACES_DO_NOT_MATTER, Plan, candidate
from lbdns.steering.policies.what_steers import Steered

SAME_EVERYWHERE = PLACES_DO_NOT_MATTER
WEIGHT_SCALE = 10_000  # weights are fractions: four decimal places act


def plan(steered: Steered, context: Context) -> Plan:
    """Return one list with the weights of `random_steering`; where all of them are 0 they count as equal."""
    steering = steered.random_steering
    weights = [round(steering.weight_of(name) * WEIGHT_SCALE) for name in steered.default_pools]
    if not any(weights):
        weights = [1] * len(weights)
    return Plan(SELECT_WEIGHTED, (tuple(map(candidate, steered.default_pools, weights)),))
