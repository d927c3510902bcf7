"""The transfer worker as the supervisor keeps it: there where a zone comes from others, or others are told of one.

    configuration --laid in: what has come--> published --terms: zones, primaries, who is told of which SOA--> worker
    worker --a copy is there, has expired--> published anew
           --statuses, steps---------------> whoever shows them

A worker that dies is started again and told what the one before it was; what is on disk is served meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.words import TRANSFER_MODULE
from lbdns.dns.name import encode_canonical, show_name
from lbdns.dnssec.zone_step import ZoneStep
from lbdns.model.configuration import Configuration
from lbdns.processes.supervisor.child_process import ChildProcess
from lbdns.processes.supervisor.children import Child
from lbdns.processes.supervisor.kept import Duty, WatchedOne
from lbdns.processes.supervisor.pulse import Pulse
from lbdns.processes.supervisor.secondary_zones import REFUSED, SecondaryZones
from lbdns.processes.supervisor.signer_link import WordsLink
from lbdns.transfer.inward.published_terms import terms_of
from lbdns.transfer.inward.worker_terms import WorkerTerms
from lbdns.transfer.zone_transfer_status import TransferState, ZoneTransferStatus

SILENT_S: Final = 30.0
"""It says once a second that it lives; a large zone may keep it from that for some."""
BEGIN_S: Final = 10.0
"""How long it may take to be there, for who asks it."""
RETRY_S: Final = 60.0
"""After what came could not be published."""

log = logging.getLogger("lbdns.processes")


class TransferChild(WatchedOne):
    """At most one process. `steps`: each hears of what happens to a zone."""

    kind = "transfer"
    words = "transfer worker"

    def __init__(self, state_dir: Path, republish: Callable[[str], Awaitable[str]]) -> None:
        """Begin with none. `republish` publishes what is in force anew, with what has come: it takes the reason, and
        returns what was wrong, "" for nothing."""
        super().__init__()
        self._state_dir = state_dir
        self._republish = republish
        self._zones = SecondaryZones(state_dir, time.time())
        self._terms = WorkerTerms({}, {})
        self._listed: dict[bytes, bytes] = {}  # members of catalogs, and the labels that they are listed under
        self._link: WordsLink | None = None
        self._linked = asyncio.Event()
        self._heard_ns = 0
        self._statuses: tuple[ZoneTransferStatus, ...] = ()
        self._coming: list[ZoneTransferStatus] = []
        self._log_format = "text"
        self._tasks: set[asyncio.Future[None]] = set()
        self._news = asyncio.Event()
        self.steps: list[Callable[[ZoneStep], None]] = []

    def laid_in(self, configuration: Configuration) -> Configuration:
        """Return a configuration with what has come of its secondary zones; may read large files. Raises LbdnsError."""
        return self._zones.laid_in(configuration)

    @property
    def statuses(self) -> tuple[ZoneTransferStatus, ...]:
        """How zones stand that come from others, or that others have or are told of."""
        notes = self._zones.notes()
        return tuple(_with_notes(one, notes.get(encode_canonical(one.zone), ())) for one in self._statuses)

    async def start(self, duty: Duty) -> None:
        """Begin where there is something to do; nothing waits for it."""
        await self.replace(duty)

    async def replace(self, duty: Duty) -> None:
        """Tell it of what is in force; begin it where there is something to do for the first time."""
        published = duty.published
        self._log_format = duty.log_format
        self._zones.published(published.configuration)
        listed = {member.apex: member.unique for member in published.configuration.catalog_members}
        renewed = [apex for apex, unique in listed.items() if self._listed.get(apex, unique) != unique]
        self._listed = listed
        terms = await asyncio.to_thread(terms_of, published)
        if self._link is not None and renewed:
            self._do(self._renew(self._link, renewed))
        if terms == self._terms:
            return
        self._terms = terms
        if self._child is None and (terms.secondaries or terms.notified):
            arguments = ["--state-dir", str(self._state_dir), "--log", self._log_format]
            pulse = Pulse(lambda: (self._heard_ns,), SILENT_S)
            self._begin(Child(self.words, TRANSFER_MODULE, arguments, listens=True, pulse=pulse, began=self._meet))
        elif self._link is not None:
            self._do(self._tell_terms(self._link))

    def _meet(self, process: ChildProcess) -> None:
        """Talk to a process that was just started."""
        assert process.channel is not None
        before, self._link = self._link, WordsLink(process.channel, self._hear, self.words)
        self._linked.clear()
        self._do(self._introduce(self._link, before))

    async def _introduce(self, link: WordsLink, before: WordsLink | None) -> None:
        if before is not None:
            await before.close()
        await self._tell_terms(link)
        if link.is_open:
            self._linked.set()

    async def _renew(self, link: WordsLink, apexes: Iterable[bytes]) -> None:
        """Have zones transferred whole, which a catalog lists as others of the same names (RFC 9432 section 5.4)."""
        for apex in apexes:
            try:
                await link.ask("refresh", {"zone": show_name(apex), "force": True})
            except LbdnsError as error:
                log.warning("zone %s: its catalog lists it anew, and it does not come: %s", show_name(apex), error)

    async def _tell_terms(self, link: WordsLink) -> None:
        try:
            await link.ask("terms", self._terms.as_json())
        except LbdnsError as error:
            if link.is_open:
                log.error("the transfer worker does not take what is configured: %s", error)

    def _do(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _hear(self, event: Mapping[str, Any]) -> None:
        self._heard_ns = time.monotonic_ns()
        kind = event["event"]
        if kind == "copy":
            self._note_news({bytes.fromhex(event["apex"]): bool(event["is_expired"])})
        elif kind == "statuses":
            self._take_statuses(event)
        elif kind == "step":
            step = ZoneStep.told(event)
            log.log(step.logged, "%s", step.text)
            for hear in self.steps:
                hear(step)

    def _note_news(self, copies: Mapping[bytes, bool]) -> None:
        """Note zones of which another copy is there, each with whether it has expired."""
        for apex, is_expired in copies.items():
            self._zones.came(apex, is_expired)
        self._news.set()

    def _take_statuses(self, event: Mapping[str, Any]) -> None:
        """Take some statuses; with the last of them all are there."""
        if event["is_first"]:
            self._coming = []
        self._coming += map(ZoneTransferStatus.from_json, event["zones"])
        if event["is_last"]:
            self._statuses = tuple(self._coming)

    async def watch(self) -> None:
        """Publish what comes, until cancelled; what comes meanwhile is published together."""
        while True:
            await self._news.wait()
            self._news.clear()
            notes = self._zones.notes()
            refused = await self._publish()
            if len(refused) > 1:  # one of them may be what is wrong
                for apex, is_expired in refused.items():
                    self._zones.came(apex, is_expired)
                    await self._publish()
            self._tell_notes(notes)

    async def _publish(self) -> Mapping[bytes, bool]:
        """Publish what has come; return what of it is not served as that failed, to be tried again later."""
        try:
            problem = await self._republish("zones came from their primaries")
        except Exception as error:  # a mistake of ours: what comes next is published all the same
            log.exception("lbdns failed on zones that came from their primaries")
            problem = repr(error)
        refused = self._zones.withdraw(problem) if problem else {}
        if refused:
            asyncio.get_running_loop().call_later(RETRY_S, self._note_news, refused)
        return refused

    def _tell_notes(self, before: Mapping[bytes, tuple[str, ...]]) -> None:
        """Say what somebody should look at since what came last."""
        for apex, said in self._zones.notes().items():
            for text in said:
                if text not in before.get(apex, ()):
                    step = {"zone": show_name(apex), "kind": "warned", "level": "warning", "what": text}
                    self._hear({"event": "step", **step, "at_s": time.time()})

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Have the worker do something and return what it says; raises LbdnsError."""
        if self._child is None:
            raise LbdnsError("no zone here comes from another server, and nobody is told of one")
        try:
            await asyncio.wait_for(self._linked.wait(), BEGIN_S)
        except TimeoutError:
            raise LbdnsError("the transfer worker does not start") from None
        assert self._link is not None
        return await self._link.ask(verb, arguments)

    async def stop(self) -> None:
        """End it, where there is one."""
        await super().stop()
        for task in tuple(self._tasks):
            task.cancel()
        if self._link is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._link.close()


def _with_notes(status: ZoneTransferStatus, notes: tuple[str, ...]) -> ZoneTransferStatus:
    if not notes:
        return status
    refused = next((note for note in notes if note.startswith(REFUSED)), "")
    state = TransferState.FAILING if refused and status.state is TransferState.CURRENT else status.state
    return replace(status, warnings=(*status.warnings, *notes), state=state, last_error=refused or status.last_error)
