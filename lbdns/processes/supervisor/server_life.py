"""One server from its lock to its end: what a supervisor (supervisor.py) is made in, and what goes when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lbdns.base.errors import LbdnsError
from lbdns.base.garbage import hold_one_heap
from lbdns.base.log import start_log
from lbdns.mapped.run_directory import RunDirectory, StateLock
from lbdns.processes.supervisor.configuration_source import ConfigurationSource
from lbdns.processes.supervisor.hangups import Hangups
from lbdns.processes.supervisor.head_start import HeadStart
from lbdns.processes.supervisor.privileges import Privileges
from lbdns.processes.supervisor.systemd import notify, notify_ready
from lbdns.processes.supervisor.takeover import meet_orphans, serve_on, take_control

if TYPE_CHECKING:
    from lbdns.processes.supervisor.beginning import Beginning
    from lbdns.processes.supervisor.supervisor import Supervisor

log = logging.getLogger("lbdns.processes")

Companion = Callable[["Supervisor"], contextlib.AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def alone(_: Supervisor) -> AsyncIterator[None]:
    """Serve with nothing beside the server."""
    yield


async def serve(source: ConfigurationSource, hangups: Hangups, companion: Companion = alone) -> None:
    """Serve a source until SIGTERM or SIGINT, and load it again when it changes.

    `companion` runs beside the server from when it is ready until it stops. Raises LbdnsError where it cannot start.
    """
    hold_one_heap()
    files, settings, stop = source.files(), source.settings(), asyncio.Event()
    start_log("supervisor", settings.log)
    state_dir = settings.state_dir()
    privileges = Privileges(source, settings)
    async with contextlib.AsyncExitStack() as cleanup:
        lock = lock_state(state_dir)
        cleanup.callback(lock.release)
        privileges.drop(source, lock)
        run = RunDirectory(state_dir)
        lock.take_run()
        orphans = await meet_orphans(run, state_dir)
        privileges.own_sockets(orphan.held for orphan in orphans)
        if not orphans:
            run.clear()
        control = take_control(run, orphans)
        leave_run = cleanup.enter_context(contextlib.ExitStack())
        if not orphans:
            leave_run.callback(run.remove)
            control.set("counters_began_ns", time.time_ns())

        ahead = HeadStart(run, control, state_dir, settings.log)
        cleanup.push_async_callback(ahead.stop)
        if not orphans:
            await ahead.begin(len(settings.listen))
        # All modules from here on are loaded while those of the processes that were begun are.
        from lbdns.processes.supervisor.unread_start import UnreadStart

        # Where an earlier start left responders, nobody waits for answers.
        unread = None if orphans else UnreadStart(source, settings, files, state_dir, run)
        from lbdns.places.nodes_at_rest import rest_in
        from lbdns.processes.supervisor.beginning import begin, read_first
        from lbdns.processes.supervisor.opener_child import needs_opener
        from lbdns.processes.supervisor.supervisor import Supervisor

        cleanup.enter_context(rest_in(state_dir))
        found = (await unread.found() if unread is not None else None) or read_first(source, files)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)

        async def prepared(beginning: Beginning) -> Supervisor:
            supervisor = Supervisor(source, beginning, files, control, ahead)
            await supervisor.prepare(orphans)
            return supervisor

        try:
            supervisor = await begin(source, found, state_dir, run.path, prepared)
        except LbdnsError:
            if orphans:
                log.warning("%s", serve_on(orphans))
            raise
        del found
        await supervisor.start(orphans, cleanup)
        privileges.settle(needs_opener(supervisor.in_force().configuration))
        supervisor.state_keeper.keep(lock)
        if orphans:
            leave_run.callback(run.remove)
        watching = asyncio.create_task(supervisor.watch(stop, hangups))
        cleanup.callback(watching.cancel)
        await supervisor.read_source(stop)
        if not stop.is_set():
            await cleanup.enter_async_context(companion(supervisor))
            notify_ready()
        await stop.wait()
        notify("STOPPING=1")
        log.info("stopping: answers to what has come are sent first")
        await asyncio.gather(watching, return_exceptions=True)
    log.info("stopped")


def lock_state(state_dir: Path) -> StateLock:
    """Return the lock of a state directory; raises LbdnsError where another server has it.

    Files can be served without the directory: what cannot be kept is said here, once.
    """
    lock = StateLock(state_dir, may_stand_in=True)
    if lock.problem:
        log.error("%s; neither changes nor what is served can be kept there for a restart", lock.problem)
    return lock
