"""Canary queries: a compiled snapshot must answer for its own names before anybody else is answered from it."""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from operator import attrgetter, is_, is_not
from typing import NamedTuple, TypeVar

from lbdns.answer.answer import Road, answer
from lbdns.answer.match import MatchKind, match
from lbdns.answer.render import render
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import make_query
from lbdns.base.errors import LbdnsError
from lbdns.base.memo import Chosen, shared_ends
from lbdns.dns.codes import CLASS_IN, HEADER_BYTES, NOERROR, TYPE_SOA
from lbdns.dns.message import Message, decode
from lbdns.dns.name import encode_canonical, longest_match
from lbdns.dns.rdata.record_types import STEERED_TYPES
from lbdns.dns.zone import Zone
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.placements import placements
from lbdns.model.view_names import PUBLIC, view_numbers
from lbdns.snapshot.lookup.look_up import directory_of

CANARIES_MAX = 2000  # of what changed: a reload of a very large configuration tries so many of its names
LED_MAX = 64
"""Load balancers that are as they were and answer from a pool that is not: so many are asked for, evenly of all. There
may be very many over one pool, and what became of it is the same for each."""
UNCHANGED_MAX = 16  # of the rest, others each time
QUERY_ID = 0x6C62
CLIENTS = (Client(bytes((127, 0, 0, 1)), 53), Client(bytes(15) + b"\x01", 53))
Asked = TypeVar("Asked")
_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")


class CanaryError(LbdnsError):
    """A compiled snapshot that does not answer for one of its own names: a fault of lbdns, not of the operator."""


class CanaryMemo:
    """Which load balancers are enabled, and who can answer from which pool: they are not asked again and again."""

    def __init__(self) -> None:
        """Begin with none."""
        self.enabled: Chosen[LoadBalancer] = Chosen(attrgetter("enabled"))
        self._those: Sequence[LoadBalancer] = ()
        self._led: dict[str, list[LoadBalancer]] = {}

    def led_by(self, pools: Iterable[str], balancers: Sequence[LoadBalancer]) -> Iterator[LoadBalancer]:
        """Yield those of some load balancers that can answer from any of some pools, each once; others are dropped."""
        first, last = shared_ends(self._those, balancers)
        went, came = self._those[first : len(self._those) - last], balancers[first : len(balancers) - last]
        self._those = balancers
        for balancer in went:
            for name in balancer.pool_names():
                those = self._led[name]
                del those[next(compress(itertools.count(), map(is_, those, itertools.repeat(balancer))))]
        for balancer in came:
            for name in balancer.pool_names():
                self._led.setdefault(name, []).append(balancer)
        found = itertools.chain.from_iterable(self._led.get(name, ()) for name in pools)
        return iter({id(one): one for one in found}.values())


def try_canaries(
    configuration: Configuration,
    snapshot: Snapshot,
    table: HealthTable,
    before: Configuration | None = None,
    memo: CanaryMemo | None = None,
    known: Sequence[Canary] = (),
) -> None:
    """Ask the snapshot for load balancers and zone apexes; raises CanaryError naming the first that fails.

    `before`: a configuration that passed, at the same place and with the same geolocation. What changed since is asked
    for first, and of the rest only a few, others with each generation. `memo`: what the last trial left. `known`: what
    to ask for, where it was chosen before.
    """
    view = ServingView(snapshot, table)
    view.limits_queries = False  # it is not asked who may ask
    now_s = int(time.monotonic())
    chosen = iter(known) if known else _chosen(configuration, before, snapshot.generation, memo or CanaryMemo())
    if configuration.settings.views:
        chosen = (one for one in chosen if one.must_answer or _stands(view, one))
    for one, client in zip(chosen, itertools.cycle(CLIENTS), strict=False):
        query = _HEADER.pack(QUERY_ID, 0, 1, 0, 0, 0) + one.owner + _QUESTION.pack(one.kind, CLASS_IN)
        if configuration.settings.views:
            reply = _respond_in_view(view, one.view, query, client, now_s)
        else:
            reply = respond(view, query, client, Transport.TCP, now_s, QUERY_ID)
        if reply is None or len(reply) < HEADER_BYTES or reply[3] & 0x0F != NOERROR:
            said = "nothing" if reply is None else f"rcode {reply[3] & 0x0F}"
            raise CanaryError(f"a canary query for {one.owner!r}, type {one.kind}, was answered with {said}")


class Canary(NamedTuple):
    """What is asked for: in which view (by its number), a name and a type; `must_answer`: nothing of another view may
    stand in its place."""

    view: int
    owner: bytes
    kind: int
    must_answer: bool = True


def few_canaries(configuration: Configuration, generation: int) -> Iterator[Canary]:
    """Yield what is asked for of a configuration that passed already, in which nothing changed since."""
    return _chosen(configuration, configuration, generation, CanaryMemo())


def _respond_in_view(view: ServingView, number: int, query: bytes, client: Client, now_s: int) -> bytes | None:
    """Return the reply that who is in a view gets; no client need be in it."""
    message = decode(query)
    assert isinstance(message, Message), "it was made here"
    asked = make_query(client, None, now_s, QUERY_ID)
    name, qtype = message.qname, message.qtype
    reply = answer(view, directory_of(number), name, message.qname_asked, qtype, asked, Transport.TCP, Road())
    return render(message, reply, Transport.TCP, view.nsid)


def _stands(view: ServingView, one: Canary) -> bool:
    """Return whether what everybody sees stands in a view: the view may have something else there, or not the zone."""
    return match(view, directory_of(one.view), one.owner, one.kind).kind in (MatchKind.STEERED, MatchKind.HIT)


def _chosen(
    configuration: Configuration, before: Configuration | None, generation: int, memo: CanaryMemo
) -> Iterator[Canary]:
    """Yield what to ask for: of all, or first of what changed and then of the rest."""
    asking = _CanaryWriter(configuration)
    zones = (*configuration.zones, *configuration.overlays)
    balancers = memo.enabled.of(configuration.load_balancers)
    if before is None:
        yield from _spread([*asking.of_zones(zones), *asking.of_balancers(balancers)], CANARIES_MAX)
        return
    changed = _changed(configuration, before, balancers, memo)
    known = {id(zone) for zone in (*before.zones, *before.overlays)}
    fresh = [zone for zone in zones if id(zone) not in known]
    yield from _spread([*asking.of_zones(fresh), *asking.of_balancers(changed)], CANARIES_MAX)
    # A step that grows with the configuration, from a start that moves: after as many generations all had their turn,
    # with one type; with the next after as many more.
    step = -(-(len(zones) + len(balancers)) // UNCHANGED_MAX) or 1
    turn, start = divmod(generation, step)
    yield from asking.of_zones(zones[start::step])
    yield from asking.of_balancers(balancers[(start - len(zones)) % step :: step], turn)


def _changed(
    configuration: Configuration, before: Configuration, balancers: Sequence[LoadBalancer], memo: CanaryMemo
) -> list[LoadBalancer]:
    """Return the load balancers that are not the ones they were, and LED_MAX at most of those that answer from a pool
    that is not."""
    first, last = shared_ends(before.load_balancers, configuration.load_balancers)
    end_before, end = len(before.load_balancers) - last, len(configuration.load_balancers) - last
    known = {*map(id, before.load_balancers[first:end_before])}
    changed = [one for one in configuration.load_balancers[first:end] if one.enabled and id(one) not in known]
    are_others = map(is_not, configuration.pools.values(), map(before.pools.get, configuration.pools))
    pools = [*compress(configuration.pools, are_others)]
    if not pools:
        return changed
    led = {*map(id, changed)}
    return [*changed, *_spread([one for one in memo.led_by(pools, balancers) if id(one) not in led], LED_MAX)]


class _CanaryWriter:
    """What to ask for, of a configuration: each zone and load balancer where it is seen."""

    def __init__(self, configuration: Configuration) -> None:
        self._numbers = view_numbers(configuration.settings.views)
        self._places: dict[int, list[tuple[str, str]]] = {}
        if configuration.settings.views:
            for one in placements(configuration):
                self._places.setdefault(id(one.load_balancer), []).append((one.owner, one.view))
        # Nothing is asked of a zone that is not ready: what lies over it answers again when it is.
        self._is_ready: dict[bytes, bool] = {}
        if configuration.unready:
            self._is_ready = {zone.apex: True for zone in configuration.zones}
            self._is_ready |= {one.zone.apex: False for one in configuration.unready}

    def of_zones(self, zones: Iterable[Zone]) -> Iterator[Canary]:
        """Yield the apexes of zones."""
        for zone in zones:
            yield Canary(self._numbers[zone.view or PUBLIC], zone.apex, TYPE_SOA, must_answer=bool(zone.view))

    def of_balancers(self, load_balancers: Iterable[LoadBalancer], turn: int | None = None) -> Iterator[Canary]:
        """Yield the names of load balancers, with each type that they answer, or with one of them by turns."""
        for one in load_balancers:
            for name, view in self._places.get(id(one), ((one.name, one.view),)):
                owner = encode_canonical(name)
                if self._is_ready and longest_match(owner, self._is_ready) is False:
                    continue
                kinds = STEERED_TYPES[one.type]
                for kind in kinds if turn is None else (kinds[turn % len(kinds)],):
                    yield Canary(self._numbers[view or PUBLIC], owner, kind, must_answer=bool(view))


def _spread(those: list[Asked], most: int) -> Sequence[Asked]:
    """Return at most so many of some questions or load balancers, evenly from all of them."""
    return those[:: -(-len(those) // most)] if those else ()
