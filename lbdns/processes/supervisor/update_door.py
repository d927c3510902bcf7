"""Where responders bring updates: a UNIX socket in the run directory, as long as a supervisor is there.

    responder --ASK--> judged again by what is in force --> the store's queue --> SAID
                             |                         '--> the zone's primary, where it is another's --> HANDED
                             '--> the same that is under way: one answer for both

Nobody is told NOERROR before what he asked for is stored and served. A responder that asks while this server begins
waits until the store is there; one whose connection ends asks again, and the store knows what it has of that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, cast

from lbdns.answer.access_table import AccessTable
from lbdns.base.accepting import Acceptor, streams
from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import REFUSED, SERVFAIL
from lbdns.dns.name import show_name
from lbdns.dns.update_message import decode_update
from lbdns.dnssec.signer.signer_frames import Frame, FrameReader
from lbdns.mapped.run_directory import RunDirectory, is_private
from lbdns.mapped.snapshot_file import ACCESS
from lbdns.mapped.socket_file import SocketFile, check_unused, listen_privately
from lbdns.model.transfer_policy import TransferPolicies
from lbdns.publish.publisher import Published
from lbdns.transfer.update.asked_update import AskedUpdate, UpdateTaker
from lbdns.transfer.update.forwarding import forward
from lbdns.transfer.update.update_frames import UPDATE_FRAME_BYTES_MAX, AskedFor, decode_ask, encode_said
from lbdns.transfer.update.update_section import Objects, UpdateOutcome, check_forwarded
from lbdns.transfer.update.updates_under_way import Said, UpdatesUnderWay, update_digest

CONNECTIONS_MAX: Final = 512
"""Responders, and those that take their place."""
BACKLOG: Final = 64
DRAIN_S: Final = 5.0
TAKER_WAIT_S: Final = 10.0
"""How long an update waits for the store while the server begins."""
NOT_YET: Final = UpdateOutcome(SERVFAIL, "the server is not ready for updates yet")
NOT_PERMITTED: Final = "it is not among what may be updated by who asks"

log = logging.getLogger("lbdns.updates")


class UpdateDoor:
    """Listens from `open` to `close`, on one event loop."""

    def __init__(self, run: RunDirectory, in_force: Callable[[], Published]) -> None:
        """Describe it; `in_force` gives what is served, or raises LbdnsError."""
        self._run = run
        self._in_force = in_force
        self._loop = asyncio.get_running_loop()
        self._taker: asyncio.Future[UpdateTaker] = self._loop.create_future()
        self._under_way = UpdatesUnderWay()
        self._generation = -1
        self._access, self._policies = AccessTable({}), TransferPolicies()
        self._acceptor: Acceptor | None = None
        self._file: SocketFile | None = None
        self.connections: set[BroughtUpdates] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Listen, in place of whoever did; raises LbdnsError."""
        path = self._run.updates
        sock, file = listen_privately(path, "the socket of updates", BACKLOG)
        self._stop_listening()
        self._file = file
        self._acceptor = Acceptor(sock, streams(lambda: BroughtUpdates(self)), str(path), lambda: None)

    def use(self, taker: UpdateTaker) -> None:
        """Have updates made by `taker` from now on; may be called from any thread."""

        def begin() -> None:
            if self._taker.done():
                self._taker = self._loop.create_future()
            self._taker.set_result(taker)

        self._loop.call_soon_threadsafe(begin)

    def told(self) -> str:
        """Return what it is and where, in words."""
        return f"the socket of updates {self._run.updates}"

    def is_lost(self) -> bool:
        """Whether the socket's file was removed or replaced, or the run directory is another; a run directory that is
        not ours alone is first made anew (run_keeper.py)."""
        if self._file is None or not is_private(self._run.path):
            return False
        return self._file.path != self._run.updates or self._file.is_lost

    def renew(self) -> None:
        """Listen on another socket at the same place; raises LbdnsError."""
        check_unused(self._run.updates)
        self.open()

    def _stop_listening(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()

    async def close(self) -> None:
        """Listen no more, answer what is under way, and part with all."""
        self._stop_listening()
        file, self._file = self._file, None  # it is lost to nobody who would make it again
        if file is not None:
            file.remove()
        if self.tasks:
            await asyncio.wait(tuple(self.tasks), timeout=DRAIN_S)
        for one in tuple(self.connections):
            one.send()
            one.abort()

    async def say(self, asked: AskedFor) -> Said:
        """Return what is said of an update once that is known; raises nothing."""
        digest = update_digest(asked.address, asked.message)
        try:
            return await self._under_way.once(digest, lambda: self._make(asked, digest))
        except LbdnsError as error:
            log.error("an update cannot be made: %s", error)
            return NOT_YET

    async def _make(self, asked: AskedFor, digest: bytes) -> Said:
        message = decode_update(asked.message)
        if isinstance(message, int):
            return UpdateOutcome(message)
        published = self._in_force()
        self._follow(published)
        objects = self._objections(message.apex, asked)
        if objects is None:
            return UpdateOutcome(REFUSED, f"{show_name(message.apex)}: {NOT_PERMITTED}")
        policy = self._policies.of(message.apex)
        if policy.is_secondary:
            refusal = check_forwarded(message.updates, objects)
            if refusal is not None:
                return refusal
            return await forward(asked.message, asked.is_tcp, policy.primaries)
        taker = await self._find_taker()
        if taker is None:
            return NOT_YET
        who = f"key {show_name(asked.key)}" if asked.key else f"{ip_address(asked.address)}, unsigned"
        return await taker.take(AskedUpdate(message, who, asked.view, objects, digest))

    async def _find_taker(self) -> UpdateTaker | None:
        """Return who makes updates, None where nobody does before long."""
        if not self._taker.done():
            await asyncio.wait((self._taker,), timeout=TAKER_WAIT_S)
        return self._taker.result() if self._taker.done() else None

    def _follow(self, published: Published) -> None:
        """Go by what is in force."""
        if self._generation != published.generation:
            self._generation = published.generation
            self._access = AccessTable(published.snapshot.meta.get(ACCESS, {}))
            self._policies = published.configuration.transfer_policies

    def _objections(self, apex: bytes, asked: AskedFor) -> Objects | None:
        """Return what whoever asks may not change, None where that is everything."""
        table = self._access
        if not table.holds("update", apex, asked.address, asked.key):
            return None

        def objects(owner: bytes, rdtype: int, is_added: bool) -> str:
            return "" if table.judge_update(apex, asked.address, asked.key, owner, rdtype) else NOT_PERMITTED

        return objects


class BroughtUpdates(asyncio.Protocol):
    """One responder's connection."""

    def __init__(self, door: UpdateDoor) -> None:
        self._door = door
        self._reader = FrameReader(UPDATE_FRAME_BYTES_MAX)
        self._transport: asyncio.Transport | None = None
        self._said: list[bytes] = []  # what goes out together: a batch is answered at once

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or refuse."""
        self._transport = cast(asyncio.Transport, transport)
        if len(self._door.connections) >= CONNECTIONS_MAX:
            self.abort()
        else:
            self._door.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Take the requests that are whole now; who sends what is none is parted with."""
        try:
            for frame in self._reader.take(data):
                self._begin(frame, decode_ask(frame))
        except LbdnsError as error:
            log.warning("a responder is not heard any more: %s", error)
            self.abort()

    def _begin(self, frame: Frame, asked: AskedFor) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(frame.number, asked))
        self._door.tasks.add(task)
        task.add_done_callback(self._door.tasks.discard)

    async def _answer(self, number: int, asked: AskedFor) -> None:
        try:
            said = await self._door.say(asked)
        except Exception:  # a mistake of ours costs one answer
            log.exception("lbdns failed on an update")
            said = UpdateOutcome(SERVFAIL)
        if not self._said:
            asyncio.get_running_loop().call_soon(self.send)
        self._said.append(encode_said(number, said))

    def send(self) -> None:
        """Send what was said since the last time, unless whoever asked has gone."""
        said, self._said = self._said, []
        if said and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(said))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it: what was asked for is made all the same, and known when it is asked for again."""
        self._door.connections.discard(self)
        self._transport = None

    def abort(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()
