"""What load balancers may answer now and after one flip, held against what `decide` answers to whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.dns.codes import TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_MX, TYPE_SRV
from lbdns.dnssec.signer import pool_answers, steered_sets
from lbdns.dnssec.signer.deciding_rows import DecidingRows
from lbdns.dnssec.signer.pool_answers import SteeredKind
from lbdns.dnssec.signer.steered_sets import Given, SteeredSets
from lbdns.dnssec.signer.supposed_health import SupposedHealth
from lbdns.model.balancer import LoadBalancer
from lbdns.snapshot.lookup.steered_data import steered_data
from lbdns.steering.kernel.decide import decide
from lbdns.steering.kernel.numbers import FAMILY_A, FAMILY_AAAA, FAMILY_NAMED
from tests.steering.conftest import Toy
from tests.steering.naive_world import Asked, World
from tests.steering.rule_strategies import draw_asked_by_name, with_rules
from tests.steering.served import Served, compiled_lane, interpreted_lane
from tests.steering.strategies import draw_world

LANE = compiled_lane() or interpreted_lane()
QUERIES = 60
CLIENTS, ROUNDS = 800, 20
FREE = ("proximity", "dynamic_latency")
"""Policies whose sets leave open which of the available pools is the best one."""
MANY = 1_000_000
Expected = dict[SteeredKind, tuple[set[Given], set[Given]]]


@pytest.fixture(autouse=True)
def all_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every choice of `max_answers` be gone through: what is left out for its number is not what these tests are
    about."""
    monkeypatch.setattr(pool_answers, "CHOICES_MAX", MANY)
    monkeypatch.setattr(steered_sets, "NEAR_MAX", MANY)


class Signed:
    """A world as the signer sees it, and as it is answered."""

    def __init__(self, world: World, geodata: Any, folder: Path) -> None:
        self.world = world
        self.served = Served(world, geodata, folder)
        self.columns = self.served.snapshot.columns
        self.health = SupposedHealth(self.columns, self.served.table.columns, -1)
        self.sets = SteeredSets(self.health, DecidingRows(self.health.view, self.columns))

    def close(self) -> None:
        """Let go of the mapping, then of the table."""
        del self.health, self.sets
        self.served.close()

    def answered(self, lb: LoadBalancer, asked: Asked, kind: SteeredKind) -> Given:
        """Return what `decide` answers, as the sets have it."""
        view, query, decision = self.served.ready(LANE, lb, asked)
        query.wants_cname = kind.wants_cname
        decide(view, query, decision)
        data = steered_data(self.columns, kind.qtype, kind.family, decision)
        return Given(decision.signed_ttl, data and data._replace(rdatas=tuple(sorted(data.rdatas))))


def kind_of(lb: LoadBalancer, asked: Asked) -> SteeredKind:
    if asked.family == "named":
        return SteeredKind(TYPE_MX if lb.type == "MX" else TYPE_SRV, FAMILY_NAMED)
    if asked.family == "AAAA":
        return SteeredKind(TYPE_AAAA, FAMILY_AAAA)
    return SteeredKind(TYPE_CNAME, FAMILY_A, wants_cname=True) if asked.wants_cname else SteeredKind(TYPE_A, FAMILY_A)


def worlds(
    seed: int, toys: list[Toy], folder: Path, *, count: int = 12, with_variants: bool = True
) -> Iterator[tuple[Random, Signed]]:
    for number in range(count):
        chance = Random(f"sets/{seed}/{number}")
        tree, geodata = chance.choice(toys)
        world = draw_world(chance, tree, small=chance.randrange(3) > 0)
        if with_variants and chance.randrange(2):
            world = with_rules(chance, world)
        signed = Signed(world, geodata, folder)
        yield chance, signed
        signed.close()


@pytest.mark.parametrize("seed", range(6))
def test_all_that_is_answered_now_or_after_one_flip_is_in_the_sets(seed: int, toys: list[Toy], tmp_path: Path) -> None:
    for chance, signed in worlds(seed, toys, tmp_path):
        world = signed.world
        balancers = [one for one in world.configuration.load_balancers if one.enabled]
        asked = [(lb, draw_asked_by_name(chance, world, lb)) for lb in balancers for _ in range(QUERIES)]
        expected = [sets_of(signed, lb, one) for lb, one in asked]
        for (lb, one), (now, _) in zip(asked, expected, strict=True):
            given = signed.answered(lb, one, kind_of(lb, one))
            assert given in now, (lb, one, given, now)
        for pool, index in flips(world):
            before = world.health.get((pool, index))
            world.health[pool, index] = "unhealthy" if before == "healthy" else "healthy"
            signed.served.write_health()
            for (lb, one), (now, near) in zip(asked, expected, strict=True):
                given = signed.answered(lb, one, kind_of(lb, one))
                assert given in now or given in near, (
                    pool,
                    index,
                    lb,
                    one,
                    given,
                    now,
                    near,
                )
            if before is None:
                del world.health[pool, index]
            else:
                world.health[pool, index] = before
        signed.served.write_health()


def flips(world: World) -> list[tuple[str, int]]:
    """Return the endpoints whose health counts."""
    return [
        (pool.name, index)
        for pool in world.configuration.pools.values()
        for index in range(len(pool.origins))
        if pool.monitor or (pool.name, index) in world.forced
    ]


def sets_of(signed: Signed, lb: LoadBalancer, asked: Asked) -> tuple[set[Given], set[Given]]:
    query = signed.served.ready(LANE, lb, asked)[1]
    found = signed.sets.of(query.lb, kind_of(lb, asked), bytes(query.name))
    return set(found.now), set(found.near)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_else_is_in_the_sets(seed: int, toys: list[Toy], tmp_path: Path) -> None:
    """What is in them somebody gets: now, or with one address up or down and any of its pools' bytes with it."""
    for chance, signed in worlds(seed, toys, tmp_path, count=4, with_variants=False):
        world = signed.world
        for lb in world.configuration.load_balancers:
            if not lb.enabled or lb.effective_policy in FREE:
                continue
            expected: Expected = {}
            for _ in range(ROUNDS):
                asked = [draw_asked_by_name(chance, world, lb) for _ in range(CLIENTS)]
                for one in asked:
                    if kind_of(lb, one) not in expected:
                        expected[kind_of(lb, one)] = sets_of(signed, lb, one)
                without_found(signed, lb, asked, expected)
                if not any(now or near for now, near in expected.values()):
                    break
            assert not any(now or near for now, near in expected.values()), (lb, expected)


def without_found(signed: Signed, lb: LoadBalancer, asked: list[Asked], expected: Expected) -> None:
    """Take out of what is expected now, and after one change, what these queries are answered."""
    for kind, (now, near) in expected.items():
        found = answers(signed, lb, asked, kind)
        now -= found
        near -= found
    for change in changes(signed, lb) if any(near for _, near in expected.values()) else ():
        with change:
            for kind, (_, near) in expected.items():
                near -= answers(signed, lb, asked, kind) if near else set()


def answers(signed: Signed, lb: LoadBalancer, asked: list[Asked], kind: SteeredKind) -> set[Given]:
    return {signed.answered(lb, one, kind) for one in asked if kind_of(lb, one) == kind}


def changes(signed: Signed, lb: LoadBalancer) -> Iterator[Any]:
    """Yield what changes the table while it is entered: each address of the load balancer's pools up or down, with
    those pools' bytes as they are or changed, and a pool's byte alone."""
    pools = [signed.world.configuration.pools[name] for name in sorted(lb.pool_names())]
    places: dict[str, list[tuple[int, int]]] = {}
    for pool in pools:
        for one in pool.origins:
            at = signed.served.slots.endpoint[pool.endpoint_key(one)], signed.served.slots.pool[pool.name]
            places.setdefault(one.address, []).append(at)
    for stands in places.values():
        for some in (stands, *([one] for one in stands)):
            endpoints = [endpoint for endpoint, _ in some]
            yield changed(signed, endpoints, [])
            yield changed(signed, endpoints, [pool_slot for _, pool_slot in some])
            for _, pool_slot in some:
                yield changed(signed, endpoints, [pool_slot])
    for pool in pools:
        yield changed(signed, [], [signed.served.slots.pool[pool.name]])


@contextmanager
def changed(signed: Signed, endpoints: list[int], pools: list[int]) -> Iterator[None]:
    """Write other states into the table for a while."""
    columns = signed.served.table.columns
    before = {name: bytes(columns[name]) for name in ("endpoint_state", "pool_state")}
    for slot in endpoints:
        columns["endpoint_state"][slot] ^= 3 if columns["endpoint_state"][slot] & 3 else 1
    for slot in pools:
        columns["pool_state"][slot] ^= 1
    yield
    for name, octets in before.items():
        columns[name][:] = octets
