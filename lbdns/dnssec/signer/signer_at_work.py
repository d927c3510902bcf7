"""A signer at work: what its supervisor asks of it, what responders ask, what it does by itself."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.dnssec.signer.bulk_hands import BulkHands
from lbdns.dnssec.signer.demand_port import DemandPort
from lbdns.dnssec.signer.demand_signing import DemandSigning, KeyHolder
from lbdns.dnssec.signer.foresight import Foresight
from lbdns.dnssec.signer.signer_channel import SignerChannel
from lbdns.dnssec.signer.signing_terms import SigningTerms, TermsOfZones
from lbdns.dnssec.zone_keys_words import encode_zone_keys
from lbdns.mapped.control import Control
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.signature_table import SignatureWriter
from lbdns.mapped.snapshot_file import SIGNATURES, Snapshot

SLICE_S: Final = 0.001
"""So long what will be asked for is signed at a time, before who asks has a turn."""
LOOK_S: Final = 0.1
"""How often an idle signer looks for something to sign ahead: what is one flip away is there already."""
COUNTS_S: Final = 1.0
LOCK_S: Final = 10.0
"""How long the signer of an earlier supervisor may take to end, once it was told to."""
LOCK_POLL_S: Final = 0.02

log = logging.getLogger("lbdns.dnssec")


class KeyKeeping(KeyHolder, Protocol):
    """Who keeps keys and knows what becomes of them."""

    def follow(self, policies: Mapping[str, Any]) -> None:
        """Go by these policies from now on; read what is on disk where this is the first time."""

    def problems(self) -> Mapping[str, str]:
        """Return the zones whose keys cannot be read, and why."""

    def unsigned(self) -> Sequence[str]:
        """Return the zones that have keys and are to be published unsigned."""

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Do what an operator wants; raises LbdnsError."""

    def published(self, zones: Mapping[str, Any]) -> None:
        """Take note of what is in force."""

    async def live(self, tell: Tell) -> None:
        """Have keys take their steps, until cancelled; `tell` hears of each, and ("keys") of all that changes what is
        published."""


class Tell(Protocol):
    """Hears of events (SignerChannel.tell)."""

    def __call__(self, event: str, **more: Any) -> None:
        """Hear of one."""


class SignerWorker:
    """One signer at work."""

    def __init__(
        self,
        run: RunDirectory,
        keys: KeyKeeping,
        foresight: Callable[[DemandSigning], Foresight],
        channel: socket.socket,
        unix_s: Callable[[], float],
    ) -> None:
        """Sign with `keys`; `foresight` returns who says what will be asked for; `unix_s`: the time of day."""
        self._run = run
        self._keys = keys
        self._hands = BulkHands(keys.sign)
        self._signing = DemandSigning(keys, self._terms_of, unix_s, time.monotonic)
        self._unix_s = unix_s
        self._foresight = foresight(self._signing)
        self._terms: TermsOfZones | None = None
        self._port = DemandPort(self._signing, self._foresight, self._catch_up)
        self._channel = SignerChannel(channel, self._hands.signatures, self._do)
        self._control: Control | None = None
        self._inode = 0  # of the control file
        self._generation = 0
        self._snapshot: Snapshot | None = None
        self._is_alone = False
        self._copying: Iterator[bool] | None = None  # from the table before
        self._serving: list[asyncio.Task[None]] = []
        self._woken = asyncio.Event()
        self._stop = asyncio.Event()
        self._trouble = LastingTrouble(log, "the signer follows what is served again")

    async def work(self, wake_fd: int | None) -> None:
        """Work until told to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        if wake_fd is not None:
            loop.add_reader(wake_fd, self._wake, wake_fd)
        beside = [asyncio.create_task(one) for one in (self._hear(), self._count())]
        await self._stop.wait()
        for task in (*beside, *self._serving):
            task.cancel()
        await asyncio.gather(*beside, *self._serving, return_exceptions=True)
        self._port.close()
        self._hands.close()

    async def _hear(self) -> None:
        """Hear the supervisor until it is gone: who serves goes on, for the responders that do."""
        await self._channel.hear()
        self._is_alone = True
        if not self._serving:
            self.stop()

    def stop(self) -> None:
        """End it."""
        self._stop.set()

    def _terms_of(self, apex: bytes) -> SigningTerms:
        assert self._terms is not None  # it serves from when it heard them
        return self._terms.of(apex)

    def _tell_keys(self) -> None:
        """Say what keys zones have: the public side."""
        zones = [encode_zone_keys(keys) for keys in self._keys.zones().values()]
        problems, unsigned = dict(self._keys.problems()), list(self._keys.unsigned())
        self._channel.tell("keys", zones=zones, problems=problems, unsigned=unsigned)

    def _wake(self, wake_fd: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(wake_fd)
        self._woken.set()

    async def _do(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        if verb == "policies":
            self._terms = TermsOfZones.from_json(arguments["terms"])
            self._signing.forget_terms()
            self._keys.follow(arguments["keys"])
            self._keys_changed()
            return None
        if verb == "serve":
            await self._serve()
            return None
        if verb == "published":
            self._keys.published(arguments)
            return None
        return await self._keys.ask(verb, arguments)

    def _keys_changed(self) -> None:
        self._hands.forget_keys()
        self._tell_keys()

    async def _serve(self) -> None:
        """Become the one that writes, once the one before has ended."""
        if self._serving:
            return
        await self._lock()
        self._look()
        beside = (self._follow(), self._fill(), self._keys.live(self._heard))
        self._serving = [asyncio.create_task(one) for one in beside]

    def _heard(self, event: str, **more: Any) -> None:
        """Pass on what becomes of keys."""
        if event == "keys":
            self._keys_changed()
        else:
            self._channel.tell(event, **more)

    async def _lock(self) -> None:
        handle = os.open(self._run.path / "signer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until_s = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held to the end of the process
                return
            except BlockingIOError:
                if time.monotonic() > until_s:
                    os.close(handle)
                    raise LbdnsError("another signer does not end") from None
            await asyncio.sleep(LOCK_POLL_S)

    async def _follow(self) -> None:
        """See what is published."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), COUNTS_S)
            self._woken.clear()
            self._look()

    def _look(self) -> None:
        """Take up what is in force, and be where responders look."""
        try:
            if not self._is_alone:
                self._run.find()
            found = os.stat(self._run.control).st_ino
            if found != self._inode:  # the run directory may have been made anew
                if self._is_alone:
                    log.info("the server that this signer belonged to is gone")
                    self.stop()
                    return
                self._control, self._inode = Control.attach(self._run.control), found
            self._take_up(self._control.generation if self._control is not None else 0)
            self._port.open(self._run.signer)
            self._trouble.end()
        except (LbdnsError, OSError, ValueError, KeyError) as error:
            if self._is_alone and isinstance(error, FileNotFoundError):
                self.stop()  # nothing is left of its server
            self._trouble.begin(f"the signer cannot follow what is served: {error}")

    def _catch_up(self) -> None:
        if self._control is not None and self._control.generation != self._generation:
            self._look()

    def _take_up(self, generation: int) -> None:
        if generation == self._generation:
            return
        snapshot = self._snapshot = Snapshot.open(self._run.snapshot(generation), self._snapshot)
        number = snapshot.meta.get(SIGNATURES, 0)
        if number:
            self._take_table(self._run.signatures(number))
        self._foresight.follow(snapshot, HealthTable.attach(self._run.table(snapshot.layout_id)))
        self._generation = generation

    def _take_table(self, path: Path) -> None:
        """Write to a table from now on, into which goes what the one before holds."""
        before = self._signing.table
        if before is not None and before.path == path and before.inode == path.stat().st_ino:
            return
        table = self._signing.table = SignatureWriter(path)
        self._copying = None
        if before is not None and before.secret == table.secret:
            self._copying = table.copying_from(before, int(time.monotonic()), int(self._unix_s()))

    async def _fill(self) -> None:
        """Make what will be asked for, a slice at a time."""
        while True:
            until_s = time.monotonic() + SLICE_S
            is_done = False
            while not is_done and time.monotonic() < until_s:
                is_done = not self._fill_some()
            await asyncio.sleep(LOOK_S if is_done else 0)

    def _fill_some(self) -> bool:
        """Do a little of what there is to do beside requests; False where there is nothing."""
        if self._copying is not None:
            if next(self._copying, None) is not None:
                return True
            self._copying = None
        if self._signing.table is None:
            return False  # it comes with the first generation that is signed, which needs this process's time
        following = self._foresight.following()
        if following is not None:
            self._signing.signatures(*following, is_asked=False)
        return following is not None or not self._foresight.is_idle

    async def _count(self) -> None:
        """Tell how it goes; the supervisor takes it for a sign of life."""
        while True:
            table, counts = self._signing.table, self._signing.counts
            self._channel.tell(
                "counts",
                table_slots=table.slots if table else 0,
                table_used=table.used if table else 0,
                evicted=table.evicted if table else 0,
                no_place=table.refused if table else 0,
                made=counts.made,
                found=counts.found,
                refused=counts.refused,
                failed=counts.failed,
                bulk=self._hands.made,
                connections=len(self._port.connections),
                problem=self._signing.problem,
            )
            await asyncio.sleep(COUNTS_S)
