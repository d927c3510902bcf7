"""What rules that are not configured yet would change: which networks' answers would come from another pool."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any, Final, TypeVar

import dns.name
import dns.rdatatype
from pydantic import ValidationError

from lbdns.answer.answer import Road
from lbdns.answer.explain.explain import Asked, answer_asked, query_of
from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.base.wording import counted, join_path, listed
from lbdns.base.words import BALANCER_TYPES
from lbdns.expressions.parse import parse
from lbdns.expressions.tree import lists_of
from lbdns.model import named_lists
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.rule import PoolSet, Rule
from lbdns.places.place import Network
from lbdns.publish.replay.movement import LEAST, flows
from lbdns.publish.replay.replayed import Replay, Replayed
from lbdns.snapshot.slots import rule_keys

MAX_NETWORKS: Final = 10_000
_TOLD_MAX: Final = 20
"""Networks of one request whose mistakes are told."""
Switched = TypeVar("Switched", Rule, PoolSet)


def read_rules(given: Any) -> tuple[Rule, ...]:
    """Return the rules of a request, one or a list of them; raises LbdnsError naming what is wrong with them."""
    bodies = given if isinstance(given, list) else [given]
    found, mistakes = [], []
    for position, body in enumerate(bodies):
        try:
            found.append(Rule.model_validate(body))
        except ValidationError as error:
            for one in error.errors():
                at = join_path("rules", position, *one["loc"])
                mistakes.append(f"{at}: {one['msg']}")
    if mistakes:
        raise LbdnsError("\n".join(mistakes))
    return tuple(found)


def read_networks(given: Sequence[Any]) -> tuple[Network, ...]:
    """Return the networks of a request, as named lists have them; raises LbdnsError saying what is wrong with each."""
    if len(given) > MAX_NETWORKS:
        raise LbdnsError(f"{counted(len(given), 'network')}; expected at most {MAX_NETWORKS:,}")
    _, mistakes = named_lists.read_networks(given)
    if mistakes:
        told = [f"networks[{index}]: {message}" for index, message in mistakes[:_TOLD_MAX]]
        more = [f"and {len(mistakes) - _TOLD_MAX:,} more that are no network"] if len(mistakes) > _TOLD_MAX else []
        raise LbdnsError("\n".join([*told, *more]))
    return tuple(map(ip_network, given))


def with_rules(configuration: Configuration, asked: Asked, view: ServingView, rules: tuple[Rule, ...]) -> Configuration:
    """Return a configuration in which the load balancer that a query comes to has these rules behind its own; raises
    LbdnsError. `view`: the configuration's."""
    found = _balancer_at(configuration, asked, view)
    pools = {pool for rule in rules if rule.overrides is not None for pool in rule.overrides.named_pools()}
    lists = {one.name for rule in rules for one in lists_of(parse(rule.condition))}
    for what, missing in (
        ("pool", pools - configuration.pools.keys()),
        ("list", lists - configuration.settings.networks.keys()),
    ):
        if missing:
            raise LbdnsError(f"{what} {listed(sorted(missing))}: not configured")
    return _with(configuration, found, found.model_copy(update={"rules": (*found.rules, *rules)}))


def with_switched(
    configuration: Configuration, asked: Asked, view: ServingView, off: Sequence[str], on: Sequence[str]
) -> Configuration:
    """Return a configuration in which some rules and pool sets of the load balancer that a query comes to are disabled,
    and others are not; raises LbdnsError for a name that none of them has. `view`: the configuration's."""
    found = _balancer_at(configuration, asked, view)
    names = [key[2] for key in rule_keys(found)]
    if unknown := [name for name in (*off, *on) if name not in names]:
        known = listed(names) if names else "none"
        raise LbdnsError(f"{found.label}: no rule or pool set is called {listed(unknown)}; it has {known}")

    def switched(one: Switched, name: str) -> Switched:
        return one.model_copy(update={"disabled": name in off}) if name in (*off, *on) else one

    rules = tuple(map(switched, found.rules, names))
    pool_sets = tuple(map(switched, found.pool_sets, names[len(found.rules) :]))
    return _with(configuration, found, found.model_copy(update={"rules": rules, "pool_sets": pool_sets}))


def _with(configuration: Configuration, found: LoadBalancer, changed: LoadBalancer) -> Configuration:
    balancers = tuple(changed if one is found else one for one in configuration.load_balancers)
    return dataclasses.replace(configuration, load_balancers=balancers)


def read_balancer(given: Any) -> LoadBalancer:
    """Return the load balancer of a request, references by name; raises LbdnsError naming what is wrong with it."""
    try:
        return LoadBalancer.model_validate(given)
    except ValidationError as error:
        raise LbdnsError("\n".join(f"{join_path(*one['loc'])}: {one['msg']}" for one in error.errors())) from error


def with_balancer(configuration: Configuration, changed: LoadBalancer) -> Configuration:
    """Return a configuration whose load balancer of the same name, type and view is another; raises LbdnsError."""
    missing = changed.named_pools() - configuration.pools.keys()
    if missing:
        raise LbdnsError(f"pool {listed(sorted(missing))}: not configured")
    balancers = [
        changed if (one.label, one.type) == (changed.label, changed.type) else one
        for one in configuration.load_balancers
    ]
    if changed not in balancers:
        raise LbdnsError(f"{changed.label}: no such load balancer is served")
    return dataclasses.replace(configuration, load_balancers=tuple(balancers))


def _balancer_at(configuration: Configuration, asked: Asked, view: ServingView) -> LoadBalancer:
    """Return the load balancer that a query comes to in its configuration's view, by whatever aliases."""
    kind = asked.qtype if asked.qtype in BALANCER_TYPES else BALANCER_TYPES[0]
    qtype = dns.rdatatype.from_text(kind)
    road = Road()
    answer_asked(view, asked, dns.name.from_text(asked.name), qtype, query_of(asked, 0, 0), road)
    decision = road.decision
    if decision is None:
        raise LbdnsError(f"{asked.name} {asked.qtype}: no load balancer answers that; a rule is tried on one")
    label = view.text("lb_text", decision.base)
    return next(one for one in configuration.load_balancers if one.enabled and (one.label, one.type) == (label, kind))


def moves(asked: Asked, networks: Sequence[Network], before: ServingView, after: ServingView) -> dict[str, Any]:
    """Return how many of the networks are answered from another pool after a change, and which go where.

    Keys: `networks` and `changed` (how many), `moves` (pool before, pool after, how many), `changes` (the same of each
    network that moves, with `part`, how much of it, where that is not the whole).
    """
    old, new = Replay(before, 0, now_s=0), Replay(after, 1, now_s=0)
    qtype, name = dns.rdatatype.from_text(asked.qtype), _wire_of(asked.name)
    changes = []
    stay: Counter[str] = Counter()
    went: Counter[tuple[str, str]] = Counter()
    changed = 0
    for network in networks:
        one = Replayed(name, qtype, asked.resolver, network, (asked.view_number, asked.view_number))
        shares = old.come_to(one).shares
        ways = flows(shares, new.come_to(one).shares)
        changed += bool(ways)
        if not ways:
            stay[max(shares.pools, key=lambda pool: (shares.pools[pool], pool))] += 1
        for source, target, part in ways:
            went[source, target] += 1
            whole = {} if part > 1.0 - LEAST else {"part": round(part, 6)}
            changes.append({"network": str(network), "before": source, "after": target, **whole})
    return {
        "name": asked.name,
        "type": asked.qtype,
        "networks": len(networks),
        "changed": changed,
        "moves": [
            {"before": source, "after": target, "networks": count}
            for (source, target), count in sorted(went.items(), key=_largest)
        ],
        "stay": dict(stay.most_common()),
        "changes": changes,
    }


def _largest(one: tuple[tuple[str, str], int]) -> tuple[int, tuple[str, str]]:
    return -one[1], one[0]


def _wire_of(name: str) -> bytes:
    return dns.name.from_text(name).canonicalize().to_wire() or b""
