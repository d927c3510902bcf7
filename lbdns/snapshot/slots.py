"""Slots in the health table and in counters: who has which, generation after generation.

A slot never changes what it is about while anybody reads it. Whose meaning changes gets another one, whose row begins
with what is known already, before the generation is in force (`origin`):

| an endpoint (pool, name, address, network named)           | its row                                     |
|------------------------------------------------------------|---------------------------------------------|
| is checked as before                                       | stays                                       |
| is checked as one was that left, whatever that was called  | goes on as that one's: it is the same tenant |
| is checked as another one is                               | begins as that one's                        |
| stood here before, with another check                      | stays: a new monitor changes no answer      |
| else                                                       | is nobody's: unknown                        |

A pool's row follows from those of its endpoints: with others among them it gets another one. Slots that fell free are
used again only a few assignments later, when no reader of an older snapshot is left.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.memo import shared_ends
from lbdns.base.probe_types import NOT_CHECKED

if TYPE_CHECKING:
    from lbdns.model.balancer import LoadBalancer
    from lbdns.model.configuration import Configuration
    from lbdns.model.pool import EndpointKey, Pool
    from lbdns.snapshot.checked import Checking

QUARANTINE = 3  # assignments that a freed slot rests

Key = TypeVar("Key")
RuleKey = tuple[str, str, str]
"""A rule or pool set: its load balancer's label and type, and what it is called."""
Keys = tuple[str, str, tuple[RuleKey, ...]]
"""What a load balancer has slots by: its label and type, and its rules."""
Makeup = tuple[tuple[int, ...], int, bool]
"""What a pool's state follows from: the slots of its enabled endpoints, minimum_origins, whether it has a monitor."""


@dataclass(frozen=True, slots=True)
class Slots:
    """Who has which slot. `assign` gives the next state; the old one stays as it is.

    `checked`: what is checked of each endpoint. `tenant`: its number, which goes with its check from name to name and
    from slot to slot. `endpoint_origin`, `pool_origin`: slots that are new in this state, and the slot of the state
    before whose row each begins with.
    """

    endpoint: Mapping[EndpointKey, int] = field(default_factory=dict)
    pool: Mapping[str, int] = field(default_factory=dict)
    endpoint_count: int = 0
    pool_count: int = 0
    load_balancer: Mapping[tuple[str, str], int] = field(default_factory=dict)
    load_balancer_count: int = 0
    rule: Mapping[RuleKey, int] = field(default_factory=dict)
    rule_count: int = 0
    network: Mapping[str, int] = field(default_factory=dict)
    network_count: int = 0
    endpoint_freed: tuple[tuple[int, ...], ...] = ()
    pool_freed: tuple[tuple[int, ...], ...] = ()
    load_balancer_freed: tuple[tuple[int, ...], ...] = ()
    rule_freed: tuple[tuple[int, ...], ...] = ()
    network_freed: tuple[tuple[int, ...], ...] = ()
    checked: Mapping[EndpointKey, int] = field(default_factory=dict)
    tenant: Mapping[EndpointKey, int] = field(default_factory=dict)
    tenant_count: int = 0
    makeup: Mapping[str, Makeup] = field(default_factory=dict)
    endpoint_origin: Mapping[int, int] = field(default_factory=dict, compare=False)
    pool_origin: Mapping[int, int] = field(default_factory=dict, compare=False)

    @without_cyclic_collection()
    def assign(self, configuration: Configuration, memo: SlotsMemo | None = None) -> Slots:
        """Return the slots for `configuration`; `memo`: what the last assignment left."""
        memo = memo or SlotsMemo()
        checking, gone, come = memo.changes(self, configuration)
        checked, makeup = self.checked, self.makeup
        if gone or come:
            checked = {key: number for key, number in checked.items() if key[0] not in gone}
            for one in come:
                checked.update(checking.of(one))
        heirs = _heirs(self, checked)
        endpoint, endpoint_count, endpoint_freed = _assign(
            self.endpoint, checked, heirs.moved, self.endpoint_count, self.endpoint_freed
        )
        made = {one.name: _makeup(one, endpoint) for one in come}
        if gone or come:
            makeup = {**{name: one for name, one in makeup.items() if name not in gone}, **made}
        others = {name: found for name, found in made.items() if self.makeup.get(name) != found}
        pool, pool_count, pool_freed = _assign(
            self.pool, makeup, others.keys() & self.pool.keys(), self.pool_count, self.pool_freed
        )
        went, came = memo.keys_of(self, configuration.load_balancers)
        balancer, balancer_count, balancer_freed = _reassign(
            self.load_balancer,
            [one[:2] for one in went],
            [one[:2] for one in came],
            self.load_balancer_count,
            self.load_balancer_freed,
        )
        rule, rule_count, rule_freed = _reassign(
            self.rule, _rules_of(went), _rules_of(came), self.rule_count, self.rule_freed
        )
        network, network_count, network_freed = _assign(
            self.network, configuration.virtual_networks, (), self.network_count, self.network_freed
        )
        origin = {endpoint[key]: self.endpoint[former] for key, former in heirs.former.items()}
        assigned = Slots(
            endpoint=endpoint,
            pool=pool,
            load_balancer=balancer,
            endpoint_count=endpoint_count,
            pool_count=pool_count,
            load_balancer_count=balancer_count,
            rule=rule,
            rule_count=rule_count,
            rule_freed=rule_freed,
            network=network,
            network_count=network_count,
            network_freed=network_freed,
            endpoint_freed=endpoint_freed,
            pool_freed=pool_freed,
            load_balancer_freed=balancer_freed,
            checked=checked,
            tenant=heirs.tenant,
            tenant_count=heirs.tenant_count,
            makeup=makeup,
            endpoint_origin=origin,
            pool_origin=self._pool_origins(others, pool, origin),
        )
        memo.keep(assigned, configuration, checking)
        return assigned

    def _pool_origins(
        self, changed: Mapping[str, Makeup], pool: Mapping[str, int], endpoint_origin: Mapping[int, int]
    ) -> dict[int, int]:
        """Return for pools with new slots the former pool that most of their endpoints come from: the one of their name
        where several have as many, or none has any."""
        if not changed:
            return {}
        homes: dict[int, list[str]] = {}
        for name, (slots, _, _) in self.makeup.items():
            for slot in slots:
                homes.setdefault(slot, []).append(name)
        found = {}
        for name, (slots, _, _) in changed.items():
            shares = Counter(home for slot in slots for home in homes.get(endpoint_origin.get(slot, slot), ()))
            former = max(shares, key=lambda home: (shares[home], home == name), default=name)
            if former in self.pool:
                found[pool[name]] = self.pool[former]
        return found


def rule_keys(load_balancer: LoadBalancer) -> tuple[RuleKey, ...]:
    """Return what a load balancer's rules are called, then its pool sets, in the order of the configuration: by name,
    where no other is called so, else by position."""
    if not load_balancer.rules and not load_balancer.pool_sets:
        return ()
    words = _rule_words(
        tuple([one.name for one in load_balancer.rules]), tuple([one.name for one in load_balancer.pool_sets])
    )
    name, kind = load_balancer.label, load_balancer.type
    return tuple([(name, kind, word) for word in words])


@lru_cache(4096)
def _rule_words(rules: tuple[str, ...], pool_sets: tuple[str, ...]) -> tuple[str, ...]:
    """Return what rules and pool sets of these names are called."""
    places = [f"rules[{place}]" for place in range(len(rules))]
    places += [f"pool_sets[{place}]" for place in range(len(pool_sets))]
    names = (*rules, *pool_sets)
    shared = {"", *places, *(name for name, count in Counter(names).items() if count > 1)}
    return tuple(place if name in shared else name for name, place in zip(names, places, strict=True))


def _makeup(pool: Pool, endpoint: Mapping[EndpointKey, int]) -> Makeup:
    slots = tuple([endpoint[pool.endpoint_key(one)] for one in pool.origins if one.is_used])
    return slots, pool.minimum_origins, pool.is_monitored


def _keys_of(balancer: LoadBalancer) -> Keys:
    return balancer.label, balancer.type, rule_keys(balancer)


class SlotsMemo:
    """The last assignment, so that the next one looks at what changed alone; for one assignment at a time."""

    def __init__(self) -> None:
        """Begin with none."""
        self._last: tuple[Slots, Configuration, Checking] | None = None

    def keys_of(self, before: Slots, balancers: Sequence[LoadBalancer]) -> tuple[Sequence[Keys], Sequence[Keys]]:
        """Return what load balancers had slots by that may be no more, and what those have that may be others: all of
        them where `before` is not the last assignment."""
        if self._last is None or self._last[0] is not before:
            rules: dict[tuple[str, str], list[RuleKey]] = {}
            for key in before.rule:
                rules.setdefault(key[:2], []).append(key)
            went = [(*key, tuple(rules.pop(key, ()))) for key in before.load_balancer]
            went += [(*key, tuple(those)) for key, those in rules.items()]
            return went, [*map(_keys_of, balancers)]
        known = self._last[1].load_balancers
        first, last = shared_ends(known, balancers)
        left, right = known[first : len(known) - last], balancers[first : len(balancers) - last]
        return [*map(_keys_of, left)], [*map(_keys_of, right)]

    def changes(self, before: Slots, configuration: Configuration) -> tuple[Checking, Set[str], Sequence[Pool]]:
        """Return what the monitors check, the names of the pools of `before` that are no more as they were, and the
        pools that are new or others: all of them where `before` is not the last assignment."""
        from lbdns.snapshot.checked import Checking  # whoever reads slots alone has no model

        pools = configuration.pools
        if self._last is None or self._last[0] is not before or not self._last[2].is_of(configuration):
            return Checking(configuration), before.pool.keys(), tuple(pools.values())
        _, known, checking = self._last
        gone = {name for name, pool in known.pools.items() if pools.get(name) is not pool}
        return checking, gone, [pool for name, pool in pools.items() if known.pools.get(name) is not pool]

    def keep(self, assigned: Slots, configuration: Configuration, checking: Checking) -> None:
        """Remember an assignment."""
        self._last = assigned, configuration, checking


@dataclass(frozen=True, slots=True)
class _Heirs:
    """Who goes on with what is known of whom, from one state to the endpoints of the next.

    `former`: of endpoints with a new slot, the one whose row they begin with. `moved`: those that stood there before
    and need another slot all the same. `tenant`: the tenants' numbers.
    """

    tenant: Mapping[EndpointKey, int]
    tenant_count: int
    former: Mapping[EndpointKey, EndpointKey] = field(default_factory=dict)
    moved: Collection[EndpointKey] = ()


def _heirs(before: Slots, checked: Mapping[EndpointKey, int]) -> _Heirs:
    """Return who goes on as whom, as the table at the head of this module says."""
    held = before.checked
    if checked is held or checked == held:
        return _Heirs(before.tenant, before.tenant_count)
    tenant = {key: before.tenant[key] for key, number in checked.items() if held.get(key) == number}
    known = {checked[key]: key for key in tenant}  # check -> an endpoint whose row says what came of it
    left: dict[int, list[EndpointKey]] = {}
    for key, number in held.items():
        if key not in tenant:
            left.setdefault(number, []).append(key)
    former: dict[EndpointKey, EndpointKey] = {}
    others = []
    for key, number in checked.items():
        if key in tenant:
            continue
        candidates = left.get(number)
        if number == NOT_CHECKED or not candidates:
            others.append(key)
            continue
        nearest = min(candidates, key=lambda one, key=key: (one[0] != key[0], one[1] != key[1], one))  # type: ignore[misc]
        candidates.remove(nearest)
        tenant[key] = before.tenant[nearest]
        former[key] = known[number] = nearest
    gone_on = set(former.values())
    count = before.tenant_count
    moved = former.keys() & held.keys()
    for key in sorted(others):
        number = checked[key]
        if number != NOT_CHECKED and number in known:
            former[key] = known[number]
        elif key in held and key not in gone_on:
            tenant[key] = before.tenant[key]
            continue
        count += 1
        tenant[key] = count
        if key in held:
            moved.add(key)
    return _Heirs(tenant, count, former, moved)


def _rules_of(those: Sequence[Keys]) -> list[RuleKey]:
    return [key for _, _, rules in those for key in rules]


class _FreeSlots:
    """Slots that nobody holds: those that have rested long enough, and then new ones. `count`: how many there are in
    all; `freed`: those that fell free, by assignment."""

    def __init__(self, count: int, freed: tuple[tuple[int, ...], ...]) -> None:
        self.count = count
        self._resting = freed[-QUARANTINE:]
        self._rested = deque(slot for group in freed[:-QUARANTINE] for slot in group)

    def take(self) -> int:
        """Return one, which then is no longer free."""
        if self._rested:
            return self._rested.popleft()
        self.count += 1
        return self.count - 1

    def after(self, gone: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """Return those that fell free, by assignment, once some more have."""
        return tuple(self._rested), *self._resting, gone


def _assign(
    held: Mapping[Key, int],
    wanted: Mapping[Key, object],
    moved: Collection[Key],
    count: int,
    freed: tuple[tuple[int, ...], ...],
) -> tuple[Mapping[Key, int], int, tuple[tuple[int, ...], ...]]:
    """Return (slots by key, how many there are, those that fell free); `moved` ones get another than they held."""
    free = _FreeSlots(count, freed)
    if not moved and (wanted is held or wanted.keys() == held.keys()):
        return held, count, free.after(())
    assigned: dict[Key, int] = {}
    for key in wanted:
        slot = None if key in moved else held.get(key)
        assigned[key] = free.take() if slot is None else slot
    gone = tuple(slot for key, slot in held.items() if key not in wanted or key in moved)
    return assigned, free.count, free.after(gone)


def _reassign(
    held: Mapping[Key, int],
    went: Sequence[Key],
    came: Sequence[Key],
    count: int,
    freed: tuple[tuple[int, ...], ...],
) -> tuple[Mapping[Key, int], int, tuple[tuple[int, ...], ...]]:
    """Return the same where it is known which keys went and which came; one that did both stays."""
    free = _FreeSlots(count, freed)
    gone_keys, new_keys = {*went}.difference(came), [key for key in came if key not in held]
    if not gone_keys and not new_keys:
        return held, count, free.after(())
    assigned = dict(held)
    gone = tuple([assigned.pop(key) for key in went if key in gone_keys])
    for key in new_keys:
        assigned[key] = free.take()
    return assigned, free.count, free.after(gone)
