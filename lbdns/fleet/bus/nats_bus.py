"""The bus over NATS: keeps a connection, listens again on each new one, and follows the stream through all of them.

start --> connecting --a URL answers--> connected --no heartbeat, or the end--> connecting, the next URL first
              ^ `-- each fails: PAUSE_S, twice as long each time up to PAUSE_MAX_S
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from nats import errors as nats_errors
from nats.aio.msg import Msg

from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.fleet.bus.connecting import BusLink, bounded, open_link, read_ports
from lbdns.fleet.bus.fleet_bus import (
    BusError,
    BusRefused,
    BusUnreached,
    OutcomeUnknown,
    SequenceMoved,
    StreamFacts,
    StreamMessage,
    Take,
)
from lbdns.fleet.bus.following import Following, TakeNews
from lbdns.fleet.bus.stream_calls import (
    EXPECTED_HEADER,
    ID_HEADER,
    WRONG_SEQUENCE,
    StreamCalls,
    message_told,
    until_lost,
)
from lbdns.fleet.bus.subjects import FOLLOWED, NEWS, SubjectSpace
from lbdns.model.fleet_terms import BusAccess

PAUSE_S: Final = 0.1
PAUSE_MAX_S: Final = 2.0
APPEND_S: Final = 3.0
SEND_S: Final = 1.0
_FIND_TRIES: Final = 20
_FIND_PAUSE_S: Final = 0.05
_WAITING_OCTETS: Final = 4 * 1024 * 1024
"""What waits to be sent to a server that takes nothing: more is dropped, as is what is said while there is none."""

log = logging.getLogger("lbdns.fleet")


Forget = Callable[["NatsSubscription"], Awaitable[None]]


class NatsSubscription:
    """What listens at a subject, on whichever connection there is."""

    def __init__(self, subject: str, heard: Callable[[Msg], None], forget: Forget) -> None:
        self.subject = subject
        self.heard = heard
        self.begun: Callable[[], None] | None = None
        """Told whenever it listens on a new connection."""
        self.stop: Callable[[], Awaitable[None]] | None = None
        self._forget = forget

    async def close(self) -> None:
        """Stop listening."""
        await self._forget(self)


class NatsBus:
    """A FleetBus. `on_change` is told when the connection is there, and when it is not."""

    def __init__(self, access: BusAccess, on_change: Callable[[bool], None] | None = None) -> None:
        self._access = access
        self._space = SubjectSpace(access.fleet_id)
        self._on_change = on_change
        self._link: BusLink | None = None
        self._subscriptions: list[NatsSubscription] = []
        self._keeping: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._trouble = LastingTrouble(log, "connected to the fleet's bus again")
        self._problem = "not connected yet"

    @property
    def is_connected(self) -> bool:
        """Whether the bus answered within the last seconds."""
        return self._link is not None and not self._link.lost.is_set()

    @property
    def problem(self) -> str:
        """Why it is not connected, in words; "" where it is."""
        link = self._link
        return _loss(link) if link is not None and link.lost.is_set() else self._problem

    @property
    def url(self) -> str:
        """Whom it is connected to, "" for nobody."""
        return self._link.url if self._link is not None and self.is_connected else ""

    def start(self) -> None:
        """Connect from now on, in the background."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name="fleet bus")

    async def wait_connected(self, timeout_s: float) -> bool:
        """Wait until it is connected; return whether it is."""
        with contextlib.suppress(TimeoutError):
            await bounded(self._connected.wait(), timeout_s)
        return self.is_connected

    async def publish(self, subject: str, data: bytes) -> None:
        """Tell whoever listens now; dropped while the bus is not there."""
        await self._send(self._space.full(subject), data)

    async def respond(self, reply: str, data: bytes) -> None:
        """Answer a question."""
        await self._send(reply, data)

    async def subscribe(self, subject: str, take: Take) -> NatsSubscription:
        """Listen at a subject, through lost connections, until closed."""

        def heard(message: Msg) -> None:
            take(self._space.short(message.subject), message.data, message.reply)

        return await self._listen(NatsSubscription(subject, heard, self._forget))

    async def listen_to_news(self, take: TakeNews) -> NatsSubscription:
        """Have what the stream tells of new messages below `cfg.` told, and each time that it is listened to anew."""

        def heard(message: Msg) -> None:
            take(message_told(self._space, message))

        one = NatsSubscription(f"{NEWS}.{FOLLOWED}", heard, self._forget)
        one.begun = lambda: take(None)
        return await self._listen(one)

    async def _listen(self, one: NatsSubscription) -> NatsSubscription:
        self._subscriptions.append(one)
        if self._link is not None and self.is_connected:
            await self._attach(self._link, one)
        return one

    async def _forget(self, one: NatsSubscription) -> None:
        if one in self._subscriptions:
            self._subscriptions.remove(one)
            if one.stop is not None:
                with contextlib.suppress(OSError, nats_errors.Error):  # a connection that is over listens to nothing
                    await one.stop()

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """Ask whoever listens at a subject."""
        link = self._there()
        try:
            asking = link.client.request(self._space.full(subject), data, timeout=timeout_s)
            reply: Msg = await until_lost(link, asking, timeout_s)
        except nats_errors.NoRespondersError:
            raise BusUnreached(f"nobody answers to {subject}") from None
        except TimeoutError:
            raise BusUnreached(f"no reply from {subject} within {timeout_s:g} s") from None
        except (OSError, nats_errors.Error) as error:
            raise BusUnreached(f"{subject}: {error}") from error
        return reply.data

    async def make_stream(self) -> StreamFacts:
        """Make the stream where it is not there, and return how it stands."""
        return await self._calls().make()

    async def stream(self) -> StreamFacts | None:
        """Return how the stream stands, None where there is none."""
        return await self._calls().facts()

    async def append(self, subject: str, data: bytes, *, id: str, expected: int | None) -> int:
        """Append to the stream, and return the sequence."""
        link = self._there()
        headers = {ID_HEADER: id} | ({} if expected is None else {EXPECTED_HEADER: str(expected)})
        try:
            asking = link.client.request(self._space.full(subject), data, timeout=APPEND_S, headers=headers)
            reply: Msg = await until_lost(link, asking, APPEND_S)
        except nats_errors.NoRespondersError:
            raise BusUnreached(
                f"{link.url}: nobody there keeps the fleet's stream, or whoever does is cut off"
            ) from None
        except nats_errors.MaxPayloadError:
            octets_max = link.client.max_payload
            raise BusRefused(f"{link.url}: a message has at most {octets_max:,} octets, not {len(data):,}") from None
        except (nats_errors.ConnectionClosedError, nats_errors.OutboundBufferLimitError) as error:
            raise BusUnreached(f"{link.url}: {error}") from error
        except (TimeoutError, OSError, nats_errors.Error) as error:
            raise OutcomeUnknown(id, f"{link.url}: no reply; whether it was done is not known yet") from error
        return _appended(reply, link, self._space.stream_name)

    def follow(self, after: int, generation: str = "") -> AsyncIterator[StreamMessage]:
        """Yield the messages below `cfg.` behind a sequence, in order, as they come, through lost connections."""
        return Following(self, after, generation).messages()

    def read(self, subject: str, after: int = 0) -> AsyncIterator[StreamMessage]:
        """Yield the stream's messages of a subject behind a sequence, as far as they are there now."""
        return self._calls().read(subject, after)

    async def last(self, subject: str) -> StreamMessage | None:
        """Return the newest message of a subject."""
        return await self._calls().last(subject)

    async def find(self, id: str, after: int) -> StreamMessage | None:
        """Return the message of this id behind a sequence, below `cfg.`.

        It looks as far as who leads the stream has it, whichever of its replicas is read.
        """
        newest = await self.last(FOLLOWED)
        until = 0 if newest is None else newest.sequence
        for _ in range(_FIND_TRIES):
            async for message in self.read(FOLLOWED, after):
                if message.id == id:
                    return message
                after = message.sequence
            if after >= until:
                return None
            await asyncio.sleep(_FIND_PAUSE_S)
        raise BusUnreached(f"the stream was read up to message {after} only, of {until}")

    async def purge(self, before: int) -> None:
        """Remove the messages before a sequence."""
        await self._calls().purge(before)

    async def close(self) -> None:
        """End the connection."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
            self._keeping = None
        self._subscriptions.clear()

    async def _keep(self) -> None:
        pause_s = PAUSE_S
        try:
            while True:
                if await self._try_each(await self._urls()):
                    pause_s = PAUSE_S
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_MAX_S)
        finally:
            await self._drop_link()

    async def _try_each(self, urls: tuple[str, ...]) -> bool:
        """Be connected to the first URL that there is a connection to, until that is lost; tell whether there was."""
        problems: list[str] = []
        for url in urls:
            try:
                link = await open_link(self._access, url)
            except BusError as error:
                problems.append(str(error))
                continue
            except Exception as error:
                log.exception("connecting to the fleet's bus at %s failed", url)
                problems.append(f"{url}: {error!r}")
                continue
            self._take_problem(await self._be_connected(link))
            return True
        self._take_problem("; ".join(problems) or "nats-server does not run here")
        return False

    async def _urls(self) -> tuple[str, ...]:
        own = await asyncio.to_thread(read_ports, Path(self._access.ports_file)) if self._access.ports_file else ()
        return own + self._access.urls

    async def _be_connected(self, link: BusLink) -> str:
        """Work with a connection until it is lost; return why it is."""
        try:
            self._link = link
            for one in tuple(self._subscriptions):
                await self._attach(link, one)
            if not await self._is_listened(link):
                return _loss(link)
            self._problem = ""
            if self._trouble.text:
                self._trouble.end()
            else:
                log.info("connected to the fleet's bus at %s", link.url)
            self._connected.set()
            self._tell(True)
            await link.lost.wait()
            self._problem = _loss(link)  # before the link is closed, which takes a while where nobody answers
            return self._problem
        finally:
            await self._drop_link()

    async def _is_listened(self, link: BusLink) -> bool:
        """Whether the server has taken all subscriptions: who asks from now on is answered."""
        try:
            await link.beat()
        except BusUnreached as error:
            link.has_ended(str(error))
        return not link.lost.is_set()

    async def _drop_link(self) -> None:
        link, self._link = self._link, None
        self._connected.clear()
        for one in self._subscriptions:
            one.stop = None
        if link is not None:
            self._tell(False)
            await link.close()

    async def _attach(self, link: BusLink, one: NatsSubscription) -> None:
        try:
            one.stop = await link.listen(self._space.full(one.subject), one.heard)
            if one.begun is not None:
                one.begun()
        except (OSError, nats_errors.Error) as error:
            link.has_ended(str(error))

    def _take_problem(self, problem: str) -> None:
        self._problem = problem
        self._trouble.begin(f"not connected to the fleet's bus: {problem}")

    def _tell(self, is_connected: bool) -> None:
        if self._on_change is not None:
            self._on_change(is_connected)

    def _there(self) -> BusLink:
        if self._link is None or self._link.lost.is_set():
            raise BusUnreached(self.problem)
        return self._link

    def _calls(self) -> StreamCalls:
        return StreamCalls(self._there(), self._space, self._access.domain)

    async def _send(self, subject: str, data: bytes) -> None:
        link = self._link
        if link is None or link.lost.is_set() or link.client.pending_data_size + len(data) > _WAITING_OCTETS:
            return
        try:
            await bounded(link.client.publish(subject, data), SEND_S)
        except nats_errors.MaxPayloadError:
            raise BusRefused(f"{subject}: a message has at most {link.client.max_payload:,} octets") from None
        except (TimeoutError, OSError, nats_errors.Error) as error:
            log.debug("not told to anybody: %s: %r", subject, error)


def _loss(link: BusLink) -> str:
    return f"{link.url}: {link.why_lost}"


def _appended(reply: Msg, link: BusLink, stream_name: str) -> int:
    """Return the sequence of what was appended, as the acknowledgement has it."""
    found: dict[str, Any] = json.loads(reply.data)
    error = found.get("error")
    if error is not None:
        if error.get("err_code") in WRONG_SEQUENCE:
            raise SequenceMoved(f"somebody else appended first: {error.get('description')}")
        raise BusRefused(f"{link.url}: not appended: {error.get('description')} (error {error.get('err_code')})")
    if found.get("stream") != stream_name:
        raise BusRefused(f"{link.url}: another stream, {found.get('stream')}, takes what is for {stream_name}")
    return int(found["seq"])
