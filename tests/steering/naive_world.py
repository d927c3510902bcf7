"""What the naive oracle is asked about: a world, a query in it, and the numbers that chance and hashes give."""

from __future__ import annotations

import hashlib
import ipaddress
import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from lbdns.model.configuration import Configuration
from lbdns.model.pool import Pool
from tests.steering.naive_places import UNKNOWN_PLACE, Address, Network, Place, look_up, turning_points

MASK_64 = 2**64 - 1
HASHED_BITS = {4: 24, 6: 56}  # how much of an ECS address a hash may look at


@dataclass
class World:
    """Everything that an answer depends on, save the query."""

    configuration: Configuration
    tree: dict[Network, Place]  # what the geolocation file holds; the longest prefix counts
    pop: Place = field(default_factory=lambda: dict(UNKNOWN_PLACE))  # this server's, with its "code" and "region"
    health: dict[tuple[str, int], str] = field(default_factory=dict)  # (pool, endpoint index): healthy | unhealthy
    forced: set[tuple[str, int]] = field(default_factory=set)  # whose health an operator forced
    rtt_ms: dict[tuple[str, str], float] = field(default_factory=dict)  # (pool, region)
    resolved: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)  # {"A": 2, "AAAA": 0, "expiry": s}

    rule_rows: dict[Any, Any] = field(default_factory=dict)  # what naive_rules.py has worked out
    _looked_up: dict[Address, Place] = field(default_factory=dict)

    def look_up(self, address: Address) -> Place:
        if address not in self._looked_up:
            self._looked_up[address] = look_up(self.tree, address)
        return self._looked_up[address]

    def addresses_of(self, pool: str, index: int, family: str) -> list[Address]:
        """Return the addresses of an endpoint in a family: its own, or what its host name resolved to.

        Every host name of a pool has one of them in common.
        """
        ip = self.configuration.pools[pool].origins[index].ip
        if ip is not None:
            return [ip] if ip.version == {"A": 4, "AAAA": 6}[family] else []
        count = self.resolved.get((pool, index), {}).get(family, 0)
        first = ipaddress.ip_address({"A": "198.51.100.0", "AAAA": "2001:db8:1::"}[family])
        return [first + (255 if number == 1 else 8 * index + number) for number in range(count)]

    @cached_property
    def places(self) -> list[Place]:
        """Every place that some address is in."""
        found = [
            self.look_up(family(point))
            for family in (ipaddress.IPv4Address, ipaddress.IPv6Address)
            for point in [0, *turning_points(self.tree, family(0).version)]
        ]
        return [place for index, place in enumerate(found) if place not in found[:index]]


@dataclass
class Asked:
    """One query: for whom, of which family ("A", "AAAA" or "named"), when, and with which random word.

    `wants_cname`: it asks for CNAME, and is decided as one for the family. `labels`: of the name, where that is not the
    load balancer's own.
    """

    family: str
    resolver: Address
    ecs: tuple[Address, int] | None = None  # address, SOURCE PREFIX-LENGTH
    draw_base: int = 0
    draw_fixed: bool = False
    now_s: int = 1_000_000
    wants_cname: bool = False
    labels: tuple[bytes, ...] = ()


# --- numbers ---------------------------------------------------------------------------------------------------------


def mix64(value: int) -> int:
    value ^= value >> 30
    value = value * 0xBF58476D1CE4E5B9 & MASK_64
    value ^= value >> 27
    value = value * 0x94D049BB133111EB & MASK_64
    return value ^ value >> 31


def draw(asked: Asked, salt: int) -> Fraction:
    """Return the query's draw `salt`, in [0, 1)."""
    word = asked.draw_base if asked.draw_fixed else mix64((asked.draw_base + salt * 0x9E3779B97F4A7C15) & MASK_64)
    return Fraction(word >> 32, 2**32)


def name_hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def address_key(address: Address, bits: int) -> int:
    """Return the hash key of an address's first `bits` bits."""
    width = address.max_prefixlen
    kept = int(address) >> (width - bits) << (width - bits)
    whole = kept << (128 - width)
    return mix64(mix64(whole >> 64 ^ address.version) ^ whole & MASK_64)


def rendezvous(pool: Pool, indexes: list[int], weights: list[int], key: int) -> int:
    """Return the position of the endpoint that a key falls to: the least of exponential draws by the weights."""

    def score(at: int) -> float:
        drawn = mix64(key ^ name_hash(pool.origins[indexes[at]].name))
        return -math.log(((drawn >> 11) + 1) / 2**53) / weights[at]

    return min(range(len(indexes)), key=score)
