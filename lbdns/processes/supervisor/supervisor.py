"""The supervisor: reads the configuration, binds, publishes, keeps its children running, answers the command line.

                      +-- nobody left behind: bind -> publish -> children, what answers last ------------+
    lock -> orphans? -+                                                                                  +-> READY
                      +-- TAKE OVER: bind to their sockets -> publish -> children, what answers first ---+
                                                                          ready -> orphans are relieved

    READY -- files changed, SIGHUP, `reload`, management --> load -> prepare -> bind -> commit -> publish -> children
      ^                                                       |        |         |        |       replaced where they
      |                                                       v        v         v        v       must be -> adopted
      +---- refused: what was served before is served on <----+--------+---------+--------+           |
      +-----------------------------------------------------------------------------------------------+

    READY -- SIGTERM, SIGINT --> STOP: children finish what has come and end -> files go -> lock goes
    any   -- killed --> children serve on, and the next supervisor of the same state directory TAKEs OVER from them

A start that fails undoes what it did; orphans then go on as they are. Children are a list of kinds (kept.py), each with
start, replace, stop, wake, look and health; a process that dies is started again by its `Child`, and one that hangs is
killed (pulse.py, watchdog.py). Nothing here is on the road of a query.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lbdns import __version__
from lbdns.base.errors import ConfigError, LbdnsError
from lbdns.base.garbage import collect_when_quiet
from lbdns.base.log import start_log
from lbdns.base.wording import counted, printable
from lbdns.config.files_read import FilesRead
from lbdns.config.loading import Loaded
from lbdns.health import forced
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory, StateLock
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from lbdns.processes.responder.fast_port import load_loop
from lbdns.processes.supervisor.binding import bind, choose_ports
from lbdns.processes.supervisor.control_socket import ControlServer, Operation
from lbdns.processes.supervisor.hangups import Hangups
from lbdns.processes.supervisor.kept import Duty, Kept
from lbdns.processes.supervisor.monitor_child import MonitorChild
from lbdns.processes.supervisor.responders import Responders
from lbdns.processes.supervisor.systemd import notify
from lbdns.processes.supervisor.takeover import Orphan, find_orphans
from lbdns.processes.supervisor.watch import changes
from lbdns.processes.supervisor.watchdog import watch_over
from lbdns.publish.explaining import explain_running
from lbdns.publish.publisher import Published, Publisher
from lbdns.telemetry.metrics import MetricsServer, ServerCollector
from lbdns.telemetry.rates import answer_counters
from lbdns.telemetry.report import health_report, silent_s
from lbdns.telemetry.server_facts import ChildFacts, ServerFacts
from lbdns.telemetry.tally import Tally, TallyPlan

BEAT_S = 0.5
QUIET_S = 10.0  # after the last change, before all that changes left behind is collected
STALE_S = 2.0  # a monitor worker that has not beaten for so long is reported: with the checks' pace within 3 s

log = logging.getLogger("lbdns.processes")

FILE_SUFFIXES = (".yaml", ".zone")


@dataclass(frozen=True, slots=True)
class ConfigurationSource:
    """Where the configuration comes from. `load` reads it, and again when files change; raises LbdnsError.

    Those are the files in `directory` that end in one of `suffixes`, and every file that `load` notes. `check` is
    called once, before anything is taken over from an earlier start; raises LbdnsError where the start is to fail.
    """

    load: Callable[[FilesRead], Loaded]
    directory: Path
    place: str
    suffixes: tuple[str, ...] = FILE_SUFFIXES
    check: Callable[[Settings], None] = lambda settings: None

    def files(self) -> FilesRead:
        """Return what `load` is to note in."""
        return FilesRead(self.directory, self.suffixes)


@dataclass(frozen=True, slots=True)
class Serving:
    """What is in force beside the snapshot: settings, and the addresses they came to."""

    settings: Settings
    listen: tuple[str, ...]


class Supervisor:
    """One server, from its lock to a clean exit. Made by `serve`, which holds lock and run directory."""

    def __init__(
        self, source: ConfigurationSource, first: Loaded, files: FilesRead, run: RunDirectory, control: Control
    ) -> None:
        """Serve `first`, which was read from `files`, and then whatever the source says when it changes."""
        self._source = source
        self._files = files
        self._run = run
        self._control = control
        settings = first.configuration.settings
        self._state_dir = settings.state_dir()
        self._publisher = Publisher(control, run, self._orders)
        self._serving = Serving(settings, choose_ports(settings.listen))
        self._configuration = first.configuration
        self._responders = Responders(settings.state_dir(), run)
        monitor_child = MonitorChild(run, control, settings.state_dir(), settings.log, self._heartbeat)
        self._children: tuple[Kept, ...] = (self._responders, monitor_child)
        self._control_server = ControlServer(settings.control_path(), self._operations())
        self._reloading = asyncio.Lock()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started_at = self._published_at = time.time()
        self._reload_count = self._reload_failures = 0
        self._tally = Tally(run)
        self._metrics = MetricsServer(ServerCollector(self._tally, self._facts))

    async def start(self, orphans: list[Orphan], cleanup: contextlib.AsyncExitStack) -> None:
        """Bring everything up; `cleanup` gets what undoes it. Raises LbdnsError; orphans then go on as they are."""
        settings = self._serving.settings
        sets = bind(self._serving.listen, [orphan.held for orphan in orphans], settings.workers)
        cleanup.callback(self._responders.close_unused, sets)
        resumed = bool(orphans) and self._publisher.resume()
        published = await asyncio.to_thread(self._publisher.prepare, self._configuration)
        await asyncio.to_thread(self._responders.make_room, sets, published)
        tallied = await asyncio.to_thread(self._tally.plan, published.slots)
        self._control.supervisor_pid = os.getpid()
        self._control.ready = False
        self._publish(published, tallied)
        await self._control_server.start()
        cleanup.push_async_callback(self._control_server.close)
        cleanup.push_async_callback(self._stop_children)
        cleanup.push_async_callback(asyncio.to_thread, self._metrics.close)
        await asyncio.to_thread(self._metrics.follow, settings)
        duty = Duty(sets, published, settings.log, takes_over=resumed)
        # What answers is started last, but first where it takes over: had our responders not started, the processes
        # that an earlier start left behind them would be needed on.
        for child in self._children if resumed else reversed(self._children):
            await child.start(duty)
        self._control.ready = True
        await self._responders.relieve(orphans)
        if orphans:
            log.info("took over from %s that an earlier start had left serving", counted(len(orphans), "responder"))
        addresses = ", ".join(self._serving.listen)
        log.info("lbdns %s answers on %s (UDP and TCP)", __version__, addresses)
        if load_loop() is None:
            log.info("answering on the slow path alone: the compiled fast path is not installed, or switched off")
        log.info("serving %s from %s", count_objects(self._configuration), self._source.place)

    async def watch(self, stop: asyncio.Event, hangups: Hangups) -> None:
        """Reload on change and on SIGHUP, and look after the monitor worker, until `stop` is set."""
        hangups.follow(self._on_hangup)
        besides = (self._beat(), watch_over(self._children), collect_when_quiet(self._changed, QUIET_S))
        tasks = [asyncio.create_task(one) for one in besides]
        try:
            async for _ in changes(self._source.directory, lambda: self._files, stop):
                await self.reload("files changed")
        finally:
            for task in tasks:
                task.cancel()

    async def reload(self, cause: str) -> str:
        """Load and serve what lies on disk now; returns why not, "" where it is served.

        Until the last step succeeded, and where any fails, what was served before is served on.
        """
        async with self._reloading:
            started = time.monotonic()
            try:
                loaded = await asyncio.to_thread(self._load)
                await self._change_to(loaded)
            except LbdnsError as error:
                problems = error.problems if isinstance(error, ConfigError) else (error,)
                for problem in problems:
                    log.error("%s", problem)
                count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
                log.error("%s, but the new configuration has %s: what was served before is served on", cause, count)
                self._reload_failures += 1
                return str(error)
            except Exception as error:
                self._reload_failures += 1
                log.exception(
                    "%s, but lbdns failed on the new configuration: what was served before is served on", cause
                )
                return f"lbdns failed on the new configuration: {error!r}"
            for warning in loaded.warnings:
                log.warning("%s", warning)
            self._reload_count += 1
            took_ms = (time.monotonic() - started) * 1000
            counts = count_objects(loaded.configuration)
            log.info("%s: serving %s (generation %d, %.0f ms)", cause, counts, self._control.generation, took_ms)
            return ""

    def _load(self) -> Loaded:
        """Read what lies on disk now; refused or not, what is watched for is that it changes."""
        files = self._source.files()
        try:
            return self._source.load(files)
        finally:
            self._files = files

    async def change(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        """Serve objects that management changed, under the settings in force; `commit` stores them.

        It is called once everything that can be refused has passed. Raises LbdnsError with nothing changed.
        """
        async with self._reloading:
            started = time.monotonic()
            configuration = dataclasses.replace(loaded.configuration, settings=self._serving.settings)
            loaded = dataclasses.replace(loaded, configuration=configuration)
            await self._change_to(loaded, commit)
            took_ms = (time.monotonic() - started) * 1000
            counts = count_objects(configuration)
            log.info(
                "%s: serving %s (generation %d, %.0f ms)", printable(cause), counts, self._control.generation, took_ms
            )

    async def _change_to(self, loaded: Loaded, commit: Callable[[], None] = lambda: None) -> None:
        settings, before = loaded.configuration.settings, self._serving.settings
        listen = self._serving.listen if settings.listen == before.listen else choose_ports(settings.listen)
        prepared = await asyncio.to_thread(self._publisher.prepare, loaded.configuration)
        try:
            sets = bind(listen, self._responders.sets, settings.workers)
            await asyncio.to_thread(self._responders.make_room, sets, prepared)
            tallied = await asyncio.to_thread(self._tally.plan, prepared.slots)
            await asyncio.to_thread(commit)
        except BaseException:
            self._publisher.abandon(prepared)
            raise
        self._publish(prepared, tallied)
        start_log("supervisor", settings.log)
        self._serving = Serving(settings, listen)
        if _fixed(settings) != _fixed(before):
            log.warning("state, control and api change at the next start")
        duty = Duty(sets, prepared, settings.log)
        for child in self._children:
            await child.replace(duty)
        if not await self._responders.adopted(prepared.generation):
            log.warning("a responder has not yet taken generation %d up", prepared.generation)
        await asyncio.to_thread(self._metrics.follow, settings)

    def _publish(self, prepared: Published, tallied: TallyPlan) -> None:
        self._tally.follow(tallied)
        self._publisher.publish(prepared)
        self._published_at = time.time()
        self._changed.set()
        self._wake_children()

    def _wake_children(self) -> None:
        for child in self._children:
            child.wake()

    async def _stop_children(self) -> None:
        await asyncio.gather(*(child.stop() for child in self._children))

    def _on_hangup(self) -> None:
        async def reload() -> None:
            await self.reload("SIGHUP")

        task = asyncio.create_task(reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _beat(self) -> None:
        """Show that the supervisor lives, and say when the monitor worker is silent and when it is back."""
        was_stale = False
        while True:
            self._control.set("supervisor_beat_ns", time.monotonic_ns())
            silence_s = silent_s(self.in_force().table.columns)
            is_stale = silence_s is not None and silence_s > STALE_S
            if is_stale and not was_stale:
                log.error("the monitor worker has been silent for %.0f s: the last known health stands", silence_s)
            elif was_stale and not is_stale:
                log.info("the monitor worker is back")
            was_stale = is_stale
            await asyncio.to_thread(self._metrics.retry)
            await asyncio.sleep(BEAT_S)

    def _heartbeat(self) -> int:
        """Return when the monitor worker beat last, CLOCK_MONOTONIC in ns; 0 for never."""
        return int(self.in_force().table.columns["heartbeat_ns"][0])

    async def operate(self, op: str, request: Mapping[str, Any]) -> Any:
        """Do one of the control socket's operations; raises LbdnsError."""
        return await self._operations()[op](request)

    def in_force(self) -> Published:
        """Return what is served; raises LbdnsError before anything is."""
        if self._publisher.current is None:
            raise LbdnsError("nothing is served yet")
        return self._publisher.current

    def _facts(self) -> ServerFacts:
        return ServerFacts(
            published=self.in_force(),
            published_at=self._published_at,
            started_at=self._started_at,
            is_fast=load_loop() is not None,
            children=tuple(ChildFacts(one.kind, one.process_count, one.restarts, one.hangs) for one in self._children),
            reload_count=self._reload_count,
            reload_failures=self._reload_failures,
        )

    def _operations(self) -> Mapping[str, Operation]:
        return {
            "health": self._answer_health,
            "force": self._answer_force,
            "explain": self._answer_explain,
            "reload": self._answer_reload,
            "status": self._answer_status,
            "counters": self._answer_counters,
        }

    async def _answer_health(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return health_report(self.in_force(), await asyncio.to_thread(self._orders))

    def _orders(self) -> tuple[forced.Forced, ...]:
        """Return what operators force; the monitor worker says what is wrong with the file."""
        with contextlib.suppress(LbdnsError):
            return forced.load(self._state_dir)
        return ()

    async def _answer_force(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Put an operator's state over what is measured; the monitor worker applies it."""
        configuration = self.in_force().configuration
        names = await asyncio.to_thread(
            forced.order,
            self._serving.settings.state_dir(),
            [
                (pool.name, name)
                for pool in configuration.pools.values()
                for name in ("", *(one.name for one in pool.origins))
            ],
            str(request.get("pattern", "")),
            str(request.get("state", "")),
            time.time(),
            request.get("for_s"),
            str(request.get("why", "")),
        )
        self._control.set("forced_version", self._control.get("forced_version") + 1)
        self._wake_children()
        log.info("forced %s: %s", request.get("state"), ", ".join(names) or "nothing")
        return {"names": names}

    async def _answer_explain(self, request: Mapping[str, Any]) -> dict[str, Any]:
        state_dir = self._serving.settings.state_dir()
        return await asyncio.to_thread(explain_running, self.in_force(), state_dir, request)

    async def _answer_reload(self, request: Mapping[str, Any]) -> dict[str, Any]:
        refusal = await self.reload("asked to reload")
        if refusal:
            raise LbdnsError(refusal)
        return await self._answer_status(request)

    async def _answer_counters(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return await answer_counters(self._tally, self._facts, request)

    async def _answer_status(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started": self._started_at,
            "generation": self._control.generation,
            "ready": self._control.ready,
            "directory": str(self._source.directory),
            "place": self._source.place,
            "listen": list(self._serving.listen),
            "metrics": self._metrics.address,
            **{key: value for child in reversed(self._children) for key, value in child.health().items()},
        }


def _fixed(settings: Settings) -> tuple[object, ...]:
    """Return what stays as it was at the start."""
    return settings.state_dir(), settings.control_path(), settings.api


Companion = Callable[[Supervisor], contextlib.AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def alone(_: Supervisor) -> AsyncIterator[None]:
    """Serve with nothing beside the server."""
    yield


async def serve(source: ConfigurationSource, hangups: Hangups, companion: Companion = alone) -> None:
    """Serve a source until SIGTERM or SIGINT, and load it again when it changes.

    `companion` runs beside the server from when it is ready until it stops. Raises LbdnsError where it cannot start.
    """
    files = source.files()
    first = source.load(files)
    start_log("supervisor", first.configuration.settings.log)
    for warning in first.warnings:
        log.warning("%s", warning)
    state_dir = first.configuration.settings.state_dir()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as cleanup:
        cleanup.callback(StateLock(state_dir).release)
        source.check(first.configuration.settings)
        run = RunDirectory(state_dir)
        orphans = find_orphans(run)
        if not orphans:
            run.clear()
        control = Control.attach(run.control, writable=True) if orphans else Control.create(run.control)
        leave_run = cleanup.enter_context(contextlib.ExitStack())
        supervisor = Supervisor(source, first, files, run, control)
        if not orphans:
            leave_run.callback(run.remove)
        await supervisor.start(orphans, cleanup)
        if orphans:
            leave_run.callback(run.remove)
        watching = asyncio.create_task(supervisor.watch(stop, hangups))
        cleanup.callback(watching.cancel)
        await cleanup.enter_async_context(companion(supervisor))
        notify("READY=1", f"MAINPID={os.getpid()}")
        await stop.wait()
        notify("STOPPING=1")
        log.info("stopping: answers to what has come are sent first")
        await asyncio.gather(watching, return_exceptions=True)
    log.info("stopped")


def count_objects(configuration: Configuration) -> str:
    """Return how many objects of each kind a configuration has, in words."""
    kinds = {
        "zone": len(configuration.zones),
        "load balancer": len(configuration.load_balancers),
        "pool": len(configuration.pools),
        "endpoint": sum(len(pool.origins) for pool in configuration.pools.values()),
    }
    return ", ".join(f"{count} {kind}" + ("" if count == 1 else "s") for kind, count in kinds.items())
