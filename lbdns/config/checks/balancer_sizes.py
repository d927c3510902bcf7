"""Pools whose answers do not fit into a datagram: each client asks twice, the second time over TCP.

An answer has one record of a pool whose weights differ or whose clients stick, else all, or `max_answers` of them.
Hostnames that are answered as addresses count as one of each family, the least that they have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.kinds import Kind
from lbdns.base.wording import counted
from lbdns.config.yaml.source import Placed
from lbdns.dns.answer_room import ROOM_MIN, asked_bytes, frame_bytes, how_many_fit
from lbdns.dns.codes import NAME_BYTES_MAX, RECORD_HEAD_BYTES, TYPE_A, TYPE_AAAA, UDP_BYTES_MAX
from lbdns.dns.name import encode_canonical
from lbdns.dns.rdata.record_types import STEERED_TYPES, type_text
from lbdns.dns.wire import named_head_bytes
from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Endpoint, Pool

_ADDRESS_BYTES: Final = {TYPE_A: 4, TYPE_AAAA: 16}
_FEW_ADDRESSES: Final = ROOM_MIN // (RECORD_HEAD_BYTES + _ADDRESS_BYTES[TYPE_AAAA])
_FEW_HOSTS: Final = ROOM_MIN // (RECORD_HEAD_BYTES + named_head_bytes(0) + NAME_BYTES_MAX)
"""So many fit whatever is asked."""


def check_sizes(
    placed: Placed[LoadBalancer], name: bytes, named: Iterable[str], pools: Mapping[str, Placed[Pool]]
) -> Iterator[Problem]:
    """Yield a warning for each pool of a load balancer (`name`: wire) whose answer does not fit; `named`: the pools
    that it names anywhere."""
    balancer = placed.item
    few = _FEW_ADDRESSES if balancer.type == "A" else _FEW_HOSTS
    if not any(len(pools[one].item.origins) > few for one in named if one in pools):
        return
    if balancer.session_affinity == "ip_cookie" or not placed.knows("name", "type", "session_affinity"):
        return
    seen: set[str] = set()
    for location, names in (*balancer.pool_lists(), *balancer.fallback_pools()):
        for pool_name in names:
            pool = pools.get(pool_name)
            if pool is None or len(pool.item.origins) <= few or pool_name in seen:
                continue
            seen.add(pool_name)
            message = _message(pool.item, balancer.type, name) if pool.knows("origins", "max_answers") else ""
            if message:
                problem = placed.source.warning(location, f'pool "{pool_name}" answers {message}')
                yield replace(problem, beside=((Kind.POOL.section, pool_name),))


def _message(pool: Pool, kind: str, name: bytes) -> str:
    """Return what is wrong with the answers of a pool, "" where they fit."""
    found = {}
    fits = pool.max_answers
    for rtype in STEERED_TYPES[kind]:
        endpoints = [endpoint for endpoint in pool.origins if endpoint.is_used and _answers(endpoint, rtype)]
        if len({endpoint.weight for endpoint in endpoints}) != 1:
            continue
        sizes = sorted((_data_bytes(endpoint, rtype) for endpoint in endpoints), reverse=True)
        sizes = sizes[: pool.max_answers or None]
        if how_many_fit(sizes, len(name)) < len(sizes):
            size = frame_bytes(len(name)) + sum(RECORD_HEAD_BYTES + one for one in sizes)
            found[rtype] = f"{counted(len(sizes), f'{type_text(rtype)} record')} in {size:,} bytes"
            fitting = how_many_fit(sizes, asked_bytes(name))
            fits = min(fits, fitting) if fits else fitting
    if not found:
        return ""
    return (
        f"{' and '.join(found.values())} with a client subnet; an answer over UDP has at most {UDP_BYTES_MAX} bytes, "
        f"so it is truncated and asked for again over TCP; max_answers: {fits} fits"
    )


def _answers(endpoint: Endpoint, rtype: int) -> bool:
    if rtype not in _ADDRESS_BYTES:
        return endpoint.ip is None
    return endpoint.ip is None or len(endpoint.ip.packed) == _ADDRESS_BYTES[rtype]


def _data_bytes(endpoint: Endpoint, rtype: int) -> int:
    if rtype in _ADDRESS_BYTES:
        return _ADDRESS_BYTES[rtype]
    return named_head_bytes(rtype) + len(encode_canonical(endpoint.address))
