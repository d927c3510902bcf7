"""Canary queries: a compiled snapshot must answer for its own names before anybody else is answered from it."""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Callable, Iterable, Iterator

from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import CLASS_IN, HEADER_BYTES, NOERROR, TYPE_SOA
from lbdns.dns.name import encode_canonical
from lbdns.dns.rdata.record_types import STEERED_TYPES
from lbdns.dns.zone import Zone
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration

CANARIES_MAX = 2000  # of what changed: a reload of a very large configuration tries so many of its names
UNCHANGED_MAX = 200  # of the rest, others each time
QUERY_ID = 0x6C62
CLIENTS = (Client(bytes((127, 0, 0, 1)), 53), Client(bytes(15) + b"\x01", 53))
_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")


class CanaryError(LbdnsError):
    """A compiled snapshot that does not answer for one of its own names: a fault of lbdns, not of the operator."""


def try_canaries(
    configuration: Configuration, snapshot: Snapshot, table: HealthTable, before: Configuration | None = None
) -> None:
    """Ask the snapshot for load balancers and zone apexes; raises CanaryError naming the first that fails.

    `before`: a configuration that passed, at the same place and with the same geolocation. What changed since is asked
    for first, and of the rest only a few, others with each generation.
    """
    view = ServingView(snapshot, table)
    now_s = int(time.monotonic())
    chosen = _chosen(configuration, before, snapshot.generation)
    for (owner, kind), client in zip(chosen, itertools.cycle(CLIENTS), strict=False):
        query = _HEADER.pack(QUERY_ID, 0, 1, 0, 0, 0) + owner + _QUESTION.pack(kind, CLASS_IN)
        reply = respond(view, query, client, Transport.TCP, now_s, QUERY_ID)
        if reply is None or len(reply) < HEADER_BYTES or reply[3] & 0x0F != NOERROR:
            said = "nothing" if reply is None else f"rcode {reply[3] & 0x0F}"
            raise CanaryError(f"a canary query for {owner!r}, type {kind}, was answered with {said}")


def _chosen(configuration: Configuration, before: Configuration | None, generation: int) -> Iterator[tuple[bytes, int]]:
    """Yield what to ask for: of all, or first of what changed and then of the rest."""
    zones, balancers = configuration.zones, [one for one in configuration.load_balancers if one.enabled]
    if before is None:
        yield from _spread([*_of_zones(zones), *_of_balancers(balancers)], CANARIES_MAX)
        return
    is_changed = _changes(configuration, before)
    changed = [one for one in balancers if is_changed(one)]
    known = {id(zone) for zone in before.zones}
    fresh = [zone for zone in zones if id(zone) not in known]
    yield from _spread([*_of_zones(fresh), *_of_balancers(changed)], CANARIES_MAX)
    # A step that grows with the configuration, from a start that moves: after as many generations all had their turn.
    rest: list[Zone | LoadBalancer] = [*zones, *balancers]
    step = -(-len(rest) // UNCHANGED_MAX) or 1
    sample = rest[generation % step :: step]
    yield from _of_zones([one for one in sample if isinstance(one, Zone)])
    yield from _of_balancers([one for one in sample if isinstance(one, LoadBalancer)])


def _changes(configuration: Configuration, before: Configuration) -> Callable[[LoadBalancer], bool]:
    """Return how to tell whether a load balancer, or a pool that it answers from, is not the one it was."""
    known = {id(one) for one in before.load_balancers}
    pools = {name for name, pool in configuration.pools.items() if before.pools.get(name) is not pool}

    def is_changed(load_balancer: LoadBalancer) -> bool:
        return id(load_balancer) not in known or bool(pools and not pools.isdisjoint(load_balancer.pool_names()))

    return is_changed


def _of_zones(zones: Iterable[Zone]) -> Iterator[tuple[bytes, int]]:
    for zone in zones:
        yield zone.apex, TYPE_SOA


def _of_balancers(load_balancers: Iterable[LoadBalancer]) -> Iterator[tuple[bytes, int]]:
    for load_balancer in load_balancers:
        owner = encode_canonical(load_balancer.name)
        for kind in STEERED_TYPES[load_balancer.type]:
            yield owner, kind


def _spread(questions: list[tuple[bytes, int]], most: int) -> Iterable[tuple[bytes, int]]:
    """Return at most `most` of the questions, evenly from all of them."""
    return questions[:: -(-len(questions) // most)] if questions else ()
