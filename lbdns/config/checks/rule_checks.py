"""Checks of a load balancer's rules and pool sets.

a rule ...                                                        verdict
whose condition asks for what only a proxy sees                   error, each field by name
whose condition asks for AS numbers, and no database knows any    error
whose condition names a list that is not there                    error
whose condition asks for coordinates, and no database knows any   warning
whose condition compares with a text that no value is like        warning
that can never be reached, or does nothing                        warning
of the same name as another                                       warning
whose overrides do not act                                        warning
that leaves a load balancer which by itself would be warned of    the same warning, at the override

The same of pool sets, which have places in the place of a condition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.wording import listed, nearest
from lbdns.base.words import PLACE_MAPS
from lbdns.config.checks.effects import check_effects, missing_country, missing_pop, places_that_do_not_act
from lbdns.config.checks.facts import Facts, Mistaken
from lbdns.config.checks.rule_bound_checks import check_rule_bounds
from lbdns.config.yaml.source import Placed
from lbdns.expressions.misfits import misfits
from lbdns.expressions.proxied import proxied_mistakes
from lbdns.expressions.tree import Always, Condition, fields_of, lists_of
from lbdns.model.balancer import RULE_LISTS, LoadBalancer, overridden
from lbdns.model.pool import Pool
from lbdns.model.rule import FixedResponse, PoolSet, PoolSetOverrides, Rule, in_order

Where = tuple[str | int, ...]
_AS_NUMBER: Final = "ip.src.asnum"
_COORDINATES: Final = ("ip.src.lat", "ip.src.lon")


def check_rules(placed: Placed[LoadBalancer], pools: Mapping[str, Placed[Pool]], facts: Facts) -> Iterator[Problem]:
    """Yield every problem of one load balancer's rules and pool sets."""
    if not placed.item.has_rules:
        return
    found = [*_check_rules(placed, facts)]
    yield from found
    if placed.knows("rules") and not any(problem.severity == "error" for problem in found):
        yield from check_rule_bounds(placed, facts)
    yield from _check_pool_sets(placed, facts)
    yield from _check_results(placed, pools, facts)


def rule_words(balancer: LoadBalancer, location: Where) -> str:
    """Return `rule "office": ` for a location in a rule or pool set that has a name, "" for any other."""
    if len(location) < 2 or location[0] not in RULE_LISTS or not isinstance(location[1], int):
        return ""
    name = getattr(balancer, str(location[0]))[location[1]].name
    return f'{"rule" if location[0] == "rules" else "pool set"} "{name}": ' if name else ""


def _known(placed: Placed[LoadBalancer], field: str) -> Iterator[tuple[Where, Rule | PoolSet]]:
    """Yield the rules or pool sets that stand there as they were written, with their location."""
    for position, one in enumerate(getattr(placed.item, field)):
        if placed.knows_at((field, position)):
            yield (field, position), one


def _warning(placed: Placed[LoadBalancer], location: Where, message: str) -> Problem:
    return placed.source.warning(location, rule_words(placed.item, location) + message)


def _check_rules(placed: Placed[LoadBalancer], facts: Facts) -> Iterator[Problem]:
    for position, rule in enumerate(placed.item.rules):
        if placed.knows_at(("rules", position, "condition")):
            yield from _check_condition(placed, ("rules", position), rule, facts)
    for location, one in _known(placed, "rules"):
        assert isinstance(one, Rule)
        if one.overrides is None and one.fixed_response is None and not one.terminates:
            yield _warning(placed, location, "does nothing; give it overrides, fixed_response or terminates")
        yield from _check_given(placed, location, one.overrides, one.fixed_response)
    yield from _check_names(placed, "rules")
    yield from _check_reach(placed)


def _check_condition(placed: Placed[LoadBalancer], location: Where, rule: Rule, facts: Facts) -> Iterator[Problem]:
    mistakes = facts.about_conditions.get(rule.condition)
    if mistakes is None:
        mistakes = facts.about_conditions[rule.condition] = tuple(_mistakes_of(rule.tree, facts))
    told = rule_words(placed.item, location).removesuffix(": ")
    for column, message, severity in mistakes:
        words = f"{f'{told}, ' if told else ''}column {column}: {message}"
        yield placed.source.problem((*location, "condition"), words, severity)


def _mistakes_of(condition: Condition, facts: Facts) -> Iterator[Mistaken]:
    """Yield what is wrong with a condition here: the same wherever it stands."""
    for column, message in proxied_mistakes(fields_of(condition)):
        yield column, message, "error"
    for field in fields_of(condition):
        if field.name == _AS_NUMBER and facts.lacks_as_numbers:
            message = (
                f'"{field.name}" needs a database of AS numbers; name one in lbdns.yaml, geodata: {{asn: FILE}} '
                "(scripts/fetch-asn-database brings one)"
            )
            yield field.column, message, "error"
        elif field.name in _COORDINATES and facts.lists is not None and not facts.has_client_coordinates:
            message = (
                f'"{field.name}" is never known: the geolocation database knows no coordinates; '
                "set geodata: {city: ...} in lbdns.yaml to a city-level one"
            )
            yield field.column, message, "warning"
    for column, message in misfits(condition):
        yield column, message, "warning"
    if facts.lists is None:
        return
    for one in lists_of(condition):
        if one.name not in facts.lists:
            yield one.column, f'unknown list "${one.name}"; {_hint(one.name, sorted(facts.lists))}', "error"


def _hint(name: str, lists: Sequence[str]) -> str:
    near = nearest(name, lists)
    if near is not None:
        return f'did you mean "${near}"?'
    there = f"there are {listed([f'${known}' for known in lists])}" if lists else "none is declared"
    return (
        f"{there}; lists stand under lists: {{NAME: [NETWORK, ...]}} in lbdns.yaml, or in any .yaml file of a directory"
    )


def _check_given(
    placed: Placed[LoadBalancer], location: Where, overrides: PoolSetOverrides | None, response: FixedResponse | None
) -> Iterator[Problem]:
    """Check that what is given acts."""
    given = [] if overrides is None else [name for name in _fields(overrides) if name != "ttl"]
    at = (*location, "overrides")
    if response is not None:
        for field in _fields(response):
            message = "does not act in DNS: a fixed response is an answer without records"
            yield _warning(placed, (*location, "fixed_response", field), message)
        for field in given:
            yield _warning(placed, (*at, field), "does not act beside fixed_response")
        return
    if "pools" in given:
        for field in ("default_pools", *PLACE_MAPS):
            if field in given:
                yield _warning(placed, (*at, field), "does not act beside pools, which replaces it")


def _fields(model: PoolSetOverrides | FixedResponse) -> list[str]:
    return [name for name in type(model).model_fields if getattr(model, name) is not None]


def _check_names(placed: Placed[LoadBalancer], field: str) -> Iterator[Problem]:
    first: dict[str, Where] = {}
    for location, one in _known(placed, field):
        before = first.setdefault(one.name, location) if one.name else location
        if before is not location:
            there = placed.source.place((*before, "name"))
            yield placed.source.warning((*location, "name"), f'"{one.name}" is the name of another too ({there})')


def _check_reach(placed: Placed[LoadBalancer]) -> Iterator[Problem]:
    """Warn of rules behind one that always matches and ends, and of pool sets where that gives a fixed response."""
    rules = placed.item.rules
    order = in_order(rules)
    if not all(placed.knows_at(("rules", position)) for position in range(len(rules))):
        return
    last = next((n for n, at in enumerate(order) if rules[at].ends and isinstance(rules[at].tree, Always)), None)
    if last is None:
        return
    there = placed.source.place(("rules", order[last]))
    for position in order[last + 1 :]:
        message = f"never reached: the rule before it always matches, and ends ({there})"
        yield _warning(placed, ("rules", position), message)
    if rules[order[last]].fixed_response is not None:
        for location, one in _known(placed, "pool_sets"):
            if not one.disabled:
                yield _warning(placed, location, f"never reached: a rule always gives a fixed response ({there})")


def _check_pool_sets(placed: Placed[LoadBalancer], facts: Facts) -> Iterator[Problem]:
    catches_all: Where | None = None
    for location, one in _known(placed, "pool_sets"):
        assert isinstance(one, PoolSet)
        if catches_all is not None and not one.disabled:
            message = f"never reached: the one before it matches every query ({placed.source.place(catches_all)})"
            yield _warning(placed, location, message)
        elif one.topology is None and not one.disabled:
            catches_all = location
        if one.overrides is None and one.fixed_response is None:
            yield _warning(placed, location, "changes nothing, and no pool set behind it is looked at where it matches")
        yield from _check_given(placed, location, one.overrides, one.fixed_response)
        yield from _check_topology(placed, location, one, facts)
    yield from _check_names(placed, "pool_sets")


def _check_topology(placed: Placed[LoadBalancer], location: Where, one: PoolSet, facts: Facts) -> Iterator[Problem]:
    """Check that codes of places are known, and that the places that they are compared with are."""
    topology = one.topology
    if topology is None:
        return
    at = (*location, "match", "topology")
    for index, code in enumerate(topology.pops or ()):
        message = missing_pop(code, facts)
        if message:
            yield placed.source.problem((*at, "pops", index), rule_words(placed.item, location) + message)
    for index, code in enumerate(topology.countries or ()):
        message = missing_country(code, facts)
        if message:
            yield _warning(placed, (*at, "countries", index), message)
    strategy = placed.item.location_strategy
    listed_in = {"pop_pools": topology.pops, "region_pools": topology.regions, "country_pools": topology.countries}
    shown = {"pop_pools": "pops", "region_pools": "regions", "country_pools": "countries"}
    for field, message in places_that_do_not_act(strategy, facts):
        if listed_in[field]:
            yield _warning(placed, (*at, shown[field]), message)


def _check_results(placed: Placed[LoadBalancer], pools: Mapping[str, Placed[Pool]], facts: Facts) -> Iterator[Problem]:
    """Check what each rule and pool set leaves, alone, as if it were the load balancer; what that itself is told of is
    not told again."""
    plain = replace(placed, item=placed.item.without_rules())
    told: set[str] | None = None
    for field in RULE_LISTS:
        for location, one in _known(placed, field):
            if one.overrides is None or one.disabled or one.fixed_response is not None:
                continue
            if told is None:
                told = {problem.message for problem in check_effects(plain, pools, facts)}
            result = replace(plain, item=overridden(plain.item, one.overrides))
            for problem in check_effects(result, pools, facts):
                if problem.message not in told:
                    at = _override_at((*location, "overrides"), one.overrides, problem.at[2:])
                    message = rule_words(placed.item, location) + problem.message
                    yield placed.source.problem(at, message, problem.severity)


def _override_at(overrides_at: Where, overrides: PoolSetOverrides, location: Where) -> Where:
    """Return which of the overrides a location in their result is about; all of them where it is none."""
    field, *rest = location
    if getattr(overrides, str(field), None) is not None:
        return (*overrides_at, *location)
    if field == "default_pools" and overrides.pools is not None:
        return (*overrides_at, "pools")
    if field == "random_steering" and overrides.pool_weights is not None:
        return (*overrides_at, "pool_weights", *rest[1:])
    return overrides_at
