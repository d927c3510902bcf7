"""What each machine of a fleet says of itself, once a second, and what another one keeps of that: pure.

A machine tells durations and counts, never times of day: the one that hears them may have another clock. When somebody
was heard is judged by the receiver's own monotonic clock alone. A receiver that itself stood still heard nobody
meanwhile, and takes nobody for silent by that: `stood_still` takes the time out of the silence of all, of each for
EXCUSED_MAX_S at most.

    no status yet  ->  HEARD  --nothing for LOST_S-->  LOST  --nothing for FORGOTTEN_S-->  gone from the roster
                         ^                              |
                         '------- a status comes -------'
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from lbdns.fleet.fleet_document import BadDocument, decode_document, encode_document
from lbdns.fleet.observing.hearing import EXCUSED_MAX_S, LATE_S
from lbdns.model.fleet_report import MachineStatus, RosterRow

STATUS_S: Final = 1.0
"""How often a machine says how it stands."""
LOST_S: Final = 3.0
"""Who has said nothing for so long is not heard any more."""
FORGOTTEN_S: Final = 86_400.0
"""Who has said nothing for so long is no machine of the fleet any more."""
MACHINES_MAX: Final = 4_096
"""Of a roster: whoever comes then is passed over."""
_STATUS_BYTES_MAX: Final = 1 << 20
_READ: Final = TypeAdapter(MachineStatus)


def encode_status(status: MachineStatus) -> bytes:
    """Return the message that says it, for the subject `here.<machine>`."""
    return encode_document(asdict(status))


def decode_status(data: bytes) -> MachineStatus:
    """Return what a machine says, of any release; raises BadDocument."""
    return _status_in(decode_document(data, bytes_max=_STATUS_BYTES_MAX))


def _status_in(said: Mapping[str, Any]) -> MachineStatus:
    """Return the status in a document; raises BadDocument. Keys that are not known here are passed over."""
    try:
        return _READ.validate_python(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadDocument(f"the status of a machine cannot be read: {where}: {first['msg']}") from None


def signed_digest(zones: Iterable[str]) -> str:
    """Return what tells apart machines that sign other zones: a digest of the zones' names, "" where there are none."""
    names = sorted(zones)
    return hashlib.blake2b("\n".join(names).encode(), digest_size=8).hexdigest() if names else ""


_READ_ROW: Final = TypeAdapter(RosterRow)


@dataclass(frozen=True, slots=True)
class _RosterEntry:
    """A machine in a roster: what it said last and when, since when it has been heard without a gap, and since when it
    has lacked revisions; the run that was heard before this one, and when that came again (two have the name)."""

    status: MachineStatus
    heard_at_s: float
    since_s: float
    lags_since_s: float | None = None
    run_before: str = ""
    doubled_s: float | None = None
    excused_s: float = 0.0  # of its silence, what who listens stood still for


class FleetRoster:
    """Whom a machine hears, itself among them. `now_s` is a monotonic clock, the same in all calls."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._entries: dict[str, _RosterEntry] = {}

    def hear(self, status: MachineStatus, now_s: float) -> None:
        """Take a status that just came."""
        if status.is_leaving:
            self._entries.pop(status.name, None)
            return
        before = self._entries.get(status.name)
        if before is None:
            self._forget(now_s)
            if len(self._entries) >= MACHINES_MAX:
                return
        is_lasting = before is not None and now_s - before.heard_at_s <= LOST_S
        since_s = before.since_s if before is not None and is_lasting else now_s
        lags_since_s = before.lags_since_s if before is not None else None
        lags_since_s = None if not status.lag else now_s if lags_since_s is None else lags_since_s
        run_before, doubled_s = ("", None) if before is None else (before.run_before, before.doubled_s)
        if before is not None and status.run != before.status.run:
            doubled_s = now_s if status.run and status.run == run_before else doubled_s
            run_before = before.status.run
        self._entries[status.name] = _RosterEntry(status, now_s, since_s, lags_since_s, run_before, doubled_s)

    def stood_still(self, for_s: float, now_s: float) -> None:
        """Take it that nothing was done here in the time before now: what was not heard then could not be."""
        if for_s <= LATE_S:
            return
        for name, one in self._entries.items():
            silent_s = now_s - one.heard_at_s
            if silent_s - for_s > LOST_S:
                continue  # it was not heard before either
            more_s = min(for_s, EXCUSED_MAX_S - one.excused_s, silent_s)
            self._entries[name] = replace(one, heard_at_s=one.heard_at_s + more_s, excused_s=one.excused_s + more_s)

    def rows(self, now_s: float) -> tuple[RosterRow, ...]:
        """Return all machines by name."""
        self._forget(now_s)
        return tuple(self._row(self._entries[name], now_s) for name in sorted(self._entries))

    def kept(self, now_s: float) -> list[dict[str, Any]]:
        """Return the roster as values that JSON has, for the next start."""
        return [asdict(one) for one in self.rows(now_s)]

    def restore(self, kept: Iterable[Mapping[str, Any]], now_s: float, passed_s: float) -> None:
        """Take up what `kept` returned `passed_s` ago; whoever has been heard meanwhile stays as heard. Passes over
        what is damaged."""
        for row in _sound(kept):
            age_s = max(row.age_s + max(passed_s, 0.0), LOST_S + STATUS_S)  # heard by an earlier run
            self._entries.setdefault(row.status.name, _RosterEntry(row.status, now_s - age_s, now_s - age_s))

    def _forget(self, now_s: float) -> None:
        old = [name for name, one in self._entries.items() if now_s - one.heard_at_s > FORGOTTEN_S]
        for name in old:
            del self._entries[name]

    @staticmethod
    def _row(entry: _RosterEntry, now_s: float) -> RosterRow:
        age_s = max(now_s - entry.heard_at_s, 0.0)
        is_heard = age_s <= LOST_S
        for_s = max(now_s - entry.since_s, 0.0) if is_heard else age_s
        lags_s = 0.0 if entry.lags_since_s is None else max(now_s - entry.lags_since_s, 0.0)
        is_doubled = entry.doubled_s is not None and now_s - entry.doubled_s <= LOST_S
        return RosterRow(entry.status, age_s, is_heard, for_s, lags_s, is_doubled)


def _sound(kept: Iterable[Mapping[str, Any]]) -> Iterator[RosterRow]:
    for said in kept:
        with contextlib.suppress(ValidationError):
            yield _READ_ROW.validate_python(said)
