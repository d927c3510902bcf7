"""What rules and pool sets made of a load balancer for one query, step by step.

That one matched is read from the verdicts of the decision. Why another did not, the condition's own evaluation says,
and for a pool set its places.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any, NamedTuple

from lbdns.answer.asked_tests import address_of, query_facts
from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import TYPE_MX, TYPE_SRV
from lbdns.expressions.evaluate import Facts, Lists, first_failure
from lbdns.expressions.parse import parse
from lbdns.expressions.showing import show
from lbdns.model.balancer import LoadBalancer, overridden
from lbdns.model.configuration import Configuration
from lbdns.model.rule import PoolSet, Rule, in_order
from lbdns.places import regions
from lbdns.places.geodata import Geodata
from lbdns.places.place import Place
from lbdns.snapshot.slots import rule_keys
from lbdns.steering.kernel.decide import walk
from lbdns.steering.kernel.numbers import CLASS_UNKNOWN, NO_VERDICT, OUTCOME_FIXED, PRIVATE_TRIE
from lbdns.steering.kernel.view import Decision, Query
from lbdns.steering.policies.policy_table import prefers_ecs
from lbdns.steering.rules.rule_facts import address_facts
from lbdns.steering.rules.variants import SETS_FOUND_AS, has_sets

Step = dict[str, Any]
_KINDS = {TYPE_MX: "MX", TYPE_SRV: "SRV"}
_BY_POP = "as this PoP is"
_FIXED = "answers without records (fixed_response)"


class Ruled(NamedTuple):
    """A decided query of a load balancer with rules or pool sets; `facts`: what conditions see of it."""

    view: ServingView
    geodata: Geodata
    lists: Lists
    load_balancer: LoadBalancer
    query: Query
    facts: Facts
    decision: Decision


def ruled_query(
    view: ServingView,
    geodata: Geodata,
    configuration: Configuration,
    query: Query,
    qtype: int,
    decision: Decision,
) -> Ruled:
    """Return a query for a record type that was just decided, with the load balancer that it was decided for; the
    snapshot in the view is compiled from the configuration."""
    label, kind = view.text("lb_text", decision.base), _KINDS.get(qtype, "A")
    enabled = (one for one in configuration.load_balancers if one.enabled)
    balancer = next(one for one in enabled if (one.label, one.type) == (label, kind))
    facts = query_facts(view, query, qtype)
    address = facts["ip.src"]
    assert isinstance(address, IPv4Address | IPv6Address)
    told = {**facts, **address_facts(address, geodata)}
    return Ruled(view, geodata, configuration.settings.networks, balancer, query, told, decision)


def rule_steps(ruled: Ruled) -> list[Step]:
    """Return a step for each rule, in the order in which they are looked at, then one for each pool set, and which
    variant of the load balancer they come to; nothing for one without any."""
    balancer, decision = ruled.load_balancer, ruled.decision
    if not balancer.has_rules:
        return []
    names = [key[2] for key in rule_keys(balancer)]
    rule_hits = hits_of(ruled.view, decision.verdict)
    steps, made = _each_rule(ruled, names, rule_hits)
    set_names = names[len(balancer.rules) :]
    has_ended = any(balancer.rules[hit].fixed_response is not None for hit in rule_hits)
    hits = rule_hits + hits_of(ruled.view, decision.set_verdict)
    set_steps, made = _each_set(ruled, set_names, [hit - len(balancer.rules) for hit in hits[len(rule_hits) :]], made)
    if has_ended:
        set_steps = [_passed_set(name, "not looked at: a rule answers without records") for name in set_names]
    steps += set_steps
    is_fixed = decision.outcome == OUTCOME_FIXED
    return [*steps, _variant_step(balancer, made, [names[hit] for hit in hits], is_fixed)]


def hits_of(view: ServingView, verdict: int) -> list[int]:
    """Return the positions of the rules, then of the pool sets, that a verdict says have matched."""
    if verdict == NO_VERDICT:
        return []
    columns = view.columns
    start = columns["verdict_hit_start"][verdict]
    return list(columns["verdict_hit"][start : start + columns["verdict_hit_count"][verdict]])


def _each_rule(ruled: Ruled, names: list[str], hits: list[int]) -> tuple[list[Step], LoadBalancer]:
    """Return a step for each rule, and what those that matched make of the load balancer."""
    made = ruled.load_balancer
    rules = made.rules
    steps = []
    ended_by = ""
    looked_at = in_order(rules)
    for position in [*looked_at, *(at for at in range(len(rules)) if at not in looked_at)]:
        rule, name = rules[position], names[position]
        step: Step = {"stage": "rule", "rule": name, "position": position, "matched": position in hits}
        if rule.disabled:
            step["text"] = f'"{name}" is disabled'
        elif ended_by:
            step["text"] = f'"{name}" is not looked at: "{ended_by}" ends the road'
        elif position in hits:
            made, changes = _put_over(made, rule)
            ended_by = name if rule.ends else ""
            step |= {"changes": changes, "text": f'"{name}" matches: {_changes_text(changes, rule)}'}
        else:
            failed = first_failure(parse(rule.condition), ruled.facts, ruled.lists)
            step["text"] = f'"{name}" does not match'
            if failed is not None:
                step["failed"] = {"part": show(failed), "column": failed.column}
                step["text"] += f": {show(failed)} is false (column {failed.column})"
        steps.append(step)
    return steps, made


def _put_over(made: LoadBalancer, one: Rule | PoolSet) -> tuple[LoadBalancer, list[Step]]:
    """Return a load balancer with what a rule or pool set overrides, and each field that is another then."""
    if one.overrides is None:
        return made, []
    after = overridden(made, one.overrides)
    return after, changes_between(made, after)


def changes_between(before: LoadBalancer, after: LoadBalancer) -> list[Step]:
    """Return the fields of a load balancer that differ, as JSON has them."""
    differ = {name for name in LoadBalancer.model_fields if getattr(before, name) != getattr(after, name)}
    old, new = (one.model_dump(mode="json", include=differ) for one in (before, after))
    return [{"field": name, "before": old.get(name), "after": new.get(name)} for name in old | new]


def _changes_text(changes: list[Step], one: Rule | PoolSet) -> str:
    told = [f"{change['field']} {value_text(change['before'])} -> {value_text(change['after'])}" for change in changes]
    if one.fixed_response is not None:
        told.append(_FIXED)
    return "; ".join(told) or "changes nothing"


def value_text(value: Any) -> str:
    """Return a value of a load balancer's field on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {value_text(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    return '""' if value == "" else "none" if value is None else str(value)


def _set_step(name: str, text: str) -> Step:
    return {"stage": "pool_set", "pool_set": name, "matched": False, "text": text}


def _passed_set(name: str, why: str) -> Step:
    return _set_step(name, f'"{name}" is {why}')


def _each_set(ruled: Ruled, names: list[str], hits: list[int], made: LoadBalancer) -> tuple[list[Step], LoadBalancer]:
    """Return a step for each pool set, and what the one that matched makes of what the rules made."""
    if not has_sets(made):
        return [_passed_set(name, "disabled") for name in names], made
    country, region, where = _whereabouts(ruled, made)
    here = f"{country or 'an unknown country'}, region {region or 'unknown'}, {where}"
    place = {"country": country, "region": region}
    steps: list[Step] = []
    found_by = ""
    for position, (one, name) in enumerate(zip(made.pool_sets, names, strict=True)):
        if one.disabled:
            steps.append(_passed_set(name, "disabled"))
        elif found_by:
            steps.append(_passed_set(name, f'not looked at: "{found_by}" matches before it'))
        elif position in hits:
            made, changes = _put_over(made, one)
            found_by = name
            text = f'"{name}" matches {"every query" if one.topology is None else here}: {_changes_text(changes, one)}'
            steps.append({**_set_step(name, text), "matched": True, **place, "changes": changes})
        else:
            text = f'"{name}" does not match {here}: it is for {", ".join(_places_of(one))}'
            steps.append({**_set_step(name, text), **place})
    return steps, made


def _places_of(one: PoolSet) -> Iterator[str]:
    topology = one.topology
    if topology is None:
        return
    for word, places in (("PoPs", topology.pops), ("countries", topology.countries), ("regions", topology.regions)):
        if places:
            yield f"{word} {' '.join(places)}"


def _whereabouts(ruled: Ruled, made: LoadBalancer) -> tuple[str, str, str]:
    """Return country and region that pool sets are found by, and whose they are: as `geo` finds them."""
    place, whose = _place_of_sets(ruled, made)
    region = ""
    if made.location_strategy.region_from == "location" and whose != _BY_POP:
        region = regions.region_of(place.country, place.subdivision)
    return place.country, region or ruled.view.region, whose


def _place_of_sets(ruled: Ruled, made: LoadBalancer) -> tuple[Place, str]:
    view, query, strategy = ruled.view, ruled.query, made.location_strategy
    if query.ecs_bits and prefers_ecs(made.location_strategy, SETS_FOUND_AS):
        found = walk(view.steering, PRIVATE_TRIE, query.ecs_version, query.ecs_high, query.ecs_low)
        place = ruled.geodata.locate(address_of(query.ecs_version, query.ecs_high, query.ecs_low)).place
        if found >> 8 == CLASS_UNKNOWN and place.country:
            by_country = strategy.prefer_ecs == "geo"
            return (Place(place.country) if by_country else place), "by the client's ECS"
    if strategy.mode == "resolver_ip" and query.resolver_version:
        place = ruled.geodata.locate(address_of(query.resolver_version, query.resolver_high, query.resolver_low)).place
        if place.country:
            return place, "by the resolver's address"
    return Place(*view.snapshot.meta["place"]), _BY_POP


def _variant_step(balancer: LoadBalancer, made: LoadBalancer, matched: list[str], is_fixed: bool) -> Step:
    changes = changes_between(balancer, made)
    text = "the load balancer as it is: nothing matches"
    if matched:
        listed = ", ".join(f'"{name}"' for name in matched)
        told = [f"{change['field']} {value_text(change['after'])}" for change in changes] + [_FIXED] * is_fixed
        text = f"by {listed}: {'; '.join(told) or 'as the load balancer is'}"
    return {"stage": "variant", "matched": matched, "changes": changes, "text": text}
