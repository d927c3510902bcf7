"""Which view a query is for: against a naive model, interpreted and compiled."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.mapped.health_table import HealthTable
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from lbdns.model.view_names import view_numbers
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots
from tests.steering import naive_views
from tests.steering.naive_places import Address, Network
from tests.steering.served import Lane, halves

BLOCKS = (ip_network("10.0.0.0/8"), ip_network("203.0.113.0/24"), ip_network("2001:db8::/48"))
NAMES = ("office", "lab", "site", "guests")


class Asking:
    """A configuration's views, as a lane asks for them."""

    def __init__(self, lane: Lane, folder: Path, views: dict[str, Any], trusted: list[str]) -> None:
        settings = Settings.model_validate({"views": views, "trusted_resolvers": trusted})
        configuration = Configuration(settings=settings)
        snapshot = compile_snapshot(configuration, Geodata.open(), Slots().assign(configuration), 1)
        self._table = HealthTable.create(folder / "health.bin", 1, 1, layout_id=0)
        self._view = lane.nouns.View(snapshot.columns, self._table.columns, -1)
        self._query = lane.nouns.Query()
        self._lane = lane
        self._names = list(view_numbers(settings.views))

    def __call__(self, resolver: Address, ecs: Address | None = None, bits: int = 0, known: int = 0) -> tuple[str, int]:
        query = self._query
        query.resolver_version, query.resolver_high, query.resolver_low = halves(resolver)
        query.ecs_version, query.ecs_high, query.ecs_low = halves(ecs) if ecs else (0, 0, 0)
        query.ecs_bits = bits
        found = self._lane.view_of(self._view, query, known)
        return self._names[found >> 8], found & 0xFF


def draw_network(random: Random) -> Network:
    block = random.choice(BLOCKS)
    return draw_within(random, block, random.randint(block.prefixlen, min(block.prefixlen + 12, block.max_prefixlen)))


def draw_within(random: Random, block: Network, bits: int) -> Network:
    first = int(block.network_address) + random.getrandbits(block.max_prefixlen - block.prefixlen)
    return ip_network((type(block.network_address)(first), bits), strict=False)


def draw_views(random: Random) -> dict[str, list[Network]]:
    """Networks beside, within and next to each other, none of them in two views."""
    free: list[Network] = []
    for _ in range(random.randint(0, 24)):
        if free and random.random() < 0.5:
            around = random.choice(free)
            free.append(draw_within(random, around, min(around.prefixlen + random.randint(1, 9), around.max_prefixlen)))
        elif free and random.random() < 0.3:
            beside = random.choice(free)
            free += beside.supernet().subnets() if beside.prefixlen > 8 else []
        else:
            free.append(draw_network(random))
    views: dict[str, list[Network]] = {name: [] for name in NAMES}
    for network in dict.fromkeys(free):
        views[random.choice(NAMES)].append(network)
    return views


def draw_address(random: Random, views: dict[str, list[Network]]) -> Address:
    """An address in or beside a network of a view."""
    several = [one for networks in views.values() for one in networks] or list(BLOCKS)
    network = random.choice(several)
    address = int(network.network_address) + random.getrandbits(network.max_prefixlen - network.prefixlen)
    if random.random() < 0.3:
        address ^= 1 << random.randrange(network.max_prefixlen - 4)
    return type(network.network_address)(address)


@pytest.mark.parametrize("seed", range(24))
def test_views_are_those_of_the_naive_model(lane: Lane, tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    views = draw_views(random)
    trusted = [draw_network(random) for _ in range(3)]
    settings = {name: {"networks": [str(one) for one in networks]} for name, networks in views.items()}
    ask = Asking(lane, tmp_path, settings, [str(one) for one in trusted])
    for _ in range(150):
        resolver = draw_address(random, views if random.random() < 0.5 else {"": trusted})
        client = draw_address(random, views)
        bits = random.choice((0, 8, 12, 20, 24, 25, 32, 48, 56, 64, 96, 128))
        bits = min(bits, client.max_prefixlen)
        cut = ip_network((client, bits), strict=False).network_address if bits else client
        is_trusted = any(resolver in one for one in trusted)
        if is_trusted and not bits:
            wanted = "public", 0
        elif is_trusted:
            wanted = naive_views.view_of_prefix(views, cut, bits), naive_views.scope_of(views, cut)
            if not any(views.values()):
                wanted = "public", 0
        else:
            wanted = naive_views.view_of_address(views, resolver), 0
        assert ask(resolver, cut if bits else None, bits) == wanted, (views, trusted, resolver, cut, bits)


def test_the_scope_is_a_partition(lane: Lane, tmp_path: Path) -> None:
    """Every client within a scope is in the same view, whatever bits of it are told beyond the scope."""
    views = {"office": ["10.0.0.0/8", "10.1.2.0/24"], "lab": ["10.1.0.0/16"], "site": ["10.1.2.128/25"]}
    ask = Asking(lane, tmp_path, {name: {"networks": several} for name, several in views.items()}, ["192.0.2.0/24"])
    resolver = ip_address("192.0.2.53")
    random = Random(5)
    for _ in range(2000):
        client = ip_address((10 << 24) + random.choice((random.getrandbits(24), (1 << 16) + random.getrandbits(16))))
        view, scope = ask(resolver, client, 32)
        other = ip_address((int(client) & ~((1 << (32 - scope)) - 1)) | random.getrandbits(32 - scope))
        assert ask(resolver, other, 32) == (view, scope)
        told = random.randint(scope, 32)
        assert ask(resolver, ip_network((other, told), strict=False).network_address, told) == (view, scope)


def test_a_key_or_listener_counts_before_networks(lane: Lane, tmp_path: Path) -> None:
    views = {"office": {"networks": ["10.0.0.0/8"]}, "lab": {"networks": ["10.1.0.0/16"]}}
    ask = Asking(lane, tmp_path, views, ["192.0.2.53"])
    assert ask(ip_address("192.0.2.53"), ip_address("10.1.2.0"), 24, known=1) == ("office", 0)
    assert ask(ip_address("10.1.2.3"), known=1) == ("office", 0)


def test_a_trusted_resolver_that_tells_no_client_is_in_no_view(lane: Lane, tmp_path: Path) -> None:
    """unbound 1.17.1 asks again without ECS where it was refused with it; its own network must not answer."""
    views = {"office": {"networks": ["10.0.0.0/8"]}}
    ask = Asking(lane, tmp_path, views, ["10.0.0.53"])
    assert ask(ip_address("10.0.0.53")) == ("public", 0)
    assert ask(ip_address("10.0.0.54")) == ("office", 0)
    assert ask(ip_address("10.0.0.53"), known=1) == ("office", 0)
    assert ask(ip_address("10.0.0.53"), ip_address("10.7.0.0"), 16) == ("office", 8)


def test_a_prefix_that_may_hold_clients_of_a_smaller_network_is_not_in_it(lane: Lane, tmp_path: Path) -> None:
    """Its first address is in the smaller network, and so are not all who may be meant."""
    views = {"office": {"networks": ["10.0.0.0/8"]}, "admins": {"networks": ["10.0.0.0/28"]}}
    ask = Asking(lane, tmp_path, views, ["192.0.2.53"])
    resolver = ip_address("192.0.2.53")
    assert ask(resolver, ip_address("10.0.0.0"), 24) == ("office", 28)
    assert ask(resolver, ip_address("10.0.0.0"), 28) == ("admins", 28)
    assert ask(resolver, ip_address("10.0.0.0"), 7) == ("public", 28)


def test_without_views_nobody_is_asked(lane: Lane, tmp_path: Path) -> None:
    ask = Asking(lane, tmp_path, {}, [])
    assert ask(ip_address("10.0.0.1"), ip_address("10.0.0.0"), 24) == ("public", 0)
