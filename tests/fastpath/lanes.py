"""The fast path's `serve` in its two forms: read from its sources, and compiled where the extension is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import halves
from tests.interpreted import standing_in

# In the order of their imports.
KERNEL = (
    "dns.wire",
    "dns.server_cookie",
    "dns.proxy_header",
    "mapped.fence",
    "mapped.octets",
    "mapped.typed_columns",
    "mapped.signature_lookup",
    "steering.kernel.hashing",
    "answer.rate_table",
    "steering.kernel.view",
    "steering.kernel.endpoints",
    "steering.kernel.message_tests",
    "steering.kernel.decide",
    "snapshot.lookup.name_table",
    "snapshot.lookup.look_up",
    "snapshot.lookup.view_of",
    "snapshot.lookup.denial",
    "fastpath.read",
    "fastpath.write_opt",
    "fastpath.write",
    "fastpath.proofs",
    "fastpath.signed",
    "mapped.counters",
    "fastpath.limit",
    "fastpath.serve",
)
SAMPLING = ("mapped.sample_ring", "fastpath.sampling")
GUARD = 0xA5
GUARD_BYTES = 64
ROOM_BYTES = 2048


@dataclass(frozen=True)
class Lane:
    """One form: its `Server` class, its `serve` as it is, and one for callers with buffers of their own; where it has
    them, its `sampling`, and the `SampleRing` that this writes to; the `RateTable` that it counts in."""

    name: str
    server_class: Any
    kernel_serve: Callable[..., int]
    sampling: Any = None
    ring_class: Any = None
    table_class: Any = None

    @property
    def serve(self) -> Callable[..., int]:
        """Serve the datagram `data[start:start + length]` into `out[base:]`."""
        return with_buffers(self.kernel_serve)


class Served:
    """A view behind one lane; buffers have guards around them that must stay as they are."""

    def __init__(self, lane: Lane, view: ServingView, is_stream: bool = False) -> None:
        self._lane, self._view = lane, view
        self._serve = lane.serve
        self.server = lane.server_class(
            view.columns, view.table.columns, view.region_index, signatures=view.signature_columns
        )
        self.server.is_stream = is_stream
        self._out = bytearray([GUARD]) * (ROOM_BYTES + 2 * GUARD_BYTES)

    @cached_property
    def stream(self) -> Served:
        """The same for messages over TCP."""
        return Served(self._lane, self._view, is_stream=True)

    def ask(self, datagram: bytes, client: bytes, now_s: int, draw: int) -> bytes | int:
        """Return the reply, or what `serve` returned instead of one (DROPPED, DEFERRED)."""
        query = self.server.query
        query.resolver_version = 4 if len(client) == 4 else 6
        query.resolver_high, query.resolver_low = halves(client)
        query.now_s = now_s
        query.draw_base = draw
        padded = b"\xff" * GUARD_BYTES + datagram + b"\xff" * GUARD_BYTES
        size = self._serve(
            self.server, memoryview(padded), GUARD_BYTES, len(datagram), memoryview(self._out), GUARD_BYTES
        )
        end = GUARD_BYTES + max(size, 0)
        assert self._out[:GUARD_BYTES] == bytes([GUARD]) * GUARD_BYTES, "written before the reply"
        assert self._out[-GUARD_BYTES:] == bytes([GUARD]) * GUARD_BYTES, "written after the room"
        return bytes(self._out[GUARD_BYTES:end]) if size > 0 else size


def with_buffers(serve: Callable[..., int]) -> Callable[..., int]:
    """Return `serve` for callers with buffers of their own: the datagram `data[start:start + length]`, and room for a
    reply at `out[base:]`."""

    def serve_buffers(server: Any, data: memoryview, start: int, length: int, out: memoryview, base: int) -> int:
        server.incoming = data
        server.outgoing = out
        return serve(server, start, length, base)

    return serve_buffers


def compiled_lane() -> Lane | None:
    """Return the installed extension, None where lbdns runs without one."""
    modules = {name: importlib.import_module(f"lbdns.{name}") for name in (*KERNEL, *SAMPLING)}
    if any(str(module.__file__).endswith(".py") for module in modules.values()):
        return None
    return lane_of("compiled", modules)


def road_lane() -> Lane | None:
    """Return the compiled lane with `serve` as the rounds have it, in one piece (setup.py); None as above."""
    found = compiled_lane()
    if found is None:
        return None
    serve_in_rounds = importlib.import_module("lbdns.fastpath.rounds").serve_in_rounds
    return replace(found, name="compiled in one piece", kernel_serve=serve_in_rounds)


def interpreted_lane() -> Lane:
    """Return the kernel read from its sources, whether or not an extension stands beside them."""
    with ExitStack() as stack:
        modules = {name: stack.enter_context(standing_in(name)) for name in (*KERNEL, *SAMPLING)}
    return lane_of("interpreted", modules)


def lane_of(name: str, modules: Mapping[str, Any]) -> Lane:
    """Return the lane that modules of the kernel make."""
    return Lane(
        name,
        modules["fastpath.read"].Server,
        modules["fastpath.serve"].serve,
        modules["fastpath.sampling"],
        modules["mapped.sample_ring"].SampleRing,
        modules["answer.rate_table"].RateTable,
    )
