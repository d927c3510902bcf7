"""Pools and their endpoints as rows: what follows from a pool alone, made once, and then put into the columns."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address
from operator import or_
from typing import Final

import numpy as np

from lbdns.dns.name import encode_canonical
from lbdns.mapped.blob import Blob
from lbdns.mapped.columns import COLUMNS, RESOLVED_MAX
from lbdns.model.pool import EndpointKey, Pool
from lbdns.snapshot.compile.place_classes import unit_vectors
from lbdns.snapshot.slots import Slots
from lbdns.steering.kernel.numbers import (
    ENDPOINT_FLATTEN,
    ENDPOINT_HOSTNAME,
    ENDPOINT_REPEATED,
    FAMILY_A,
    FAMILY_AAAA,
    FAMILY_NAMED,
    LIST_HASHED,
    POOL_ENABLED,
    POOL_HAS_ENDPOINT,
    POOL_HAS_HOSTNAME,
    POOL_HASH,
    POOL_LOCATED,
    POOL_MONITORED,
    SHAPE_ONE,
    SHAPE_ZERO,
    SHED_BY_DRAW,
    SHED_BY_HASH,
)

FAMILIES: Final = (FAMILY_A, FAMILY_AAAA, FAMILY_NAMED)
HASHED_EVERYWHERE: Final = sum(LIST_HASHED << family for family in FAMILIES)
SHED_SCALE: Final = 1 << 32


def _sizes(**counts: int) -> tuple[tuple[str, int], ...]:
    """Return columns with the bytes that a row takes, of so many numbers."""
    return tuple((column, count * array(COLUMNS[column]).itemsize) for column, count in counts.items())


POOL_PARTS: Final = _sizes(
    pool_flags=1,
    pool_endpoint_count=1,
    pool_hash=1,
    pool_vector=3,
    pool_shed_threshold=2,
    pool_shed_policy=2,
    pool_shape=len(FAMILIES),
    pool_max_answers=1,
)
"""The columns that a pool fills by itself, and the bytes that it takes in each."""
ENDPOINT_PARTS: Final = _sizes(
    endpoint_weight=1,
    endpoint_families=1,
    endpoint_flags=1,
    endpoint_hash=1,
    endpoint_address=16,
    endpoint_port=1,
    endpoint_priority=1,
    endpoint_enabled=1,
)
"""The same of an endpoint."""

Columns = dict[str, "array[int]"]


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A pool's part of the columns, without what depends on other objects: where rows begin, slots, texts.

    `parts`: what to append to the columns of POOL_PARTS and ENDPOINT_PARTS, in their order. `targets`: wire names
    of the endpoints that are hostnames, None for the others. `hashed`: the families (LIST_HASHED << family) in
    which a hash of the source address can change the pool's part, for load balancers without and with stickiness;
    `hashed_as_fallback`: the same where the pool is the fallback. `gives_cname`: an endpoint that can be picked is
    answered as a CNAME where a name may have one. `families`: those that any endpoint in use has, as bits.
    """

    name: str
    parts: bytes
    keys: tuple[EndpointKey, ...]
    names: tuple[str, ...]
    targets: tuple[bytes | None, ...]
    hashed: tuple[int, int]
    hashed_as_fallback: tuple[int, int]
    gives_cname: bool
    families: int


def name_hash(name: str) -> int:
    """Return the 64-bit hash that stands for a pool's or endpoint's name in rendezvous hashing and shedding."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


def append_pool(columns: Columns, blob: Blob, row: PoolRow, slots: Slots) -> None:
    """Append a pool and its endpoints."""
    columns["pool_slot"].append(slots.pool[row.name])
    columns["pool_endpoint_start"].append(len(columns["endpoint_slot"]))
    columns["pool_text"].append(blob.add_text(row.name))
    at, parts = 0, row.parts
    for count, those in ((1, POOL_PARTS), (len(row.keys), ENDPOINT_PARTS)):
        for column, size in those:
            columns[column].frombytes(parts[at : at + count * size])
            at += count * size
    columns["endpoint_slot"].extend([slots.endpoint[key] for key in row.keys])
    for name, target in zip(row.names, row.targets, strict=True):
        columns["endpoint_target"].append(0 if target is None else blob.add(target))
        columns["endpoint_text"].append(blob.add_text(name))


def pool_row(pool: Pool) -> PoolRow:
    """Return a pool's row."""
    ips = [endpoint.ip for endpoint in pool.origins]
    families = [families_of(ip) if endpoint.is_used else 0 for endpoint, ip in zip(pool.origins, ips, strict=True)]
    ways = [1 if ip is not None else 2 for ip in ips]  # a hostname may have several addresses
    by_endpoint = [_endpoint_hashing(pool, families, ways, is_sticky) for is_sticky in (False, True)]
    by_shedding = [_shed_hashing(pool, is_sticky) for is_sticky in (False, True)]
    return PoolRow(
        name=pool.name,
        parts=b"".join((*_pool_parts(pool, families), *_endpoint_parts(pool, ips, families))),
        keys=tuple(map(pool.endpoint_key, pool.origins)),
        names=tuple(endpoint.name for endpoint in pool.origins),
        targets=tuple(
            encode_canonical(endpoint.address) if ip is None else None
            for endpoint, ip in zip(pool.origins, ips, strict=True)
        ),
        hashed=(by_endpoint[0] | by_shedding[0], by_endpoint[1] | by_shedding[1]),
        hashed_as_fallback=(by_endpoint[0], by_endpoint[1]),
        gives_cname=any(one.enabled and one.ip is None and not one.flatten_cname for one in pool.origins),
        families=reduce(or_, families, 0),
    )


def _packed(those: Iterable[tuple[str, int]], *parts: list[int] | list[bool] | bytes) -> Iterator[bytes]:
    for (column, _), values in zip(those, parts, strict=True):
        yield values if isinstance(values, bytes) else array(COLUMNS[column], values).tobytes()


def _pool_parts(pool: Pool, families: list[int]) -> Iterator[bytes]:
    flags = POOL_ENABLED if pool.enabled else 0
    flags |= POOL_MONITORED if pool.is_monitored else 0
    flags |= POOL_HAS_ENDPOINT if any(families) else 0
    flags |= POOL_HASH if pool.origin_steering.policy == "hash" else 0
    flags |= POOL_LOCATED if pool.latitude is not None else 0
    flags |= POOL_HAS_HOSTNAME if any(bits >> FAMILY_NAMED & 1 for bits in families) else 0
    shedding = _shedding(pool)
    vector = unit_vectors(np.array([pool.latitude or 0.0]), np.array([pool.longitude or 0.0]))
    return _packed(
        POOL_PARTS,
        [flags],
        [len(pool.origins)],
        [name_hash(pool.name)],
        vector.tobytes(),
        [threshold for threshold, _ in shedding],
        [policy for _, policy in shedding],
        [_shape(pool, families, family) for family in FAMILIES],
        [pool.max_answers],
    )


def _endpoint_parts(pool: Pool, ips: list[IPv4Address | IPv6Address | None], families: list[int]) -> Iterator[bytes]:
    endpoints = pool.origins
    counts = Counter([endpoint.address for endpoint in endpoints])
    return _packed(
        ENDPOINT_PARTS,
        [endpoint.weight_hundredths for endpoint in endpoints],
        families,
        [
            (ENDPOINT_HOSTNAME if ip is None else 0)
            | (ENDPOINT_FLATTEN if endpoint.flatten_cname else 0)
            | (ENDPOINT_REPEATED if counts[endpoint.address] > 1 else 0)
            for endpoint, ip in zip(endpoints, ips, strict=True)
        ],
        [name_hash(endpoint.name) for endpoint in endpoints],
        b"".join((b"" if ip is None else ip.packed).ljust(16, b"\0") for ip in ips),
        [endpoint.port for endpoint in endpoints],
        [endpoint.priority for endpoint in endpoints],
        [endpoint.is_used for endpoint in endpoints],
    )


def families_of(ip: IPv4Address | IPv6Address | None) -> int:
    """Return the families an endpoint can answer, as bits: an address its own, a hostname all three."""
    if ip is None:
        return 1 << FAMILY_A | 1 << FAMILY_AAAA | 1 << FAMILY_NAMED
    return 1 << (FAMILY_A if ip.version == 4 else FAMILY_AAAA)


def _shape(pool: Pool, families: list[int], family: int) -> int:
    """Return what the weights of the enabled endpoints of one family make of the pool's answers."""
    weights = [
        endpoint.weight_hundredths for endpoint, bits in zip(pool.origins, families, strict=True) if bits & 1 << family
    ]
    return (SHAPE_ONE if len(set(weights)) > 1 else 0) | (0 if any(weights) else SHAPE_ZERO)


def _shedding(pool: Pool) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return threshold and policy of the queries that are shed: per query, per session."""
    shedding = pool.load_shedding
    return (
        _shed(shedding.default_percent, shedding.default_policy),
        _shed(shedding.session_percent, shedding.session_policy),
    )


def _shed(percent: float, policy: str) -> tuple[int, int]:
    return round(percent / 100 * SHED_SCALE), SHED_BY_HASH if policy == "hash" else SHED_BY_DRAW


def _shed_hashing(pool: Pool, is_sticky: bool) -> int:
    threshold, policy = _shedding(pool)[is_sticky]
    return HASHED_EVERYWHERE if policy == SHED_BY_HASH and 0 < threshold < SHED_SCALE else 0


def _endpoint_hashing(pool: Pool, families: list[int], ways: list[int], is_sticky: bool) -> int:
    """Return the families in which the hash picks among several endpoints, or among several addresses of one."""
    if not is_sticky and pool.origin_steering.policy != "hash":
        return 0
    flags = 0
    for family in FAMILIES:
        # A sticky client gets one address of a hostname by its hash, others some where it may have more than an answer.
        several = (is_sticky or 0 < pool.max_answers < RESOLVED_MAX) and family != FAMILY_NAMED
        found = sum((bits >> family & 1) * (way if several else 1) for bits, way in zip(families, ways, strict=True))
        if found > 1:
            flags |= LIST_HASHED << family
    return flags
