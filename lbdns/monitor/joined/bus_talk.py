"""What goes over the bus for an observer: its messages out, others' in, and what it asks for. In order, one at a time.

obs.<machine>, orders.<machine>    what a machine tells, and hears of all others
all.<machine>                      asked for a page of all that it observes, or for its orders
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.fleet.bus.fleet_bus import BusError, FleetBus
from lbdns.fleet.bus.subjects import machine_subject
from lbdns.fleet.observing.health_news import (
    HealthNews,
    OrderNews,
    decode_news,
    decode_orders,
    encode_news,
    encode_orders,
    whole_pages,
)
from lbdns.fleet.observing.observer import MACHINES_MAX, WHOLE, Ask

OBSERVED: Final = "obs"
ORDERED: Final = "orders"
ASKED: Final = "all"
REPLY_S: Final = 3.0
CLOSE_S: Final = 3.0
WAITING_MAX: Final = 1000
"""Messages that wait for a bus that is slow; more push out the oldest, which whoever misses it asks for."""
PAGES_MAX: Final = 64

log = logging.getLogger("lbdns.monitor")


class TalkListener:
    """Whom `BusTalk` speaks for."""

    def __init__(
        self,
        heard: Callable[[HealthNews | OrderNews], None],
        replied: Callable[[str, HealthNews | None], None],
        whole: Callable[[], HealthNews],
        orders: Callable[[], OrderNews],
    ) -> None:
        """`heard` takes messages, `replied` the whole of a machine, None where it did not answer; `whole` and `orders`
        give what others ask for."""
        self.heard = heard
        self.replied = replied
        self.whole = whole
        self.orders = orders


class BusTalk:
    """The bus as an observer needs it; for the loop's thread."""

    def __init__(self, machine: str, bus: FleetBus, listener: TalkListener) -> None:
        """Speak as `machine`; `begin` does the rest."""
        self._machine = machine
        self._bus = bus
        self._listener = listener
        self._waiting: deque[tuple[str, bytes, bool]] = deque(maxlen=WAITING_MAX)
        self._woken = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._asking: dict[Ask, asyncio.Task[None]] = {}
        self._beats: dict[str, tuple[bytes, HealthNews]] = {}  # the last heartbeat of each machine, as it came
        self._pages: tuple[tuple[int, int], list[bytes]] | None = None
        self._unread = LastingTrouble(log, "messages of the fleet are read again")

    async def begin(self) -> None:
        """Listen, and send from now on."""
        self._sending = asyncio.create_task(self._send_all(), name="fleet health")
        for kind in (OBSERVED, ORDERED):
            await self._bus.subscribe(f"{kind}.*", self._take)
        await self._bus.subscribe(machine_subject(ASKED, self._machine), self._answer)

    def tell(self, news: HealthNews | OrderNews) -> None:
        """Send a message to all others."""
        if isinstance(news, OrderNews):
            self._queue(machine_subject(ORDERED, self._machine), encode_orders(news))
        else:
            self._queue(machine_subject(OBSERVED, self._machine), encode_news(news))

    def ask(self, ask: Ask) -> None:
        """Ask a machine, unless it is asked already."""
        if ask not in self._asking:
            task = asyncio.create_task(self._ask_whole(ask.machine) if ask.what == WHOLE else self._ask_orders(ask))
            self._asking[ask] = task
            task.add_done_callback(lambda done: self._asked(ask, done))

    def _asked(self, ask: Ask, task: asyncio.Task[None]) -> None:
        self._asking.pop(ask, None)
        if not task.cancelled() and task.exception() is not None:
            log.error("asking %s of the fleet failed", ask.machine, exc_info=task.exception())

    async def close(self) -> None:
        """Send what waits, for a moment, and stop."""
        for task in tuple(self._asking.values()):
            task.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._emptied(), CLOSE_S)
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait({self._sending})
        await self._bus.close()

    async def _emptied(self) -> None:
        while self._waiting:
            await asyncio.sleep(0.005)

    def _queue(self, subject: str, data: bytes, is_reply: bool = False) -> None:
        self._waiting.append((subject, data, is_reply))
        self._woken.set()

    async def _send_all(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                subject, data, is_reply = self._waiting[0]
                try:
                    await (self._bus.respond if is_reply else self._bus.publish)(subject, data)
                except BusError as error:
                    log.warning("not sent to the fleet: %s", error)
                if self._waiting and self._waiting[0][1] is data:
                    self._waiting.popleft()

    def _take(self, subject: str, data: bytes, reply: str) -> None:
        kind, _, machine = subject.partition(".")
        if machine == self._machine and kind == ORDERED:
            return
        try:
            news: HealthNews | OrderNews = decode_orders(data) if kind == ORDERED else self._read(machine, data)
            if news.machine != machine:
                raise LbdnsError(f"{subject}: a message of the fleet that says it is of {news.machine[:80]}")
        except LbdnsError as error:
            self._unread.begin(f"{subject}: {error}")
            return
        self._unread.end()
        self._listener.heard(news)

    def _read(self, machine: str, data: bytes) -> HealthNews:
        """Return what a machine says. Most of the time it is a heartbeat, octet by octet the one before: of a thousand
        machines none is read anew each second."""
        known = self._beats.get(machine)
        if known is not None and known[0] == data:
            return known[1]
        news = decode_news(data).news
        if news.machine == machine and not (news.entries or news.is_leaving):
            if known is not None or len(self._beats) < MACHINES_MAX:
                self._beats[machine] = data, news
        elif news.is_leaving:
            self._beats.pop(machine, None)
        return news

    # --- all of it ---

    def _answer(self, subject: str, data: bytes, reply: str) -> None:
        if not reply:
            return
        try:
            wanted: Any = json.loads(data)
            what, page = wanted["what"], int(wanted.get("page", 0))
        except (ValueError, KeyError, TypeError):
            return
        if what == WHOLE:
            self._queue(reply, self._page(page), is_reply=True)
        else:
            self._queue(reply, encode_orders(self._listener.orders()), is_reply=True)

    def _page(self, number: int) -> bytes:
        """Return a page; the first is of what is told now, and others of the same as the first was last."""
        if number <= 0 or self._pages is None or number >= len(self._pages[1]):
            news = self._listener.whole()
            if self._pages is None or self._pages[0] != (news.epoch, news.sequence):
                self._pages = (news.epoch, news.sequence), whole_pages(news)
            number = 0
        return self._pages[1][number]

    async def _ask_whole(self, machine: str) -> None:
        try:
            first = decode_news(await self._request(machine, WHOLE))
            news, entries = first.news, list(first.news.entries)
            for number in range(1, min(first.page_count, PAGES_MAX)):
                page = decode_news(await self._request(machine, WHOLE, number))
                if (page.news.epoch, page.news.sequence, page.page) != (news.epoch, news.sequence, number):
                    raise LbdnsError(f"{machine} tells something else by now; it is asked again")
                entries += page.news.entries
            self._listener.replied(machine, news.with_entries(tuple(entries)))
        except LbdnsError as error:
            log.debug("%s", error)
            self._listener.replied(machine, None)

    async def _ask_orders(self, ask: Ask) -> None:
        try:
            self._listener.heard(decode_orders(await self._request(ask.machine, ask.what)))
        except LbdnsError as error:
            log.debug("%s", error)

    async def _request(self, machine: str, what: str, page: int = 0) -> bytes:
        asked = json.dumps({"v": 1, "what": what, "page": page}).encode()
        return await self._bus.request(machine_subject(ASKED, machine), asked, REPLY_S)
