"""What fuzzing of the fast path holds to, and how it is checked; fuzz_guided.py, fuzz_seeded.py and the tests use it.

The invariant, for any bytes at all, any client and any draw:

1. `serve` never raises, reads nothing outside the datagram and writes nothing outside the reply it returns.
2. What it answers, `respond` (the slow path) answers byte for byte; what it drops, `respond` drops; all else it defers.
3. Interpreted and compiled it does the same.

A case is the datagram alone: client and draw follow from its checksum, so that a file replays it.
"""

from __future__ import annotations

import zlib
from array import array
from pathlib import Path

from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import halves
from lbdns.config.loading import parse
from lbdns.fastpath.layout import DEFERRED, DROPPED, OUT_BYTES
from lbdns.fastpath.templates import add_templates
from tests.answer import world
from tests.answer.lanes import compiled_view
from tests.fastpath.lanes import Lane, Served, compiled_lane, interpreted_lane, road_lane

CORPUS = Path(__file__).parent / "corpus" / "datagrams.hex"
NOW_S = 1_000_000
PORT = 40_000
GOLDEN = 0x9E3779B97F4A7C15
DRAW_MASK = (1 << 64) - 1
CLIENTS = (bytes((192, 0, 2, 7)), bytes((203, 0, 113, 99)), bytes.fromhex("20010db8000000000000000000000053"))


def read_corpus() -> list[bytes]:
    """Return the datagrams of the corpus: a file of one in hexadecimal a line."""
    return [bytes.fromhex(line) for line in CORPUS.read_text().splitlines()] if CORPUS.exists() else []


def write_corpus(datagrams: list[bytes]) -> None:
    """Write the corpus, short ones first, so that an update shows as few changed lines."""
    ordered = sorted(set(datagrams), key=lambda datagram: (len(datagram), datagram))
    CORPUS.write_text("".join(datagram.hex() + "\n" for datagram in ordered))


def make_view(folder: Path) -> ServingView:
    """Return the wire tests' configuration, which has one of everything, with its templates."""
    geodata = world.write_geodata(folder / "places.mmdb")
    made = compiled_view(parse(dict(world.configuration(geodata)), folder).configuration, folder)
    return ServingView(add_templates(made.snapshot, made), made.table)


def available_lanes() -> list[Lane]:
    """Return the interpreted lane, and the compiled ones where they are installed."""
    return [interpreted_lane(), *(lane for lane in (compiled_lane(), road_lane()) if lane)]


def exact_buffer(data: bytes) -> memoryview:
    """Return a copy in an allocation of exactly its size; bytes, bytearray and array("B", data) have more behind it."""
    buffer = memoryview(array("B", [0]) * len(data))
    buffer[:] = memoryview(data)
    return buffer


class _ExactlyServed:
    """A view behind one lane; each buffer is an allocation of its own that ends where the datagram or the reply may."""

    def __init__(self, lane: Lane, view: ServingView, is_stream: bool = False) -> None:
        self._serve = lane.serve
        self._server = lane.server_class(view.columns, view.table.columns, view.region_index)
        self._server.is_stream = is_stream

    def ask(self, datagram: bytes, client: bytes, now_s: int, draw: int) -> bytes | int:
        """Return what `Served.ask` would."""
        server, query = self._server, self._server.query
        query.resolver_version = 4 if len(client) == 4 else 6
        query.resolver_high, query.resolver_low = halves(client)
        query.now_s, query.draw_base = now_s, draw
        out = exact_buffer(bytes(OUT_BYTES))
        size: int = self._serve(server, exact_buffer(datagram), 0, len(datagram), out, 0)
        return out[:size].tobytes() if size > 0 else size


class Checker:
    """Holds datagrams to the invariant, on the given lanes."""

    def __init__(self, view: ServingView, lanes: list[Lane], exact: bool = False) -> None:
        """Prepare; `exact`: buffers of just the size needed, for AddressSanitizer, instead of guards around them."""
        self._view = view
        made = _ExactlyServed if exact else Served
        self._served = {
            transport: [(lane.name, made(lane, view, transport is Transport.TCP)) for lane in lanes]
            for transport in (Transport.TCP, Transport.UDP)
        }

    def check(self, datagram: bytes) -> bytes | int:
        """Assert the invariant for a datagram, and for the same message over TCP; return what was said of the datagram:
        the reply, DROPPED or DEFERRED."""
        self.check_over(Transport.TCP, datagram)
        return self.check_over(Transport.UDP, datagram)

    def check_over(self, transport: Transport, datagram: bytes) -> bytes | int:
        """Assert the invariant for a message; return the reply, DROPPED or DEFERRED."""
        checksum = zlib.crc32(datagram)
        client = CLIENTS[checksum % len(CLIENTS)]
        draw = checksum * GOLDEN & DRAW_MASK
        said = {name: served.ask(datagram, client, NOW_S, draw) for name, served in self._served[transport]}
        first = next(iter(said.values()))
        assert all(other == first for other in said.values()), f"lanes differ: {said} for {datagram.hex()}"
        if first != DEFERRED:
            slow = respond(self._view, datagram, Client(client, PORT), transport, NOW_S, draw)
            fast = None if first == DROPPED else first
            assert fast == slow, f"{transport}: fast {fast!r}, slow {slow!r} for {datagram.hex()}"
        return first
