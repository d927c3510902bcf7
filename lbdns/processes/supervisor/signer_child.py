"""The signer as the supervisor keeps it: there as long as a zone is signed, or has keys.

    a zone is signed already --begin--> keys known --published--> start --> it serves      before anything is published
    none is                  --ask("enable")------------------------------> it serves      at any time later
    it serves                --the last one is unsigned, and nothing is asked of it------> none is

Keys that change have the configuration published anew. A signer that dies is started again and told what the one before
it was; what was under way is asked of it once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Final, TypeVar

from lbdns.base.errors import LbdnsError
from lbdns.base.words import DNSSEC_DIRECTORY, SIGNER_MODULE
from lbdns.dns.name import encode_canonical, show_name
from lbdns.dnssec.key_policy import key_policies
from lbdns.dnssec.signer.signing_terms import terms_of_zones
from lbdns.dnssec.zone_keys import ZoneKeys
from lbdns.dnssec.zone_keys_words import decode_zone_keys
from lbdns.dnssec.zone_status import SigningState, ZoneStatus
from lbdns.dnssec.zone_step import ZoneStep
from lbdns.mapped.snapshot_file import SIGNED
from lbdns.model.configuration import Configuration
from lbdns.processes.supervisor.child_process import ChildProcess
from lbdns.processes.supervisor.children import Child
from lbdns.processes.supervisor.kept import Duty, WatchedOne
from lbdns.processes.supervisor.pulse import Pulse
from lbdns.processes.supervisor.signed_record import SignedRecord
from lbdns.processes.supervisor.signer_link import SignerLink
from lbdns.processes.supervisor.takeover import end_old_signers
from lbdns.publish.publisher import Published

KEYS_S: Final = 15.0
"""How long a signer may take until it says which keys there are."""
SILENT_S: Final = 5.0
"""It says once a second how it goes, but while it takes up what is published."""
ATTEMPTS: Final = 3
"""Of what is asked of a signer that ends meanwhile."""

Done = TypeVar("Done")

log = logging.getLogger("lbdns.processes")


class SignerChild(WatchedOne):
    """At most one process. `counts`: what it did, by its last word, for metrics."""

    kind = "signer"
    words = "signer"

    def __init__(self, state_dir: Path, changed: Callable[[], object]) -> None:
        """Begin with none. `changed` is called when other keys are to be published."""
        super().__init__()
        self._state_dir = state_dir
        self._changed = changed
        self._link: SignerLink | None = None
        self._linked = asyncio.Event()  # a signer is there that has said which keys there are, or why it cannot
        self._refusal = ""
        self._policies: Mapping[str, Any] = {}
        self._log_format = "text"
        self._serves = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Future[None]] = set()
        self._keys: Mapping[bytes, ZoneKeys] = {}
        self._heard_ns = 0
        self._knows_keys = False
        self._problems: Mapping[bytes, str] = {}
        self._unsigned: Set[bytes] = frozenset()
        self._asked = 0  # what is asked of it just now
        self._turn = asyncio.Lock()  # whoever has it begins or ends one
        self._record = SignedRecord(state_dir)
        self._statuses: tuple[ZoneStatus, ...] = ()
        self.counts: Mapping[str, Any] = {}
        self.steps: list[Callable[[ZoneStep], None]] = []
        """Each hears of every step of a key."""

    async def begin(self, configuration: Configuration, is_compiled: bool) -> None:
        """Where a zone is signed, have a signer and know its keys, before anything is published; raises LbdnsError.

        `is_compiled`: it is published with the signatures that it has, so that nothing hangs on a signer.
        """
        self._loop = asyncio.get_running_loop()
        self._log_format = configuration.settings.log
        self._take_policies(configuration)
        if self._child is not None or not is_any_zone_signed(self._state_dir):
            return
        try:
            await self._have()
        except LbdnsError as error:
            if not is_compiled:
                raise
            log.error("%s: what was served last is served with the signatures that it has", error)

    async def _have(self) -> None:
        """Have a signer that has said which keys there are; raises LbdnsError."""
        async with self._turn:
            if self._child is None:
                arguments = ["--state-dir", str(self._state_dir), "--log", self._log_format]
                pulse = Pulse(lambda: (self._heard_ns,), SILENT_S)
                self._linked.clear()
                self._begin(Child(self.words, SIGNER_MODULE, arguments, listens=True, pulse=pulse, began=self._meet))
        try:
            await asyncio.wait_for(self._linked.wait(), KEYS_S)
        except TimeoutError:
            raise LbdnsError("the signer does not start") from None
        if self._refusal:
            raise LbdnsError(self._refusal)

    def _meet(self, process: ChildProcess) -> None:
        """Talk to a process that was just started."""
        assert process.channel is not None
        before, self._link = self._link, SignerLink(process.channel, self._hear)
        self._linked.clear()
        self._refusal = ""
        self._do(self._introduce(self._link, before))

    async def _introduce(self, link: SignerLink, before: SignerLink | None) -> None:
        """Tell a signer what it has to know."""
        if before is not None:
            await before.close()
        try:
            await link.ask("policies", self._policies)
            if self._serves:
                await link.ask("serve", {})
        except LbdnsError as error:
            if link.is_open:
                self._refusal = f"the signer does not serve: {error}"
                log.error("%s", self._refusal)
                self._linked.set()

    def _do(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _hear(self, event: Mapping[str, Any]) -> None:
        self._heard_ns = time.monotonic_ns()
        kind = event["event"]
        if kind == "keys":
            keys = {one.apex: one for one in map(decode_zone_keys, event["zones"])}
            is_other, self._keys = keys != self._keys, keys
            self._problems = {encode_canonical(zone): text for zone, text in event["problems"].items()}
            self._unsigned = frozenset(map(encode_canonical, event["unsigned"]))
            self._knows_keys, self._refusal = True, ""
            self._linked.set()
            if is_other and self._serves:
                self._changed()
        elif kind == "statuses":
            self._statuses = tuple(map(ZoneStatus.from_json, event["zones"]))
            self._end_where_idle()
        elif kind == "counts":
            self.counts = {name: value for name, value in event.items() if name != "event"}
        elif kind == "step":
            step = ZoneStep.told(event)
            log.log(step.logged, "%s", step.text)
            for hear in self.steps:
                hear(step)

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Have the signer do something with keys and return what it says; raises LbdnsError."""
        if self._child is None and verb == "status" and not is_any_zone_signed(self._state_dir):
            return self._with_lost([], arguments)
        self._asked += 1
        try:
            await self._have()
            if not self._serves:
                await self._serve()
            answer = await self._with_link(lambda link: link.ask(verb, arguments))
        finally:
            self._asked -= 1
            self._end_where_idle()
        return self._with_lost(answer, arguments) if verb == "status" else answer

    @property
    def _is_idle(self) -> bool:
        """Whether no zone is served signed, none has keys, and nothing is asked."""
        return not (self._asked or self._statuses or self._record.zones or is_any_zone_signed(self._state_dir))

    def _end_where_idle(self) -> None:
        if self._child is not None and self._is_idle:
            self._do(self._end_idle())

    async def _end_idle(self) -> None:
        async with self._turn:
            if self._child is not None and self._is_idle:
                log.info("the signer ends: no zone is signed any more")
                self.counts = {}
                await self._end()

    @property
    def statuses(self) -> tuple[ZoneStatus, ...]:
        """How zones stand: by the signer's last word, and those of which it knows nothing."""
        return (*self._statuses, *self._lost_statuses())

    def _lost(self) -> Mapping[bytes, str]:
        """Return the zones that are served signed and of whose keys nothing is there, and what to do."""
        there = self._keys.keys() | self._problems.keys() | self._unsigned
        directory = self._state_dir / DNSSEC_DIRECTORY
        return {
            apex: f"it was signed, and {directory} has no keys of it: put them back and restart lbdns, or have others "
            f"made by `lbdns dnssec enable {show_name(apex)}`, whose DS the zone above is then to have"
            for apex in self._record.zones - there
        }

    def _lost_statuses(self) -> list[ZoneStatus]:
        return [
            ZoneStatus(show_name(apex), SigningState.ERROR, 0.0, problem=problem)
            for apex, problem in self._lost().items()
        ]

    def _with_lost(self, answer: Sequence[Any], arguments: Mapping[str, Any]) -> list[Any]:
        """Return an answer to "status" that has the zones of which the signer knows nothing."""
        zones = arguments.get("zones")
        lost = {one.zone: one.as_json() for one in self._lost_statuses() if zones is None or one.zone in zones}
        return [*(one for one in answer if one["zone"] not in lost), *lost.values()]

    def zone_keys(self) -> Mapping[bytes, ZoneKeys]:
        """Return the keys of every zone that is to be published signed, by apex; raises LbdnsError where it is not
        known which zones these are."""
        if not self._knows_keys and (self._child is not None or is_any_zone_signed(self._state_dir)):
            raise LbdnsError("the signer has not said which zones are signed")
        return self._keys

    def key_problems(self) -> Mapping[bytes, str]:
        """Return the zones that are signed and whose keys cannot be read, or are gone, with the reason."""
        return {**self._lost(), **self._problems}

    def sign_in_bulk(self, wanted: Sequence[tuple[int, bytes]]) -> Sequence[bytes]:
        """Return signatures by keys of these ids over these octets; raises LbdnsError. Called in a thread, which
        waits."""
        assert self._loop is not None
        asking = self._with_link(lambda link: link.sign(wanted))
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result()

    async def _with_link(self, use: Callable[[SignerLink], Awaitable[Done]]) -> Done:
        """Return what a signer that is there does; where it ends meanwhile, what the next one does."""
        for _ in range(ATTEMPTS - 1):
            await self._have()
            link = self._link
            assert link is not None
            try:
                return await use(link)
            except LbdnsError:
                if link.is_open:
                    raise
            self._linked.clear()
        await self._have()
        assert self._link is not None
        return await use(self._link)

    async def start(self, duty: Duty) -> None:
        """Have it serve, once what an earlier supervisor left has ended."""
        if duty.takes_over or self._child is not None:
            await end_old_signers(self._state_dir, self._child.pid if self._child else 0)
        if self._child is not None:
            await self._serve()
        await self._tell_published(duty.published)

    async def _tell_published(self, published: Published) -> None:
        """Say what zones say of their keys from now on, and how long it may be kept: keys take their steps by that."""
        said: dict[str, Any] = {}
        for apex, digest, ttl_s in published.snapshot.meta[SIGNED]:
            before = said.get(apex)
            said[apex] = [digest, max(ttl_s, before[1] if before else 0)]
        self._record.note(frozenset(map(bytes.fromhex, said)))
        # Where none is signed, no zone is looked at: what a start begins with may not be read yet.
        served = {zone.apex for zone in published.configuration.zones} if self._statuses else set()
        for status in self._statuses:
            apex = encode_canonical(status.zone)
            said.setdefault(apex.hex(), [0, 0] if apex in served else None)
        if said and self._link is not None:
            with contextlib.suppress(LbdnsError):  # the next publication says it again
                await self._link.ask("published", said)

    async def _serve(self) -> None:
        self._serves = True
        try:
            await self._with_link(lambda link: link.ask("serve", {}))
        except LbdnsError as error:
            log.error("the signer does not serve: %s", error)

    async def replace(self, duty: Duty) -> None:
        """Tell it of other policies, and of what is in force."""
        before = self._policies
        self._take_policies(duty.published.configuration)
        if self._policies != before and self._link is not None:
            with contextlib.suppress(LbdnsError):  # the next one hears them anyway
                await self._link.ask("policies", self._policies)
        await self._tell_published(duty.published)

    def _take_policies(self, configuration: Configuration) -> None:
        settings = configuration.settings
        terms, keys = terms_of_zones(settings.dnssec), key_policies(settings)
        self._policies = {"terms": terms.as_json(), "keys": keys.as_json()}

    async def stop(self) -> None:
        """End it, where there is one."""
        async with self._turn:
            await self._end()
        for task in tuple(self._tasks):
            task.cancel()

    async def _end(self) -> None:
        await super().stop()
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    def wake(self) -> None:
        """Have it look at the control file now: it writes to the table that is in force."""
        if self._child is not None:
            self._child.wake()


def is_any_zone_signed(state_dir: Path) -> bool:
    """Whether a zone has a state of its keys on disk, or a directory of them is there that nobody can read: the signer
    says why then. A state directory that cannot be looked into at all is as one that is not there."""
    directory = state_dir / DNSSEC_DIRECTORY
    try:
        return any(name.endswith(".json") for name in os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return stands(directory)


def stands(path: Path) -> bool:
    """Whether there is something at a path, as far as one may look."""
    try:
        path.lstat()
    except OSError:
        return False
    return True
