"""States that an operator forces: an overlay that never erases what is measured.

An ordered list, the last entry that matches wins. A pattern is POOL or POOL/ENDPOINT, each part a glob (`*`, `?`,
`[...]`). `auto` takes an earlier entry back. The list is a file in the state directory: the supervisor changes it, the
monitor worker reads it, so it survives both. An order that was given for a while lasts as long whatever happens to the
time of day: the file says what that was ahead of the machine's uptime, and within one boot a jump moves all ends by it.
"""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, cast

from lbdns.base.clocks import boot_id, wall_offset_s
from lbdns.base.errors import LbdnsError
from lbdns.base.whole_file import write_whole
from lbdns.base.words import FORCED_FILE, FORCED_LOCK
from lbdns.health.verdict import COUNTS, CRITICAL, HEALTHY, STATE_MASK, UNHEALTHY, UNRESOLVED

ENTRIES_MAX: Final = 1000
PATTERN_CHARS_MAX: Final = 512
WHY_CHARS_MAX: Final = 1024
JUMP_MIN_S: Final = 1.0
"""A time of day that is off by less is being corrected slowly, or was rounded."""

State = Literal["up", "down", "auto"]


@dataclass(frozen=True, slots=True)
class Forced:
    """One order: `state` for what `pattern` matches, from `set_at_s` until `until_s` (unix seconds, None: for good).

    `machine`: of a fleet, where it was given; "" for this one, or for none.
    """

    pattern: str
    state: State
    set_at_s: float
    until_s: float | None = None
    why: str = ""
    machine: str = ""

    @property
    def text(self) -> str:
        """The order in words: how it is forced, and why."""
        return f"forced {self.state}" + (f": {self.why}" if self.why else "")

    def holds(self, now_s: float) -> bool:
        """Whether it has not expired."""
        return self.until_s is None or now_s < self.until_s

    def matches(self, pool: str, endpoint: str = "") -> bool:
        """Whether it is about this pool, or about this endpoint where one is given."""
        pool_part, slash, endpoint_part = self.pattern.partition("/")
        if bool(slash) != bool(endpoint) or not fnmatch.fnmatchcase(pool, pool_part):
            return False
        return not endpoint or fnmatch.fnmatchcase(endpoint, endpoint_part)


def change(entries: Sequence[Forced], new: Forced, now_s: float) -> tuple[Forced, ...]:
    """Return the list with `new` in force and what it or time made idle left out; raises LbdnsError in words."""
    if not new.pattern or len(new.pattern) > PATTERN_CHARS_MAX or new.pattern.endswith("/") or new.pattern[0] == "/":
        raise LbdnsError(f'"{new.pattern[:80]}" names nothing to force; expected POOL or POOL/ENDPOINT, globs allowed')
    if new.state not in ("up", "down", "auto"):
        raise LbdnsError(f'"{new.state}" is no state to force; expected up, down or auto')
    if len(new.why) > WHY_CHARS_MAX:
        raise LbdnsError(f"the reason is too long; at most {WHY_CHARS_MAX} characters")
    pool, _, endpoint = new.pattern.partition("/")
    kept = [entry for entry in entries if entry.holds(now_s) and not _covers(pool, endpoint, entry.pattern)]
    # `auto` needs an entry only to mask an earlier glob that it takes back in part.
    if new.state != "auto" or any(_is_glob(entry.pattern) for entry in kept):
        kept.append(new)
    while kept and kept[0].state == "auto":
        kept.pop(0)
    if len(kept) > ENTRIES_MAX:
        raise LbdnsError(f"more than {ENTRIES_MAX} forced states; take some back with `auto`, or use globs")
    return tuple(kept)


def order(
    state_dir: Path,
    known: Iterable[tuple[str, str]],
    pattern: str,
    state: str,
    now_s: float,
    for_s: float | None = None,
    why: str = "",
) -> list[str]:
    """Force what `pattern` matches among `known` pairs (pool, endpoint; "" for the pool itself), and keep that on disk.

    Returns the names it is about, POOL or POOL/ENDPOINT. Raises LbdnsError where it matches nothing or cannot be kept.
    The worker sees the file within a second, and at once where the control file's `forced_version` is raised.
    """
    if for_s is not None and not (isinstance(for_s, int | float) and for_s > 0):
        raise LbdnsError("a state is forced for more than 0 seconds")
    new = Forced(pattern, cast(State, state), now_s, None if for_s is None else now_s + for_s, why)
    with changing(state_dir):
        entries = change(load(state_dir), new, now_s)
        names = ["/".join(filter(None, pair)) for pair in known if new.matches(*pair)]
        if not names and state != "auto":
            raise LbdnsError(f'"{pattern}" matches no pool and no endpoint')
        save(state_dir, entries)
    return names


@contextlib.contextmanager
def changing(state_dir: Path) -> Iterator[None]:
    """Let nobody else change the list meanwhile; raises LbdnsError. In a fleet, two processes change it."""
    try:
        handle = os.open(state_dir / FORCED_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LbdnsError(f"{state_dir / FORCED_LOCK}: cannot write the forced states: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _covers(pool: str, endpoint: str, pattern: str) -> bool:
    """Whether an order for POOL/ENDPOINT leaves nothing of an earlier one for `pattern`."""
    earlier_pool, _, earlier_endpoint = pattern.partition("/")
    if bool(endpoint) != bool(earlier_endpoint):
        return False
    return _part_covers(pool, earlier_pool) and (not endpoint or _part_covers(endpoint, earlier_endpoint))


def _part_covers(glob: str, earlier: str) -> bool:
    return glob in (earlier, "*") or (not _is_glob(earlier) and fnmatch.fnmatchcase(earlier, glob))


def _is_glob(pattern: str) -> bool:
    return any(char in pattern for char in "*?[")


def find(entries: Iterable[Forced], now_s: float, pool: str, endpoint: str = "") -> Forced | None:
    """Return the order in force for a pool, or for its endpoint; None where there is none or the last says auto."""
    found = None
    for entry in entries:
        if entry.holds(now_s) and entry.matches(pool, endpoint):
            found = entry
    return None if found is None or found.state == "auto" else found


def endpoint_byte(measured: int, forced: Forced | None, is_unresolved: bool = False) -> int:
    """Return an endpoint's effective byte; `is_unresolved`: its hostname leads nowhere."""
    byte = measured if forced is None else (HEALTHY if forced.state == "up" else UNHEALTHY) | COUNTS
    return byte | UNRESOLVED if is_unresolved and byte & STATE_MASK != UNHEALTHY else byte


def pool_byte(measured: int, forced: Forced | None) -> int:
    """Return a pool's effective byte; `measured` carries COUNTS already where one of its endpoints is forced."""
    if forced is None:
        return measured
    return (HEALTHY if forced.state == "up" else CRITICAL) | COUNTS


def next_expiry_s(entries: Iterable[Forced], now_s: float) -> float:
    """Return when the next order expires (unix seconds); infinity where none will."""
    return min((entry.until_s for entry in entries if entry.until_s and entry.until_s > now_s), default=math.inf)


def moved(entries: Iterable[Forced], by_s: float) -> tuple[Forced, ...]:
    """Return the list with its ends moved, to another clock say."""
    return tuple(replace(one, until_s=None if one.until_s is None else one.until_s + by_s) for one in entries)


def _jump_s(clock: Any) -> float:
    """Return how far the time of day has jumped since the list was written, as far as that can be known."""
    if not isinstance(clock, dict) or not clock.get("boot") or clock["boot"] != boot_id():
        return 0.0
    return wall_offset_s() - float(clock["offset_s"])


def load(state_dir: Path) -> tuple[Forced, ...]:
    """Read the list; none where there is no file. Raises LbdnsError where it cannot be read."""
    path = state_dir / FORCED_FILE
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        entries = tuple(_entry(**entry) for entry in document["forced"][:ENTRIES_MAX])
        jump_s = _jump_s(document.get("clock"))
        return moved(entries, jump_s) if abs(jump_s) >= JUMP_MIN_S else entries
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise LbdnsError(f"{path}: cannot read the forced states: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LbdnsError(f"{path}: not a list of forced states; remove it to start without any") from error


def _entry(pattern: Any, state: Any, set_at_s: Any, until_s: Any = None, why: Any = "", machine: Any = "") -> Forced:
    """Return an order as it was written; raises TypeError for what none was written as."""
    texts, times = (pattern, state, why, machine), (set_at_s, 0.0 if until_s is None else until_s)
    if not all(isinstance(one, str) for one in texts) or not all(isinstance(one, int | float) for one in times):
        raise TypeError("values of other types than orders have")
    return Forced(pattern, cast(State, state), set_at_s, until_s, why, machine)


def save(state_dir: Path, entries: Iterable[Forced]) -> None:
    """Write the list, whole or not at all; raises LbdnsError where the disk refuses."""
    clock = {"boot": boot_id(), "offset_s": wall_offset_s()}
    rows = [{key: value for key, value in asdict(one).items() if value or key != "machine"} for one in entries]
    text = json.dumps({"forced": rows, "clock": clock}, ensure_ascii=False, indent=1)
    write_whole(state_dir / FORCED_FILE, text, "the forced states", is_lasting=True)
