"""What the health table says of an endpoint, written and read as a whole: never a state with another state's reason.

The writer makes `endpoint_version` odd, writes, and makes it even again; a reader that saw an odd number or two
different ones looks again. Answers need none of this: they follow `endpoint_state`, a single byte, alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

SPINS: Final = 64
PAUSES: Final = 20  # a writer killed between the two numbers must not hang a reader
PAUSE_S: Final = 0.001

Columns = Mapping[str, "memoryview[Any]"]


class EndpointRow(NamedTuple):
    """One endpoint's columns, by their names: `state` is the effective byte; times are unix seconds."""

    state: int
    measured: int
    since: float
    checked_at: float
    checks: int
    passed: int
    rtt_us: int
    streak: int
    code: int
    reason: int


_NAMES: Final = tuple(f"endpoint_{name}" for name in EndpointRow._fields)


class RowWrite:
    """The time in which a writer changes an endpoint's row; use in a `with` statement."""

    __slots__ = ("_odd", "_slot", "_version")

    def __init__(self, version: memoryview[Any], slot: int) -> None:
        """`version` is the column `endpoint_version`."""
        self._version = version
        self._slot = slot
        self._odd = 0

    def __enter__(self) -> None:
        # A writer that was killed midway left an odd number: the same odd number marks this write.
        self._odd = self._version[self._slot] | 1
        self._version[self._slot] = self._odd

    def __exit__(self, *_: object) -> None:
        self._version[self._slot] = (self._odd + 1) & 0xFFFFFFFF


def read_endpoint(columns: Columns, slot: int) -> EndpointRow:
    """Return an endpoint's row as it stood at one moment; where a write never ends, as it stands after 20 ms."""
    version = columns["endpoint_version"]
    for attempt in range(SPINS + PAUSES):
        before = version[slot]
        if not before & 1:
            row = EndpointRow(*[columns[name][slot] for name in _NAMES])
            if version[slot] == before:
                return row
        elif attempt >= SPINS:
            time.sleep(PAUSE_S)
    return EndpointRow(*[columns[name][slot] for name in _NAMES])
