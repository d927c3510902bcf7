"""A fleet as one of its machines shows it: what each machine said last, and what somebody should look at.

Nouns alone, which whoever shows them imports; how they are worked out stands in lbdns/fleet, for who is in a fleet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter

from lbdns.base.wording import counted

NAME_PATTERN: Final = r"^[A-Za-z0-9_-]{1,63}$"
"""Names of machines: they are parts of subjects on the bus."""
_Number = Annotated[float, Field(allow_inf_nan=False)]


class FleetMode(StrEnum):
    """Where a machine's configuration comes from."""

    STORE = "store"
    """The fleet's: what one changes all serve."""
    FILES = "files"
    """Its own files: it shares health alone."""


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """How a machine stands, as its supervisor says.

    `region` and `pop` are those of its settings, "" where they name none; `version` is the release of lbdns. `revision`
    is the newest in its store and `served` the one that it answers by, None where it has no store; `lag`: how many
    revisions of the stream it knows of and does not have yet. `mistakes`: why it does not serve what it stores, a
    sentence each. `up_s`: for how long its supervisor runs.

    `heard`: the machines whose observations its monitor worker hears, itself left out, of `known` others; `cut_off_s`:
    for how long it has heard too few to judge by, None where it hears enough, and `agreed_by`: how many, itself among
    them, agreed on what it goes by since then. `bus`: what is wrong with its way to the bus, "" where nothing is.
    `signed`: a digest of the zones that it signs (`signed_digest`), `signed_count` how many these are. `is_leaving`:
    this is the last that is heard of it in this fleet. `run`: what tells one run of a supervisor from any other, so
    that two machines of one name are noticed.
    """

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    version: str = ""
    region: str = ""
    pop: str = ""
    mode: str = FleetMode.STORE
    revision: int | None = None
    served: int | None = None
    lag: int = 0
    mistakes: tuple[str, ...] = ()
    up_s: _Number = 0.0
    heard: tuple[str, ...] = ()
    known: int = 0
    cut_off_s: _Number | None = None
    agreed_by: int = 0
    bus: str = ""
    signed: str = ""
    signed_count: int = 0
    is_leaving: bool = False
    run: str = ""


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A machine as one keeps it: what it said last, how long ago (`age_s`), whether it is still heard, and for how long
    that has been so (`for_s`): since it came, came back or was lost. `lags_s`: for how long it has lacked revisions.
    `is_doubled`: two say to be it, by turns."""

    status: MachineStatus
    age_s: float
    is_heard: bool
    for_s: float
    lags_s: float = 0.0
    is_doubled: bool = False


@dataclass(frozen=True, slots=True)
class FleetReport:
    """The fleet as `machine` sees it, "" where this server is in no fleet: all machines by name, itself among them, and
    `problems`, a sentence each."""

    machine: str = ""
    machines: tuple[RosterRow, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def own(self) -> MachineStatus | None:
        """What this machine says of itself; None where it is in no fleet."""
        return next((row.status for row in self.machines if row.status.name == self.machine), None)

    @property
    def heard_count(self) -> int:
        """How many machines are heard, this one among them."""
        return sum(row.is_heard for row in self.machines)

    @property
    def text(self) -> str:
        """The fleet in one line."""
        own = self.own
        if own is None:
            return ""
        told = f"{self.machine}, {self.heard_count} of {counted(len(self.machines), 'machine')} heard"
        configuration = "health alone is shared" if own.mode == FleetMode.FILES else f"revision {revision_text(own)}"
        return f"{told}, {configuration}"

    def as_json(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return asdict(self)

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> FleetReport:
        """Return what `as_json` made JSON of."""
        return _READ.validate_python(said)


_READ: Final = TypeAdapter(FleetReport)
NO_FLEET: Final = FleetReport()


def revision_text(status: MachineStatus) -> str:
    """Return in words which revision a machine serves."""
    if status.mode == FleetMode.FILES:
        return "own files"
    if status.revision is None:
        return "not known"
    if status.mistakes:
        return f"{status.revision}, not served"
    return str(status.revision)
