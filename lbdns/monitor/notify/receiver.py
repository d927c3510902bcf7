"""A receiver: the queue of one subscription, and the task that empties it.

More than BURST_MAX alerts that wait go out as a summary, where the mechanism has one; more than QUEUE_MAX are counted
and no longer kept. What does not get through is tried again, later each time, then given up with a line in the log;
meanwhile the queue gathers, and goes out as a summary when the receiver is back.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from lbdns.model.subscription import Subscription
from lbdns.monitor.notify.delivery import DeliveryFailed, MayReach
from lbdns.monitor.notify.outbox import Outbox, QueuedAlert
from lbdns.monitor.notify.sinks import ONE_BY_ONE, sink_of

GATHER_S: Final = 1.0  # what happens together is told together
BURST_MAX: Final = 10  # alerts that go out one by one
QUEUE_MAX: Final = 1000
SEND_S: Final = 10.0  # for one attempt
RETRY_FIRST_S: Final = 1.0
RETRY_MAX_S: Final = 60.0
ATTEMPTS_MAX: Final = 8  # about two minutes, and the attempts themselves
CLOSE_S: Final = 1.0  # how long a worker that ends waits for what is under way

log = logging.getLogger("lbdns.monitor")

Reach = Callable[[Subscription], MayReach]
"""Tells what a subscription's messages may be sent to."""


class Receiver:
    """One subscription's queue and the task that empties it."""

    def __init__(self, subscription: Subscription, outbox: Outbox, reach: Reach) -> None:
        """Begin with nothing to say."""
        self._outbox = outbox
        self._reach = reach
        self._waiting: deque[QueuedAlert] = deque()
        self._sending: list[QueuedAlert] = []
        self._unheard = 0
        self._wake = asyncio.Event()
        self._closing = False
        self.adopt(subscription)
        self._task = asyncio.create_task(self._run())

    def adopt(self, subscription: Subscription) -> None:
        """Go on as the same receiver, told otherwise: what waits is sent as this says."""
        self.subscription = subscription
        self._sink = sink_of(subscription, self._reach(subscription))

    def has_room(self) -> bool:
        """Whether one more alert is kept; it is counted where not."""
        if len(self._waiting) < QUEUE_MAX:
            return True
        self._unheard += 1
        self._wake.set()
        return False

    def put(self, entry: QueuedAlert) -> None:
        """Queue an alert; never blocks."""
        self._waiting.append(entry)
        self._wake.set()

    @property
    def waiting(self) -> tuple[int, int]:
        """How many alerts have not gone out, those under way among them, and since when the first waits
        (CLOCK_MONOTONIC in ns, 0 where none does)."""
        kept = [*self._sending[:1], *([] if self._sending or not self._waiting else [self._waiting[0]])]
        return len(self._sending) + len(self._waiting), kept[0].since_ns if kept else 0

    async def close(self) -> None:
        """Send what waits, for a moment; then stop."""
        self._closing = True
        self._wake.set()
        await asyncio.wait([self._task], timeout=CLOSE_S)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def cancel(self) -> int:
        """Stop at once, and for good: what waits is dropped. Returns how much that is."""
        self._task.cancel()
        dropped = [*self._sending, *self._waiting]
        self._outbox.drop(dropped)
        return len(dropped)

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            self._wake.clear()
            if self._waiting and not self._closing:
                await asyncio.sleep(GATHER_S)
            while self._waiting:
                try:
                    await self._send_next()
                finally:
                    self._sending = []

    async def _send_next(self) -> None:
        one_by_one = self.subscription.destination.mechanism in ONE_BY_ONE
        if len(self._waiting) + self._unheard > BURST_MAX and not one_by_one:
            self._sending, unheard = list(self._waiting), self._unheard
            self._waiting.clear()
            self._unheard = 0
        else:
            self._sending, unheard = [self._waiting.popleft()], 0
        entries = self._sending
        pause_s = RETRY_FIRST_S
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                await self._outbox.save()  # nobody hears of what could be told again after a restart as something else
                text = await self._send(entries, unheard)
            except DeliveryFailed as failure:
                self._outbox.failed(self.subscription)
                name = self.subscription.policy_name
                if not failure.again or attempt == ATTEMPTS_MAX:
                    tries = "once" if attempt == 1 else f"{attempt} times"
                    log.error("notification %s was tried %s and is given up: %s", name, tries, failure)
                    self._outbox.drop(entries)
                    return
                if attempt == 1:
                    log.warning("notification %s did not get through, and is tried again: %s", name, failure)
            else:
                self._outbox.sent(self.subscription, entries, entries[0].told[0].type, text)
                await self._outbox.save()  # before the next is sent: a restart sends none twice
                return
            await asyncio.sleep(pause_s * random.uniform(0.75, 1.0))
            pause_s = min(2 * pause_s, RETRY_MAX_S)

    async def _send(self, entries: Sequence[QueuedAlert], unheard: int) -> str:
        try:
            async with asyncio.timeout(SEND_S):
                return await self._sink.deliver([entry.told for entry in entries], unheard, entries[0].id)
        except TimeoutError as error:
            raise DeliveryFailed(f"no answer within {SEND_S:.0f} s", again=True) from error
        except DeliveryFailed:
            raise
        except Exception as error:  # a defect in sending must not end the queue
            log.exception("notification %s cannot be sent", self.subscription.policy_name)
            raise DeliveryFailed(f"internal error: {error!r}", again=False) from error
