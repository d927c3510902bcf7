"""Which pool the clients of each place get of a load balancer: `decide`, asked once for all that it decides alike.

Places are countries, and subdivisions where the databases know them. A cell of addresses (address_cells.py) has one
answer, but where a draw or a hash of the address picks: there shares are told. Draws by weight alone have the shares
that the weights say; else they are counted over TRIES tries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from random import Random
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from lbdns.answer.asked_tests import asked_bits
from lbdns.answer.explain.address_cells import Cells, Walker, cells_of, place_spans, units_of
from lbdns.answer.serving_view import ServingView
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.places.place import Place
from lbdns.snapshot.compile.place_classes import PlaceIndex
from lbdns.steering.kernel.decide import decide, reason_against
from lbdns.steering.kernel.numbers import (
    LB_ECS_PREFERRED,
    LB_RESOLVER_LOCATES,
    LB_STICKY,
    LOCATED_BY_ECS,
    LOCATED_BY_NOTHING,
    LOCATED_BY_POP,
    LOCATED_BY_RESOLVER,
    NO_POOL,
    NO_RULES,
    NO_TRIE,
    NO_VERDICT,
    OUTCOME_FIXED,
    OWN_ROW,
    PRIVATE_TRIE,
    RULES_SCOPE_ADDRESS,
    SELECT_FASTEST,
    SELECT_WEIGHTED,
    SHED_BY_HASH,
)
from lbdns.steering.kernel.view import Decision, Query

TRIES: Final = 500
_SEED: Final = 12
_ROUNDS_MAX: Final = 8
_KEPT_MAX: Final = 64
_kept: WeakKeyDictionary[Snapshot, dict[object, Cells]] = WeakKeyDictionary()
"""Cells by snapshot and query: to lay all places over all tries takes a second, to decide for each cell some ms."""
SOURCES: Final = {
    LOCATED_BY_ECS: "ecs",
    LOCATED_BY_RESOLVER: "resolver",
    LOCATED_BY_POP: "pop",
    LOCATED_BY_NOTHING: "nothing",
}
_ECS_BITS: Final = {4: (24, 32), 6: (56, 64)}
"""Bits of a network that is told of a place, and of one where that is too short."""
DRAW, HASH, ADDRESS, NETWORK, RTT = "draw", "hash", "address", "network", "rtt"
"""What decides beside the place: a draw of each query, a hash of the client's network, rules that look at whole
addresses, in which network of the place the client is, measured round-trip times."""


_MemoKey = tuple[int, int, int]


class _Cell(NamedTuple):
    """A cell, by its first address and the length of a network there (Cells)."""

    address: int
    bits: int
    span: float
    size: float
    place: int

    def network(self, version: int) -> str:
        """Return the network's text."""
        if version == 4:
            return str(IPv4Network((self.address >> 32, self.bits)))
        return str(IPv6Network((self.address << 64, self.bits)))


class _Shares(NamedTuple):
    """Pool -> share of a cell's queries, what that hangs on, and whether it is exact."""

    pools: Mapping[str, float]
    hangs_on: frozenset[str]
    is_exact: bool


@dataclass(slots=True)
class PlacePools:
    """What the clients of a place get.

    `pools`: name -> share of its addresses; `hangs_on`: what decides beside the place; `largest`: the largest cell of
    each pool; `sources`: whose place counted; `kinds`: the different shares that its cells have.
    """

    place: Place
    addresses: float = 0.0
    pools: dict[str, float] = field(default_factory=dict)
    hangs_on: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)
    largest: dict[str, _Cell] = field(default_factory=dict)
    kinds: set[frozenset[tuple[str, float]]] = field(default_factory=set)

    def add(self, cell: _Cell, told: _Shares) -> None:
        """Add a cell's addresses, by the pools that they get."""
        self.addresses += cell.size
        self.hangs_on |= told.hangs_on
        self.kinds.add(frozenset(told.pools.items()))
        for pool, share in told.pools.items():
            if pool not in self.largest or cell.span > self.largest[pool].span:
                self.largest[pool] = cell
            self.pools[pool] = self.pools.get(pool, 0.0) + cell.size * share

    def end(self) -> None:
        """Turn numbers of addresses into shares, the greatest first."""
        total = self.addresses or 1.0
        ordered = sorted(self.pools.items(), key=lambda one: (-one[1], one[0]))
        self.pools = {pool: part / total for pool, part in ordered}
        if len(self.kinds) > 1:
            self.hangs_on.add(NETWORK)


@dataclass(frozen=True, slots=True)
class AllPlaces:
    """What the clients of every place get; `is_exact`: no share is an estimate."""

    places: tuple[PlacePools, ...]
    is_exact: bool


class PoolsByPlace:
    """One load balancer and one kind of query: who sends it varies."""

    def __init__(self, view: ServingView, query: Query, qtype: int, *, by_ecs: bool, version: int) -> None:
        """Look at a query that was decided. `by_ecs`: clients are told by ECS, from its resolver; else the resolvers
        are looked at, each in its place. `version`: 4 or 6, of these addresses."""
        self._view, self._columns = view, view.columns
        self._qtype = qtype
        self._by_ecs, self._version = by_ecs, version
        self._walker = Walker(view)
        self._query = query
        self._decision = Decision()
        self._asks_python = self._base_rules != NO_RULES and bool(self._columns["rules_asks_python"][self._base_rules])
        query.ecs_bits = 0
        if not by_ecs:
            query.resolver_version = version

    @property
    def _base_rules(self) -> int:
        return int(self._columns["lb_rules"][self._query.lb])

    def find(self, places: PlaceIndex, no_records: str) -> AllPlaces:
        """Return what the clients of every place get, countries and subdivisions in order of their codes."""
        cells = self._known_cells(places)
        units = units_of(places)
        found = {number: PlacePools(units[number]) for number in sorted(set(cells.place.tolist()))}
        memo: dict[_MemoKey, _Shares] = {}
        is_exact = cells.is_whole
        for cell in self._each(cells):
            at = found[cell.place]
            decision = self._decide(cell.address, cell.bits)
            at.sources.add(SOURCES[decision.location_source])
            told = self._shares(decision, cell, no_records, memo)
            is_exact &= told.is_exact
            at.add(cell, told)
        for at in found.values():
            at.end()
        ordered = sorted(found.values(), key=lambda one: (one.place.country, one.place.subdivision))
        return AllPlaces(tuple(ordered), is_exact)

    def _known_cells(self, places: PlaceIndex) -> Cells:
        """Return the cells, which are kept while their snapshot is: they do not hang on health."""
        query = self._query
        kept = _kept.setdefault(self._view.snapshot, {})
        resolver = (query.resolver_high, query.resolver_low, query.resolver_version) if self._by_ecs else ()
        key = (query.lb, query.family, query.wants_cname, bytes(query.name), self._version, self._by_ecs, resolver)
        found = kept.get(key)
        if found is None:
            if len(kept) >= _KEPT_MAX:
                kept.clear()
            found = kept[key] = self._cells(places)
        return found

    def _cells(self, places: PlaceIndex) -> Cells:
        """Return the cells in which one address stands for all: as the tries of every row cut them that decides
        anywhere. Rows are known by deciding, so that there are some rounds of it."""
        spans = place_spans(places, self._version)
        tries: dict[int, None] = dict.fromkeys(self._tries_of_rules())
        for _ in range(_ROUNDS_MAX):
            cells = cells_of(spans, self._walker, list(tries), self._version)
            before = len(tries)
            for cell in self._each(cells):
                tries.update(dict.fromkeys(self._tries_after(self._decide(cell.address, cell.bits))))
            if len(tries) == before:
                return cells
        raise AssertionError("rules lead to pool sets, and these to a row")

    def _tries_of_rules(self) -> Iterator[int]:
        if self._by_ecs:
            yield PRIVATE_TRIE
        rules = self._base_rules
        if rules != NO_RULES:
            trie = self._columns["rules_ecs_trie" if self._by_ecs else "rules_resolver_trie"][rules]
            if trie != NO_TRIE:
                yield trie

    def _tries_after(self, decision: Decision) -> Iterator[int]:
        """Yield the tries that the rows look at which decided: that of pool sets, where they did, and the last."""
        rows = {decision.lb}
        if decision.set_verdict != NO_VERDICT:
            rows.add(self._row_of(decision.verdict))
        for row in rows:
            flags = self._columns["lb_flags"][row]
            asks = flags & LB_ECS_PREFERRED if self._by_ecs else flags & LB_RESOLVER_LOCATES
            trie = self._columns["lb_ecs_trie" if self._by_ecs else "lb_resolver_trie"][row]
            if asks and trie != NO_TRIE:
                yield trie

    def _row_of(self, verdict: int) -> int:
        if verdict == NO_VERDICT or self._columns["verdict_lb"][verdict] == OWN_ROW:
            return int(self._query.lb)
        return int(self._columns["verdict_lb"][verdict])

    def _each(self, cells: Cells) -> Iterator[_Cell]:
        usual, longest = _ECS_BITS[self._version]
        columns = (cells.address, cells.span, cells.size, cells.place)
        for address, span, size, place in zip(*(column.tolist() for column in columns), strict=True):
            fits = span >= 1 << (longest - usual) and address % (1 << (64 - usual)) == 0
            yield _Cell(address, usual if fits else longest, span, size, place)

    def _decide(self, address: int, bits: int, draw: int = 0) -> Decision:
        """Return the decision for an address, by its first 64 bits."""
        query = self._query
        query.draw_base = draw
        if self._by_ecs:
            query.ecs_version, query.ecs_bits = self._version, bits
            query.ecs_high, query.ecs_low = address, 0
        else:
            query.resolver_high, query.resolver_low = address, 0
        if self._asks_python:
            query.asked_bits = asked_bits(self._view, query, self._qtype)
        decide(self._view.steering, query, self._decision)
        return self._decision

    def _pool(self, decision: Decision, no_records: str) -> str:
        if decision.outcome == OUTCOME_FIXED or decision.pool == NO_POOL:
            return no_records
        return self._view.text("pool_text", decision.pool)

    def _shares(self, decision: Decision, cell: _Cell, no_records: str, memo: dict[_MemoKey, _Shares]) -> _Shares:
        """Return what share of a cell's queries gets which pool, what that hangs on, and whether it is exact."""
        if self._looks_at_addresses():
            return _Shares(self._counted(cell, no_records), frozenset({ADDRESS}), is_exact=False)
        if decision.outcome == OUTCOME_FIXED:
            return _Shares({no_records: 1.0}, frozenset(), is_exact=True)
        key = decision.lb, decision.pool_list, decision.place_class
        if key not in memo:
            memo[key] = self._shares_of_list(decision, cell, no_records)
        return memo[key]

    def _shares_of_list(self, decision: Decision, cell: _Cell, no_records: str) -> _Shares:
        select = self._columns["lb_select"][decision.lb]
        members = self._members(decision)
        one = {self._pool(decision, no_records): 1.0}
        if sheds := self._sheds(decision, members):
            return _Shares(self._counted(cell, no_records), frozenset(sheds), is_exact=False)
        if select == SELECT_WEIGHTED:
            shares = self._by_weight(decision, members) or one
            return _Shares(shares, frozenset({DRAW} if len(shares) > 1 else ()), is_exact=True)
        hangs_on = {RTT} if select == SELECT_FASTEST and len(members) > 1 else ()
        return _Shares(one, frozenset(hangs_on), is_exact=True)

    def _looks_at_addresses(self) -> bool:
        rules = self._base_rules
        is_by_address = rules != NO_RULES and self._columns["rules_scope"][rules] == RULES_SCOPE_ADDRESS
        return self._by_ecs and is_by_address

    def _members(self, decision: Decision) -> list[tuple[int, int]]:
        """Return the pools of the list that was decided by, with their weights."""
        start = self._columns["list_start"][decision.pool_list]
        end = start + self._columns["list_count"][decision.pool_list]
        weights = self._columns["member_weight"][start:end]
        return list(zip(self._columns["member_pool"][start:end], weights, strict=True))

    def _sheds(self, decision: Decision, members: list[tuple[int, int]]) -> set[str]:
        """Return what decides which queries are shed from any of the members (DRAW, HASH)."""
        sticky = 1 if self._columns["lb_flags"][decision.lb] & LB_STICKY else 0
        rows = [pool * 2 + sticky for pool, _ in members]
        policies = self._columns["pool_shed_policy"]
        shed = [row for row in rows if self._columns["pool_shed_threshold"][row]]
        return {HASH if policies[row] == SHED_BY_HASH else DRAW for row in shed}

    def _by_weight(self, decision: Decision, members: list[tuple[int, int]]) -> dict[str, float]:
        """Return the shares that the weights of the pools say which are available; nothing where none is."""
        steering = self._view.steering
        weights = {
            pool: weight
            for pool, weight in members
            if weight and not reason_against(steering, self._query, decision, pool)
        }
        total = sum(weights.values())
        return {self._view.text("pool_text", pool): weight / total for pool, weight in weights.items()}

    def _counted(self, cell: _Cell, no_records: str) -> dict[str, float]:
        """Return the shares of TRIES draws, each of another address of the cell where it has as many."""
        random = Random(_SEED)
        found: Counter[str] = Counter()
        room = max(1, int(cell.span) >> (_ECS_BITS[self._version][1] - cell.bits))
        for _ in range(TRIES):
            address = cell.address + (random.randrange(room) << (64 - cell.bits))
            found[self._pool(self._decide(address, cell.bits, random.getrandbits(64)), no_records)] += 1
        return {pool: count / TRIES for pool, count in found.items()}
