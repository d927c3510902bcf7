"""The opener as the supervisor keeps it: the process that opens sockets in network namespaces for the monitor worker.

It is there where a virtual network of the configuration is reached by a namespace, and stays from then on. What it is
lent is kept where root starts a server whose configuration has such a network (privileges.py).
"""

from __future__ import annotations

from typing import Any, Final

from lbdns.mapped.run_directory import RunDirectory, opener_path
from lbdns.model.configuration import Configuration
from lbdns.processes.supervisor.children import Child
from lbdns.processes.supervisor.kept import Duty, Kept
from lbdns.processes.supervisor.privileges import NAMESPACES, PINGS

STOP_S: Final = 1.0


def needs_opener(configuration: Configuration) -> bool:
    """Whether a virtual network is reached by a namespace."""
    return any(one.via is not None and one.via.namespace for one in configuration.virtual_networks.values())


class OpenerChild(Kept):
    """At most one process, which holds no state."""

    kind = "opener"
    words = "namespace opener"

    def __init__(self, run: RunDirectory) -> None:
        """Describe it; it listens in the run directory."""
        self._run = run
        self._child: Child | None = None

    @property
    def process_count(self) -> int:
        """One, from when a network needs it."""
        return int(self._child is not None)

    @property
    def alive(self) -> int:
        """1 while it is running."""
        return int(self._child is not None and bool(self._child.pid))

    @property
    def restarts(self) -> int:
        """How many times it died and was started again."""
        return self._child.restarts if self._child is not None else 0

    @property
    def hangs(self) -> int:
        """None: it does nothing that could wait."""
        return 0

    @property
    def beat_ages_s(self) -> tuple[float | None, ...]:
        """None: it gives no sign of life but its answers."""
        return ()

    async def start(self, duty: Duty) -> None:
        """Begin where it is needed; nothing waits for it, who asks it asks again."""
        await self.replace(duty)

    async def replace(self, duty: Duty) -> None:
        """Begin where a reload brought the first network that needs it."""
        if self._child is None and needs_opener(duty.published.configuration):
            arguments = ["--socket", str(opener_path(self._run.path))]
            self._child = Child(self.words, "lbdns.monitor.ways.opener", arguments, capabilities=NAMESPACES | PINGS)
            self._child.begin()

    async def stop(self) -> None:
        """End it."""
        if self._child is not None:
            await self._child.stop(STOP_S)

    def wake(self) -> None:
        """Leave it: it asks for nothing."""

    def look(self) -> None:
        """Leave it: it is seen by its end."""

    def health(self) -> dict[str, Any]:
        """Return its process id, 0 while it is dead, and how often it was started again; nothing where none is
        needed."""
        if self._child is None:
            return {}
        return {"opener": {"pid": self._child.pid, "restarts": self.restarts}}
