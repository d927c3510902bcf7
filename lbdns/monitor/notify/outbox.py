"""What a worker's notifications have to keep, and the task that keeps it: no probe and no receiver's queue waits.

    accept   a message is a receiver's       -> outbox      | what is asked for until the file is written
    sent     a message got through           -> history     | goes into it in one transaction, in the order
    failed   it did not, and is given up     -> nowhere     | in which it was asked for

What cannot be written is kept in memory and tried again with whatever comes next.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.model.subscription import Subscription
from lbdns.monitor.notify.alerts import AlertBook, Key
from lbdns.monitor.notify.delivery import Told
from lbdns.monitor.notify.notification_store import (
    BODY_CHARS_MAX,
    Fared,
    KeptAlert,
    NotificationChanges,
    NotificationStore,
    Sent,
)

UNROUTED: Final = ""
"""The receiver of a message while it is held back."""

log = logging.getLogger("lbdns.monitor")


@dataclass(frozen=True, slots=True)
class QueuedAlert:
    """A message that waits: its id, since when (CLOCK_MONOTONIC in ns), and what it tells."""

    id: str
    since_ns: int
    told: Told


class Outbox:
    """What is to be written to the file, and what was in it; without a directory nothing is kept."""

    def __init__(self, state_dir: Path | None, book: AlertBook) -> None:
        """Keep messages, and the alerts of `book` that are open."""
        self._store = NotificationStore(state_dir) if state_dir is not None else None
        self._book = book
        self._pending = NotificationChanges()
        self._saving = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._unsaved = LastingTrouble(log, "notifications are kept again")

    def accept(self, receiver: str, told: Told) -> QueuedAlert:
        """Take a message for a receiver, and have it written at once."""
        entry = QueuedAlert(uuid.uuid4().hex, time.monotonic_ns(), told)
        if self._store is not None:
            self._pending.waiting[entry.id] = KeptAlert(entry.id, receiver, time.time(), told)
            self.begin_saving()
        return entry

    def drop(self, entries: Iterable[QueuedAlert]) -> None:
        """Take messages out: nobody is told of them."""
        for entry in entries:
            self._pending.end(entry.id)
        self.begin_saving()

    def sent(self, subscription: Subscription, entries: Iterable[QueuedAlert], alert_type: str, text: str) -> None:
        """Note that messages got through, as one text."""
        destination, now_s = subscription.destination, time.time()
        row = Sent(
            id=uuid.uuid4().hex,
            sent_s=now_s,
            policy_id=subscription.policy_id,
            name=subscription.policy_name,
            description=subscription.description,
            alert_type=alert_type,
            mechanism=destination.id or ", ".join(destination.addresses) or destination.name,
            mechanism_type=destination.mechanism,
            alert_body=text[:BODY_CHARS_MAX],
        )
        self._pending.sent.append(row)
        if destination.id:
            self._pending.fared[destination.id] = Fared(now_s, self._fared(destination.id).last_failure_s)
        self.drop(entries)

    def failed(self, subscription: Subscription) -> None:
        """Note that an attempt did not get through."""
        id = subscription.destination.id
        if id:
            self._pending.fared[id] = Fared(self._fared(id).last_success_s, time.time())
            self.begin_saving()

    def _fared(self, id: str) -> Fared:
        return self._pending.fared.get(id, Fared())

    def begin_saving(self) -> None:
        """Have what is pending written, and go on."""
        if self._store is not None and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self.save())

    async def save(self) -> None:
        """Write what is pending; what cannot be written stays pending, and the log says why."""
        if self._store is None:
            self._pending = NotificationChanges()
            return
        async with self._saving:
            while True:
                changes, self._pending = self._pending, NotificationChanges()
                changes.alerts |= self._book.taken()
                if not changes:
                    return
                try:
                    await asyncio.shield(asyncio.to_thread(self._store.write, changes))
                except LbdnsError as error:
                    self._pending = changes.before(self._pending)
                    self._unsaved.begin(error)
                    return
                self._unsaved.end()

    def load(self) -> tuple[dict[Key, tuple[str, str]], list[KeptAlert]]:
        """Return the alerts that were open, and the messages that waited, when an earlier worker ended."""
        if self._store is None:
            return {}, []
        try:
            return self._store.load()
        except LbdnsError as error:
            self._unsaved.begin(error)
            return {}, []

    def close(self) -> None:
        """Close the file."""
        if self._store is not None:
            self._store.close()


def entry_of(waiting: KeptAlert) -> QueuedAlert:
    """Return a message of an earlier worker, as old as it is."""
    age_ns = max(int((time.time() - waiting.at_s) * 1e9), 0)
    return QueuedAlert(waiting.id, max(time.monotonic_ns() - age_ns, 1), waiting.told)
