"""Row 15: the clock of the day jumps, forward or back; monotonic time goes on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.faults.fault import Fault, Seen

LIBRARIES = tuple(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
OFFSET_FILE = Path(tempfile.gettempdir()) / f"lbdns-faults-clock-{os.getpid()}"
JUMPS = ("+400d", "+1d", "+3h", "-1d", "-400d")
NO_JUMP = "+0"


class ClockJumps(Fault):
    """The clock of the server's processes jumps: names stay resolved, health stays measured, nobody is killed."""

    row = 15
    what = "clock jumps"
    late_s = 0.3
    hold_s = 4.0

    @classmethod
    def why_not_here(cls) -> str:
        return "" if LIBRARIES else "libfaketime is not installed (Debian: faketime)"

    @classmethod
    def environment(cls) -> Mapping[str, str]:
        OFFSET_FILE.write_text(f"{NO_JUMP}\n")
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(OFFSET_FILE),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def inject(self) -> None:
        self._jump = self.random.choice(JUMPS)
        self._before = len(self.rig.server.log)
        OFFSET_FILE.write_text(f"{self._jump}\n")

    def heal(self) -> None:
        OFFSET_FILE.write_text(f"{NO_JUMP}\n")

    def afterwards(self) -> list[Seen]:
        log = self.rig.server.log[self._before :]
        amiss = [line for line in log.splitlines() if "hangs" in line or "unresolved" in line or "unhealthy" in line]
        figure = (amiss or [f"nothing after {self._jump}"])[0]
        return [Seen("nothing is said to hang, to be unresolved or unhealthy", not amiss, figure[:120])]
