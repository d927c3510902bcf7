"""Notifications: changes in, messages out through sinks, in tasks of their own that no probe waits for.

    change -> alert -> who wants it, and is not silenced -> outbox, on disk -> that receiver's queue
           -> (a second's gathering) -> sent singly, or as one summary -> history

An alert is accepted once it is in the outbox, within milliseconds: whatever then becomes of the worker, the next one
goes on with it. What a receiver took is noted before anything else is sent to it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from lbdns.base.wording import counted
from lbdns.base.words import Health
from lbdns.health.events import HealthChange
from lbdns.model.filter_terms import FilterTerms
from lbdns.model.probe_networks import DEFAULT, ReachTerms
from lbdns.model.subscription import Subscription
from lbdns.model.targets_document import BalancerSpec
from lbdns.monitor.notify.alerts import END, HEALTH, Alert, AlertBook, load_former, wants
from lbdns.monitor.notify.delivery import MayReach
from lbdns.monitor.notify.outbox import UNROUTED, Outbox, QueuedAlert, entry_of
from lbdns.monitor.notify.receiver import Receiver
from lbdns.monitor.targets import PoolSpec

OTHERS_S: Final = 5.0
"""A machine of a fleet that is not to tell waits so long, longer than it takes to miss the one that is."""

log = logging.getLogger("lbdns.monitor")


class Turn(Protocol):
    """Whose part it is to tell people, in a fleet."""

    def tells(self) -> bool:
        """Whether it is this machine's."""

    def substitute(self) -> Callable[[], bool]:
        """Return what says later whether this machine is to tell what happens now, as whoever was to cannot have."""


class Alone:
    """The turn of a machine that is in no fleet."""

    def tells(self) -> bool:
        """Whether it is this machine's: always."""
        return True

    def substitute(self) -> Callable[[], bool]:
        """Return what says later whether it is this machine's."""
        return self.tells


class Notifier:
    """All notifications of a worker; `turn` says which of them are this machine's to tell."""

    def __init__(self, state_dir: Path | None) -> None:
        """Keep open alerts in `state_dir`; None keeps them for this worker's life only."""
        self._state_dir = state_dir
        self._book = AlertBook()
        self._outbox = Outbox(state_dir, self._book)
        self._restored = False
        self._receivers: dict[str, Receiver] = {}
        self._filters: dict[str, FilterTerms] = {}
        self._specs: Sequence[BalancerSpec] = ()
        self._balancers: dict[str, tuple[str, ...]] | None = None  # by pool; None: nobody has asked yet
        self._first_results_s: dict[str, float] = {}  # pool -> when all its endpoints have a result
        self._settling: dict[str, tuple[Alert, QueuedAlert, asyncio.TimerHandle]] = {}
        self._pool_ids: dict[str, str] = {}
        self._account_id = ""
        self._networks = DEFAULT
        self.turn: Turn = Alone()
        self._behind: dict[str, tuple[str, ...]] = {}  # pools with endpoints in a virtual network, by its name

    def adopt(
        self,
        subscriptions: Iterable[Subscription],
        pools: Sequence[PoolSpec],
        balancers: Sequence[BalancerSpec],
        account_id: str = "",
        networks: ReachTerms = DEFAULT,
    ) -> None:
        """Take a generation's receivers and filters; a receiver that stays keeps its queue."""
        self._networks = networks
        former, self._receivers = self._receivers, {}
        for subscription in subscriptions:
            receiver = former.pop(subscription.key, None)
            if receiver is None:
                receiver = Receiver(subscription, self._outbox, self._reach)
            elif receiver.subscription != subscription:
                receiver.adopt(subscription)
            self._receivers[subscription.key] = receiver
        for gone in former.values():
            self._say_dropped(gone.cancel(), gone.subscription.policy_name)
        self._account_id = account_id
        if balancers is not self._specs:
            self._specs, self._balancers = balancers, None
        if not self._receivers:
            return
        self._see_pools(pools)
        pool_ids = {pool.name: pool.id for pool in pools}
        former_ids, self._pool_ids = self._pool_ids, pool_ids
        held = self._restore()
        watching = {(pool.name, one.name) for pool in pools for one in pool.members if not one.votes}
        self._pool_ids = former_ids | pool_ids  # also of those that are gone, which is told now
        for alert in self._book.adopt(_enabled(pools), time.time(), watching, self._behind):
            if not self._ends_unheard(alert):
                self._queue(alert)
        for alert in held:
            self._queue(alert)
        self._pool_ids = pool_ids

    def _see_pools(self, pools: Sequence[PoolSpec]) -> None:
        self._filters = {pool.name: pool.notification_filter for pool in pools if pool.notification_filter}
        self._first_results_s = {
            pool.name: max((one.monitor.timeout * (one.monitor.retries + 1.0) for one in pool.members), default=0.0)
            for pool in pools
        }
        behind: dict[str, dict[str, None]] = {}
        for pool in pools:
            for spec in pool.endpoints:
                behind.setdefault(spec.network, {})[pool.name] = None
        self._behind = {network: tuple(found) for network, found in behind.items()}

    def _balancers_of(self, pool: str) -> tuple[str, ...]:
        """Return the names of the load balancers that may answer from a pool."""
        if self._balancers is None:
            names: dict[str, dict[str, None]] = {}
            for balancer in self._specs:
                for pool_name in (*balancer.pools, balancer.fallback, *balancer.rule_fallbacks):
                    names.setdefault(pool_name, {})[balancer.name] = None
            self._balancers = {pool_name: tuple(found) for pool_name, found in names.items()}
        return self._balancers.get(pool, ())

    def _restore(self) -> list[Alert]:
        """Go on, once, with what an earlier worker left; return the alerts that it held back."""
        if self._restored or self._state_dir is None:
            return []
        self._restored = True
        opened, waiting = self._outbox.load()
        self._book.restore(opened or load_former(self._state_dir))
        held, lost = [], []
        for one in waiting:
            entry, receiver = entry_of(one), self._receivers.get(one.receiver)
            if receiver is not None and receiver.has_room():
                receiver.put(entry)
                continue
            if one.receiver == UNROUTED:
                held.append(one.told[0])
            lost.append(entry)
        self._outbox.drop(lost)
        self._say_dropped(len(lost) - len(held), "of an earlier configuration")
        return held

    def _say_dropped(self, count: int, name: str) -> None:
        if count:
            log.warning("notification %s is gone, and %s with it", name, counted(count, "message"))

    @property
    def waiting(self) -> tuple[int, int]:
        """How many alerts have not gone out, each as often as it has receivers, and since when the first waits
        (CLOCK_MONOTONIC in ns, 0 where none does)."""
        found = [receiver.waiting for receiver in self._receivers.values()]
        return sum(count for count, _ in found), min((since_ns for _, since_ns in found if since_ns), default=0)

    def _reach(self, subscription: Subscription) -> MayReach:
        return partial(self._may_reach, subscription.destination.is_local)

    def _may_reach(self, is_local: bool, address: str) -> bool:
        return not self._networks.refuses(address, is_local)

    def tell(self, change: HealthChange) -> None:
        """Queue a change for whoever wants to hear of it; never blocks."""
        alert = self._book.take(change) if self._receivers else None
        if alert is None:
            return
        if self.turn.tells():
            self._tell_of(alert, change)
        else:
            is_due = self.turn.substitute()
            asyncio.get_running_loop().call_later(OTHERS_S, self._tell_instead, is_due, alert, change)

    def _tell_instead(self, is_due: Callable[[], bool], alert: Alert, change: HealthChange) -> None:
        """Tell what another machine of the fleet was to tell, where that fell silent too soon to have told it."""
        if is_due():
            self._tell_of(alert, change)

    def _tell_of(self, alert: Alert, change: HealthChange) -> None:
        if not alert.endpoint and change.before == Health.UNKNOWN and alert.new_health == Health.DEGRADED:
            self._wait_for_first_results(alert)
        elif not self._ends_unheard(alert):
            self._queue(alert)

    def _ends_unheard(self, alert: Alert) -> bool:
        """Whether an alert is the end of one that is still held back, which any other news of the pool replaces."""
        if alert.endpoint or alert.network or alert.type != HEALTH or alert.pool not in self._settling:
            return False
        _, entry, timer = self._settling.pop(alert.pool)
        timer.cancel()
        self._outbox.drop([entry])
        return alert.event == END

    def _wait_for_first_results(self, alert: Alert) -> None:
        """Hold back that a pool is degraded while some of its endpoints have no result yet."""

        def settle() -> None:
            del self._settling[alert.pool]
            self._queue(alert)
            self._outbox.drop([entry])

        wait_s = self._first_results_s.get(alert.pool, 0.0)
        entry = self._outbox.accept(UNROUTED, (alert, ()))
        self._settling[alert.pool] = alert, entry, asyncio.get_running_loop().call_later(wait_s, settle)

    async def close(self) -> None:
        """Send what waits, for a moment, keep what is left, and stop."""
        for _, _, timer in self._settling.values():
            timer.cancel()
        await asyncio.gather(*(receiver.close() for receiver in self._receivers.values()))
        await self._outbox.save()
        self._outbox.close()

    def _queue(self, alert: Alert) -> None:
        alert = replace(alert, pool_id=self._pool_ids.get(alert.pool, ""), account_id=self._account_id)
        pools = self._behind.get(alert.network, ()) if alert.network else (alert.pool,)
        balancers = tuple(dict.fromkeys(name for pool in pools for name in self._balancers_of(pool)))
        now_s = time.time()
        for receiver in self._receivers.values():
            one = receiver.subscription
            if one.is_silent(now_s) or not wants(one, self._filters.get(alert.pool), alert, pools):
                continue
            if receiver.has_room():
                receiver.put(self._outbox.accept(one.key, (alert, balancers)))
        self._outbox.begin_saving()


def _enabled(pools: Iterable[PoolSpec]) -> Mapping[tuple[str, str], bool]:
    found: dict[tuple[str, str], bool] = {}
    for pool in pools:
        found[pool.name, ""] = pool.enabled
        found.update(((pool.name, endpoint.name), endpoint.enabled) for endpoint in pool.endpoints)
    return found
