"""The real side of the comparison: a world compiled, its health written into a table, and `decide` asked."""

from __future__ import annotations

import importlib
import importlib.util
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from lbdns.expressions.parse import parse
from lbdns.health import verdict
from lbdns.mapped.columns import ADDRESS_BYTES
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.resolved import write_addresses
from lbdns.model.balancer import LoadBalancer
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots
from lbdns.steering.kernel import numbers as layout
from tests.interpreted import standing_in
from tests.steering import naive, naive_candidates
from tests.steering.naive_conditions import is_true
from tests.steering.naive_places import Address, Network, Place
from tests.steering.naive_rules import facts
from tests.steering.naive_world import Asked, World

FAMILIES = {"A": layout.FAMILY_A, "AAAA": layout.FAMILY_AAAA, "named": layout.FAMILY_NAMED}
OUTCOMES = {
    layout.OUTCOME_ANSWER: naive.ANSWER,
    layout.OUTCOME_NO_POOL: naive.NO_POOL,
    layout.OUTCOME_NO_ENDPOINT: naive.NO_ENDPOINT,
    layout.OUTCOME_FIXED: naive.FIXED,
}
MODES = {layout.MODE_ALL: naive.ALL, layout.MODE_WEIGHTED: naive.WEIGHTED, layout.MODE_HASHED: naive.HASHED}
SOURCES = {
    layout.LOCATED_BY_NOTHING: None,
    layout.LOCATED_BY_ECS: naive_candidates.ECS,
    layout.LOCATED_BY_RESOLVER: naive_candidates.RESOLVER,
    layout.LOCATED_BY_POP: naive_candidates.POP,
}
REASONS = {
    layout.PASSED_DISABLED: naive.DISABLED,
    layout.PASSED_DOWN: naive.DOWN,
    layout.PASSED_UNRESOLVED: naive.UNRESOLVED,
    layout.PASSED_SHED: naive.SHED,
    layout.PASSED_WEIGHT_ZERO: naive.WEIGHT_ZERO,
}
REGION_CODES = ("EEU", "ENAM", "ME", "NAF", "NEAS", "NSAM", "OC", "SAF", "SAS", "SEAS", "SSAM", "WEU", "WNAM")
ENDPOINT_STATES = {"healthy": verdict.HEALTHY, "unhealthy": verdict.UNHEALTHY}
POOL_STATES = {
    "unknown": verdict.UNKNOWN,
    "healthy": verdict.HEALTHY,
    "critical": verdict.CRITICAL,
    "degraded": verdict.DEGRADED,
}


# --- lanes -----------------------------------------------------------------------------------------------------------


# In the order of their imports.
KERNEL = (
    "mapped.typed_columns",
    "steering.kernel.hashing",
    "steering.kernel.view",
    "steering.kernel.endpoints",
    "steering.kernel.message_tests",
    "steering.kernel.decide",
    "snapshot.lookup.view_of",
)


@dataclass(frozen=True)
class Lane:
    """`decide` and its nouns, of one of the two ways to run it."""

    name: str
    decide: Callable[[Any, Any, Any], int]
    nouns: Any  # the module of View, Query and Decision
    view_of: Callable[[Any, Any, int], int]


def compiled_lane() -> Lane | None:
    """Return the installed extension, or None where lbdns runs without one."""
    modules = {name: importlib.import_module(f"lbdns.{name}") for name in KERNEL}
    if any(str(module.__file__).endswith(".py") for module in modules.values()):
        return None
    return _lane("compiled", modules)


def interpreted_lane() -> Lane:
    """Return the kernel read from its source, whether or not an extension stands beside it."""
    with ExitStack() as stack:
        modules = {name: stack.enter_context(standing_in(name)) for name in KERNEL}
    return _lane("interpreted", modules)


def _lane(name: str, modules: Mapping[str, Any]) -> Lane:
    nouns, view_of = modules["steering.kernel.view"], modules["snapshot.lookup.view_of"].view_of
    return Lane(name, modules["steering.kernel.decide"].decide, nouns, view_of)


# --- worlds ----------------------------------------------------------------------------------------------------------


def write_geodata(tree: dict[Network, Place], path: Path) -> Geodata:
    """Write the tree as files in MaxMind's schema, places and AS numbers, and open them."""
    _write_records(tree, path, "Toy-City", _city_record)
    if not any(place["asn"] for place in tree.values()):
        return Geodata.open(path)
    asn_path = path.with_suffix(".asn.mmdb")
    _write_records(tree, asn_path, "Toy-ASN", _asn_record)
    return Geodata.open(path, asn_path)


def _write_records(
    tree: dict[Network, Place], path: Path, kind: str, record_of: Callable[[Place], dict[str, Any]]
) -> None:
    writer = MMDBWriter(6, kind, ipv4_compatible=True, languages=["en"], description="a toy", int_type="u32")
    for network in sorted(tree, key=lambda network: network.prefixlen):
        if network.version == 6 and int(network.network_address) >> 32 == 0 and network.prefixlen >= 96:
            continue  # the writer puts IPv4 there by itself
        writer.insert_network(IPSet([str(network)]), record_of(tree[network]))
    writer.to_db_file(str(path))


def _asn_record(place: Place) -> dict[str, Any]:
    return {"autonomous_system_number": place["asn"]} if place["asn"] else {}


def _city_record(place: Place) -> dict[str, Any]:
    record: dict[str, Any] = {}
    if place["country"]:
        record["country"] = {"iso_code": place["country"]}
    if place["subdivision"]:
        record["subdivisions"] = [{"iso_code": place["subdivision"]}]
    if place["latitude"] is not None:
        record["location"] = {"latitude": place["latitude"], "longitude": place["longitude"]}
    return record


class Served:
    """A world as the server has it."""

    def __init__(self, world: World, geodata: Geodata, folder: Path) -> None:
        configuration = world.configuration
        self.world = world
        self.slots = Slots().assign(configuration)
        self.snapshot = self._snapshot = compile_snapshot(configuration, geodata, self.slots, generation=1)
        self.table = self._table = HealthTable.create(
            folder / "health.bin", self.slots.endpoint_count, self.slots.pool_count, layout_id=0
        )
        self.write_health()
        self._pool_names = list(configuration.pools)
        self._numbers = {
            balancer.name: index
            for index, balancer in enumerate(balancer for balancer in configuration.load_balancers if balancer.enabled)
        }
        self._held: dict[str, tuple[Any, Any, Any]] = {}

    def write_health(self) -> None:
        columns = self._table.columns
        world = self.world
        for pool in world.configuration.pools.values():
            slot = self.slots.pool[pool.name]
            forced = any((pool.name, index) in world.forced for index, each in enumerate(pool.origins) if each.enabled)
            columns["pool_state"][slot] = POOL_STATES[naive.pool_word(world, pool)] | verdict.COUNTS * forced
            for index, endpoint in enumerate(pool.origins):
                key = (pool.name, index)
                at = self.slots.endpoint[pool.name, endpoint.name, endpoint.address]
                state = ENDPOINT_STATES.get(world.health.get(key, ""), verdict.UNKNOWN)
                columns["endpoint_state"][at] = state | verdict.COUNTS * (key in world.forced)
                if key in world.resolved:
                    v4, v6 = ([one.packed for one in world.addresses_of(*key, family)] for family in ("A", "AAAA"))
                    write_addresses(columns, at, v4, v6, world.resolved[key]["expiry"])
        for (name, region), rtt_ms in world.rtt_ms.items():
            columns["pool_rtt"][self.slots.pool[name] * len(REGION_CODES) + REGION_CODES.index(region)] = rtt_ms

    def close(self) -> None:
        self._held.clear()
        self._table.close()

    def _nouns(self, lane: Lane) -> tuple[Any, Any, Any]:
        if lane.name not in self._held:
            region = str(self._snapshot.meta["region"])
            number = REGION_CODES.index(region) if region else -1
            view = lane.nouns.View(self._snapshot.columns, self._table.columns, number)
            self._held[lane.name] = view, lane.nouns.Query(), lane.nouns.Decision()
        return self._held[lane.name]

    def ready(self, lane: Lane, lb: LoadBalancer, asked: Asked) -> tuple[Any, Any, Any]:
        """Return view, query and decision, the query filled in."""
        view, query, decision = self._nouns(lane)
        query.lb = self._numbers[lb.name]
        query.family, query.wants_cname = FAMILIES[asked.family], asked.wants_cname
        query.resolver_version, query.resolver_high, query.resolver_low = halves(asked.resolver)
        query.ecs_version, query.ecs_high, query.ecs_low = halves(asked.ecs[0]) if asked.ecs else (0, 0, 0)
        query.ecs_bits = asked.ecs[1] if asked.ecs else 0
        query.draw_base, query.draw_fixed, query.now_s = asked.draw_base, asked.draw_fixed, asked.now_s
        labels = asked.labels or tuple(lb.name.encode().split(b"."))
        query.name = bytearray(b"".join(bytes((len(label),)) + label.lower() for label in labels) + b"\0")
        query.asked_bits = self._asked_bits(lb, asked, query.lb)
        return view, query, decision

    def _asked_bits(self, lb: LoadBalancer, asked: Asked, number: int) -> int:
        """Return a bit for each test that is left to Python, worked out by the oracle."""
        columns = self._snapshot.columns
        rules = columns["lb_rules"][number]
        if rules == layout.NO_RULES or not columns["rules_asks_python"][rules]:
            return 0
        said = facts(self.world, lb, asked)
        bits = 0
        for index in range(columns["rules_test_count"][rules]):
            test = columns["rules_test_start"][rules] + index
            if columns["test_op"][test] == layout.TEST_ASKED:
                at = columns["test_operand"][test]
                text = bytes(columns["blob"][at : at + columns["test_operand_length"][test]]).decode()
                bits |= is_true(parse(text), said, self.world.configuration.settings.networks) << index
        return bits

    def _hits(self, query: Any, decision: Any) -> list[int]:
        """Return the rules that matched, by position, and behind them the pool set."""
        columns = self._snapshot.columns
        found: list[int] = []
        for row in (decision.verdict, decision.set_verdict):
            if row != layout.NO_VERDICT:
                start = columns["verdict_hit_start"][row]
                found += columns["verdict_hit"][start : start + columns["verdict_hit_count"][row]]
        return found

    def _address(self, query: Any, decision: Any) -> int | None:
        """Return which of a host name's several addresses the responder takes, as it does (answer/steered.py)."""
        if decision.mode == layout.MODE_ALL or query.family == layout.FAMILY_NAMED:
            return None
        slot = self._snapshot.columns["endpoint_slot"][decision.picks[0]]
        count = self._table.columns["resolved_count"][slot * 2 + query.family]
        return int(decision.address_draw) % count if count > 1 else None

    def _addresses(self, query: Any, decision: Any) -> list[Address] | None:
        """Return the addresses that are answered, in order; None where that is by name."""
        if not decision.address_count:
            return None
        packed, size = bytes(decision.addresses), 4 if query.family == layout.FAMILY_A else 16
        starts = range(0, decision.address_count * ADDRESS_BYTES, ADDRESS_BYTES)
        return [ip_address(packed[start : start + size]) for start in starts]

    def tally(
        self, lane: Lane, lb: LoadBalancer, asked: Asked, words: Iterable[int] = (), clients: Iterable[Address] = ()
    ) -> Counter[tuple[str, int]]:
        """Count (pool, first endpoint) over many decisions: one for each random word, or for each resolver."""
        view, query, decision = self.ready(lane, lb, asked)
        starts = self._snapshot.columns["pool_endpoint_start"]
        counted: Counter[tuple[int, int]] = Counter()
        for word in words:
            query.draw_base = word
            lane.decide(view, query, decision)
            counted[decision.pool, decision.picks[0]] += 1
        for client in clients:
            query.resolver_version, query.resolver_high, query.resolver_low = halves(client)
            lane.decide(view, query, decision)
            counted[decision.pool, decision.picks[0]] += 1
        return Counter({(self._pool_names[pool], pick - starts[pool]): n for (pool, pick), n in counted.items()})

    def decide(self, lane: Lane, lb: LoadBalancer, asked: Asked) -> dict[str, Any]:
        """Return the real decision in the oracle's words."""
        view, query, decision = self.ready(lane, lb, asked)
        outcome = lane.decide(view, query, decision)
        assert outcome == decision.outcome
        answered = outcome == layout.OUTCOME_ANSWER
        found = decision.pool != layout.NO_POOL
        start = self._snapshot.columns["pool_endpoint_start"][decision.pool] if found else 0
        passed = range(decision.passed_count)
        return {
            "outcome": OUTCOMES[outcome],
            "pool": self._pool_names[decision.pool] if found else None,
            "is_fallback": bool(decision.is_fallback),
            "endpoints": [decision.picks[index] - start for index in range(decision.pick_count)],
            "mode": MODES[decision.mode] if answered else None,
            "address": self._address(query, decision) if answered else None,
            "addresses": self._addresses(query, decision) if answered else None,
            "ttl": decision.ttl,
            "signed_ttl": decision.signed_ttl,
            "scope": decision.scope,
            "location_source": SOURCES[decision.location_source],
            "passed": [
                (self._pool_names[decision.passed_pool[index]], REASONS[decision.passed_reason[index]])
                for index in passed
            ],
            "hits": self._hits(query, decision),
        }


def halves(address: Address) -> tuple[int, int, int]:
    """Return (version, high 64 bits, low 64 bits), an IPv4 address on the left."""
    whole = int(address) << (128 - address.max_prefixlen)
    return address.version, whole >> 64, whole & (2**64 - 1)
