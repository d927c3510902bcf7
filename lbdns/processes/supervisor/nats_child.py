"""The nats-server of a fleet as the supervisor keeps it: there where the settings say `embedded`, another where what
it is configured by changes.

    settings, secret --> configuration, keys --changed--> the one before ends --> it is started, and again when it dies
    supervisor killed --> it goes on, for the other machines --> the next supervisor ends it, and starts its own

It is not on the road of a query: whatever is wrong with it, the server answers, and says what is wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.base.nats_binary import NATS_SERVER
from lbdns.base.words import FLEET_DIRECTORY
from lbdns.model.bus_access import PORTS_FILE
from lbdns.model.fleet_settings import FleetSettings, secret_path
from lbdns.processes.supervisor.child_process import ChildProcess
from lbdns.processes.supervisor.children import Child
from lbdns.processes.supervisor.kept import Duty, KeptOne
from lbdns.processes.supervisor.takeover import end_all

if TYPE_CHECKING:
    from lbdns.fleet.embedded.prepared_server import PreparedServer

MODULE: Final = "lbdns.fleet.embedded.nats_launch"
_OLD_STOP_S: Final = 3.0

log = logging.getLogger("lbdns.processes")


class NatsChild(KeptOne):
    """At most one process; without `fleet` in the settings nothing of it is imported."""

    kind = "nats"
    words = "nats-server"
    stop_s = 5.0
    ends_last = True

    def __init__(self, state_dir: Path) -> None:
        """Begin with none."""
        super().__init__()
        self._state_dir = state_dir
        self._done: PreparedServer | None = None
        self._stamp: tuple[object, ...] = ()
        self._trouble = LastingTrouble(log, "the fleet's nats-server is started")
        self._has_looked = False

    @property
    def problem(self) -> str:
        """What is wrong with it, "" where nothing is, or none is to be there."""
        child = self._child
        if self._trouble.text or child is None or child.pid or not child.restarts:
            return self._trouble.text
        from lbdns.fleet.embedded.prepared_server import last_words

        return f"the fleet's nats-server does not run: {last_words(self._state_dir)}"

    async def start(self, duty: Duty) -> None:
        """Begin where it is configured; nothing waits for it."""
        await self.replace(duty)

    async def replace(self, duty: Duty) -> None:
        """Have the one that the settings want."""
        settings = duty.published.configuration.settings.fleet
        if settings is None or not settings.embedded:
            await self.stop()
            await self._end_old()
            self._trouble.end()
            return
        if self._stamp and self._stamp == self._stamp_of(settings):
            return  # this is asked with every change of anything
        from lbdns.fleet.embedded.prepared_server import prepare_server

        try:
            now = datetime.datetime.now(datetime.UTC)
            prepared = await asyncio.to_thread(prepare_server, settings, self._state_dir, now)
        except LbdnsError as error:
            self._trouble.begin(f"the fleet's nats-server is not started: {error}")
            return
        self._trouble.end()
        stamp = self._stamp_of(settings)
        if prepared != self._done:
            await self.stop()
            await self._end_old()
            self._start(prepared)
        self._done, self._stamp = prepared, stamp

    def _start(self, prepared: PreparedServer) -> None:
        arguments = ["--binary", str(prepared.binary), "--configuration", str(prepared.configuration)]
        self._begin(Child(self.words, MODULE, arguments, began=self._tell_why))

    async def stop(self) -> None:
        """End it, where there is one."""
        self._done, self._stamp = None, ()
        await super().stop()

    def _stamp_of(self, settings: FleetSettings) -> tuple[object, ...]:
        """Return what changes where anything does that it is configured by."""
        secret = secret_path(settings, self._state_dir)
        try:
            found = None if secret is None else secret.stat()
        except OSError:
            return ()
        return settings, found and (found.st_mtime_ns, found.st_ino)

    async def _end_old(self) -> None:
        """End the one that an earlier start left, once."""
        if self._has_looked:
            return
        self._has_looked = True
        if not os.path.exists(self._state_dir / FLEET_DIRECTORY):  # Path.exists raises where nobody may look
            return
        from lbdns.fleet.embedded.prepared_server import configuration_of

        configuration = configuration_of(self._state_dir)
        if configuration.exists():
            await end_all(lambda: running_by(configuration), _OLD_STOP_S)
        for stale in configuration.parent.glob(PORTS_FILE):
            stale.unlink(missing_ok=True)

    def _tell_why(self, process: ChildProcess) -> None:
        """Say why the one before ended, of which its exit status says nothing."""
        if self._child is not None and self._child.restarts:
            from lbdns.fleet.embedded.prepared_server import last_words

            log.error("the nats-server before said: %s", last_words(self._state_dir))


def running_by(configuration: Path) -> list[int]:
    """Return the nats-servers that were started with a configuration; those of a container may have another one at the
    same path."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            program, *arguments = path.read_bytes().split(b"\0")
            if os.path.basename(program) == NATS_SERVER.encode() and os.fsencode(configuration) in arguments:
                pid = path.parent.name
                if os.path.samefile(f"/proc/{pid}/root{configuration.absolute()}", configuration):
                    found.append(int(pid))
    return found
