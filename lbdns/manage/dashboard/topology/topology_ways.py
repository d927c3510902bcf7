"""Where a load balancer's queries may go, as a topology: PoP -> ways -> pools -> endpoints.

    a load balancer, its pools and their health, as the API has them
        --ways_of--> ways: rules, pool sets, places, and what is left
        --Topology--> nodes in four columns and the lines between them
        --topology_layout--> places on a drawing

A *way* is a reason for which pools are candidates. Nothing here steers: which way a query takes, explain says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lbdns.base.wording import counted
from lbdns.base.words import PLACE_MAPS, effective_policy

WAYS_MAX: Final = 24
"""Ways that are drawn by themselves; more of a kind are one."""
_PLACES: Final = {"pop_pools": "PoP", "country_pools": "country", "region_pools": "region"}
"""The maps, in the order in which `geo` looks at them, and what their keys are."""
_TOPOLOGY: Final = {"pops": "PoP", "countries": "country", "regions": "region"}


@dataclass(frozen=True, slots=True)
class QueryWay:
    """One way: `title`, and in words when it is taken. `pools`: ids in order; `fallback`: the id of the last resort, ""
    where it has none of its own. `is_off`: nobody takes it. `rule`: the name by which counts know it, "" where none
    does."""

    title: str
    words: str
    pools: tuple[str, ...]
    policy: str = ""
    fallback: str = ""
    is_off: bool = False
    rule: str = ""
    changes: tuple[str, ...] = ()
    folded: int = 0


def policy_of(balancer: Mapping[str, Any]) -> str:
    """Return the steering policy, "" resolved."""
    return effective_policy(str(balancer["steering_policy"]), any(balancer[field] for field in PLACE_MAPS))


def ways_of(balancer: Mapping[str, Any]) -> list[QueryWay]:
    """Return the ways of a load balancer as the API shows it, in the order in which they are looked at."""
    rules = [*_rules(balancer)]
    sets = [_pool_set(number, one, balancer) for number, one in enumerate(balancer["pool_sets"])]
    places = [*_places(balancer)] if policy_of(balancer) == "geo" else []
    return [*_bounded(rules, "rule"), *_bounded(sets, "pool set"), *_bounded(places, "place"), _rest(balancer)]


def _bounded(ways: Sequence[QueryWay], name: str) -> Iterator[QueryWay]:
    most = WAYS_MAX // 3
    if len(ways) <= most:
        yield from ways
        return
    yield from ways[: most - 1]
    rest = ways[most - 1 :]
    pools = tuple(dict.fromkeys(pool for way in rest for pool in way.pools))
    yield QueryWay(f"{counted(len(rest), f'more {name}')}", "listed below the drawing", pools, folded=len(rest))


def _rest(balancer: Mapping[str, Any]) -> QueryWay:
    """Return the way of the queries that nothing else is about."""
    policy = policy_of(balancer)
    others = [*balancer["rules"], *balancer["pool_sets"]]
    title = "Otherwise" if others or (policy == "geo" and any(balancer[one] for one in PLACE_MAPS)) else "Every query"
    return QueryWay(title, f"policy {policy}", tuple(balancer["default_pools"]), policy, balancer["fallback_pool"])


def _places(balancer: Mapping[str, Any]) -> Iterator[QueryWay]:
    """Yield a way for each list of pools, with all places of one kind that have it."""
    for key, name in _PLACES.items():
        by_pools: dict[tuple[str, ...], list[str]] = {}
        for place, pools in balancer[key].items():
            by_pools.setdefault(tuple(pools), []).append(place)
        for ids, places in by_pools.items():
            yield QueryWay(_places_words(name, places), "policy geo", ids, "geo", balancer["fallback_pool"])


def _places_words(name: str, places: Sequence[str]) -> str:
    plural = {"PoP": "PoPs", "country": "countries", "region": "regions"}[name]
    told = name if len(places) == 1 else plural
    shown = ", ".join(places[:6]) + (f" and {len(places) - 6} more" if len(places) > 6 else "")
    return f"{told[0].upper()}{told[1:]} {shown}"


def rules_in_order(rules: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the places of rules in the order in which they are looked at, those that are off among them."""
    return sorted(range(len(rules)), key=lambda at: at if rules[at].get("priority") is None else rules[at]["priority"])


def _rules(balancer: Mapping[str, Any]) -> Iterator[QueryWay]:
    for at in rules_in_order(balancer["rules"]):
        rule = balancer["rules"][at]
        name = rule.get("name") or f"rule {at + 1}"
        words = rule.get("condition") or "every query"
        yield _overridden(name, words, rule, balancer)


def _pool_set(number: int, one: Mapping[str, Any], balancer: Mapping[str, Any]) -> QueryWay:
    topology = (one.get("match") or {}).get("topology") or {}
    told = [_places_words(name, topology[key]) for key, name in _TOPOLOGY.items() if topology.get(key)]
    name = one.get("name") or f"pool set {number + 1}"
    return _overridden(name, "; ".join(told) or "every query", one, balancer)


def _overridden(name: str, words: str, one: Mapping[str, Any], balancer: Mapping[str, Any]) -> QueryWay:
    """Return the way of a rule or pool set: to the pools that it names, else to those of the load balancer."""
    is_off = bool(one.get("disabled"))
    if one.get("fixed_response") is not None:
        return QueryWay(name, words, (), is_off=is_off, rule=name, changes=("answers without records",))
    given = one.get("overrides") or {}
    pools = given.get("pools")
    if pools is None:
        merged = {
            **balancer,
            **{key: given[key] for key in ("default_pools", *PLACE_MAPS) if given.get(key) is not None},
        }
        pools = tuple(dict.fromkeys(_all_pools(merged)))
    policy = given.get("steering_policy")
    changes = [f"policy {policy or 'by its maps'}"] if policy is not None else []
    changes += [f"TTL {given['ttl']} s"] if given.get("ttl") is not None else []
    shown = {"pools", "default_pools", "steering_policy", "ttl", "fallback_pool", *PLACE_MAPS}
    changes += [key.replace("_", " ") for key in given if key not in shown]
    return QueryWay(
        name,
        words,
        tuple(pools),
        str(policy or ""),
        str(given.get("fallback_pool") or balancer["fallback_pool"]),
        is_off,
        name,
        tuple(changes),
    )


def _all_pools(balancer: Mapping[str, Any]) -> Iterator[str]:
    if policy_of(balancer) == "geo":
        for key in PLACE_MAPS:
            for pools in balancer[key].values():
                yield from pools
    yield from balancer["default_pools"]


def pool_ids(balancer: Mapping[str, Any], ways: Sequence[QueryWay]) -> list[str]:
    """Return the ids of all pools that ways lead to, in the order in which they are named; fallback pools come last."""
    named = [pool for way in ways for pool in way.pools]
    fallbacks = [balancer["fallback_pool"], *(way.fallback for way in ways if way.fallback and not way.is_off)]
    return [*dict.fromkeys((*named, *fallbacks))]


@dataclass(frozen=True, slots=True)
class QueryShares:
    """Which part of the queries went where, 0 to 1, by names; empty where nobody counted. `words` say when."""

    pools: Mapping[str, float] = field(default_factory=dict)
    endpoints: Mapping[tuple[str, str], float] = field(default_factory=dict)
    rules: Mapping[str, float] = field(default_factory=dict)
    words: str = ""
