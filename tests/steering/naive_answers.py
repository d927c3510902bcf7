"""The naive oracle's last step: how endpoints answer, and which of their addresses or hosts."""

from __future__ import annotations

import math
from typing import Any

from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Pool
from tests.steering.naive_places import Address
from tests.steering.naive_world import Asked, World, address_key, draw, mix64, name_hash

RRSET_MAX = 100  # records; no RRset is larger

Entry = tuple[int, Any]
"""An endpoint's index, and one of its addresses or None."""


def is_apex(world: World, lb: LoadBalancer) -> bool:
    wire = b"".join(bytes([len(label)]) + label.encode() for label in lb.name.lower().split(".")) + b"\0"
    return any(zone.apex == wire for zone in world.configuration.zones)


def is_cname(world: World, lb: LoadBalancer, pool: Pool, index: int, family: str) -> bool:
    endpoint = pool.origins[index]
    return family != "named" and endpoint.ip is None and not endpoint.flatten_cname and not is_apex(world, lb)


def can_answer(world: World, lb: LoadBalancer, pool: Pool, index: int, family: str) -> bool:
    """Tell whether an endpoint has something to say: a host name that does not resolve has not."""
    return family == "named" or is_cname(world, lb, pool, index, family) or resolves(world, pool, index, family)


def resolves(world: World, pool: Pool, index: int, family: str) -> bool:
    return pool.origins[index].ip is not None or world.resolved.get((pool.name, index), {}).get(family, 0) > 0


def ttl_s(world: World, lb: LoadBalancer, pool: Pool, flattened: list[int], asked: Asked) -> int:
    """Return the load balancer's TTL, or what the resolution of a flattened host name left if that is less."""
    left = [lb.ttl]
    for index in flattened:
        if pool.origins[index].ip is None:
            left.append(max(1, world.resolved[pool.name, index]["expiry"] - asked.now_s))
    return min(left)


def listed_addresses(world: World, pool: Pool, picks: list[int], family: str) -> list[Entry]:
    """Return every address of these endpoints, each once."""
    entries: list[Entry] = []
    for index in picks:
        for address in world.addresses_of(pool.name, index, family):
            if address not in [other for _, other in entries]:
                entries.append((index, address))
    return entries[:RRSET_MAX]


def choose_address(world: World, pool: Pool, pick: int, asked: Asked, key: int | None) -> int | None:
    """Return which of a host name's several addresses is the one answered; None where there is nothing to choose.

    `key`: a client's, where a hash chooses; None: it is drawn.
    """
    count = world.resolved.get((pool.name, pick), {}).get(asked.family, 0)
    if count < 2:
        return None
    return (int(draw(asked, 4) * 2**32) if key is None else mix64(key) >> 32) % count


def choose_answers(
    world: World, pool: Pool, are_all: bool, by_name: bool, picks: list[int], asked: Asked, key: int | None
) -> tuple[list[int], list[Address] | None]:
    """Return the endpoints that are answered, and their addresses in order (None: by name); `key` as above.

    Where all are answered and the pool says how many at most, each address has the same chance.
    """
    entries: list[Entry] = [(index, None) for index in picks]
    if not are_all and not by_name:
        found = world.addresses_of(pool.name, picks[0], asked.family)
        return picks, [found[choose_address(world, pool, picks[0], asked, key) or 0]]
    if not by_name:
        entries = listed_addresses(world, pool, picks, asked.family)
    most = pool.max_answers
    if are_all and 0 < most < len(entries):
        for place in range(most):
            if key is None:
                chosen = place + math.floor(draw(asked, 2**33 + place) * (len(entries) - place))
            else:
                scores = [_score(pool, entry, key) for entry in entries]
                chosen = max(range(place, len(entries)), key=scores.__getitem__)
            entries[place], entries[chosen] = entries[chosen], entries[place]
        entries = entries[:most]
        picks = list(dict.fromkeys(index for index, _ in entries))
    return picks, None if by_name else [address for _, address in entries]


def _score(pool: Pool, entry: Entry, key: int) -> int:
    """Return what an entry gets from the hash of a client; the greatest come first."""
    index, address = entry
    hashed = name_hash(pool.origins[index].name)
    if address is not None and pool.origins[index].ip is None:
        hashed ^= address_key(address, address.max_prefixlen)  # each of a host name's addresses has its own chance
    return mix64(key ^ hashed)
