"""Rules that compare many sets of addresses: what is worked out for them is right, and no larger than is said."""

from __future__ import annotations

import tracemalloc
from bisect import bisect_right
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from random import Random
from typing import Any

import pytest

from lbdns.steering.rules.address_ranges import network_ranges
from lbdns.steering.rules.address_sets import AddressSet, address_set
from lbdns.steering.rules.condition_folding import FoldedFor, fold
from lbdns.steering.rules.decision_table import (
    DecisionTable,
    FoldedRule,
    decision_table,
    truth_count,
)

Network = IPv4Network | IPv6Network
FOLDING = FoldedFor("www.example.com", "A", "")


def network_of(chance: Random, bits: int) -> Network:
    """Return a network of a few blocks, of up to 2 to the power of `bits` places in them."""
    if chance.randrange(3):
        return ip_network((0x0A00_0000 | chance.getrandbits(bits) << 4, chance.choice((28, 30, 32))))
    return ip_network((0x20010DB8 << 96 | chance.getrandbits(bits) << 60, chance.choice((68, 128, 64))), strict=False)


def ruled(
    chance: Random, count: int, networks: int, bits: int
) -> tuple[list[FoldedRule], dict[Any, AddressSet], list[Any]]:
    """Return rules each on a list of networks, the set of each, and the networks."""
    rules, sets, listed = [], {}, []
    for position in range(count):
        formula: Any = fold(f"ip.src in $l{position}", FOLDING)
        listed.append([network_of(chance, bits) for _ in range(networks)])
        sets[formula] = address_set(network_ranges(listed[-1]))
        rules.append(FoldedRule(position, formula, ends=False))
    return rules, sets, listed


def hits_at(table: DecisionTable, address: IPv4Address | IPv6Address) -> tuple[int, ...]:
    place = 0 if address.version == 4 else 1
    starts = [high << 64 | low for high, low in table.ecs.starts[place].tolist()]
    found = int(address) << 96 if address.version == 4 else int(address)
    one = table.ecs.classes[place][bisect_right(starts, found) - 1]
    return table.hits[table.ecs.cells[one][0]]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 65, 100])
def test_each_address_is_in_the_sets_that_name_it(count: int) -> None:
    chance = Random(count)
    rules, sets, listed = ruled(chance, count, 3, 5)
    table = decision_table(rules, sets)
    asked = [one for networks in listed for network in networks for one in (network[0], network[-1], network[-1] + 1)]
    for address in [*chance.sample(asked, min(len(asked), 150)), IPv4Address(0), IPv6Address(0)]:
        wanted = tuple(
            position for position, networks in enumerate(listed) if any(address in network for network in networks)
        )
        assert hits_at(table, address) == wanted


def test_truths_take_a_bit_each() -> None:
    rules, sets, _ = ruled(Random("bits"), 60, 1500, 20)
    truths = truth_count(rules, sets)
    turns = truths // len(rules)
    tracemalloc.start()
    try:
        decision_table(rules, sets)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert truths > 5_000_000
    assert peak < truths // 4 + 80 * turns
