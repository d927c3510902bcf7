"""Columns of steering that are altered where little is another are those of a compile that begins anew, byte for byte;
those of names say the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.answer.reply import Client
from lbdns.answer.serving_view import ServingView
from lbdns.dns.zone import RRset
from lbdns.fastpath.template_memo import TemplateMemo
from lbdns.fastpath.templates import add_templates
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Endpoint, Pool
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.compile.steering_columns import Steering
from lbdns.snapshot.compile.steering_patch import GONE_MIN
from lbdns.snapshot.slots import Slots, SlotsMemo
from tests.steering.conftest import Toy
from tests.steering.naive_places import Network, Place
from tests.steering.said import differing, differing_templates
from tests.steering.strategies import APEX, OWNERS, POPS, ZONE, draw_configuration, draw_load_balancer

STEPS = 40
CLIENTS = [Client(bytes((192, 0, 2, 77)), 53)]
Change = Callable[[Random, Configuration], Configuration]


def change_ttl(chance: Random, before: Configuration) -> Configuration:
    """Give one or two load balancers another TTL."""
    balancers = list(before.load_balancers)
    for _ in range(chance.randrange(1, 3)):
        at = chance.randrange(len(balancers))
        balancers[at] = balancers[at].model_copy(update={"ttl": chance.randrange(10, 90)})
    return replace(before, load_balancers=tuple(balancers))


def change_policy(chance: Random, before: Configuration) -> Configuration:
    """Have a load balancer steer otherwise, or be sticky."""
    at = chance.randrange(len(before.load_balancers))
    update = chance.choice(
        (
            {"steering_policy": chance.choice(("off", "random", "geo", "proximity", ""))},
            {"session_affinity": chance.choice(("none", "ip_cookie"))},
        )
    )
    balancers = list(before.load_balancers)
    balancers[at] = balancers[at].model_copy(update=update)
    return replace(before, load_balancers=tuple(balancers))


def change_endpoint(chance: Random, before: Configuration) -> Configuration:
    """Give an endpoint another weight, address or port, or disable it."""
    name = chance.choice(list(before.pools))
    pool = before.pools[name]
    at = chance.randrange(len(pool.origins))
    update = chance.choice(
        (
            {"weight": chance.choice((0.0, 0.13, 0.87, 1.0))},
            {"address": f"192.0.2.{chance.randrange(1, 250)}"},
            {"port": chance.randrange(1, 9)},
            {"enabled": chance.randrange(2) == 0},
        )
    )
    origins = [one.model_copy(update=update) if index == at else one for index, one in enumerate(pool.origins)]
    return replace(before, pools={**before.pools, name: pool.model_copy(update={"origins": tuple(origins)})})


def change_pool(chance: Random, before: Configuration) -> Configuration:
    """Enable or disable a pool, or put it somewhere else."""
    name = chance.choice(list(before.pools))
    update = chance.choice(
        ({"enabled": chance.randrange(2) == 0}, {"latitude": chance.uniform(-80, 80), "longitude": 5.0})
    )
    return replace(before, pools={**before.pools, name: before.pools[name].model_copy(update=update)})


def add_balancer(chance: Random, before: Configuration) -> Configuration:
    """Add a load balancer behind the others: one that steers like another, or in a way of its own."""
    name = f"n{chance.randrange(1000)}.example.com"
    if any(one.name == name for one in before.load_balancers):
        return before
    if chance.randrange(2):
        made = chance.choice(before.load_balancers).model_copy(update={"name": name})
    else:
        kind = chance.choice(("A", "A", "A", "MX"))
        pools = [one for one in before.pools if one.startswith("mail") == (kind == "MX")]
        owner = "mail.example.com" if kind == "MX" else chance.choice([one for one in OWNERS if "mail" not in one])
        made = draw_load_balancer(chance, owner, pools, kind).without_rules().model_copy(update={"name": name})
    return replace(before, load_balancers=(*before.load_balancers, made))


def remove_balancer(chance: Random, before: Configuration) -> Configuration:
    """Take a load balancer away, or disable one."""
    balancers = list(before.load_balancers)
    at = chance.randrange(len(balancers))
    if chance.randrange(2) and len(balancers) > 1:
        del balancers[at]
    else:
        balancers[at] = balancers[at].model_copy(update={"enabled": not balancers[at].enabled})
    return replace(before, load_balancers=tuple(balancers))


def change_record(chance: Random, before: Configuration) -> Configuration:
    """Give the zone another record, which may be an alias."""
    owner = bytes((2, 97 + chance.randrange(26), 97)) + APEX
    rdata = chance.choice(((1, chance.randbytes(4)), (15, b"\0\x0a" + b"\x03geo" + APEX), (5, b"\x03geo" + APEX)))
    zone = before.zones[0]
    fresh = replace(zone, rrsets=(*zone.rrsets[:3], RRset(owner, rdata[0], 60, (rdata[1],))))
    return replace(before, zones=(fresh, *before.zones[1:]))


CHANGES: tuple[Change, ...] = (
    change_ttl,
    change_ttl,
    change_policy,
    change_endpoint,
    change_endpoint,
    change_endpoint,
    change_pool,
    add_balancer,
    add_balancer,
    remove_balancer,
    remove_balancer,
    change_record,
)


def made(
    configuration: Configuration,
    geodata: Geodata,
    slots: Slots,
    kept: CompileMemo,
    templates: TemplateMemo,
    table: HealthTable,
) -> Snapshot:
    snapshot = compile_snapshot(configuration, geodata, slots, 7, table.layout_id, kept)
    return add_templates(snapshot, ServingView(snapshot, table), templates, kept.names)


def clients_of(chance: Random, tree: Mapping[Network, Place]) -> list[Client]:
    """Return some clients in networks whose places are known, and one elsewhere."""
    networks = chance.sample([*tree], min(4, len(tree)))
    return [Client(network[chance.randrange(network.num_addresses)].packed, 53) for network in networks] + CLIENTS


def has_moved(steering: Steering) -> bool:
    """Return whether rows stand elsewhere than a compile that begins anew has them, or more than it has."""
    return bool(steering.gone) or [*steering.rows] != [*range(len(steering.rows))]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_altered_columns_are_those_that_are_compiled_anew(seed: int, toys: list[Toy], tmp_path: Path) -> None:
    chance, table = Random(seed), HealthTable.create(tmp_path / "health.bin", 256, 256, layout_id=1)
    configuration = draw_configuration(chance, chance.choice(POPS)[0])
    balancers = tuple(one.without_rules() for one in configuration.load_balancers)
    configuration = replace(configuration, load_balancers=balancers)
    (tree, geodata), slots, slots_memo = chance.choice(toys), Slots(), SlotsMemo()
    kept, templates = CompileMemo(), TemplateMemo()
    altered = moved = 0
    for _ in range(STEPS):
        before = kept.steering
        slots = slots.assign(configuration, slots_memo)
        found = made(configuration, geodata, slots, kept, templates, table)
        wanted = made(configuration, geodata, slots, CompileMemo(), TemplateMemo(), table)
        assert kept.steering is not None
        clients = clients_of(chance, tree) if has_moved(kept.steering) else ()
        moved += bool(clients)
        assert differing(found, wanted, table, clients) == [] and differing_templates(found, wanted, table) == []
        is_other = before is not None and kept.steering is not before
        altered += is_other and before is not None and kept.steering.tries is before.tries
        configuration = chance.choice(CHANGES)(chance, configuration)
    assert altered > STEPS // 5 and moved > STEPS // 20, "too little was altered to tell anything"


def test_a_load_balancer_less_moves_nothing(toys: list[Toy], tmp_path: Path) -> None:
    """Its row is free, and the next one's; where many have gone, all is compiled anew."""
    table = HealthTable.create(tmp_path / "health.bin", 256, 256, layout_id=1)
    pools = {name: Pool(name=name, origins=(Endpoint(name="e", address="192.0.2.1"),)) for name in "pqr"}
    names = [f"{letter}.example.com" for letter in "abcd"]
    balancers = [LoadBalancer(name=name, default_pools=("p", "q"), fallback_pool="r") for name in names]
    configuration = Configuration(zones=(ZONE,), pools=pools, load_balancers=tuple(balancers))
    kept, templates, slots, memo = CompileMemo(), TemplateMemo(), Slots(), SlotsMemo()

    def follow(*those: LoadBalancer) -> None:
        nonlocal configuration, slots
        configuration = replace(configuration, load_balancers=those)
        slots = slots.assign(configuration, memo)
        found = made(configuration, toys[0][1], slots, kept, templates, table)
        wanted = made(configuration, toys[0][1], slots, CompileMemo(), TemplateMemo(), table)
        clients = clients_of(Random(1), toys[0][0])
        assert differing(found, wanted, table, clients) == [] and differing_templates(found, wanted, table) == []

    follow(*balancers)
    first = kept.steering
    a, b, c, d = balancers
    follow(a, c, d)
    assert first is not None and kept.steering is not None and kept.names is not None
    assert kept.steering.tries is first.tries and kept.names.step is not None
    assert ([*kept.steering.rows], kept.steering.free) == ([0, 2, 3], (1,))
    e = b.model_copy(update={"name": "e.example.com", "fallback_pool": "q"})
    follow(a, c, d, e)
    assert ([*kept.steering.rows], kept.steering.free) == ([0, 2, 3, 1], ())
    follow(b, a, c, d, e)
    assert [*kept.steering.rows] == [4, 0, 2, 3, 1] and kept.steering.tries is first.tries
    for _ in range(GONE_MIN):
        follow(b, a, c, d)
        follow(b, a, c, d, e)
    assert kept.steering.tries is not first.tries and kept.steering.gone < GONE_MIN


LISTS = ["class_list", "list_start", "list_count", "list_flags", "member_pool", "member_weight"]


@pytest.mark.parametrize("policy", ["off", "random", "geo"])
def test_a_load_balancer_more_moves_nothing(policy: str, toys: list[Toy], tmp_path: Path) -> None:
    table = HealthTable.create(tmp_path / "health.bin", 256, 256, layout_id=1)
    pools = {name: Pool(name=name, origins=(Endpoint(name="e", address="192.0.2.1"),)) for name in "pqr"}
    steered: dict[str, Any] = {"steering_policy": policy, "region_pools": {"WEU": ["q"]} if policy == "geo" else {}}
    first = LoadBalancer(name="a.example.com", default_pools=("p", "q"), fallback_pool="r", **steered)
    configuration, slots = Configuration(zones=(ZONE,), pools=pools, load_balancers=(first,)), Slots()
    kept, templates = CompileMemo(), TemplateMemo()
    for name in ("b", "c", "*.d.e", "f"):
        made(configuration, toys[0][1], slots.assign(configuration), kept, templates, table)
        steering = kept.steering
        one = first.model_copy(update={"name": f"{name}.example.com"})
        if name == "b" and policy != "geo":  # lists of its own
            one = one.model_copy(update={"default_pools": ("q", "r")})
        configuration = replace(configuration, load_balancers=(*configuration.load_balancers, one))
        slots = slots.assign(configuration)
        found = made(configuration, toys[0][1], slots, kept, templates, table)
        wanted = made(configuration, toys[0][1], slots, CompileMemo(), TemplateMemo(), table)
        assert differing(found, wanted, table) == [] and differing_templates(found, wanted, table) == []
        assert steering is not None and kept.steering is not None and kept.steering.tries is steering.tries, name
        assert kept.names is not None and kept.names.step is not None, name
        same = [column for column in LISTS if kept.steering.columns[column] is steering.columns[column]]
        assert same == ([] if name == "b" and policy != "geo" else LISTS), name  # what stays is not written again
