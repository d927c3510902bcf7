"""Notifications: changes in, messages out through sinks, in tasks of their own that no probe waits for.

    change -> alert -> who wants it -> that receiver's queue -> (a second's gathering) -> sent singly, or as one summary

More than BURST_MAX alerts that wait go out as a summary; more than QUEUE_MAX are counted and no longer kept. What does
not get through is tried again, later each time, then given up with a line in the log; meanwhile the queue gathers,
and goes out as a summary when the receiver is back.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.base.words import Health
from lbdns.health.events import HealthChange
from lbdns.model.notification import Notification
from lbdns.model.pool import NotificationFilter
from lbdns.model.probe_networks import DEFAULT, ProbeNetworks
from lbdns.model.targets_document import BalancerSpec
from lbdns.monitor.notify import alerts
from lbdns.monitor.notify.alerts import END, HEALTH, Alert, AlertBook, wants
from lbdns.monitor.notify.delivery import DeliveryFailed, MayReach, Told
from lbdns.monitor.notify.sinks import sink_of
from lbdns.monitor.targets import PoolSpec

GATHER_S: Final = 1.0  # what happens together is told together
BURST_MAX: Final = 10  # alerts that go out one by one
QUEUE_MAX: Final = 1000
SEND_S: Final = 10.0  # for one attempt
RETRY_FIRST_S: Final = 1.0
RETRY_MAX_S: Final = 60.0
ATTEMPTS_MAX: Final = 8  # about two minutes, and the attempts themselves
CLOSE_S: Final = 1.0  # how long a worker that ends waits for what is under way

log = logging.getLogger("lbdns.monitor")


class Receiver:
    """One notification's queue and the task that empties it."""

    def __init__(
        self, notification: Notification, before_sending: Callable[[], Awaitable[None]], may_reach: MayReach
    ) -> None:
        """Begin with nothing to say; `before_sending` is awaited before each message."""
        self.notification = notification
        self._sink = sink_of(notification, may_reach)
        self._before_sending = before_sending
        self._waiting: deque[tuple[int, Told]] = deque()  # each with when it was put there, CLOCK_MONOTONIC
        self._sending: tuple[int, int] = 0, 0  # how many are being sent, and when the first of them was put there
        self._unheard = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._run())

    def put(self, alert: Alert, balancers: Sequence[str]) -> None:
        """Queue an alert; never blocks."""
        if len(self._waiting) < QUEUE_MAX:
            self._waiting.append((time.monotonic_ns(), (alert, balancers)))
        else:
            self._unheard += 1
        self._wake.set()

    @property
    def waiting(self) -> tuple[int, int]:
        """How many alerts have not gone out, those under way among them, and since when the first waits
        (CLOCK_MONOTONIC in ns, 0 where none does)."""
        count, since_ns = self._sending
        return count + len(self._waiting), since_ns or (self._waiting[0][0] if self._waiting else 0)

    async def close(self) -> None:
        """Send what waits, for a moment; then stop."""
        self._closing = True
        self._wake.set()
        await asyncio.wait([self._task], timeout=CLOSE_S)
        self.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def cancel(self) -> None:
        """Stop at once."""
        self._task.cancel()

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
                    self._sending = 0, 0

    async def _send_next(self) -> None:
        if len(self._waiting) + self._unheard > BURST_MAX:
            taken, unheard = list(self._waiting), self._unheard
            self._waiting.clear()
            self._unheard = 0
        else:
            taken, unheard = [self._waiting.popleft()], 0
        self._sending = len(taken), taken[0][0]
        told = [one for _, one in taken]
        pause_s = RETRY_FIRST_S
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                await self._before_sending()
                await self._send(told, unheard)
                return
            except DeliveryFailed as failure:
                if not failure.again or attempt == ATTEMPTS_MAX:
                    tries = "once" if attempt == 1 else f"{attempt} times"
                    log.error(
                        "notification %s was tried %s and is given up: %s", self.notification.name, tries, failure
                    )
                    return
                if attempt == 1:
                    log.warning(
                        "notification %s did not get through, and is tried again: %s", self.notification.name, failure
                    )
            await asyncio.sleep(pause_s * random.uniform(0.75, 1.0))
            pause_s = min(2 * pause_s, RETRY_MAX_S)

    async def _send(self, told: Sequence[Told], unheard: int) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                await self._sink.deliver(told, unheard)
        except TimeoutError as error:
            raise DeliveryFailed(f"no answer within {SEND_S:.0f} s", again=True) from error
        except DeliveryFailed:
            raise
        except Exception as error:  # a defect in sending must not end the queue
            log.exception("notification %s cannot be sent", self.notification.name)
            raise DeliveryFailed(f"internal error: {error!r}", again=False) from error


class Notifier:
    """All notifications of a worker."""

    def __init__(self, state_dir: Path | None) -> None:
        """Keep open alerts in `state_dir`; None keeps them for this worker's life only."""
        self._state_dir = state_dir
        self._book = AlertBook()
        self._restored = False
        self._saving = asyncio.Lock()
        self._unsaved = LastingTrouble(log, "open alerts are kept again")
        self._receivers: dict[Notification, Receiver] = {}
        self._filters: dict[str, NotificationFilter] = {}
        self._balancers: dict[str, tuple[str, ...]] = {}
        self._first_results_s: dict[str, float] = {}  # pool -> when all its endpoints have a result
        self._settling: dict[str, tuple[Alert, asyncio.TimerHandle]] = {}
        self._pool_ids: dict[str, str] = {}
        self._account_id = ""
        self._networks = DEFAULT
        self._behind: dict[str, tuple[str, ...]] = {}  # pools with endpoints in a virtual network, by its name

    def adopt(
        self,
        notifications: Iterable[Notification],
        pools: Sequence[PoolSpec],
        balancers: Iterable[BalancerSpec],
        account_id: str = "",
        networks: ProbeNetworks = DEFAULT,
    ) -> None:
        """Take a generation's receivers and filters; a receiver that stays keeps its queue."""
        self._networks = networks
        former, self._receivers = self._receivers, {}
        for notification in notifications:
            receiver = former.pop(notification, None) or Receiver(notification, self._save, self._may_reach)
            self._receivers[notification] = receiver
        for gone in former.values():
            gone.cancel()
        self._filters = {pool.name: pool.notification_filter for pool in pools if pool.notification_filter}
        self._first_results_s = {
            pool.name: max((one.monitor.timeout * (one.monitor.retries + 1.0) for one in pool.members), default=0.0)
            for pool in pools
        }
        names: dict[str, dict[str, None]] = {}
        for balancer in balancers:
            for pool_name in (*balancer.pools, balancer.fallback, *balancer.rule_fallbacks):
                names.setdefault(pool_name, {})[balancer.name] = None
        self._balancers = {pool_name: tuple(found) for pool_name, found in names.items()}
        self._account_id = account_id
        behind: dict[str, dict[str, None]] = {}
        for pool in pools:
            for spec in pool.endpoints:
                behind.setdefault(spec.network, {})[pool.name] = None
        self._behind = {network: tuple(found) for network, found in behind.items()}
        pool_ids = {pool.name: pool.id for pool in pools}
        former_ids, self._pool_ids = self._pool_ids, pool_ids
        if not self._receivers:
            return
        if not self._restored and self._state_dir is not None:
            self._book.restore(alerts.load(self._state_dir))
        self._restored = True
        watching = {(pool.name, one.name) for pool in pools for one in pool.members if not one.votes}
        self._pool_ids = former_ids | pool_ids  # also of those that are gone, which is told now
        for alert in self._book.adopt(_enabled(pools), time.time(), watching, self._behind):
            if not self._ends_unheard(alert):
                self._queue(alert)
        self._pool_ids = pool_ids

    @property
    def waiting(self) -> tuple[int, int]:
        """How many alerts have not gone out, each as often as it has receivers, and since when the first waits
        (CLOCK_MONOTONIC in ns, 0 where none does)."""
        found = [receiver.waiting for receiver in self._receivers.values()]
        return sum(count for count, _ in found), min((since_ns for _, since_ns in found if since_ns), default=0)

    def _may_reach(self, address: str) -> bool:
        return not self._networks.refuses(address)

    def tell(self, change: HealthChange) -> None:
        """Queue a change for whoever wants to hear of it; never blocks."""
        alert = self._book.take(change) if self._receivers else None
        if alert is None:
            return
        if not alert.endpoint and change.before == Health.UNKNOWN and alert.new_health == Health.DEGRADED:
            self._wait_for_first_results(alert)
        elif not self._ends_unheard(alert):
            self._queue(alert)

    def _ends_unheard(self, alert: Alert) -> bool:
        """Whether an alert is the end of one that is still held back, which any other news of the pool replaces."""
        if alert.endpoint or alert.network or alert.type != HEALTH or alert.pool not in self._settling:
            return False
        self._settling.pop(alert.pool)[1].cancel()
        return alert.event == END

    def _wait_for_first_results(self, alert: Alert) -> None:
        """Hold back that a pool is degraded while some of its endpoints have no result yet."""

        def settle() -> None:
            del self._settling[alert.pool]
            self._queue(alert)

        wait_s = self._first_results_s.get(alert.pool, 0.0)
        self._settling[alert.pool] = alert, asyncio.get_running_loop().call_later(wait_s, settle)

    async def close(self) -> None:
        """Send what waits, for a moment, keep what is open, and stop."""
        for alert, timer in self._settling.values():
            timer.cancel()
            self._book.forget(alert)
        await asyncio.gather(*(receiver.close() for receiver in self._receivers.values()))
        await self._save()

    def _queue(self, alert: Alert) -> None:
        alert = replace(alert, pool_id=self._pool_ids.get(alert.pool, ""), account_id=self._account_id)
        pools = self._behind.get(alert.network, ()) if alert.network else (alert.pool,)
        balancers = tuple(dict.fromkeys(name for pool in pools for name in self._balancers.get(pool, ())))
        for notification, receiver in self._receivers.items():
            if wants(notification, self._filters.get(alert.pool), alert, pools):
                receiver.put(alert, balancers)

    async def _save(self) -> None:
        """Keep the open alerts, so that an end finds its alert's id after a restart."""
        if self._state_dir is None:
            return
        async with self._saving:
            if not self._book.changed:
                return
            try:
                await asyncio.to_thread(alerts.save, self._state_dir, self._book.snapshot())
            except LbdnsError as error:
                self._book.changed = True
                self._unsaved.begin(error)
            else:
                self._unsaved.end()


def _enabled(pools: Iterable[PoolSpec]) -> Mapping[tuple[str, str], bool]:
    found: dict[tuple[str, str], bool] = {}
    for pool in pools:
        found[pool.name, ""] = pool.enabled
        found.update(((pool.name, endpoint.name), endpoint.enabled) for endpoint in pool.endpoints)
    return found
