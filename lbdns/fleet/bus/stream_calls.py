"""The calls of JetStream's API that the fleet's stream needs, as requests and replies in JSON.

The stream tells its own news (`republish`): what was appended below `cfg.` comes to all who listen, with its sequence,
so that nobody has a consumer there. Who missed some reads it by direct gets in batches, as many messages a request as
there are.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

from nats import errors as nats_errors
from nats.aio.msg import Msg

from lbdns.fleet.bus.connecting import BusLink, bounded
from lbdns.fleet.bus.fleet_bus import BusError, BusRefused, BusUnreached, StreamFacts, StreamMessage
from lbdns.fleet.bus.subjects import FOLLOWED, NEWS, STORED, SubjectSpace

CALL_S: Final = 3.0
ID_HEADER: Final = "Nats-Msg-Id"
EXPECTED_HEADER: Final = "Nats-Expected-Last-Subject-Sequence"
SEQUENCE_HEADER: Final = "Nats-Sequence"
WRONG_SEQUENCE: Final = (10071, 10164)
"""Error codes of who expected another sequence (JSStreamWrongLastSequence)."""
_STREAM_NOT_FOUND: Final = 10059
_MESSAGE_NOT_FOUND: Final = 10037
_STREAM_EXISTS: Final = 10058
_TOO_FEW_SERVERS: Final = (10005, 10074)
"""A cluster has too few servers that keep streams and are there, or is none."""
REPLICAS: Final = 3
"""How many servers of a cluster keep the stream: the least of which one may be lost."""
_OFF: Final = (10039, 10076)
"""JetStream is off for the account, or for the server."""
_LEVEL: Final = 1
"""The level of JetStream's API that nats-server 2.11 has: what batches of direct gets need."""
_BATCH_MESSAGES: Final = 256
_BATCH_OCTETS: Final = 4 * 1024 * 1024
_END_OF_BATCH: Final = "204"
_NOTHING: Final = "404"

log = logging.getLogger("lbdns.fleet")


class StreamCalls:
    """The stream of one fleet, over one connection."""

    def __init__(self, link: BusLink, space: SubjectSpace, domain: str) -> None:
        self._link = link
        self._space = space
        self._api = f"$JS.{domain}.API" if domain else "$JS.API"

    async def check_engine(self) -> None:
        """Raise BusRefused where the bus keeps no streams, or keeps them as releases before 2.11 do."""
        found = await self._call("INFO", None)
        if "error" in found:
            raise self._refused(found["error"])
        level = found.get("api", {}).get("level", 0)
        if level < _LEVEL:
            version = self._link.client.connected_server_version
            raise BusRefused(
                f"{self._link.url}: nats-server 2.11 or newer is needed where the stream is kept; this is {version}, "
                f"which speaks level {level} of JetStream's API"
            )

    async def facts(self) -> StreamFacts | None:
        """Return how the stream stands, None where there is none."""
        found = await self._call(f"STREAM.INFO.{self._space.stream_name}", None)
        if found.get("error", {}).get("err_code") == _STREAM_NOT_FOUND:
            return None
        if "error" in found:
            raise self._refused(found["error"])
        return _facts(found)

    async def make(self) -> StreamFacts:
        """Make the stream where it is not there; of a cluster REPLICAS servers keep it, where so many are there."""
        await self.check_engine()
        there = await self.facts()
        if there is not None:
            return await self._widen() if there.is_single else there
        made = await self._create(REPLICAS)
        if made.get("error", {}).get("err_code") in _TOO_FEW_SERVERS:
            made = await self._create(1)
        if made.get("error", {}).get("err_code") == _STREAM_EXISTS:
            there = await self.facts()
            if there is not None:
                return there
        if "error" in made:
            raise self._refused(made["error"])
        if not made["config"].get("allow_direct") or not made["config"].get("republish"):
            raise BusRefused(
                f"{self._link.url}: nats-server 2.11 or newer is needed: it took a stream without its terms"
            )
        return _facts(made)

    async def _create(self, replicas: int) -> dict[str, Any]:
        wanted = {
            "name": self._space.stream_name,
            "description": "the configuration of a fleet of lbdns: what is removed here is made anew by its machines",
            "subjects": [self._space.full(one) for one in STORED],
            "retention": "limits",
            "storage": "file",
            "discard": "new",
            "num_replicas": replicas,
            "allow_direct": True,
            "republish": {"src": self._space.full(FOLLOWED), "dest": self._space.full(f"{NEWS}.{FOLLOWED}")},
        }
        return await self._call(f"STREAM.CREATE.{self._space.stream_name}", wanted)

    async def _widen(self) -> StreamFacts:
        """Have REPLICAS servers keep the stream that one keeps alone; it stays as it is where they are not there."""
        found = await self._call(f"STREAM.INFO.{self._space.stream_name}", None)
        if "error" not in found:
            wanted = found["config"] | {"num_replicas": REPLICAS}
            changed = await self._call(f"STREAM.UPDATE.{self._space.stream_name}", wanted)
            if "error" not in changed:
                log.info("%d servers of the cluster keep the fleet's stream from now on", REPLICAS)
                return _facts(changed)
            log.debug("one server of a cluster alone keeps the fleet's stream: %s", changed["error"])
            return _facts(found)
        raise self._refused(found["error"])

    async def last(self, subject: str) -> StreamMessage | None:
        """Return the newest message of a subject, as who leads the stream has it."""
        wanted = {"last_by_subj": self._space.full(subject)}
        found = await self._call(f"STREAM.MSG.GET.{self._space.stream_name}", wanted)
        code = found.get("error", {}).get("err_code")
        if code in (_MESSAGE_NOT_FOUND, _STREAM_NOT_FOUND):
            return None
        if "error" in found:
            raise self._refused(found["error"])
        message = found["message"]
        head = base64.b64decode(message.get("hdrs", "")).decode("utf-8", "replace")
        data = base64.b64decode(message.get("data", ""))
        return StreamMessage(message["seq"], self._space.short(message["subject"]), data, _id_in(head))

    async def read(self, subject: str, after: int) -> AsyncIterator[StreamMessage]:
        """Yield the messages of a subject behind a sequence, as far as they are there."""
        position, is_more = after, True
        while is_more:
            is_more = False
            async for message in self._batch(subject, position):
                if isinstance(message, bool):
                    is_more = message
                else:
                    position = message.sequence
                    yield message

    async def purge(self, before: int) -> None:
        """Remove the messages before a sequence."""
        found = await self._call(f"STREAM.PURGE.{self._space.stream_name}", {"seq": before})
        if "error" in found:
            raise self._refused(found["error"])

    async def _batch(self, subject: str, after: int) -> AsyncIterator[StreamMessage | bool]:
        """Yield the messages of one request, and at its end whether there are more."""
        heard: asyncio.Queue[Msg] = asyncio.Queue()
        inbox = self._link.client.new_inbox()
        stop = await self._link.listen(inbox, heard.put_nowait)
        try:
            wanted = {
                "seq": after + 1,
                "next_by_subj": self._space.full(subject),
                "batch": _BATCH_MESSAGES,
                "max_bytes": _BATCH_OCTETS,
            }
            asked = json.dumps(wanted).encode()
            await self._send(f"{self._api}.DIRECT.GET.{self._space.stream_name}", asked, inbox)
            is_ended = False
            while not is_ended:
                message = await self._next(heard)
                status = (message.headers or {}).get("Status", "")
                is_ended = bool(status)
                if not status:
                    yield message_told(self._space, message)
                elif status == _END_OF_BATCH:
                    yield int((message.headers or {}).get("Nats-Num-Pending", "0")) > 0
                elif status != _NOTHING:
                    raise self._unread(status, message)
        finally:
            await stop()

    def _unread(self, status: str, message: Msg) -> BusError:
        if status == "503":
            return self._nobody()
        told = f"{self._link.url}: the stream was not read: {status} {message.header}"
        return BusRefused(told)

    async def _next(self, heard: asyncio.Queue[Msg]) -> Msg:
        try:
            message: Msg = await until_lost(self._link, heard.get(), CALL_S)
        except TimeoutError:
            raise BusUnreached(f"{self._link.url}: the stream was not read: no reply within {CALL_S:g} s") from None
        return message

    async def _send(self, subject: str, data: bytes, reply: str) -> None:
        try:
            await bounded(self._link.client.publish(subject, data, reply=reply), CALL_S)
        except (TimeoutError, OSError, nats_errors.Error) as error:
            raise BusUnreached(f"{self._link.url}: {error}") from error

    async def _call(self, name: str, wanted: dict[str, Any] | None) -> dict[str, Any]:
        data = b"" if wanted is None else json.dumps(wanted).encode()
        try:
            asking = self._link.client.request(f"{self._api}.{name}", data, timeout=CALL_S)
            reply = await until_lost(self._link, asking, CALL_S)
        except nats_errors.NoRespondersError:
            raise self._nobody() from None
        except TimeoutError:
            raise BusUnreached(f"{self._link.url}: no reply from who keeps the stream within {CALL_S:g} s") from None
        except (OSError, nats_errors.Error) as error:
            raise BusUnreached(f"{self._link.url}: {error}") from error
        found: dict[str, Any] = json.loads(reply.data)
        return found

    def _nobody(self) -> BusUnreached:
        return BusUnreached(
            f"{self._link.url}: nobody there keeps streams: JetStream is off, or whoever keeps the stream is cut off"
        )

    def _refused(self, error: dict[str, Any]) -> BusError:
        if error.get("err_code") in _OFF:
            return BusRefused(f"{self._link.url}: JetStream is not on for this account; the fleet's stream needs it")
        if error.get("code") == 503:
            return BusUnreached(f"{self._link.url}: {error.get('description')}")
        return BusRefused(f"{self._link.url}: {error.get('description')} (error {error.get('err_code')})")


def message_told(space: SubjectSpace, message: Msg) -> StreamMessage:
    """Return what a direct get, or the stream's news, has of a message."""
    headers = message.headers or {}
    subject = space.short(headers["Nats-Subject"])
    return StreamMessage(int(headers[SEQUENCE_HEADER]), subject, message.data, headers.get(ID_HEADER, ""))


async def until_lost(link: BusLink, doing: Any, bound_s: float) -> Any:
    """Return what an awaitable gives; raises TimeoutError where it takes too long or the connection is lost first."""
    task = asyncio.ensure_future(doing)
    lost = asyncio.ensure_future(link.lost.wait())
    try:
        await asyncio.wait({task, lost}, timeout=bound_s, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        lost.cancel()
        if not task.done():
            task.cancel()
            task.add_done_callback(lambda done: done.cancelled() or done.exception())


def _facts(found: dict[str, Any]) -> StreamFacts:
    state = found["state"]
    last = state["last_seq"]
    first = state["first_seq"] if state["messages"] else last + 1
    is_single = "name" in found.get("cluster", {}) and found["config"]["num_replicas"] < REPLICAS
    return StreamFacts(found["created"], first, last, state["bytes"], is_single)


def _id_in(head: str) -> str:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name == ID_HEADER:
            return value.strip()
    return ""
