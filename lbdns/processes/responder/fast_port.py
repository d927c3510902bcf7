"""The fast path in a responder process: a thread for each UDP socket, and the slow path behind it for what is deferred.

The thread answers without the interpreter (fastpath/loop.pyx). Here, on the event loop, it is given each new view, and
what it deferred is answered. The event loop's thread runs at a lower priority than the fast path's, so that a flood of
queries for the slow path takes only the time that the fast path leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lbdns.answer.rate_table import RateTable
from lbdns.answer.serving_view import ServingView
from lbdns.base.wording import counted
from lbdns.fastpath.read import NO_RATES, Server
from lbdns.fastpath.sampling import Sampler
from lbdns.mapped.counter_words import DEFERRED_COUNT, DROPPED_COUNT, GENERATION
from lbdns.mapped.counters import Counters
from lbdns.mapped.query_room import map_query_room
from lbdns.mapped.tap_ring import Tap
from lbdns.model.socket_address import format_socket_address
from lbdns.processes.beats import at_each_beat
from lbdns.processes.responder.datagram_port import Answerer
from lbdns.processes.responder.flood_watch import LOOK_S, FloodWatch
from lbdns.processes.responder.later_reply import LaterReply
from lbdns.processes.responder.paced_steps import PacedSteps
from lbdns.processes.responder.ready_thread import ReadyThread
from lbdns.processes.responder.taps import set_local
from lbdns.processes.responder.turns import TURN_MESSAGES, Rotation, Turns, TurnSource
from lbdns.processes.responder.view_in_force import Views

if TYPE_CHECKING:
    from lbdns.fastpath.known_networks import KnownNetworks
    from lbdns.fastpath.loop import Loop
    from lbdns.fastpath.rounds import Rounds

STOP_POLL_US = 250_000  # how long the thread may sleep before it sees that it shall stop
VIEW_POLL_S = 0.2  # how often a new generation is looked for where nobody tells of it
PIECE_S = 0.001
END_POLL_S = 0.005
SLOW_PATH_NICE = 15
SEED_BITS = 64
SHOWN_BYTES = 512
_TIMEVAL = struct.Struct("@ll")

log = logging.getLogger("lbdns.processes")


def load_loop() -> type[Loop] | None:
    """Return the compiled loop, or None where lbdns was built without a compiler or LBDNS_FAST_PATH=0 forbids it."""
    if os.environ.get("LBDNS_FAST_PATH") == "0":
        return None
    try:
        from lbdns.fastpath.loop import Loop
    except ImportError:
        return None
    return Loop


def parts_of(fast: int) -> int:
    """Return how many threads of a responder answer: the slow path's, and those of the fast path where it is there."""
    return fast + 1 if load_loop() else 1


def served(
    view: ServingView, listener: str
) -> tuple[Mapping[str, memoryview], Mapping[str, memoryview], int, int, int, Mapping[str, memoryview], int]:
    """Return what a Server serves of a view to who asks at a listener."""
    known = view.listener_view(listener)
    generation = view.snapshot.generation
    return view.columns, view.table.columns, view.region_index, known, generation, view.signature_columns, view.heard


def new_seed() -> int:
    """Return what a thread draws from, otherwise than any other."""
    return random.getrandbits(SEED_BITS)


def deferred_sources(ports: Sequence[RoundsPort]) -> list[TurnSource]:
    """Return what gives turns to what these sockets have deferred: of known networks, and of all others."""
    return [Rotation([port.deferred[is_known] for port in ports]) for is_known in (True, False)]


class Deferred:
    """What one socket's thread has deferred, of known networks or of unknown ones: networks have turns."""

    def __init__(self, port: RoundsPort, is_known: bool) -> None:
        """Answer for a socket."""
        self._port = port
        self._is_known = is_known

    def answer_some(self) -> bool:
        """Answer the datagrams whose turn it is; False where none waits."""
        return self._port.answer_some(self._is_known)


class RoundsPort:
    """What a thread of the fast path serves, from the event loop's side."""

    def __init__(
        self,
        loop: Rounds,
        views: Views,
        answerer: Answerer,
        words: memoryview,
        thread: ReadyThread | None = None,
        listener: str = "",
        sampler: Sampler | None = None,
        follow_tap: Callable[[ServingView], None] = lambda view: None,
        rates: RateTable = NO_RATES,
    ) -> None:
        """Have a thread run the rounds of `loop`; the rest as FastPort has it."""
        self._loop = loop
        self._listener = listener
        self._views = views
        self._answerer = answerer
        self._rates = rates
        self._words = words
        self._view = views.current()
        words[GENERATION] = self._view.snapshot.generation
        self._sampler, self._follow_tap = sampler, follow_tap
        self._follow_watching()
        self.deferred = tuple(Deferred(self, is_known) for is_known in (False, True))
        self._loop.start_with(self._server(), self._server())
        self._thread = thread or ReadyThread()
        # From where on of those that its thread deferred are counted, and how many of them the slow path has taken.
        self._deferred_from, self._taken = words[DEFERRED_COUNT], -self._loop.left
        self._may_wait = False
        self._before: ServingView | None = None  # the idle Server still has it
        self._following = PacedSteps(self._take_up_view, PIECE_S, VIEW_POLL_S)

    def _server(self) -> Server:
        server = Server(*served(self._view, self._listener))
        server.limit_by(self._rates)
        return server

    def _follow_watching(self) -> None:
        """Sample and tap as the view in force says."""
        self._follow_tap(self._view)
        if self._sampler is not None:
            self._sampler.set_privacy(*self._view.sampled_bits)

    @property
    def waiting(self) -> int:
        """How many queries wait for the slow path; some fewer or more while its thread defers others."""
        return max(self._words[DEFERRED_COUNT] - self._deferred_from - self._taken, 0)

    def wake(self) -> None:
        """Look for a new generation now."""
        self._following.wake()

    def start(self, turns: Turns | None = None) -> None:
        """Begin to serve, what was left behind first; called on the event loop. `turns`: those that include this."""
        self._turns = turns or Turns(deferred_sources([self]))
        if self._loop.left:
            log.info(
                "goes on with %s that the process before had in hand", counted(self._loop.left, "query", "queries")
            )
        for datagram, address, port in self._loop.left_out:
            self._words[DROPPED_COUNT] += 1
            told = "a query that two processes died of is left out: from %s, port %d: %s"
            log.error(told, ipaddress.ip_address(address), port, datagram[:SHOWN_BYTES].hex())
        self._thread.begin(self._loop.run)
        asyncio.get_running_loop().add_reader(self._loop.event_fd, self._hear)
        self._following.start()

    def _take_up_view(self) -> Iterator[None]:
        """Load a new view into the Server that is idle, and swap: the thread never waits.

        Pages are had before the swap, as the first query to touch one would wait for it, and given back before the
        mapping goes, both in small pieces: for as long as one takes in the kernel, this core does nothing else.
        """
        view = self._views.current()
        if view is self._view:
            return
        yield from view.snapshot.fault_in(self._view.snapshot)
        while (idle := self._loop.idle_server()) is None:  # a batch that began before the last swap still has it
            yield
        gone, self._before, self._view = self._before, self._view, view
        idle.load(*served(view, self._listener))
        self._follow_watching()
        self._loop.swap()
        self._words[GENERATION] = view.snapshot.generation
        if gone is not None:
            yield from gone.snapshot.let_go(view.snapshot)

    def _hear(self) -> None:
        """Have turns begin: the thread says once that something waits, and no more before all has been taken."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._loop.event_fd)
        self._may_wait = True
        self._turns.begin()

    def answer_some(self, is_known: bool) -> bool:
        """Answer the next deferred datagrams of known networks, or of unknown ones; False where there is none."""
        if not self._may_wait or not self._answer_next(is_known):
            return False
        for _ in range(TURN_MESSAGES - 1):
            if not self._answer_next(is_known):
                break
        return True

    def _answer_next(self, is_known: bool) -> bool:
        deferred = self._words[DEFERRED_COUNT]
        taken = self._loop.take(is_known)
        if taken is None:
            if self._loop.is_empty:  # and what comes from now on is told of
                self._may_wait = False
                self._deferred_from, self._taken = deferred, 0
            return False
        self._taken += 1
        # The view is asked for after the datagram was read: what arrives after a reload is answered from it.
        reply = self._answerer.udp_batch(self._listener)(*taken)
        if isinstance(reply, LaterReply):
            held = self._loop.held()
            reply.then(lambda data: self._loop.reply_to(*held, data or b""))
            reply = None
        self._loop.reply(reply or b"")
        return True

    async def stop(self) -> None:
        """Answer what has arrived, deferred datagrams too, and end the thread."""
        self._following.stop()
        self._loop.stop()
        while self._thread.is_alive():
            await asyncio.sleep(END_POLL_S)
        asyncio.get_running_loop().remove_reader(self._loop.event_fd)
        self._may_wait = True
        while any(one.answer_some() for one in self.deferred):
            pass


class FastPort(RoundsPort):
    """One UDP socket served by the fast path."""

    def __init__(
        self,
        loop_class: type[Loop],
        sock: socket.socket,
        views: Views,
        answerer: Answerer,
        words: memoryview,
        room: int | None = None,
        thread: ReadyThread | None = None,
        known: KnownNetworks | None = None,
        listener: str = "",
        sampler: Sampler | None = None,
        tap: Tap | None = None,
        follow_tap: Callable[[ServingView], None] = lambda view: None,
        rates: RateTable = NO_RATES,
    ):
        """Take over a bound UDP socket; `words`: the counters of its thread; `room`: the descriptor of memory for what
        is in hand, which others may have left there; `thread`: one that waits for work; without it, one is made.
        `known`: networks whose queries wait apart; `listener`: what the settings call the socket, `IP:PORT`; `sampler`:
        by which its thread samples, none by default; `tap`: what it copies for dnstap, which `follow_tap` opens and
        shuts; `rates`: where it counts the replies to networks of clients."""
        sock.setblocking(True)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL.pack(0, STOP_POLL_US))
        is_wildcard = not any(socket.inet_pton(sock.family, sock.getsockname()[0]))
        self._sock = sock
        in_hand = map_query_room(room, loop_class.room_bytes())
        loop = loop_class(sock.fileno(), is_wildcard, Counters(words), new_seed(), in_hand, known, sampler, tap)
        if tap is not None:
            set_local(tap, format_socket_address(*sock.getsockname()[:2]))
        self._floods = FloodWatch(sock, loop.floods, words)
        self._watching: asyncio.Task[None] | None = None
        super().__init__(loop, views, answerer, words, thread, listener, sampler, follow_tap, rates)

    def start(self, turns: Turns | None = None) -> None:
        """Begin to serve, what was left behind first; called on the event loop. `turns`: those that include this."""
        super().start(turns)
        self._watching = asyncio.create_task(at_each_beat(LOOK_S, self._look))

    @property
    def kept_out(self) -> list[str]:
        """The networks that flood and of which little is read."""
        return self._floods.networks

    def _look(self) -> None:
        self._floods.look(self._view.columns, time.monotonic())

    async def stop(self) -> None:
        """Answer what has arrived, deferred datagrams too, and end the thread."""
        if self._watching is not None:
            self._watching.cancel()
        self._floods.close()
        await super().stop()


def yield_to_fast_path() -> None:
    """Lower the priority of this thread, the event loop's; call it once the fast path's threads run."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), SLOW_PATH_NICE)
    except PermissionError:  # a filter of system calls, such as systemd's ~@resources
        log.warning("the slow path cannot give way to the fast path: setpriority(2) is not permitted")
