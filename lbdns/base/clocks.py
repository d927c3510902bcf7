"""The clocks. The time of day is for what people read and for what outlives a boot: it may jump, years even.

elapsed_s()         whatever lasts, expires or is due: goes on evenly, through a suspend too (CLOCK_BOOTTIME)
time.monotonic()    the same within an event loop, whose timers follow it
time.time()         when something happened, in records
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def elapsed_s() -> float:
    """Return the seconds since the machine was started; the same in all of its processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Return what tells this boot of the machine from others; empty where nothing does."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def wall_offset_s() -> float:
    """Return by how much the time of day is ahead of `elapsed_s` now."""
    return time.time() - elapsed_s()
