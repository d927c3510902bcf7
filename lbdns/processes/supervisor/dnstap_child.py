"""The dnstap worker as the supervisor keeps it: there where the settings have `dnstap`, another where they change."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Final

from lbdns.model.dnstap_settings import DnstapSettings
from lbdns.processes.supervisor.children import Child
from lbdns.processes.supervisor.kept import Duty, KeptOne

MODULE: Final = "lbdns.telemetry.dnstap.dnstap_worker"


class DnstapChild(KeptOne):
    """At most one process; those who answer notice nothing of it."""

    kind = "dnstap"
    words = "dnstap worker"

    def __init__(self, state_dir: Path) -> None:
        """Begin with none."""
        super().__init__()
        self._state_dir = state_dir
        self._done: tuple[DnstapSettings, str] | None = None

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
            self._begin(Child(self.words, MODULE, self._arguments(wanted, duty.log_format)))

    def _arguments(self, settings: DnstapSettings, log_format: str) -> list[str]:
        to = ("--file", settings.file) if settings.socket is None else ("--socket", settings.socket)
        identity = socket.gethostname() if settings.identity is None else settings.identity
        arguments = ["--state", str(self._state_dir), to[0], str(to[1]), "--identity", identity]
        arguments += ["--queries"] if settings.queries else []
        arguments += ["--responses"] if settings.responses else []
        return [*arguments, "--parent", str(os.getpid()), "--log", log_format]
