"""What a single server without `fleet:` is made of: processes, memory, and what they import; to compare two builds."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any, Final

from tests.fleet.machines import START_S
from tests.store.served import StoreServer
from tests.strain.process_tree import processes

IMPORTED: Final = "import time:"
"""How the interpreter's line about a module that it imported begins, where PYTHONPROFILEIMPORTTIME asks for it."""
SETTLED_S: Final = 10.0


class BuiltServer(StoreServer):
    """A server over a store, of whatever build that Python has, which tells its imports in its log."""

    start_s = START_S

    def __init__(self, work: Path, python: Path) -> None:
        """Prepare it."""
        self._python = python
        super().__init__(work)

    def command(self) -> list[str]:
        """Return the command that becomes its supervisor."""
        _, *rest = super().command()
        return ["env", "-u", "PYTHONPATH", "PYTHONPROFILEIMPORTTIME=1", str(self._python), *rest]


def single_server(work: Path, python: Path) -> dict[str, Any]:
    """Return processes by role, the memory that is their own and their share of what they share, and the imports."""
    work.mkdir()
    with contextlib.closing(BuiltServer(work, python)) as server:
        server.start()
        server.wait_for_api(START_S)
        time.sleep(SETTLED_S)
        found = processes(server.state_dir, server.run_directory)
        lines = server.log.splitlines()
    imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith(IMPORTED)}
    return {
        "processes": sorted(one.role for one in found),
        "pss_mib": round(sum(one.pss_kib for one in found) / 1024, 1),
        "own_mib": round(sum(one.own_kib for one in found) / 1024, 1),
        "imported": sorted(imported - {"imported package"}),
    }
