"""The supervisor: reads the configuration, binds, publishes, keeps its children running, answers the command line.

                      +-- nobody left behind: bind -> publish -> children, what answers last ------------+
    lock -> orphans? -+   (unread: what was served last -> publish -> children; then load, as a reload)  +-> READY
                      +-- TAKE OVER: bind to their sockets -> publish -> children, what answers first ---+
                                                                          ready -> orphans are relieved

    READY -- files changed, SIGHUP, `reload`, management --> load -> prepare -> bind -> commit -> publish -> children
      ^                                                       |        |         |        |       replaced where they
      |                                                       v        v         v        v       must be -> adopted
      +---- refused: what was served before is served on <----+--------+---------+--------+           |
      +-----------------------------------------------------------------------------------------------+

    READY -- SIGTERM, SIGINT --> STOP: children finish what has come and end -> files go -> lock goes
    any   -- killed --> children serve on, and the next supervisor of the same state directory TAKEs OVER from them

A start that fails undoes what it did; orphans then go on as they are. Children are a list of kinds (kept.py); one that
dies is started again by its `Child`, one that hangs is killed (watchdog.py). No query's road leads through here.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from lbdns import __version__
from lbdns.base.errors import LbdnsError
from lbdns.base.garbage import collect_when_quiet
from lbdns.base.log import start_log
from lbdns.base.progress import JobProgress
from lbdns.base.wording import counted, printable
from lbdns.config.examined import Loaded, Texts
from lbdns.config.files_read import FilesRead
from lbdns.dnssec.signing_facts import SigningFacts
from lbdns.dnssec.step_record import TRANSFERS, StepRecord
from lbdns.health import forced
from lbdns.mapped.control import Control
from lbdns.model.store_facts import StoreFacts
from lbdns.processes.beats import next_beat
from lbdns.processes.responder.fast_port import load_loop
from lbdns.processes.sockets import ListenerSet
from lbdns.processes.supervisor.beginning import Beginning, tell_refused, tell_served, tell_still_refused, tell_unready
from lbdns.processes.supervisor.binding import bind
from lbdns.processes.supervisor.change_queue import ChangeQueue
from lbdns.processes.supervisor.configuration_source import ConfigurationSource
from lbdns.processes.supervisor.control_socket import ControlServer
from lbdns.processes.supervisor.cookie_secrets import OwnCookieSecrets
from lbdns.processes.supervisor.dnstap_child import DnstapChild
from lbdns.processes.supervisor.endable_work import EndableWork
from lbdns.processes.supervisor.flat_watch import watch_answers
from lbdns.processes.supervisor.fleet_keeper import FleetKeeper
from lbdns.processes.supervisor.fleet_operations import AskedFleet
from lbdns.processes.supervisor.hangups import Hangups
from lbdns.processes.supervisor.head_start import HeadStart
from lbdns.processes.supervisor.history_child import HistoryChild
from lbdns.processes.supervisor.keeping import Keeper, ToKeep
from lbdns.processes.supervisor.kept import Duty, Kept
from lbdns.processes.supervisor.last_reader import close_unread
from lbdns.processes.supervisor.monitor_child import heard_ns
from lbdns.processes.supervisor.monitor_silence import MonitorSilence
from lbdns.processes.supervisor.nats_child import NatsChild
from lbdns.processes.supervisor.opener_child import OpenerChild
from lbdns.processes.supervisor.operations import Operations
from lbdns.processes.supervisor.resigning import Resigning
from lbdns.processes.supervisor.responders import Responders, absent
from lbdns.processes.supervisor.run_keeper import RunKeeper
from lbdns.processes.supervisor.server_metrics import ServerMetrics
from lbdns.processes.supervisor.serving import Serving
from lbdns.processes.supervisor.signer_child import SignerChild
from lbdns.processes.supervisor.state_keeper import StateKeeper
from lbdns.processes.supervisor.systemd import notify_alive
from lbdns.processes.supervisor.takeover import Orphan
from lbdns.processes.supervisor.transfer_child import TransferChild
from lbdns.processes.supervisor.watch import changes
from lbdns.processes.supervisor.watchdog import watch_over
from lbdns.processes.supervisor.xdp_keeper import XdpKeeper
from lbdns.publish.publisher import Published, Publisher
from lbdns.telemetry.report import silent_s
from lbdns.telemetry.server_facts import NotServed, ServerFacts
from lbdns.telemetry.standing import count_objects
from lbdns.telemetry.tally import Tally, TallyPlan
from lbdns.transfer.content.transfer_content import TransferContent

BEAT_S = 0.5
REMIND_S = 3600.0  # that what lies at the source is not served
QUIET_S = 10.0  # after the last change, before all that changes left behind is collected

log = logging.getLogger("lbdns.processes")


class Supervisor:
    """One server, from when it may serve to a clean exit; server_life.py holds lock and run directory."""

    def __init__(
        self, source: ConfigurationSource, first: Beginning, files: FilesRead, control: Control, ahead: HeadStart
    ) -> None:
        """Serve `first`, and then whatever the source says when it is no longer as it was read, from `files`; `ahead`
        has what began before."""
        self._source, self._files = source, files
        self.run, self._ahead = (run := ahead.run), ahead
        self._control = control
        settings = first.configuration.settings
        self.state_dir = settings.state_dir()
        self.signer = SignerChild(self.state_dir, lambda: self._begin(self.republish("keys of a zone changed")))
        self.transfers = TransferChild(self.state_dir, self.republish)
        self._resigning = Resigning(self.signer, self.state_dir, run.path)
        self.content = TransferContent(self.state_dir)
        self._cookie_secrets = OwnCookieSecrets(self.state_dir)
        own_secrets = self._cookie_secrets.current
        self._publisher = Publisher(control, run, self.orders, self._resigning.signing, self.content, own_secrets)
        self._serving = Serving.begin(settings)
        self._first = first
        # What was served last is kept already, where it is served as it was compiled.
        self._texts: Texts | None = None if first.compiled else first.loaded.texts
        self._not_served, self._served_at = first.not_served, first.served_at
        self._read, self._is_unread = first.loaded.read, first.is_unread
        self._keeper = Keeper(self.state_dir, source.place, source.objects)
        self._responders = Responders(settings.state_dir(), run, ahead.spare)
        self._xdp = XdpKeeper(run)
        ahead.heartbeat = lambda: heard_ns(self.in_force())
        # The worker is asked for its first results at its start, and asks the opener for them.
        self.nats = NatsChild(self.state_dir)
        beside = self.signer, self.transfers, HistoryChild(self.state_dir), DnstapChild(self.state_dir), self.nats
        self._children: tuple[Kept, ...] = (self._responders, ahead.monitor, OpenerChild(run), *beside)
        self._operations = Operations(self).table
        self._control_server = ControlServer(settings.control_path(), self._operations, self.state_dir)
        self._changes, self._changed, self._endable = ChangeQueue(), asyncio.Event(), EndableWork()
        self._tasks: set[asyncio.Task[object]] = set()
        self._started_at = self._published_at = time.time()
        self._reload_count = self._reload_failures = 0
        self.state_keeper, self.progress = StateKeeper(), JobProgress()
        self.store: Callable[[], StoreFacts | None] = lambda: None
        # Of what runs beside: each says what is wrong, "" where nothing is.
        self.troubles: list[Callable[[], str]] = [lambda: self.state_keeper.problem, lambda: self.content.problem]
        self.fleet_keeper = FleetKeeper(self)
        self.troubles += [lambda: self.nats.problem, lambda: self.fleet_keeper.problem]
        self.signer.steps.append(StepRecord(self.state_dir).add)
        self.transfers.steps.append(StepRecord(self.state_dir, TRANSFERS).add)
        self.fleet: AskedFleet | None = None
        self.tally = Tally(run)
        self._run_keeper = RunKeeper(run, control, self._publisher, self.tally, self._responders, ahead.monitor)
        self._metrics = ServerMetrics(self.tally, self.facts, run, control, self._started_at)

    async def prepare(self, orphans: list[Orphan]) -> None:
        """Do all that may be refused: bind, compile, try. Raises LbdnsError with nothing changed."""
        settings, first = self._serving.settings, self._first
        self._source.check(settings)
        held = [orphan.held for orphan in orphans]
        sets = bind(self._serving.listen, held, settings.workers, self._serving.tls)
        sets = self._xdp.begin(settings, self._serving.listen, sets)
        published: Published | None = None
        try:
            resumed = bool(orphans) and self._publisher.resume()
            await self.signer.begin(first.configuration, is_compiled=first.compiled is not None)
            if self._publisher.resumed is not None:
                self._resigning.seed(self._publisher.resumed)
            if first.compiled is None:
                configuration = await asyncio.to_thread(self.transfers.laid_in, first.configuration)
                published = await asyncio.to_thread(self._publisher.prepare, configuration)
            else:
                published = await asyncio.to_thread(first.restored, self._publisher)
            threads = self._xdp.threads_each(self._serving.listen, settings.workers)
            await asyncio.to_thread(self._responders.make_room, settings.workers, threads, published)
            tallied = await asyncio.to_thread(self.tally.plan, published.slots)
        except BaseException:
            if published is not None:
                self._publisher.abandon(published)
            await self.signer.stop()
            self._xdp.close()
            await close_unread(absent([listener for one in sets for listener in one.every], held), self.run)
            raise
        self._prepared = Duty(sets, published, settings.log, takes_over=resumed), tallied

    async def start(self, orphans: list[Orphan], cleanup: contextlib.AsyncExitStack) -> None:
        """Bring up what was prepared; `cleanup` gets what undoes it.

        Raises LbdnsError; orphans then go on as they are.
        """
        duty, tallied = self._prepared
        cleanup.push_async_callback(self._responders.close_unused, duty.sets)
        settings, first = self._serving.settings, self._first
        self._control.supervisor_pid = os.getpid()
        self._control.ready = False
        self._publish(duty.published, tallied)
        if first.not_served is None:
            self._served_at = self._published_at
        if self._texts is not None:
            self._keeper.tell(ToKeep(duty.published, self._texts, self._served_at, self._read))
        del self._first, self._prepared
        await self._control_server.start()
        self.state_keeper.keep(self._control_server, self._xdp)
        cleanup.push_async_callback(self._control_server.close)
        cleanup.push_async_callback(self._stop_children)
        self._ahead.take()
        cleanup.push_async_callback(asyncio.to_thread, self._metrics.close)
        # What answers is started last, but first where it takes over: had our responders not started, the processes
        # that an earlier start left behind them would be needed on.
        for child in self._children if duty.takes_over else reversed(self._children):
            await child.start(duty)
        await asyncio.to_thread(self._metrics.follow, settings)
        self._control.ready = True
        await self._responders.relieve_orphans(orphans)
        if orphans:
            log.info("took over from %s that an earlier start had left serving", counted(len(orphans), "responder"))
        log.info("lbdns %s answers on %s (UDP and TCP)", __version__, ", ".join(self._serving.listen))
        if load_loop() is None:
            log.info("answering on the slow path alone: the compiled fast path is not installed, or switched off")
        self._keeper.start()
        cleanup.push_async_callback(self._keeper.close)
        self.fleet_keeper.follow(settings)
        cleanup.push_async_callback(self.fleet_keeper.close)
        tell_unready(duty.published.configuration)
        whence = first.whence(self._source.place)
        log.info("serving %s from %s", await asyncio.to_thread(count_objects, duty.published.configuration), whence)

    async def read_source(self, stop: asyncio.Event) -> None:
        """Where the start did without, read what lies at the source and go on from there, as after any other start;
        what is being done when `stop` is set is left."""
        if self._is_unread:
            reading = self._begin(self.reload("the start, which goes on", is_asked=False))
            await self._endable.until(stop, reading)

    async def watch(self, stop: asyncio.Event, hangups: Hangups) -> None:
        """Reload on change and on SIGHUP, and look after the monitor worker, until `stop` is set."""
        hangups.follow(lambda: self._begin(self.reload("SIGHUP")))
        besides = [self._beat(), watch_over(self._children), collect_when_quiet(self._changed, QUIET_S)]
        besides += [self._run_keeper.watch(self._changes.lock), self.state_keeper.watch(), self.transfers.watch()]
        besides += [self._resigning.watch(self.in_force, self.republish, self.reload)]
        besides += [watch_answers(self.content, self.in_force, self.republish)]
        besides += [self._cookie_secrets.watch(self._publisher.has_other_cookies, self.republish)]
        tasks = [asyncio.create_task(one) for one in besides]
        try:
            async for _ in changes(self._source.directory, lambda: self._files, stop):
                await self.reload("files changed")
        finally:
            for task in tasks:
                task.cancel()

    async def reload(self, cause: str, is_asked: bool = True) -> str:
        """Load and serve what lies on disk now; returns why not, "" where it is served. `is_asked`: it is counted.

        Until the last step succeeded, and where any fails, what was served before is served on.
        """
        async with self._changes.turn():
            started = time.monotonic()
            try:
                loaded = await asyncio.to_thread(self._endable.within(self._load))
                await self._change_to(loaded)
            except LbdnsError as error:
                self._resigning.note(is_served=False)
                tell_refused(cause, self._refuse(error))
                return str(error)
            except Exception as error:
                failure = LbdnsError(f"lbdns failed on the new configuration: {error!r}")
                self._refuse(failure)
                told = "%s, but lbdns failed on the new configuration: what was served before is served on"
                log.exception(told, cause)
                return str(failure)
            self._not_served, self._is_unread = None, False
            self._resigning.note(is_served=True)
            for warning in loaded.warnings:
                log.warning("%s", warning)
            tell_unready(self.in_force().configuration)
            self._reload_count += is_asked
            tell_served(cause, started, self.in_force())
            return ""

    def _refuse(self, error: LbdnsError) -> NotServed:
        self._reload_failures += 1
        self._not_served = NotServed.of(error, time.time())
        return self._not_served

    def _load(self) -> Loaded:
        """Read what lies on disk now; refused or not, what is watched for is that it changes.

        A zone that is served is not lost by a mistake; one that is not may go on as it is.
        """
        files = self._source.files()
        try:
            return self._source.read(files, self.in_force().configuration.is_unready)
        finally:
            self._files = files

    async def dnskeys(self, apex: bytes) -> tuple[bytes, ...]:
        """Return the rdata of the DNSKEY records of a zone on disk that was signed elsewhere."""
        if self._files.as_now() != self._files.as_read():
            await self.reload("the configuration changed")
        return self._files.dnskeys(apex)

    async def change(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        """Serve objects that management changed, under the settings in force; `commit` stores them.

        It is called once everything that can be refused has passed. Raises LbdnsError with nothing changed.
        """
        async with self._changes.turn():
            started = time.monotonic()
            configuration = dataclasses.replace(loaded.configuration, settings=self._serving.settings)
            await self._change_to(dataclasses.replace(loaded, configuration=configuration), commit)
            tell_served(printable(cause), started, self.in_force())

    async def republish(self, cause: str) -> str:
        """Publish anew what is in force, as keys or signatures are others; returns why not, "" where it is served."""
        async with self._changes.turn():
            started = time.monotonic()
            try:
                await self._change_to(Loaded(self.in_force().configuration, ()), is_new=False)
            except LbdnsError as error:
                log.error("%s, but that cannot be published: what was served before is served on: %s", cause, error)
                return str(error)
            tell_served(cause, started, self.in_force())
            return ""

    async def _change_to(self, loaded: Loaded, commit: Callable[[], None] = lambda: None, is_new: bool = True) -> None:
        settings, before = loaded.configuration.settings, self._serving.settings
        serving, laid_in = self._serving.moved(settings), self.transfers.laid_in
        with self.progress.followed():
            made = self._endable.within(lambda: self._publisher.prepare(laid_in(loaded.configuration)))
            prepared = await self._run_keeper.on_whole(made)
        sets: list[ListenerSet] = []
        try:
            threads = self._xdp.threads_each(serving.listen, settings.workers)
            sets = self._xdp.allot(bind(serving.listen, self._responders.sets, settings.workers, serving.tls))
            tallied = await asyncio.to_thread(self._responders.settle, prepared, threads, self.tally, commit)
        except BaseException:
            self._publisher.abandon(prepared)
            await self._responders.close_unused(sets)
            raise
        self._publish(prepared, tallied)
        if is_new:
            self._served_at, self._texts, self._read = self._published_at, loaded.texts, loaded.read or self._read
        if self._texts is not None:
            self._keeper.tell(ToKeep(prepared, self._texts, self._served_at, self._read))
        start_log("supervisor", settings.log)
        self._serving = serving
        self._xdp.follow(settings, serving.listen)
        if settings.fixed() != before.fixed():
            log.warning("state, control, user, api and xdp change at the next start")
        for child in self._children:
            await child.replace(Duty(sets, prepared, settings.log))
        self.fleet_keeper.follow(settings)
        if settings.metrics != before.metrics:
            await asyncio.to_thread(self._metrics.follow, settings)
        if not await self._responders.adopted(prepared.generation):
            log.warning("a responder has not yet taken generation %d up", prepared.generation)
        for child in self._children:  # those that answer come first, where there are more processes than cores
            if child is not self._responders:
                child.wake()

    def _publish(self, prepared: Published, tallied: TallyPlan) -> None:
        self.tally.follow(tallied)
        self._publisher.publish(prepared)
        self._published_at = time.time()
        self._changed.set()
        self._responders.wake()

    async def _stop_children(self) -> None:
        for ends_last in (False, True):
            await asyncio.gather(*(child.stop() for child in self._children if child.ends_last is ends_last))
        self._xdp.close()

    def _begin(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _beat(self) -> None:
        """Show that the supervisor lives, and say when the monitor worker is silent and when it is back."""
        silence = MonitorSilence()
        remind_s = time.monotonic() + REMIND_S
        while True:
            self._control.set("supervisor_beat_ns", time.monotonic_ns())
            notify_alive()
            silence.look(silent_s(self.in_force().table.columns))
            if time.monotonic() > remind_s:
                remind_s += REMIND_S
                tell_still_refused(self._not_served, self._source.place, self._served_at)
            await self._metrics.retry()
            await next_beat(BEAT_S)

    async def operate(self, op: str, request: Mapping[str, Any]) -> Any:
        """Do one of the control socket's operations; raises LbdnsError."""
        return await self._operations[op](request)

    def in_force(self) -> Published:
        """Return what is served; raises LbdnsError before anything is."""
        if self._publisher.current is None:
            raise LbdnsError("nothing is served yet")
        return self._publisher.current

    def facts(self) -> ServerFacts:
        """Return what is known of this run."""
        return ServerFacts(
            published=self.in_force(),
            published_at=self._published_at,
            started_at=self._started_at,
            is_fast=load_loop() is not None,
            children=tuple(one.facts() for one in self._children),
            reload_count=self._reload_count,
            reload_failures=self._reload_failures,
            place=self._source.place,
            served_at=self._served_at,
            not_served=self._not_served,
            keeping=self._keeper.problem,
            run_rebuilds=self._run_keeper.rebuilds,
            run_problem=self._run_keeper.problem,
            waiting=self._changes.waiting(self._control),
            store=self.store(),
            state_dir=self.state_dir,
            run_dir=self.run.path,
            signing=SigningFacts(self.signer.statuses, self.signer.counts),
            transfers=self.transfers.statuses,
            fleet=None if self.fleet is None else self.fleet.report(),
            xdp=self._xdp.facts,
            troubles=tuple(filter(None, (trouble() for trouble in self.troubles))),
        )

    def orders(self) -> tuple[forced.Forced, ...]:
        """Return what operators force; the monitor worker says what is wrong with the file."""
        with contextlib.suppress(LbdnsError):
            return forced.load(self.state_dir)
        return ()

    def orders_changed(self) -> None:
        """Have the monitor worker look at what operators force."""
        self._control.set("forced_version", self._control.get("forced_version") + 1)
        for child in self._children:
            child.wake()

    def own_state(self) -> dict[str, Any]:
        """Return processes, addresses and where everything is."""
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started": self._started_at,
            "generation": self._control.generation,
            "ready": self._control.ready,
            "directory": str(self._source.directory),
            "place": self._source.place,
            "listen": list(self._serving.listen),
            "tls": list(self._serving.tls),
            "metrics": self._metrics.address,
            **{key: value for child in reversed(self._children) for key, value in child.health().items()},
        }
