"""What of a fleet somebody should look at, worked out once for all that show it: pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from lbdns.base.wording import counted
from lbdns.health.events import duration_text
from lbdns.model.fleet_report import FleetReport, MachineStatus, RosterRow

LAGS_S: Final = 10.0
"""A machine may lack revisions for so long before somebody should look at it."""
MINORS_APART_MAX: Final = 1
"""Releases so far apart work together: one machine after the other is upgraded."""


def fleet_report(own: MachineStatus, rows: Sequence[RosterRow], is_name_taken: bool = False) -> FleetReport:
    """Return the report of a machine about itself as it is now and the others as it heard them.

    `is_name_taken`: another machine says to have its name.
    """
    others = [row for row in rows if row.status.name != own.name]
    lags_s = next((row.lags_s for row in rows if row.status.name == own.name and own.lag), 0.0)
    every = sorted([*others, RosterRow(own, 0.0, True, own.up_s, lags_s)], key=lambda row: row.status.name)
    problems = (*_own_problems(own, is_name_taken), *_problems(own, every), *_differences(own, every))
    return FleetReport(own.name, tuple(every), problems)


def _own_problems(own: MachineStatus, is_name_taken: bool) -> Iterator[str]:
    if is_name_taken:
        yield f"another machine is called {own.name} too: each needs a name of its own (`fleet: {{name: ...}}`)"
    if own.bus:
        yield f"the bus is not reached, so that nothing can be changed here: {own.bus}"
    if own.cut_off_s is not None:
        yield f"this machine is cut off: {heard_text(own)}"


def _problems(own: MachineStatus, every: Sequence[RosterRow]) -> Iterator[str]:
    """Yield what is wrong with each machine."""
    for row in every:
        status = row.status
        if not row.is_heard:
            if not own.bus:  # else nobody is, and that is told already
                yield f"{status.name} has not been heard for {duration_text(row.age_s)}"
            continue
        if row.is_doubled:
            yield f"two machines are called {status.name}: each needs a name of its own (`fleet: {{name: ...}}`)"
        if status.name != own.name and status.cut_off_s is not None:
            yield f"{status.name} says that it is cut off: {heard_text(status)}"
        if status.name != own.name and status.bus:
            yield f"{status.name} does not reach the bus: {status.bus}"
        if status.mistakes:
            more = f" (and {len(status.mistakes) - 1} more)" if len(status.mistakes) > 1 else ""
            kept = "serves what it served before"
            yield f"{status.name} {kept}, not revision {status.revision}: {status.mistakes[0]}{more}"
        if row.lags_s > LAGS_S:
            yield f"{status.name} has lacked {counted(status.lag, 'revision')} for {duration_text(row.lags_s)}"


def _differences(own: MachineStatus, every: Sequence[RosterRow]) -> Iterator[str]:
    """Yield in what machines differ that should be alike."""
    heard = [row.status for row in every if row.is_heard]
    if len({status.signed for status in heard}) > 1:
        told = ", ".join(f"{one.name} {counted(one.signed_count, 'zone') if one.signed else 'none'}" for one in heard)
        yield (
            f"machines sign other zones, or with other keys: {told}; validating resolvers refuse what some answer "
            "(`lbdns dnssec import` on each machine gives it the keys)"
        )
    for status in heard:
        if minors_apart(own.version, status.version) > MINORS_APART_MAX:
            yield (
                f"{status.name} runs lbdns {status.version} and {own.name} {own.version}: more than one minor version "
                "apart, which is not tried"
            )


def minors_apart(one: str, other: str) -> float:
    """Return how many minor versions two releases are apart: infinite where the major ones differ, 0 where one of them
    is not known."""
    numbers = [text.split(".")[:2] for text in (one, other)]
    if not all(len(parts) == 2 and all(part.isdecimal() for part in parts) for parts in numbers):
        return 0
    (major, minor), (other_major, other_minor) = (map(int, parts) for parts in numbers)
    return abs(minor - other_minor) if major == other_major else float("inf")


def heard_text(status: MachineStatus) -> str:
    """Return in words whom a machine hears, and by what it judges where it is cut off."""
    if status.cut_off_s is None:
        return f"{len(status.heard)} of {status.known}"
    since = duration_text(status.cut_off_s)
    agreed = f"; health as agreed {since} ago by {status.agreed_by} of {status.known + 1}" if status.agreed_by else ""
    return f"it has heard {len(status.heard)} of {status.known} for {since}{agreed}"
