"""The list of a decision's addresses, in both forms: each once, in order, one of an endpoint, and never too many."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.mapped.columns import ADDRESS_BYTES, RESOLVED_MAX
from lbdns.mapped.resolved import write_addresses
from lbdns.steering.kernel.numbers import (
    ADDRESSES_MAX,
    ENDPOINT_HOSTNAME,
    FAMILY_A,
    FAMILY_AAAA,
    MODE_ALL,
    MODE_HASHED,
    MODE_WEIGHTED,
    PICK_CAPACITY,
)
from lbdns.steering.kernel.view import Decision
from tests.answer.lanes import compiled_view
from tests.interpreted import standing_in

ZONE = "$TTL 300\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53\n"
FAMILIES = ((FAMILY_A, 4), (FAMILY_AAAA, 16))
List = Callable[[Any, int, Any], int]


@pytest.fixture(params=["interpreted", "installed"])
def list_addresses(request: pytest.FixtureRequest) -> List:
    """Both forms of the function; the installed one is the compiled one where there is one."""
    if request.param == "installed":
        found: List = importlib.import_module("lbdns.steering.kernel.endpoints").list_addresses
        return found
    with standing_in("steering.kernel.endpoints") as module:
        interpreted: List = module.list_addresses
        return interpreted


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> ServingView:
    """As many hostnames as a pool may have, and endpoints with an address of each family, two of them the same."""
    pools = {"hostnames": [f"h{number}.example.net" for number in range(PICK_CAPACITY)]}
    for number in range(3):
        pools[f"own{number}"] = [f"192.0.2.{number % 2 + 1}", f"2001:db8::{number % 2 + 1}"]
    tree = {
        "settings": {"resolvers": ["127.0.0.1:9"]},
        "zones": {"example.com": ZONE},
        "pools": {
            pool: {"origins": [{"name": f"e{index}", "address": address} for index, address in enumerate(addresses)]}
            for pool, addresses in pools.items()
        },
        "load_balancers": [
            {"name": f"{pool}.example.com", "default_pools": [pool], "fallback_pool": pool} for pool in pools
        ],
    }
    folder = tmp_path_factory.mktemp("addresses")
    return compiled_view(parse(tree, folder).configuration, folder)


def hostnames_of(view: ServingView) -> list[int]:
    """Return the endpoints that are hostnames."""
    return [index for index, flags in enumerate(view.columns["endpoint_flags"]) if flags & ENDPOINT_HOSTNAME]


def own_of(view: ServingView, family: int) -> list[int]:
    """Return the endpoints with an address of this family."""
    hostnames = hostnames_of(view)
    families = enumerate(view.columns["endpoint_families"])
    return [index for index, bits in families if bits & 1 << family and index not in hostnames]


def resolve(view: ServingView, addresses: Sequence[Sequence[bytes]], family: int) -> None:
    """Put addresses of one family into the health table for each hostname."""
    for endpoint, packed in zip(hostnames_of(view), addresses, strict=True):
        slot = view.columns["endpoint_slot"][endpoint]
        write_addresses(view.table.columns, slot, *((packed, []) if family == FAMILY_A else ([], packed)), 2**31)


def listed(list_addresses: List, view: ServingView, family: int, decision: Decision) -> list[bytes]:
    """Return the list as values; nothing is written behind its room."""
    count = list_addresses(view.steering, family, decision)
    size = 4 if family == FAMILY_A else 16
    packed = bytes(decision.addresses)
    assert len(packed) == (ADDRESSES_MAX + RESOLVED_MAX) * ADDRESS_BYTES
    return [packed[at : at + size] for at in range(0, count * ADDRESS_BYTES, ADDRESS_BYTES)]


def decided(picks: Sequence[int], mode: int, draw: int) -> Decision:
    """Return a decision for these endpoints."""
    decision = Decision()
    for index, pick in enumerate(picks):
        decision.picks[index] = pick
    decision.pick_count = len(picks)
    decision.mode = mode
    decision.address_draw = draw
    return decision


@pytest.mark.parametrize(("family", "size"), FAMILIES)
@pytest.mark.parametrize("distinct", [1, 60, 100, 101, 400])
def test_each_address_once_in_order_and_at_most_so_many(
    list_addresses: List, view: ServingView, family: int, size: int, distinct: int
) -> None:
    chance = Random(distinct)
    hostnames, own = hostnames_of(view), own_of(view, family)
    for turn in range(6):
        least = RESOLVED_MAX if turn == 0 else 0
        resolved = [
            [chance.randrange(distinct).to_bytes(size, "big") for _ in range(chance.randint(least, RESOLVED_MAX))]
            for _ in hostnames
        ]
        resolve(view, resolved, family)
        has = dict(zip(hostnames, resolved, strict=True))
        for endpoint in own:
            at = endpoint * ADDRESS_BYTES
            has[endpoint] = [bytes(view.columns["endpoint_address"][at : at + size])]
        picks = chance.sample([*hostnames, *own], chance.randint(1, PICK_CAPACITY) if turn else PICK_CAPACITY)
        expected = list(dict.fromkeys(address for pick in picks for address in has[pick]))[:ADDRESSES_MAX]
        assert listed(list_addresses, view, family, decided(picks, MODE_ALL, 0)) == expected


@pytest.mark.parametrize(("family", "size"), FAMILIES)
@pytest.mark.parametrize("mode", [MODE_WEIGHTED, MODE_HASHED])
def test_one_address_where_the_decision_is_for_one_endpoint(
    list_addresses: List, view: ServingView, family: int, size: int, mode: int
) -> None:
    hostnames = hostnames_of(view)
    for count in range(RESOLVED_MAX + 1):
        resolved = [number.to_bytes(size, "big") for number in range(count)]
        resolve(view, [resolved] * len(hostnames), family)
        for draw in (0, 1, 6, 7, 2**31, 2**32 - 1):
            expected = [resolved[draw % count]] if count else []
            assert listed(list_addresses, view, family, decided(hostnames[:1], mode, draw)) == expected


def test_addresses_whose_write_never_ended_are_none(list_addresses: List, view: ServingView) -> None:
    hostnames, own = hostnames_of(view), own_of(view, FAMILY_A)
    resolve(view, [[b"\x7f\0\0\1"]] * len(hostnames), FAMILY_A)
    version = view.table.columns["resolved_version"]
    slot = view.columns["endpoint_slot"][hostnames[0]]
    version[slot] |= 1
    found = listed(list_addresses, view, FAMILY_A, decided([hostnames[0], own[0]], MODE_ALL, 0))
    version[slot] += 1
    assert found == [b"\xc0\0\2\1"]
