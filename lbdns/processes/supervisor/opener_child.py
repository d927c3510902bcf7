"""The opener as the supervisor keeps it: the process that opens sockets in network namespaces for the monitor worker.

It is there where a virtual network of the configuration is reached by a namespace, and stays from then on. What it is
lent is kept where root starts a server whose configuration has such a network (privileges.py).
"""

from __future__ import annotations

from typing import Final

from lbdns.mapped.run_directory import RunDirectory, opener_path
from lbdns.model.configuration import Configuration
from lbdns.processes.supervisor.children import Child
from lbdns.processes.supervisor.kept import Duty, KeptOne
from lbdns.processes.supervisor.privileges import NAMESPACES, PINGS

MODULE: Final = "lbdns.monitor.ways.opener"


def needs_opener(configuration: Configuration) -> bool:
    """Whether a virtual network is reached by a namespace."""
    return any(one.via is not None and one.via.namespace for one in configuration.virtual_networks.values())


class OpenerChild(KeptOne):
    """At most one process, which holds no state."""

    kind = "opener"
    words = "namespace opener"
    stop_s = 1.0

    def __init__(self, run: RunDirectory) -> None:
        """Begin with none; it listens in the run directory."""
        super().__init__()
        self._run = run

    async def start(self, duty: Duty) -> None:
        """Begin where it is needed; nothing waits for it, who asks it asks again."""
        await self.replace(duty)

    async def replace(self, duty: Duty) -> None:
        """Begin where a reload brought the first network that needs it."""
        if self._child is None and needs_opener(duty.published.configuration):
            arguments = ["--socket", str(opener_path(self._run.path))]
            self._begin(Child(self.words, MODULE, arguments, capabilities=NAMESPACES | PINGS))
