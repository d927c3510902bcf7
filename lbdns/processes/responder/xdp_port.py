"""One queue of a network card, served by the fast path, and how its socket is come by.

    the supervisor's door: asked --given--> served until the end
                                '- not there, refused --> asked again: meanwhile the kernel's sockets get its queries

The rights that such a socket takes are the supervisor's, which makes one for whoever asks (xdp_keeper.py); a socket
serves one process, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from lbdns.answer.rate_table import RateTable
from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.fastpath.read import NO_RATES
from lbdns.fastpath.sampling import Sampler
from lbdns.mapped.counters import Counters
from lbdns.mapped.query_room import map_query_room
from lbdns.mapped.run_directory import RunDirectory, unix_address
from lbdns.mapped.tap_ring import Tap
from lbdns.mapped.xdp_words import XDP_LOST
from lbdns.processes.responder.datagram_port import Answerer
from lbdns.processes.responder.fast_port import RoundsPort, load_loop, new_seed
from lbdns.processes.responder.ready_thread import ReadyThread
from lbdns.processes.responder.turns import Turns
from lbdns.processes.responder.view_in_force import Views

if TYPE_CHECKING:
    from lbdns.fastpath.known_networks import KnownNetworks
    from lbdns.xdp.frame_loop import FrameLoop

ASK_S: Final = 5.0
RETRY_S: Final = 0.1
RETRY_MAX_S: Final = 5.0
COUNT_S: Final = 1.0
PATIENCE_S: Final = 3.0
"""How long a queue may be another's before that is told of: the one before has it until it ends."""
ANSWER_BYTES: Final = 4096

log = logging.getLogger("lbdns.processes")


class GivenQueue(NamedTuple):
    """A socket for a queue, and the filter's map where it is to stand; `copies`: the kernel copies frames."""

    socket_fd: int
    map_fd: int
    interface: int
    name: str
    copies: bool


def load_frame_loop() -> type[FrameLoop] | None:
    """Return the compiled loop over frames, None where lbdns was built without it, or without the fast path."""
    if load_loop() is None:
        return None
    try:
        from lbdns.xdp.frame_loop import FrameLoop
    except ImportError:
        return None
    return FrameLoop


def ask_for_queue(path: Path, queue: int) -> GivenQueue:
    """Return a socket for a queue; raises OSError where nobody is there, LbdnsError where it is refused."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(ASK_S)
        with unix_address(path) as address:
            channel.connect(address)
        channel.sendall(json.dumps({"queue": queue}).encode() + b"\n")
        message, descriptors, _, _ = socket.recv_fds(channel, ANSWER_BYTES, 2)
    try:
        said = json.loads(message)
        if "error" in said:
            raise LbdnsError(str(said["error"]))
        socket_fd, map_fd = descriptors
        return GivenQueue(socket_fd, map_fd, int(said["index"]), str(said["interface"]), bool(said["copies"]))
    except (ValueError, KeyError, TypeError) as error:
        for descriptor in descriptors:
            os.close(descriptor)
        raise LbdnsError(f"{path}: what was said of queue {queue} is not understood") from error


class FramePort(RoundsPort):
    """One queue served by the fast path."""

    def __init__(
        self,
        run: RunDirectory,
        queue: int,
        views: Views,
        answerer: Answerer,
        words: memoryview,
        room: int | None = None,
        thread: ReadyThread | None = None,
        known: KnownNetworks | None = None,
        sampler: Sampler | None = None,
        tap: Tap | None = None,
        follow_tap: Callable[[ServingView], None] = lambda view: None,
        rates: RateTable = NO_RATES,
    ) -> None:
        """Prepare to read a queue, whose socket is asked for at a run directory's door; the rest as FastPort has it.
        Raises LbdnsError where lbdns was built without XDP."""
        loop_class = load_frame_loop()
        if loop_class is None:
            raise LbdnsError("lbdns was built without XDP")
        in_hand = map_query_room(room, loop_class.room_bytes())
        self._frames = loop_class(Counters(words), new_seed(), in_hand, known, sampler, tap)
        self._run = run
        self._queue = queue
        self._asking: asyncio.Task[None] | None = None
        self._lost_from = words[XDP_LOST]  # in the queues of processes before
        super().__init__(self._frames, views, answerer, words, thread, "", sampler, follow_tap, rates)

    @property
    def is_serving(self) -> bool:
        """Whether the queue's frames come here."""
        return self._frames.rings.is_serving

    def start(self, turns: Turns | None = None) -> None:
        """Begin to serve as soon as the queue can be had; called on the event loop."""
        super().start(turns)
        self._asking = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        await self._ask()
        while True:
            await asyncio.sleep(COUNT_S)
            self._count_lost()

    def _count_lost(self) -> None:
        self._words[XDP_LOST] = self._lost_from + self._frames.rings.losses

    async def _ask(self) -> None:
        given = await self._given()
        rings = self._frames.rings
        rings.give(given.socket_fd, given.map_fd, given.interface, self._queue, given.copies)
        patience_s, is_told = PATIENCE_S, False
        while not rings.is_serving:
            await asyncio.sleep(RETRY_S)
            patience_s -= RETRY_S
            if patience_s <= 0 and not is_told and rings.failure:
                is_told = True
                log.error("xdp: %s: queue %d cannot be had yet: %s", given.name, self._queue, _explain(rings.failure))
        log.info("xdp: queue %d of %s is read", self._queue, given.name)

    async def _given(self) -> GivenQueue:
        wait_s, told = RETRY_S, ""
        while True:
            try:
                return await asyncio.to_thread(ask_for_queue, self._run.xdp, self._queue)
            except (LbdnsError, OSError) as error:
                if isinstance(error, LbdnsError) and str(error) != told:
                    told = str(error)
                    log.error("xdp: queue %d: %s; the sockets serve its queries", self._queue, told)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_MAX_S)

    async def stop(self) -> None:
        """Answer what has arrived, deferred datagrams too, end the thread and let go of the queue."""
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking
        await super().stop()
        self._count_lost()
        self._frames.close()


def _explain(number: int) -> str:
    if number == errno.ENOBUFS:
        return "too little memory may be locked (systemd: LimitMEMLOCK=infinity, else `ulimit -l`); 6 MB for each queue"
    if number == errno.EBUSY:
        return "another process reads it"
    return os.strerror(number)
