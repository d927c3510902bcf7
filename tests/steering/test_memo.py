"""What a compile takes from the one before it changes nothing: snapshots and targets documents are the same bytes."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from lbdns.base.memo import ByObject
from lbdns.dns.zone import RRset, Zone
from lbdns.mapped.health_table import HealthTable
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from lbdns.places.geodata import Geodata
from lbdns.publish.monitor_targets import TargetsMemo
from lbdns.snapshot.compile import compile_memo as memo
from lbdns.snapshot.compile import place_classes as classes
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots, SlotsMemo
from tests.steering.conftest import Toy
from tests.steering.said import differing
from tests.steering.strategies import APEX, OWNERS, POPS, ZONE, draw_configuration, draw_load_balancer, draw_pool
from tests.steering.test_steering_patch import CLIENTS, has_moved
from tests.whole_targets import encode_targets

STEPS = 25
TABLE = Path("health-1.bin")


def change_pool(chance: Random, before: Configuration) -> Configuration:
    """Edit the weight of one endpoint, or draw a pool anew under its name."""
    name = chance.choice(list(before.pools))
    pool = before.pools[name]
    if chance.randrange(2):
        first = pool.origins[0].model_copy(update={"weight": chance.choice((0.0, 0.13, 0.87))})
        fresh = pool.model_copy(update={"origins": (first, *pool.origins[1:])})
    else:
        fresh = draw_pool(chance, name, name.startswith("mail"), 5)
    return replace(before, pools={**before.pools, name: fresh})


def add_pool(chance: Random, before: Configuration) -> Configuration:
    """Add a pool, first or last, so that the rows of others may move."""
    name = f"new-{chance.randrange(1000)}"
    fresh = {name: draw_pool(chance, name, False, 3)}
    return replace(before, pools={**fresh, **before.pools} if chance.randrange(2) else {**before.pools, **fresh})


def remove_pool(chance: Random, before: Configuration) -> Configuration:
    """Remove a pool that nobody refers to; load balancers that do go first."""
    name = chance.choice(list(before.pools))
    kept = tuple(one for one in before.load_balancers if name not in one.pool_names())
    if len(before.pools) == 1 or not kept:
        return before
    return replace(before, pools={key: pool for key, pool in before.pools.items() if key != name}, load_balancers=kept)


def change_balancer(chance: Random, before: Configuration) -> Configuration:
    """Draw one load balancer anew, or disable it, or give it another name."""
    index = chance.randrange(len(before.load_balancers))
    one = before.load_balancers[index]
    way = chance.randrange(4)
    if way == 0:
        fresh = one.model_copy(update={"enabled": not one.enabled})
    elif way == 1:
        fresh = one.model_copy(update={"name": f"n{chance.randrange(1000)}.example.com"})
    else:
        names = [name for name in before.pools if name.startswith("mail") == (one.type != "A")]
        if not names:
            return before  # the last pool of its kind is gone
        owner = one.name if one.name in OWNERS else "geo.example.com"
        drawn = draw_load_balancer(chance, owner, names, one.type)
        fresh = drawn.model_copy(update={"name": one.name})
    balancers = list(before.load_balancers)
    balancers[index] = fresh
    return replace(before, load_balancers=tuple(balancers))


CONDITIONS = (
    "",
    "ip.src in {20.0.0.0/9 2a00::/20}",
    "ip.src in {20.0.0.0/9 192.0.2.0/24} and dns.qry.type eq 1",
    'ip.src.country in {"US" "NL"}',
    "ip.src in $office",
    'cf.load_balancer.name contains "e" xor dns.rr.opt.client',
    'dns.qry.name contains "ge" or ip.src.lat gt 40',
)


def change_rules(chance: Random, before: Configuration) -> Configuration:
    """Give a load balancer rules and pool sets, or those of another."""
    names = [name for name in before.pools if not name.startswith("mail")]
    index = chance.randrange(len(before.load_balancers))
    one = before.load_balancers[index]
    if not names or one.type != "A":
        return before

    def draw_overrides(*more: str) -> dict[str, object]:
        field = chance.choice(("pools", "fallback_pool", *more))
        value = {"pools": [chance.choice(names)], "fallback_pool": chance.choice(names), "ttl": chance.randrange(90)}
        return {field: value[field]}

    rules = [
        {
            "condition": chance.choice(CONDITIONS),
            "overrides": draw_overrides("ttl"),
            "terminates": chance.random() < 0.2,
        }
        for _ in range(chance.randrange(4))
    ]
    sets = [
        {"match": {"topology": {"countries": [chance.choice(("US", "NL", "DE"))]}}, "overrides": draw_overrides()}
        for _ in range(chance.randrange(3))
    ]
    fields = {"default_pools": names[:1], "fallback_pool": names[0], "rules": rules, "pool_sets": sets}
    drawn = LoadBalancer.model_validate({"name": one.name, **fields})
    other = chance.choice(before.load_balancers)
    update = {"rules": drawn.rules, "pool_sets": drawn.pool_sets}
    if other.rules and other.type == "A" and chance.randrange(2):
        update = {"rules": other.rules, "pool_sets": other.pool_sets}
    balancers = list(before.load_balancers)
    balancers[index] = one.model_copy(update=update)
    return replace(before, load_balancers=tuple(balancers))


def change_list(chance: Random, before: Configuration) -> Configuration:
    """Let the list that rules name say something else."""
    office = [f"20.{chance.randrange(256)}.0.0/16", "192.0.2.0/24"]
    return replace(before, settings=Settings(**{**before.settings.model_dump(), "lists": {"office": office}}))


def change_kinds(chance: Random, before: Configuration) -> Configuration:
    """Let all load balancers, or one of them, answer another type."""
    kind = chance.choice(("A", "MX", "SRV"))
    only = chance.choice((None, *before.load_balancers))
    fresh = [one.model_copy(update={"type": kind}) if only in (None, one) else one for one in before.load_balancers]
    return replace(before, load_balancers=tuple(fresh))


def add_balancer(chance: Random, before: Configuration) -> Configuration:
    """Add a load balancer somewhere among the others."""
    names = [name for name in before.pools if not name.startswith("mail")]
    drawn = draw_load_balancer(chance, "geo.example.com", names, "A")
    balancers = list(before.load_balancers)
    balancers.insert(
        chance.randrange(len(balancers) + 1),
        drawn.model_copy(update={"name": f"a{chance.getrandbits(30)}.example.com"}),
    )
    return replace(before, load_balancers=tuple(balancers))


def remove_balancer(chance: Random, before: Configuration) -> Configuration:
    """Remove a load balancer, unless it is the last."""
    balancers = list(before.load_balancers)
    if len(balancers) > 1:
        balancers.pop(chance.randrange(len(balancers)))
    return replace(before, load_balancers=tuple(balancers))


def change_zone(chance: Random, before: Configuration) -> Configuration:
    """Give the zone another record, or the server another zone."""
    owner = bytes((2, 97 + chance.randrange(26), 97)) + APEX
    zone = before.zones[0]
    fresh = replace(zone, rrsets=(*zone.rrsets[:3], RRset(owner, 1, 60, (chance.randbytes(4),))))
    other = Zone(b"\x05other\0", tuple(replace(rrset, owner=b"\x05other\0") for rrset in ZONE.rrsets), "other.zone")
    return replace(before, zones=(fresh, *([other] if chance.randrange(2) else [])))


def change_place(chance: Random, before: Configuration) -> Configuration:
    """Put the server somewhere else."""
    return replace(before, settings=before.settings.model_copy(update={"pop": chance.choice(POPS)[0]}))


def change_nothing(_: Random, before: Configuration) -> Configuration:
    """Leave everything as it is."""
    return before


CHANGES = (
    change_pool,
    change_pool,
    add_pool,
    remove_pool,
    change_balancer,
    change_kinds,
    add_balancer,
    remove_balancer,
    change_zone,
    change_place,
    change_rules,
    change_rules,
    change_rules,
    change_list,
    change_nothing,
)


def columns_of(
    configuration: Configuration, geodata: Geodata, slots: Slots, kept: CompileMemo | None
) -> dict[str, bytes]:
    snapshot = compile_snapshot(configuration, geodata, slots, 7, 3, kept)
    return {"meta": json.dumps(snapshot.meta).encode(), **{name: bytes(one) for name, one in snapshot.columns.items()}}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_a_memo_changes_nothing_that_is_said(
    seed: int, toys: list[Toy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, table = Random(seed), HealthTable.create(tmp_path / "health.bin", 256, 256, layout_id=3)
    monkeypatch.setattr(classes, "MERGED_TRIES_MAX", chance.choice((0, 1, 2, 16)))
    monkeypatch.setattr(memo, "ROWS_BYTES_MAX", chance.choice((0, 2000, 1 << 30)))
    configuration = change_list(chance, draw_configuration(chance, chance.choice(POPS)[0]))
    for _ in range(3):
        configuration = change_rules(chance, configuration)
    geodata, slots = chance.choice(toys)[1], Slots()
    kept, kept_targets, kept_slots = CompileMemo(), TargetsMemo(), SlotsMemo()
    for _ in range(STEPS):
        slots = slots.assign(configuration, kept_slots)
        with_memo = compile_snapshot(configuration, geodata, slots, 7, 3, kept)
        without = compile_snapshot(configuration, geodata, slots, 7, 3)
        clients = CLIENTS if kept.steering is not None and has_moved(kept.steering) else ()
        assert differing(with_memo, without, table, clients) == []
        written = encode_targets(configuration, slots, 7, TABLE, kept_targets)
        assert written == encode_targets(configuration, slots, 7, TABLE, TargetsMemo())
        configuration = chance.choice(CHANGES)(chance, configuration)
        if chance.randrange(12) == 0:
            geodata = chance.choice(toys)[1]


@pytest.mark.slow
def test_a_memo_keeps_only_what_the_last_compile_used(toys: list[Toy]) -> None:
    chance = Random(3)
    geodata = toys[5][1]
    configuration = draw_configuration(chance, POPS[1][0])
    kept, kept_targets = CompileMemo(), TargetsMemo()
    gone = []
    for _ in range(4 * STEPS):
        slots = Slots().assign(configuration)
        compile_snapshot(configuration, geodata, slots, 1, 1, kept)
        encode_targets(configuration, slots, 1, TABLE, kept_targets)
        assert len(kept.pools) == len(kept_targets.pools) == len(configuration.pools)
        assert len(kept.balancers) == sum(one.enabled for one in configuration.load_balancers)
        assert len(kept_targets.balancers) == len(configuration.load_balancers)
        assert len(kept.tries) <= classes.MERGED_TRIES_MAX + 4  # the private one, and one for each kind of unit
        gone.append(weakref.ref(next(iter(configuration.pools.values()))))
        configuration = change_pool(chance, change_balancer(chance, configuration))
    del configuration, slots
    gc.collect()
    assert len({id(one()) for one in gone if one() is not None}) <= len(kept.pools)


def test_a_geolocation_database_that_is_replaced_takes_its_tries_along(toys: list[Toy]) -> None:
    kept = CompileMemo()
    configuration = draw_configuration(Random(5), POPS[2][0])
    slots = Slots().assign(configuration)
    for _, geodata in toys[1:4]:
        kept_columns = columns_of(configuration, geodata, slots, kept)
        assert kept_columns == columns_of(configuration, geodata, slots, None)


def test_values_are_kept_by_identity_for_as_long_as_they_are_asked_for() -> None:
    class Thing:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    kept: ByObject[str] = ByObject()
    one, two = Thing(), Thing()
    with kept.round():
        kept.keep(one, "one")
        kept.keep(two, "two")
        assert kept.find(one) == "one"
    with kept.round():
        assert kept.find(one) == "one"
    with kept.round():
        assert (kept.find(one), kept.find(two)) == ("one", None)
    assert len(kept) == 1
    with pytest.raises(RuntimeError), kept.round():
        raise RuntimeError
    assert len(kept) == 0
