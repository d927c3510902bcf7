"""What the supervisor knows of its own run, for those who show it: metrics and the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from lbdns.base.errors import ConfigError, LbdnsError
from lbdns.dnssec.signing_facts import NOTHING_SIGNED, SigningFacts
from lbdns.model.store_facts import StoreFacts
from lbdns.publish.publisher import Published
from lbdns.telemetry.child_facts import ChildFacts
from lbdns.telemetry.tally import Sample
from lbdns.transfer.zone_transfer_status import ZoneTransferStatus

if TYPE_CHECKING:
    from lbdns.model.fleet_report import FleetReport


class Waiting(NamedTuple):
    """What waits beside queries: alerts that are to go out, each as often as it has receivers, and changes that are to
    be served; each with for how long the first of them has waited, in seconds."""

    notifications: int = 0
    notification_s: float = 0.0
    changes: int = 0
    change_s: float = 0.0


NOTHING_WAITS: Final = Waiting()


class XdpFacts(NamedTuple):
    """Queries past the sockets: the interface and the mode of its filter, "" where it is not attached, how many of its
    queues are read, and what is wrong with it, "" where nothing is."""

    interface: str = ""
    mode: str = ""
    queues: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class NotServed:
    """What lies at the source and is not served: every problem with it, a line each, and since when (unix seconds)."""

    problems: tuple[str, ...]
    since: float

    @classmethod
    def of(cls, error: LbdnsError, since: float) -> NotServed:
        """Return what an error says."""
        problems = error.problems if isinstance(error, ConfigError) else str(error).splitlines()
        return cls(tuple(map(str, problems)), since)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server at a moment. Times are unix seconds, counts are since the supervisor's start.

    `served_at`: when what is in force was first put there, an earlier start's time where it was kept from then.
    `not_served`: what lies at the source (`place`) instead, where it is another. `keeping`: why what is in force cannot
    be kept for a restart, "" where it is. `troubles`: what is wrong with management, a sentence each. `counted`:
    what was counted, None where that is not asked for. `store`: None where objects are changed in files.
    `signing`: zones that have keys. `transfers`: zones that come from elsewhere, or that others may transfer.
    `fleet`: the machines of the fleet that it is in, None where it is in none. `xdp`: None where the
    settings have none.
    """

    published: Published
    published_at: float
    started_at: float
    is_fast: bool  # whether responders have the compiled fast path
    children: tuple[ChildFacts, ...]
    reload_count: int  # of those that succeeded
    reload_failures: int
    place: str
    served_at: float
    not_served: NotServed | None
    keeping: str
    run_rebuilds: int  # how often the run directory was rebuilt, having been removed
    run_problem: str  # why it cannot be, "" where it is whole
    troubles: tuple[str, ...] = ()
    state_dir: Path = Path()
    run_dir: Path = Path()
    counted: Sample | None = None
    waiting: Waiting = NOTHING_WAITS
    store: StoreFacts | None = None
    signing: SigningFacts = NOTHING_SIGNED
    transfers: tuple[ZoneTransferStatus, ...] = ()
    fleet: FleetReport | None = None
    xdp: XdpFacts | None = None

    @property
    def responder_count(self) -> int:
        """How many responder processes there are."""
        return sum(child.process_count for child in self.children if child.kind == "responder")

    @property
    def restarts(self) -> int:
        """How many times a process of any kind died and was started again."""
        return sum(child.restarts for child in self.children)
