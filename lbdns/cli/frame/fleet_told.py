"""A fleet as lines for people: a row a machine, and below them what somebody should look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lbdns.base.wording import counted
from lbdns.health.events import duration_text

if TYPE_CHECKING:
    from lbdns.model.fleet_report import FleetReport, RosterRow

FLEET_HEADINGS: Final = ("machine", "place", "state", "revision", "lag", "hears", "version")


def fleet_rows(report: FleetReport) -> Iterator[tuple[str, ...]]:
    """Yield a row for each machine, of FLEET_HEADINGS; what one that is not heard said last is in brackets."""
    from lbdns.fleet.fleet_problems import heard_text
    from lbdns.model.fleet_report import revision_text

    for row in report.machines:
        status = row.status
        said = (revision_text(status), counted(status.lag, "revision") if status.lag else "none", heard_text(status))
        told = said if row.is_heard else tuple(f"({text})" for text in said)
        place = " ".join(filter(None, (status.pop, status.region))) or "-"
        yield status.name, place, _state(row, report.machine), *told, status.version or "-"


def _state(row: RosterRow, own: str) -> str:
    if row.status.name == own:
        return f"this one, up for {duration_text(row.for_s)}"
    return f"{'heard' if row.is_heard else 'not heard'} for {duration_text(row.for_s)}"
