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
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress
from operator import is_not
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from weakref import ref

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
Value = TypeVar("Value")
RuleKey = tuple[str, str, str]
"""A rule or pool set: its load balancer's label and type, and what it is called."""
Keys = tuple[str, str, tuple[RuleKey, ...]]
"""What a load balancer has slots by: its label and type, and its rules."""
Makeup = tuple[tuple[int, ...], int, bool]
"""What a pool's state follows from: the slots of its enabled endpoints, minimum_origins, whether it has a monitor."""
NO_MAKEUP: Final[Makeup] = (), 0, False


class SlotChanges(NamedTuple):
    """What is another in one state than in the one `before`, which this does not keep alive: the keys that came, that
    went, or of which a number is another."""

    before: ref[Slots]
    endpoint: Sequence[EndpointKey]
    pool: Sequence[str]
    load_balancer: Sequence[tuple[str, str]]
    rule: Sequence[RuleKey]


@dataclass(frozen=True, slots=True, weakref_slot=True)
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
    changes: SlotChanges | None = field(default=None, compare=False, repr=False)

    def since(self, before: Slots) -> SlotChanges | None:
        """Return what is another than in an earlier state; None where that is not known, or all may be."""
        return self.changes if self.changes is not None and self.changes.before() is before else None

    @without_cyclic_collection()
    def assign(self, configuration: Configuration, memo: SlotsMemo | None = None) -> Slots:
        """Return the slots for `configuration`; `memo`: what the last assignment left."""
        memo = memo or SlotsMemo()
        others = memo.other_pools(self, configuration)
        now = {key: number for one in others.come for key, number in others.checking.of(one).items()}
        went = [key for key in others.gone_keys if now.get(key) != self.checked[key]]
        came = [key for key, number in now.items() if self.checked.get(key) != number]
        checked = _patched(self.checked, went, {key: now[key] for key in came})
        heirs = _heirs(self, checked, went, came)
        endpoint, endpoint_count, endpoint_freed = _reassign(
            self.endpoint, went, came, heirs.moved, self.endpoint_count, self.endpoint_freed
        )
        made = {one.name: _makeup(one, endpoint) for one in others.come}
        changed = {name: found for name, found in made.items() if self.makeup.get(name) != found}
        lost = [name for name in others.gone if made.get(name) != self.makeup[name]]
        makeup = _patched(self.makeup, lost, changed)
        pool, pool_count, pool_freed = _reassign(
            self.pool, lost, changed, changed.keys() & self.pool.keys(), self.pool_count, self.pool_freed
        )
        left, right = memo.keys_of(self, configuration.load_balancers)
        balancer, balancer_count, balancer_freed = _reassign(
            self.load_balancer,
            [one[:2] for one in left],
            [one[:2] for one in right],
            (),
            self.load_balancer_count,
            self.load_balancer_freed,
        )
        rule, rule_count, rule_freed = _reassign(
            self.rule, _rules_of(left), _rules_of(right), (), self.rule_count, self.rule_freed
        )
        networks = configuration.virtual_networks
        network, network_count, network_freed = _reassign(
            self.network, self.network, networks, (), self.network_count, self.network_freed
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
            pool_origin=self._pool_origins(
                [one for one in others.come if one.name in changed], pool, endpoint, heirs.former
            ),
            changes=SlotChanges(
                ref(self),
                [*dict.fromkeys([*came, *went])],
                [*dict.fromkeys([*changed, *lost])],
                _differing(self.load_balancer, balancer, (one[:2] for one in (*right, *left))),
                _differing(self.rule, rule, _rules_of([*right, *left])),
            ),
        )
        memo.keep(assigned, configuration, others.checking)
        return assigned

    def _pool_origins(
        self,
        changed: Sequence[Pool],
        pool: Mapping[str, int],
        endpoint: Mapping[EndpointKey, int],
        former: Mapping[EndpointKey, EndpointKey],
    ) -> dict[int, int]:
        """Return for pools with new slots the former pool that most of their endpoints come from: the one of their name
        where several have as many, or none has any. `former`: whose row endpoints with new slots begin with."""
        found = {}
        for one in changed:
            keys = map(one.endpoint_key, [origin for origin in one.origins if origin.is_used])
            homes = [former.get(key, key) for key in keys if key in former or endpoint[key] == self.endpoint.get(key)]
            shares: Counter[str] = Counter()
            for home in homes:
                slots, _, _ = self.makeup.get(home[0], NO_MAKEUP)
                shares[home[0]] += slots.count(self.endpoint[home])
            counted = [name for name, count in shares.items() if count]
            nearest = max(counted, key=lambda name: (shares[name], name == one.name), default=one.name)
            if nearest in self.pool:
                found[pool[one.name]] = self.pool[nearest]
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


class _OtherPools(NamedTuple):
    """What the monitors check; the names of the pools that are no more as they were, and the keys of their endpoints;
    and the pools that are new or others."""

    checking: Checking
    gone: Collection[str]
    gone_keys: Collection[EndpointKey]
    come: Sequence[Pool]


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

    def other_pools(self, before: Slots, configuration: Configuration) -> _OtherPools:
        """Return the pools that are not as they were: all of them where `before` is not the last assignment."""
        from lbdns.snapshot.checked import Checking  # whoever reads slots alone has no model

        pools = configuration.pools
        if self._last is None or self._last[0] is not before or not self._last[2].is_of(configuration):
            return _OtherPools(Checking(configuration), before.pool.keys(), before.checked.keys(), [*pools.values()])
        known, checking = self._last[1].pools, self._last[2]
        if known is pools:
            return _OtherPools(checking, (), (), ())
        gone = [*compress(known, map(is_not, known.values(), map(pools.get, known)))]
        keys = dict.fromkeys(known[name].endpoint_key(one) for name in gone for one in known[name].origins)
        come = [*compress(pools.values(), map(is_not, pools.values(), map(known.get, pools)))]
        return _OtherPools(checking, gone, keys, come)

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


def _heirs(
    before: Slots, checked: Mapping[EndpointKey, int], went: Sequence[EndpointKey], came: Sequence[EndpointKey]
) -> _Heirs:
    """Return who goes on as whom, as the table at the head of this module says. `went`: who is no more there, or not
    with its check; `came`: who was not there with its check; the others are as they were."""
    held = before.checked
    if not went and not came:
        return _Heirs(before.tenant, before.tenant_count)
    tenant: dict[EndpointKey, int] = {}
    left: dict[int, list[EndpointKey]] = {}
    for key in went:
        left.setdefault(held[key], []).append(key)
    former: dict[EndpointKey, EndpointKey] = {}
    known: dict[int, EndpointKey] = {}  # check -> an endpoint whose row says what came of it
    others = []
    for key in came:
        number = checked[key]
        candidates = left.get(number)
        if number == NOT_CHECKED or not candidates:
            others.append(key)
            continue
        nearest = min(candidates, key=lambda one, key=key: (one[0] != key[0], one[1] != key[1], one))  # type: ignore[misc]
        candidates.remove(nearest)
        tenant[key] = before.tenant[nearest]
        former[key] = known[number] = nearest
    known = _staying(checked, came, {checked[key] for key in others} - known.keys()) | known
    gone_on = set(former.values())
    count = before.tenant_count
    moved = former.keys() & held.keys()
    for key in sorted(others):
        number = checked[key]
        if number in known:
            former[key] = known[number]
        elif key in held and key not in gone_on:
            tenant[key] = before.tenant[key]
            continue
        count += 1
        tenant[key] = count
        if key in held:
            moved.add(key)
    return _Heirs(_patched(before.tenant, went, tenant), count, former, moved)


def _staying(
    checked: Mapping[EndpointKey, int], came: Collection[EndpointKey], wanted: Set[int]
) -> dict[int, EndpointKey]:
    """Return for some checks an endpoint that stays with it, where there is one."""
    wanted = wanted - {NOT_CHECKED}
    if not wanted:
        return {}
    new = frozenset(came)
    having = compress(checked.items(), map(wanted.__contains__, checked.values()))
    return {number: key for key, number in having if key not in new}


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


def _patched(held: Mapping[Key, Value], gone: Iterable[Key], now: Mapping[Key, Value]) -> Mapping[Key, Value]:
    """Return a mapping without some keys, and with others at its end; the very same where nothing is another."""
    if not gone and not now:
        return held
    found = _copied(held)
    for key in gone:
        del found[key]
    for key, value in now.items():
        found.pop(key, None)
        found[key] = value
    return found


def _copied(held: Mapping[Key, Value]) -> dict[Key, Value]:
    """Return a copy to alter. `dict(held)` would put each key in anew where any has ever been taken out, which is
    several times the work."""
    return held.copy() if isinstance(held, dict) else dict(held)


def _differing(before: Mapping[Key, int], now: Mapping[Key, int], keys: Iterable[Key]) -> list[Key]:
    """Return those of some keys that have another number, or none before or now."""
    return [] if before is now else [key for key in dict.fromkeys(keys) if before.get(key) != now.get(key)]


def _reassign(
    held: Mapping[Key, int],
    went: Iterable[Key],
    came: Iterable[Key],
    moved: Collection[Key],
    count: int,
    freed: tuple[tuple[int, ...], ...],
) -> tuple[Mapping[Key, int], int, tuple[tuple[int, ...], ...]]:
    """Return (slots by key, how many there are, those that fell free). `went` and `came` have all keys that are not in
    both; one that is stays, save those that are `moved`: they get another than they held."""
    free = _FreeSlots(count, freed)
    wanted = dict.fromkeys(came)
    gone_keys = [key for key in went if key not in wanted or key in moved]
    new_keys = [key for key in wanted if key not in held or key in moved]
    if not gone_keys and not new_keys:
        return held, count, free.after(())
    assigned = _copied(held)
    gone = tuple(sorted([assigned.pop(key) for key in gone_keys]))
    for key in new_keys:
        assigned[key] = free.take()
    return assigned, free.count, free.after(gone)
