"""One secondary zone: its primaries are asked when they are to be, and what they send becomes the copy on disk.

    read the copy -> wait (refresh, retry, NOTIFY, expiry) -> ask each primary's SOA until one has something newer
       ^                                                                |  nothing newer: checked
       |                                                                v
       '---- told, published by the supervisor <- disk <- checked <- IXFR, else AXFR

A transfer that fails, or whose content is refused, changes nothing: the next primary is asked, and what is there is
served on until it expires.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import counted
from lbdns.dns.name import show_name
from lbdns.dns.serial import is_newer
from lbdns.dns.zone_copy import ZoneCopy
from lbdns.transfer.inward.copy_shelf import CopyShelf
from lbdns.transfer.inward.incoming import Incoming, TransferBounds, TransferError, serial_of
from lbdns.transfer.inward.kept_records import KeptRecords
from lbdns.transfer.inward.primary_client import AskedPrimary, ask_soa, transfer
from lbdns.transfer.inward.received_checks import check_received
from lbdns.transfer.inward.worker_room import WorkerRoom
from lbdns.transfer.inward.worker_terms import SecondaryTerms
from lbdns.transfer.inward.zone_records import ZoneRecords
from lbdns.transfer.inward.zone_timers import SoaTimes, ZoneTimers
from lbdns.transfer.zone_transfer_status import TransferPeer, TransferRole, TransferState, ZoneTransferStatus

FAILED: Final = "lbdns failed on it"

FAILED_S: Final = 30.0
"""Before a zone is begun with again, after lbdns failed on it."""

log = logging.getLogger("lbdns.transfer")


@dataclass(frozen=True, slots=True)
class HeldSerial:
    """What is held of a zone: the data of its SOA, its serial, and by what it came."""

    soa: bytes
    serial: int
    kind: str = ""
    transferred_s: float | None = None


@dataclass(slots=True)
class WorkerTools:
    """What all zones of a worker share. `tell(zone)` is called when a copy is there or has expired, `changed()` when a
    status is another; `step(zone, kind, level, text)` says what happened, for people; `clock` gives unix seconds that
    go on evenly."""

    shelf: CopyShelf
    clock: Callable[[], float]
    tell: Callable[[SecondaryZone], None]
    changed: Callable[[], None]
    step: Callable[[str, str, str, str], None]
    room: WorkerRoom = field(default_factory=WorkerRoom)
    kept: KeptRecords = field(default_factory=KeptRecords)
    bounds: TransferBounds = field(default_factory=TransferBounds)


class SecondaryZone:
    """One zone of a worker, from when it is told of until it is not to be had any more."""

    def __init__(self, apex: bytes, terms: SecondaryTerms, tools: WorkerTools) -> None:
        """Describe it; `run` does the work."""
        self.apex = apex
        self.name = show_name(apex)
        self.terms = terms
        self.held: HeldSerial | None = None
        self.is_expired = False
        self.timers = ZoneTimers(tools.clock())
        self.counts = Counter[str]()
        self._tools = tools
        self._peers: dict[str, TransferPeer] = {}
        self._wake = asyncio.Event()
        self._is_forced = self._is_asked = False
        self._first = ""  # the address that said last that the zone has changed
        self._last_check_s: float | None = None
        self._error, self._is_failing = "", False
        self._error_s: float | None = None
        self._since_s = tools.clock()
        self._checks = 0
        self._checked = asyncio.Condition()
        self._state = TransferState.PENDING

    def ask_soon(self, address: str = "", serial: int | None = None, is_forced: bool = False) -> None:
        """Have the primaries asked at once: `address` says that the zone has changed, to `serial`; `is_forced`: the
        whole zone is to be transferred, whatever its serial."""
        if address:
            self.counts["notifies"] += 1
            if serial is not None and not self._is_news(serial):
                return
            self._first = address
        self._is_forced |= is_forced
        self._is_asked = True
        self.timers.ask_soon(self._tools.clock())
        self._wake.set()

    async def refresh(self, is_forced: bool, wait_s: float) -> None:
        """Have the primaries asked at once, and wait so long at most until that is done."""
        checks = self._checks
        self.ask_soon(is_forced=is_forced)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s), self._checked:
                await self._checked.wait_for(lambda: self._checks > checks)

    def _times(self, soa: bytes) -> SoaTimes:
        return SoaTimes.of(soa, self.terms.refresh_s)

    def _is_news(self, serial: int) -> bool:
        return self.held is None or self.is_expired or is_newer(serial, self.held.serial)

    async def run(self) -> None:
        """Work until cancelled, whatever goes wrong."""
        while True:
            try:
                await self._work()
            except Exception:
                log.exception("zone %s: the transfer worker failed", self.name)
                await asyncio.sleep(FAILED_S)

    async def _work(self) -> None:
        await self._read_copy()
        while True:
            now_s = self._tools.clock()
            self._look_at_age(now_s)
            wait_s = self.timers.wakes_s(now_s) - now_s
            if wait_s > 0:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait_s)
                continue
            await self._check()

    async def _read_copy(self) -> None:
        found = await asyncio.to_thread(self._tools.shelf.read, self.apex)
        if found is None:
            return
        records = ZoneRecords(self.apex, found.copy.rrsets)
        soa = records.soa()
        if soa is None:
            return
        self._tools.kept.keep(found.copy.serial, len(found.copy.rrsets), records)
        self.held = HeldSerial(soa.rdatas[0], found.copy.serial, "", found.copy.received_s)
        self.timers.hold(self._times(soa.rdatas[0]), min(found.checked_s, self._tools.clock()))
        self._set_state()

    def _look_at_age(self, now_s: float) -> None:
        if self.timers.is_expired(now_s) == self.is_expired:
            return
        self.is_expired = self.timers.is_expired(now_s)
        if self.is_expired:
            self._step("expired", "error", "expired: no primary answered for too long, so it is not served any more")
        else:
            self._step("recovered", "info", f"a primary answers again, and it is served with serial {self._serial}")
        self._set_state()
        self._tools.tell(self)

    async def _check(self) -> None:
        """Ask the primaries, and transfer what is newer."""
        tools = self._tools
        self.timers.begun(tools.clock())
        is_forced, self._is_forced, self._is_asked = self._is_forced, False, False
        errors: list[str] = []
        has_answered = False
        for primary in self._in_turn():
            try:
                if await self._try(primary, is_forced):
                    has_answered, errors = True, []
                    break
                has_answered = True
            except LbdnsError as error:
                errors.append(f"{primary.shown}: {error}")
                self._note(primary, problem=str(error))
            except Exception as error:
                log.exception("zone %s: the transfer worker failed", self.name)
                errors.append(f"{primary.shown}: {FAILED}: {error!r}")
        now_s = tools.clock()
        self._last_check_s = now_s
        if self.held is not None and has_answered and not (is_forced and errors):
            await self._succeeded(now_s)
        else:
            self.timers.failed(now_s, random.random())
        if self._is_asked:  # while this was done: what was said then may be newer
            self.timers.ask_soon(now_s)
        self._take_errors(errors, now_s)
        self._set_state()
        self._checks += 1
        async with self._checked:
            self._checked.notify_all()

    async def _succeeded(self, now_s: float) -> None:
        assert self.held is not None
        self.timers.succeeded(now_s, self._times(self.held.soa), random.random())
        self._look_at_age(now_s)
        try:
            await asyncio.to_thread(self._tools.shelf.note_checked, self.apex, now_s)
        except LbdnsError as error:
            log.error("%s", error)

    def _in_turn(self) -> list[AskedPrimary]:
        """Return the primaries, those first that have said that the zone has changed."""
        first, self._first = self._first, ""
        return sorted(self.terms.primaries, key=lambda one: one.address != first)

    async def _try(self, primary: AskedPrimary, is_forced: bool) -> bool:
        """Ask a primary; return whether it had something newer, which is the copy now. Raises LbdnsError."""
        self.counts["checks"] += 1
        try:
            async with self._tools.room.for_check():
                soa = await ask_soa(primary, self.apex)
        except TransferError:
            self.counts["checks_failed"] += 1
            raise
        serial = serial_of(soa)
        self._note(primary, serial=serial)
        held = None if self.is_expired or is_forced else self.held
        if held is not None and not is_newer(serial, held.serial):
            if serial != held.serial:
                raise TransferError(
                    f"its serial {serial} is older than {held.serial}, which is here; `lbdns zone refresh {self.name} "
                    "--force` takes it all the same"
                )
            return False
        async with self._tools.room.for_transfer(primary.address):
            try:
                await self._transfer(primary, held)
            except LbdnsError:
                self.counts["transfers_failed"] += 1
                raise
        return True

    async def _transfer(self, primary: AskedPrimary, held: HeldSerial | None) -> None:
        """Have the zone sent: the differences from `held`, and the whole of it where they do not come."""
        incoming = None
        if held is not None and primary.takes_ixfr:
            incoming = await self._ask_differences(primary, held)
        if incoming is None:
            incoming = Incoming(self.apex, None, self._tools.bounds)
            await transfer(primary, self.apex, incoming, None)
        if incoming.is_current:
            return
        if held is not None and not is_newer(incoming.serial, held.serial):
            raise TransferError(f"what came has serial {incoming.serial}, and {held.serial} is here already")
        await self._take(primary, incoming)

    async def _ask_differences(self, primary: AskedPrimary, held: HeldSerial) -> Incoming | None:
        records = self._tools.kept.find(self.apex, held.serial)
        if records is None:
            found = await asyncio.to_thread(self._tools.shelf.read, self.apex)
            if found is None or found.copy.serial != held.serial:
                return None
            records = await asyncio.to_thread(ZoneRecords, self.apex, found.copy.rrsets)
        incoming = Incoming(self.apex, records, self._tools.bounds)
        try:
            await transfer(primary, self.apex, incoming, held.soa)
            await asyncio.to_thread(check_received, incoming.records)
        except TransferError as error:
            self._step("warned", "info", f"no differences from {primary.shown}, the whole zone is asked for: {error}")
            return None
        return incoming

    async def _take(self, primary: AskedPrimary, incoming: Incoming) -> None:
        """Make what came the copy; raises LbdnsError with the copy as it was."""
        records, now_s = incoming.records, self._tools.clock()

        def put() -> int:
            check_received(records)
            rrsets = records.rrsets()
            self._tools.shelf.write(ZoneCopy(self.apex, incoming.serial, primary.shown, now_s, rrsets))
            return len(rrsets)

        count = await asyncio.to_thread(put)
        soa = records.soa()
        assert soa is not None
        self.counts[incoming.kind] += 1
        self.held = HeldSerial(soa.rdatas[0], incoming.serial, incoming.kind, now_s)
        self._tools.kept.keep(incoming.serial, count, records)
        # Not expired any more, and no news of its own: the copy is told in a moment.
        self.timers.hold(self._times(soa.rdatas[0]), now_s)
        self.is_expired = False
        how = f"by {incoming.kind.upper()} from {primary.shown}, {counted(incoming.record_count, 'record')}"
        self._step("transferred", "info", f"serial {incoming.serial} {how}")
        self._tools.tell(self)

    @property
    def _serial(self) -> int:
        return self.held.serial if self.held is not None else 0

    def _step(self, kind: str, level: str, text: str) -> None:
        self._tools.step(self.name, kind, level, text)

    def _note(self, primary: AskedPrimary, serial: int | None = None, problem: str = "") -> None:
        before = self._peers.get(primary.shown) or _peer(primary)
        if serial is None:
            self._peers[primary.shown] = replace(before, problem=problem)
        else:
            self._peers[primary.shown] = replace(before, serial=serial, heard_s=self._tools.clock(), problem="")

    def _take_errors(self, errors: Sequence[str], now_s: float) -> None:
        was_failing, self._is_failing = self._is_failing, bool(errors)
        if not errors:
            return
        text = "; ".join(errors)
        if text != self._error or not was_failing:
            self._step("failed", "error", text)
        self._error, self._error_s = text, now_s

    def _set_state(self) -> None:
        if self.held is None:
            state = TransferState.PENDING
        elif self.is_expired:
            state = TransferState.EXPIRED
        else:
            state = TransferState.FAILING if self._is_failing else TransferState.CURRENT
        if state is not self._state:
            self._state, self._since_s = state, self._tools.clock()
        self._tools.changed()

    def status(self) -> ZoneTransferStatus:
        """Return how it stands."""
        held = self.held
        return ZoneTransferStatus(
            self.name,
            TransferRole.SECONDARY,
            self._state,
            self._since_s,
            serial=None if held is None or self.is_expired else held.serial,
            primaries=tuple(self._peers.get(one.shown) or _peer(one) for one in self.terms.primaries),
            last_check_s=self._last_check_s,
            next_check_s=self.timers.next_s,
            last_transfer="" if held is None else held.kind,
            last_transfer_s=None if held is None else held.transferred_s,
            expires_s=self.timers.expires_s,
            last_error=self._error,
            last_error_s=self._error_s,
            counts=dict(self.counts),
        )


def _peer(primary: AskedPrimary) -> TransferPeer:
    return TransferPeer(primary.shown, primary.key.name if primary.key else "", primary.tls is not None)
