"""Room for counters (counters.py), had before anything is counted: a hole in a full file system kills its writer."""

from __future__ import annotations

import os
from pathlib import Path

from lbdns.mapped.allocation import allocate
from lbdns.mapped.counter_words import (
    ENDPOINTS_FIRST,
    LOAD_BALANCERS_FIRST,
    POOLS_FIRST,
    RULES_FIRST,
    SLOTS_MAX,
    WORD_COUNT,
)

SLOTS_FIRST = (LOAD_BALANCERS_FIRST, POOLS_FIRST, ENDPOINTS_FIRST, RULES_FIRST)
"""The first word of each kind that has slots."""


def allocate_counters(path: Path, load_balancers: int, pools: int, endpoints: int, rules: int) -> None:
    """Allocate a file's fixed words, and those of so many slots of each kind; made where it is not there.

    Raises OSError where there is no room.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(handle).st_size != WORD_COUNT * 8:
            os.ftruncate(handle, WORD_COUNT * 8)
        allocate(handle, 0, LOAD_BALANCERS_FIRST * 8)
        for first, count in zip(SLOTS_FIRST, (load_balancers, pools, endpoints, rules), strict=True):
            if count:
                allocate(handle, first * 8, min(count, SLOTS_MAX) * 8)
    finally:
        os.close(handle)
