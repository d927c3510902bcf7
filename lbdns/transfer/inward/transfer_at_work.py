"""A transfer worker at work: what its supervisor tells it, what it tells its supervisor, the zones between."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lbdns.base.clocks import elapsed_s
from lbdns.base.errors import LbdnsError
from lbdns.base.wording import nearest
from lbdns.dns.name import BadName, encode_canonical, show_name
from lbdns.dnssec.signer.signer_channel import WordsChannel
from lbdns.mapped.run_directory import RunDirectory
from lbdns.transfer.inward.copy_shelf import CopyShelf
from lbdns.transfer.inward.incoming import TransferBounds
from lbdns.transfer.inward.notice_port import Notice, NoticePort
from lbdns.transfer.inward.notify_sender import NotifySender
from lbdns.transfer.inward.secondary_zone import SecondaryZone, WorkerTools
from lbdns.transfer.inward.worker_terms import WorkerTerms

TELL_S: Final = 0.2
"""So long changes of statuses are collected before they are told."""
TOLD_AT_ONCE: Final = 1_000
"""How many statuses a frame has."""
DONE_S: Final = 8.0
"""How long who asks for something waits until it is done; it goes on all the same."""
BEAT_S: Final = 1.0


def steady_unix_s(offset_s: float) -> float:
    """Return unix seconds that go on evenly: as the time of day was when the process began, and what has passed."""
    return elapsed_s() + offset_s


class TransferWorker:
    """One worker."""

    def __init__(self, state_dir: Path, run: RunDirectory, channel: socket.socket, bounds: TransferBounds) -> None:
        """Work for the supervisor at the other end of a channel; `bounds`: of each transfer."""
        offset_s = time.time() - elapsed_s()
        self._shelf = CopyShelf(state_dir)
        self._tools = WorkerTools(
            self._shelf, lambda: steady_unix_s(offset_s), self._tell_copy, self._note_change, self._tell_step
        )
        self._tools.bounds = bounds
        self._channel = WordsChannel(channel, self._do, "transfer worker")
        self._port = NoticePort(run.transfer_notices, self._take_notice)
        self._notifier = NotifySender(self._note_change)
        self._zones: dict[bytes, SecondaryZone] = {}
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._is_changed = asyncio.Event()

    async def work(self) -> None:
        """Work until told to stop, or the supervisor is gone."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        self._port.open()
        hearing = asyncio.create_task(self._channel.hear())
        beside = [asyncio.create_task(one) for one in (self._tell_changes(), self._port.keep(), self._beat())]
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((hearing, stopping, *beside), return_when=asyncio.FIRST_COMPLETED)
        for task in (hearing, stopping, *beside, *self._tasks.values()):
            task.cancel()
        self._port.close()

    async def _beat(self) -> None:
        while True:
            self._channel.tell("alive")
            await asyncio.sleep(BEAT_S)

    async def _tell_changes(self) -> None:
        while True:
            await self._is_changed.wait()
            self._is_changed.clear()
            found = self._statuses()
            for start in range(0, len(found) or 1, TOLD_AT_ONCE):
                lot = found[start : start + TOLD_AT_ONCE]
                self._channel.tell("statuses", zones=lot, is_first=start == 0, is_last=start + len(lot) == len(found))
            await asyncio.sleep(TELL_S * (1 + len(found) / TOLD_AT_ONCE))

    def _note_change(self) -> None:
        self._is_changed.set()

    def _tell_copy(self, zone: SecondaryZone) -> None:
        self._channel.tell("copy", apex=zone.apex.hex(), is_expired=zone.is_expired)

    def _tell_step(self, zone: str, kind: str, level: str, text: str) -> None:
        self._channel.tell("step", zone=zone, kind=kind, level=level, what=text, at_s=time.time())

    def _status(self, apex: bytes) -> dict[str, Any]:
        return next(one for one in self._statuses() if one["zone"] == show_name(apex))

    def _statuses(self) -> list[dict[str, Any]]:
        found = []
        told = dict(self._notifier.zones)
        for apex, zone in self._zones.items():
            status, notifier = zone.status(), told.pop(apex, None)
            if notifier is not None:
                other = notifier.status()
                status = replace(status, notified=other.notified, counts={**other.counts, **status.counts})
            found.append(status)
        found += [one.status() for one in told.values()]
        return [one.as_json() for one in sorted(found, key=lambda one: one.zone)]

    def _take_notice(self, notice: Notice) -> None:
        zone = self._zones.get(notice.apex)
        if zone is not None:
            zone.ask_soon(notice.address, notice.serial)

    async def _do(self, verb: str, said: Mapping[str, Any]) -> Any:
        """Do what the supervisor says; raises LbdnsError."""
        if verb == "terms":
            self._follow(WorkerTerms.from_json(said))
            return None
        if verb == "statuses":
            return self._statuses()
        if verb == "refresh":
            zone = self._zones[self._apex(said["zone"], self._zones, "is no secondary zone")]
            await zone.refresh(bool(said["force"]), DONE_S)
            return self._status(zone.apex)
        if verb == "notify":
            apex = self._apex(said["zone"], self._notifier.zones, "is no zone that others are told of")
            await self._notifier.again(apex, DONE_S)
            return self._status(apex)
        raise LbdnsError(f"the transfer worker knows no {verb}")

    def _apex(self, named: str, known: Mapping[bytes, object], otherwise: str) -> bytes:
        with contextlib.suppress(BadName):
            apex = encode_canonical(named)
            if apex in known:
                return apex
        near = nearest(named, [show_name(apex) for apex in known])
        raise LbdnsError(f'"{named}" {otherwise}' + (f'; did you mean "{near}"?' if near else ""))

    def _follow(self, terms: WorkerTerms) -> None:
        """Have the zones that the terms say, from where they say."""
        for apex, zone in list(self._zones.items()):
            if terms.secondaries.get(apex) != zone.terms:
                self._tasks.pop(apex).cancel()
                del self._zones[apex]
        for apex, said in terms.secondaries.items():
            if apex not in self._zones:
                zone = self._zones[apex] = SecondaryZone(apex, said, self._tools)
                self._tasks[apex] = asyncio.create_task(zone.run())
        self._notifier.take(dict(terms.notified))
        self._shelf.remove_but(terms.secondaries, time.time())
        self._note_change()
