"""The dnstap worker as the supervisor keeps it: there where the settings have `dnstap`, another where they change."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any, Final

from lbdns.model.dnstap_settings import DnstapSettings
from lbdns.processes.supervisor.children import Child
from lbdns.processes.supervisor.kept import Duty, Kept

STOP_S: Final = 2.0
MODULE: Final = "lbdns.telemetry.dnstap.dnstap_worker"


class DnstapChild(Kept):
    """At most one process; those who answer notice nothing of it."""

    kind = "dnstap"
    words = "dnstap worker"

    def __init__(self, state_dir: Path) -> None:
        """Begin with none."""
        self._state_dir = state_dir
        self._child: Child | None = None
        self._done: tuple[DnstapSettings, str] | None = None
        self._restarts_before = 0

    @property
    def process_count(self) -> int:
        """One where it is configured."""
        return int(self._child is not None)

    @property
    def alive(self) -> int:
        """1 while it is running."""
        return int(self._child is not None and bool(self._child.pid))

    @property
    def restarts(self) -> int:
        """How many times it died and was started again."""
        return self._restarts_before + (self._child.restarts if self._child is not None else 0)

    @property
    def hangs(self) -> int:
        """None: nobody waits for it."""
        return 0

    @property
    def beat_ages_s(self) -> tuple[float | None, ...]:
        """None: it gives no sign of life but its frames."""
        return ()

    async def start(self, duty: Duty) -> None:
        """Begin where it is configured; nothing waits for it."""
        await self.replace(duty)

    async def replace(self, duty: Duty) -> None:
        """Have the one that the settings want; one that stays makes a file that was moved anew."""
        wanted = duty.published.configuration.settings.dnstap
        done = None if wanted is None else (wanted, duty.log_format)
        if done == self._done:
            if self._child is not None and self._child.pid:
                os.kill(self._child.pid, signal.SIGHUP)
            return
        await self.stop()
        self._done = done
        if wanted is not None:
            self._child = Child(self.words, MODULE, self._arguments(wanted, duty.log_format))
            self._child.begin()

    def _arguments(self, settings: DnstapSettings, log_format: str) -> list[str]:
        to = ("--file", settings.file) if settings.socket is None else ("--socket", settings.socket)
        identity = socket.gethostname() if settings.identity is None else settings.identity
        arguments = ["--state", str(self._state_dir), to[0], str(to[1]), "--identity", identity]
        arguments += ["--queries"] if settings.queries else []
        arguments += ["--responses"] if settings.responses else []
        return [*arguments, "--parent", str(os.getpid()), "--log", log_format]

    async def stop(self) -> None:
        """End it, after what it has."""
        if self._child is not None:
            await self._child.stop(STOP_S)
            self._restarts_before, self._child = self.restarts, None

    def wake(self) -> None:
        """Leave it: it looks by itself."""

    def look(self) -> None:
        """Leave it: it is seen by its end."""

    def health(self) -> dict[str, Any]:
        """Return its process id, 0 while it is dead, and how often it was started again; nothing where there is to be
        none."""
        if self._child is None:
            return {}
        return {"dnstap": {"pid": self._child.pid, "restarts": self.restarts}}
