"""The record of changes: what an endpoint, pool or load balancer became, when, from what, and why.

Kept as JSON lines in two files that take turns, so that it is bounded; a line cut short by a crash is passed over.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

from lbdns.base.errors import LbdnsError
from lbdns.base.words import EVENTS_FILE, OLDER_EVENTS_FILE

FILE_BYTES_MAX: Final = 8 * 1024 * 1024  # per file; there are two
PROBES_MAX: Final = 20  # per change
RECORD_MAX: Final = 200_000  # more changes than two files can hold

Kind = Literal["endpoint", "pool", "load_balancer", "vantage_point", "monitor", "virtual_network"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One probe's result, as evidence. `at_s` is unix seconds; `vantage` where it was taken; `code` 0: none came.

    `must_be_healthy` and `monitoring_only`: the monitor's part in its group.
    """

    at_s: float
    vantage: str
    monitor: str
    address: str
    healthy: bool
    reason: str
    code: int
    rtt_us: int
    must_be_healthy: bool = False
    monitoring_only: bool = False


MEASURED: Final = "measured"
"""The cause of a change that probes decided."""


@dataclass(frozen=True, slots=True)
class HealthChange:
    """One change of state. Times are unix seconds; names that do not apply are empty.

    `network`: the virtual network that an endpoint stands in. The kind "virtual_network" is the way into it, which is
    up or down; endpoints behind it have no changes of their own for that. The kind "monitor" is what a group's member
    that only watches sees of an endpoint; no answer follows from it.

    `was_for_s` says how long the state before it lasted (0: unknown); `streak` counts the results in a row that
    decided, of which the last is `reason`, `detail`, `code` and `rtt_us`; `cause` is "measured", "forced" or
    "configuration". `probes` are those that decided it, oldest first, at most PROBES_MAX; a pool's are those of the
    endpoint that tipped it.
    """

    at_s: float
    kind: Kind
    name: str
    before: str
    after: str
    pool: str = ""
    endpoint: str = ""
    address: str = ""
    monitor: str = ""
    vantage: str = ""
    reason: str = ""
    detail: str = ""
    code: int = 0
    rtt_us: int = 0
    streak: int = 0
    was_for_s: float = 0.0
    cause: str = MEASURED
    network: str = ""
    hidden: bool = False  # a forced state lies over it: no answer changed
    probes: tuple[Seen, ...] = ()
    machine: str = ""  # of a fleet: the one that this is a change at

    @property
    def why(self) -> str:
        """The reason with its detail; "" where there is none."""
        return f"{self.reason} ({self.detail})" if self.reason and self.detail else self.reason or self.detail

    @property
    def text(self) -> str:
        """The change in one line for an operator."""
        where = f"{self.address} in {self.network}" if self.network else self.address
        subject = {
            "endpoint": f"pool {self.pool} endpoint {self.endpoint} ({where})",
            "pool": f"pool {self.name}",
            "load_balancer": f"load balancer {self.name}",
            "vantage_point": f"vantage point {self.name}",
            "virtual_network": f"virtual network {self.name}",
            "monitor": f"monitor {self.monitor} (monitoring only) of pool {self.pool} endpoint {self.endpoint} "
            f"({where})",
        }[self.kind]
        why = self.why
        before = f"was {self.before}" + (f" for {duration_text(self.was_for_s)}" if self.was_for_s else "")
        return f"{subject} is {self.after}" + (f": {why}" if why else "") + f"; {before}"


def duration_text(seconds: float) -> str:
    """Return a duration as a person says it: "12 s", "4 min 5 s", "3 h 12 min", "9 d 2 h"."""
    whole = max(int(seconds), 0)
    parts = ((whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    for index, (count, unit) in enumerate(parts):
        if count:
            following = parts[index + 1] if index + 1 < len(parts) else (0, "")
            return f"{count} {unit}" + (f" {following[0]} {following[1]}" if following[0] else "")
    return "less than 1 s"


def when_text(at_s: float, now_s: float) -> str:
    """Return how far a time is from now: "in 4 min 5 s", "12 s ago"."""
    left_s = at_s - now_s
    return f"in {duration_text(left_s)}" if left_s >= 0 else f"{duration_text(-left_s)} ago"


_FIELDS: Final = frozenset(field.name for field in fields(HealthChange))


class Record:
    """The record on disk, for its one writer."""

    def __init__(self, directory: Path, file_bytes_max: int = FILE_BYTES_MAX) -> None:
        """Append to the record in `directory`, which must exist."""
        self._path = directory / EVENTS_FILE
        self._older = directory / OLDER_EVENTS_FILE
        self._bytes_max = file_bytes_max
        self._handle = -1

    def append(self, change: HealthChange) -> None:
        """Add one change; raises OSError where the disk refuses."""
        if self._handle < 0:
            self._open()
        values = asdict(change)
        if not change.machine:
            del values["machine"]
        line = json.dumps(values, ensure_ascii=False).encode() + b"\n"
        if os.write(self._handle, line) < len(line):  # the disk became full: what follows is to begin a line
            self.close()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if os.fstat(self._handle).st_size >= self._bytes_max:
            self.close()
            os.replace(self._path, self._older)

    def _open(self) -> None:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._handle).st_size
        if size and os.pread(self._handle, 1, size - 1) != b"\n":
            os.write(self._handle, b"\n")  # a crash cut the last line short

    def close(self) -> None:
        """Close the file; the next change opens it again."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def lasted_s(since_s: float, now_s: float) -> float:
    """Return for how long something lasted that began at `since_s` (unix seconds, 0: not known), for people; the time
    of day may have gone back since."""
    return max(now_s - since_s, 0.0) if since_s else 0.0


def read_events(directory: Path, since_s: float = 0.0, limit: int = 1000) -> list[HealthChange]:
    """Return the last `limit` changes kept in `directory` at or after `since_s`, oldest first; none where none are.

    Raises LbdnsError where they cannot be read.
    """
    found: list[HealthChange] = []
    for name in (OLDER_EVENTS_FILE, EVENTS_FILE):
        found += [change for change in _read(directory / name) if change.at_s >= since_s]
        found = found[-limit:] if limit else []
    return found


def _read(path: Path) -> Iterator[HealthChange]:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                change = parse_change(line)
                if change is not None:
                    yield change
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise LbdnsError(f"{path}: cannot read the record of changes: {error.strerror}") from error


def parse_change(line: str) -> HealthChange | None:
    """Return the change that a line of the record says; None where it says none."""
    try:
        values: Any = json.loads(line)
        found = {key: value for key, value in values.items() if key in _FIELDS}
        found["probes"] = tuple(Seen(**probe) for probe in found.get("probes", ()))
        return HealthChange(**found)
    except (ValueError, TypeError, AttributeError):
        return None


def last_told(directory: Path) -> dict[tuple[str, str, str], str]:
    """Return what was told last of each endpoint in a virtual network, as it was measured: a word by pool, endpoint and
    network.

    Raises LbdnsError where the record cannot be read.
    """
    found: dict[tuple[str, str, str], str] = {}
    for name in (OLDER_EVENTS_FILE, EVENTS_FILE):
        for change in _read(directory / name):
            if change.kind == "endpoint" and change.network and change.cause != "forced":
                found[change.pool, change.endpoint, change.network] = change.after
    return found
