"""Canary queries: a compiled snapshot must answer for its own names before anybody else is answered from it.

Each is asked in the view that it is of; what all see, in the public one, where something else may be in its place.
"""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from lbdns.answer.answer import Road, answer
from lbdns.answer.render import render
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import make_query
from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import CLASS_IN, HEADER_BYTES, NOERROR, NXDOMAIN, REFUSED, TYPE_SOA
from lbdns.dns.message import Message, decode
from lbdns.dns.name import encode_canonical
from lbdns.dns.rdata.record_types import STEERED_TYPES
from lbdns.dns.zone import Zone
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.placements import Placement, placements
from lbdns.model.views import EVERY_VIEW, view_numbers
from lbdns.snapshot.lookup.look_up import directory_of

CANARIES_MAX = 2000  # of what changed: a reload of a very large configuration tries so many of its names
UNCHANGED_MAX = 200  # of the rest, others each time
QUERY_ID = 0x6C62
CLIENTS = (Client(bytes((127, 0, 0, 1)), 53), Client(bytes(15) + b"\x01", 53))
_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")


class _Question(NamedTuple):
    """What is asked, and the view of what shall answer, "" for all."""

    owner: bytes
    kind: int
    view: str


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
    views = configuration.settings.views
    numbers = {EVERY_VIEW: 0, **view_numbers(views)}
    chosen = _chosen(configuration, before, snapshot.generation)
    for (owner, kind, seen_in), client in zip(chosen, itertools.cycle(CLIENTS), strict=False):
        query = _HEADER.pack(QUERY_ID, 0, 1, 0, 0, 0) + owner + _QUESTION.pack(kind, CLASS_IN)
        if views:
            reply = _respond_in(view, directory_of(numbers[seen_in]), query, client, now_s)
        else:
            reply = respond(view, query, client, Transport.TCP, now_s, QUERY_ID)
        rcode = None if reply is None or len(reply) < HEADER_BYTES else reply[3] & 0x0F
        if rcode == NOERROR or (views and seen_in == EVERY_VIEW and rcode in (NXDOMAIN, REFUSED)):
            continue
        said = "nothing" if rcode is None else f"rcode {rcode}"
        where = f", in the view {seen_in}" if seen_in else ""
        raise CanaryError(f"a canary query for {owner!r}, type {kind}{where}, was answered with {said}")


def _respond_in(view: ServingView, directory: int, query: bytes, client: Client, now_s: int) -> bytes | None:
    """Return what somebody is answered who is in the view of a directory, whoever he is."""
    message = decode(query)
    if not isinstance(message, Message):
        return None
    asked = make_query(client, None, now_s, QUERY_ID)
    found = answer(view, directory, message.qname, message.qname_asked, message.qtype, asked, Transport.TCP, Road())
    return render(message, found, Transport.TCP, view.nsid)


def _chosen(configuration: Configuration, before: Configuration | None, generation: int) -> Iterator[_Question]:
    """Yield what to ask for: of all, or first of what changed and then of the rest."""
    zones, balancers = configuration.zones, [*placements(configuration)]
    if before is None:
        yield from _spread([*_of_zones(zones), *_of_balancers(balancers)], CANARIES_MAX)
        return
    is_changed = _changes(configuration, before)
    changed = [one for one in balancers if is_changed(one.load_balancer)]
    known = {id(zone) for zone in before.zones}
    fresh = [zone for zone in zones if id(zone) not in known]
    yield from _spread([*_of_zones(fresh), *_of_balancers(changed)], CANARIES_MAX)
    # A step that grows with the configuration, from a start that moves: after as many generations all had their turn.
    rest: list[Zone | Placement] = [*zones, *balancers]
    step = -(-len(rest) // UNCHANGED_MAX) or 1
    sample = rest[generation % step :: step]
    yield from _of_zones([one for one in sample if isinstance(one, Zone)])
    yield from _of_balancers([one for one in sample if isinstance(one, Placement)])


def _changes(configuration: Configuration, before: Configuration) -> Callable[[LoadBalancer], bool]:
    """Return how to tell whether a load balancer, or a pool that it answers from, is not the one it was."""
    known = {id(one) for one in before.load_balancers}
    pools = {name for name, pool in configuration.pools.items() if before.pools.get(name) is not pool}

    def is_changed(load_balancer: LoadBalancer) -> bool:
        return id(load_balancer) not in known or bool(pools and not pools.isdisjoint(load_balancer.pool_names()))

    return is_changed


def _of_zones(zones: Iterable[Zone]) -> Iterator[_Question]:
    for zone in zones:
        yield _Question(zone.apex, TYPE_SOA, zone.view)


def _of_balancers(placed: Iterable[Placement]) -> Iterator[_Question]:
    for one in placed:
        owner = encode_canonical(one.owner)
        for kind in STEERED_TYPES[one.load_balancer.type]:
            yield _Question(owner, kind, one.view)


def _spread(questions: list[_Question], most: int) -> Iterable[_Question]:
    """Return at most `most` of the questions, evenly from all of them."""
    return questions[:: -(-len(questions) // most)] if questions else ()
