"""Canary queries: a compiled snapshot must answer for its own names before anybody else is answered from it."""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Iterable, Iterator

from lbdns.errors import LbdnsError
from lbdns.health.table import HealthTable
from lbdns.model import Configuration
from lbdns.responder import Client, Transport, View, respond
from lbdns.snapshot.file import Snapshot
from lbdns.snapshot.wirenames import wire_name
from lbdns.wire.codes import CLASS_IN, HEADER_BYTES, NOERROR, TYPE_A, TYPE_AAAA, TYPE_MX, TYPE_SOA, TYPE_SRV

CANARIES_MAX = 2000  # a reload of a very large configuration tries so many of its names
QUERY_ID = 0x6C62
CLIENTS = (Client(bytes((127, 0, 0, 1)), 53), Client(bytes(15) + b"\x01", 53))
TYPES = {"A": (TYPE_A, TYPE_AAAA), "MX": (TYPE_MX,), "SRV": (TYPE_SRV,)}
_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")


class CanaryError(LbdnsError):
    """A compiled snapshot that does not answer for one of its own names: a fault of lbdns, not of the operator."""


def try_canaries(configuration: Configuration, snapshot: Snapshot, table: HealthTable) -> None:
    """Ask the snapshot for load balancers and zone apexes; raises CanaryError naming the first that fails."""
    view = View(snapshot, table)
    now_s = int(time.time())
    wanted = _spread(list(_questions(configuration)), CANARIES_MAX)
    for (owner, kind), client in zip(wanted, itertools.cycle(CLIENTS), strict=False):
        query = _HEADER.pack(QUERY_ID, 0, 1, 0, 0, 0) + owner + _QUESTION.pack(kind, CLASS_IN)
        reply = respond(view, query, client, Transport.TCP, now_s, QUERY_ID)
        if reply is None or len(reply) < HEADER_BYTES or reply[3] & 0x0F != NOERROR:
            said = "nothing" if reply is None else f"rcode {reply[3] & 0x0F}"
            raise CanaryError(f"a canary query for {owner!r}, type {kind}, was answered with {said}")


def _questions(configuration: Configuration) -> Iterator[tuple[bytes, int]]:
    for zone in configuration.zones:
        yield zone.apex, TYPE_SOA
    for load_balancer in configuration.load_balancers:
        if load_balancer.enabled:
            for kind in TYPES[load_balancer.type]:
                yield wire_name(load_balancer.name), kind


def _spread(questions: list[tuple[bytes, int]], most: int) -> Iterable[tuple[bytes, int]]:
    """Return at most `most` of the questions, evenly from all of them."""
    return questions[:: -(-len(questions) // most)] if questions else ()
