"""Steering policies, a module each: `plan(steered, context)` says at compile time what a query will find.

Which `steering_policy` means which module is told once, by STEERING_POLICIES in lbdns.base.words; `""` means geo where
any of region_pools, country_pools, pop_pools is set, else off. SAME_EVERYWHERE is what `explain` says, with `{pop}` for
this PoP's code, where all places get the same candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from lbdns.base.words import STEERING_POLICIES
from lbdns.model.steering_fields import LocationStrategy
from lbdns.steering.policies.context import Context
from lbdns.steering.policies.plan import Plan
from lbdns.steering.policies.what_steers import Steered

_MODULES = {name: import_module(f"lbdns.steering.policies.{row[0]}") for name, row in STEERING_POLICIES.items()}
PLANNERS: dict[str, Callable[[Steered, Context], Plan]] = {name: one.plan for name, one in _MODULES.items()}
SAME_EVERYWHERE: dict[str, str] = {name: one.SAME_EVERYWHERE for name, one in _MODULES.items()}
POLICIES = tuple(PLANNERS)


def prefers_ecs(strategy: LocationStrategy, policy: str) -> bool:
    """Return whether a client's ECS counts before the resolver and the PoP (`location_strategy.prefer_ecs`) under an
    effective policy; pool sets find places as under `geo`.

    | prefer_ecs | yes where |
    |---|---|
    | always | always |
    | never | never |
    | proximity, geo | the policy is the one named |
    """
    preference = strategy.prefer_ecs
    if preference in ("always", "never"):
        return preference == "always"
    return preference == policy
