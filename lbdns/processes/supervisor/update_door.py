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
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from ipaddress import ip_address
from typing import Any, Final, NamedTuple, cast

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
from lbdns.model.transfer_policy import TransferPolicies, TransferPolicy
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
STANDINGS_MAX: Final = 4096
"""Who was judged lately, as to which zone."""
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
        self.under_way = UpdatesUnderWay()
        self._generation = -1
        self._rows: Mapping[str, Any] = {}
        self._access, self._policies = AccessTable({}), TransferPolicies()
        self._standings: dict[tuple[bytes, bytes, bytes], _Standing] = {}  # by zone, address and key
        self._acceptor: Acceptor | None = None
        self._file: SocketFile | None = None
        self.connections: set[BroughtUpdates] = set()

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
        await self.under_way.drain(DRAIN_S)
        for one in tuple(self.connections):
            one.send()
            one.abort()

    def say(self, asked: AskedFor) -> asyncio.Future[Said]:
        """Return what will be said of an update, which is the same for all that ask for it meanwhile; it raises
        nothing."""
        digest = update_digest(asked.address, asked.message)
        return self.under_way.once(digest, lambda: self._make(asked, digest))

    def _make(self, asked: AskedFor, digest: bytes) -> asyncio.Future[Said]:
        """Begin an update, without a task where its store alone is to be waited for: many come together."""
        try:
            begun = self._begin(asked, digest)
        except Exception as error:
            begun = _failed(error)
        if isinstance(begun, asyncio.Future):
            return begun
        said: asyncio.Future[Said] = self._loop.create_future()
        said.set_result(begun)
        return said

    def _begin(self, asked: AskedFor, digest: bytes) -> Said | asyncio.Future[Said]:
        message = decode_update(asked.message)
        if isinstance(message, int):
            return UpdateOutcome(message)
        who = self._standing(message.apex, asked)
        if who.objects is None:
            return UpdateOutcome(REFUSED, f"{show_name(message.apex)}: {NOT_PERMITTED}")
        if who.policy.is_secondary:
            refusal = check_forwarded(message.updates, who.objects)
            if refusal is not None:
                return refusal
            return self._loop.create_task(_unfailing(forward(asked.message, asked.is_tcp, who.policy.primaries)))
        update = AskedUpdate(message, who.author, asked.view, who.objects, digest)
        if self._taker.done():
            return cast("asyncio.Future[Said]", self._taker.result().take(update))
        return self._loop.create_task(_unfailing(self._take_later(update)))

    async def _take_later(self, update: AskedUpdate) -> Said:
        """Have an update made when somebody is there who makes it, unless nobody is before long."""
        await asyncio.wait((self._taker,), timeout=TAKER_WAIT_S)
        return await self._taker.result().take(update) if self._taker.done() else NOT_YET

    def _standing(self, apex: bytes, asked: AskedFor) -> _Standing:
        """Return what whoever asks may do with a zone, by what is in force; raises LbdnsError where nothing is."""
        self._follow(self._in_force())
        key = apex, asked.address, asked.key
        found = self._standings.get(key)
        if found is None:
            if len(self._standings) >= STANDINGS_MAX:
                self._standings.clear()
            found = self._standings[key] = self._judge(*key)
        return found

    def _judge(self, apex: bytes, address: bytes, key: bytes) -> _Standing:
        author = f"key {show_name(key)}" if key else f"{ip_address(address)}, unsigned"
        may_change = self._access.updating(apex, address, key)
        if may_change is None:
            return _Standing(self._policies.of(apex), author, None)

        def objects(owner: bytes, rdtype: int, is_added: bool) -> str:
            return "" if may_change(owner, rdtype) else NOT_PERMITTED

        return _Standing(self._policies.of(apex), author, objects)

    def _follow(self, published: Published) -> None:
        """Go by what is in force."""
        if self._generation == published.generation:
            return
        self._generation = published.generation
        rows, policies = published.snapshot.meta.get(ACCESS, {}), published.configuration.transfer_policies
        if rows != self._rows or policies != self._policies:  # updates alone change neither
            self._rows, self._policies = rows, policies
            self._access = AccessTable(rows)
            self._standings.clear()


class _Standing(NamedTuple):
    """Who asks, as to one zone: its policy, who he is in words, and what he may not change: None where that is
    everything."""

    policy: TransferPolicy
    author: str
    objects: Objects | None


async def _unfailing(saying: Awaitable[Said]) -> Said:
    """Return what is said, or of what went wrong what there is to say."""
    try:
        return await saying
    except Exception as error:
        return _failed(error)


def _failed(error: Exception) -> UpdateOutcome:
    """Log why an update is not made, and return what is said of it."""
    if isinstance(error, LbdnsError):
        log.error("an update cannot be made: %s", error)
        return NOT_YET
    log.error("lbdns failed on an update", exc_info=error)  # a mistake of ours costs one answer
    return UpdateOutcome(SERVFAIL)


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
        number, saying = frame.number, self._door.say(asked)
        if saying.done():
            self._say(number, saying)
        else:
            saying.add_done_callback(partial(self._say, number))

    def _say(self, number: int, saying: asyncio.Future[Said]) -> None:
        if not self._said:
            asyncio.get_running_loop().call_soon(self.send)
        self._said.append(encode_said(number, saying.result()))

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
