"""What the supervisor of one machine of a fleet hears of the others, and what it says of itself."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lbdns import __version__
from lbdns.base.errors import LbdnsError
from lbdns.base.whole_file import write_whole
from lbdns.dnssec.signing_facts import SigningFacts
from lbdns.fleet.asking import decode_question, encode_answer
from lbdns.fleet.fleet_problems import fleet_report
from lbdns.fleet.fleet_status import LOST_S, FleetRoster, decode_status, signed_digest
from lbdns.fleet.told_hearing import read_hearing
from lbdns.model.fleet_report import FleetReport, MachineStatus
from lbdns.model.settings import Settings
from lbdns.places.pops import region_at

ROSTER_FILE: Final = "roster.json"
KEEP_S: Final = 60.0
"""How often whom one has heard is kept for the next start."""

log = logging.getLogger("lbdns.processes")


class FleetSeen:
    """The machines that one hears, kept from one start to the next; `name` is its own."""

    def __init__(self, name: str, fleet_dir: Path, run_dir: Callable[[], Path], fleet_id: str = "") -> None:
        """Begin with the machines of this fleet that the last run heard. `fleet_dir` is where the fleet is kept on
        disk; `run_dir` says where the run directory is."""
        self.name = name
        self._fleet_id = fleet_id
        self._run = secrets.token_hex(8)
        self._path = fleet_dir / ROSTER_FILE
        self._run_dir = run_dir
        self._roster = FleetRoster()
        self._taken_s = float("-inf")
        self._keep_s = time.monotonic() + KEEP_S
        self._unread: set[str] = set()  # machines of which nothing can be read, told once
        self._restore()

    def take(self, subject: str, data: bytes, _: str = "") -> None:
        """Hear a machine, by its message on `here.<machine>`."""
        machine = subject.rpartition(".")[2]
        try:
            status = decode_status(data)
            if status.name != machine:
                raise LbdnsError(f"it says to be {status.name}")
        except LbdnsError as error:
            if machine not in self._unread:
                self._unread.add(machine)
                log.warning("how the machine %s of the fleet stands is passed over: %s", machine, error)
            return
        self._unread.discard(machine)
        now_s = time.monotonic()
        if status.name == self.name and status.run != self._run:
            self._taken_s = now_s
            return
        self._roster.hear(status, now_s)
        if now_s >= self._keep_s:
            self.keep()

    def stood_still(self, for_s: float) -> None:
        """Take it that this process did nothing for the time before now: it could hear nobody."""
        self._roster.stood_still(for_s, time.monotonic())

    def forget(self, leaving: MachineStatus) -> None:
        """Take it that a machine is none of the fleet any more, also after the next start."""
        self._roster.hear(leaving, time.monotonic())
        self.keep()

    def own(self, status: MachineStatus, settings: Settings, signing: SigningFacts) -> MachineStatus:
        """Return what this machine says of itself: `status`, with release, place, whom the monitor worker hears, and
        what it signs."""
        pop, hearing, now_s = settings.pop, read_hearing(self._run_dir()), time.monotonic()
        digest, count = signed_by(signing)
        told = replace(
            status,
            name=self.name,
            version=__version__,
            run=self._run,
            region=region_at(pop.code, pop.country, pop.region),
            pop=pop.code or "",
            signed=digest,
            signed_count=count,
        )
        if hearing is None:
            return told
        since_s = hearing.cut_off_since_s
        cut_off_s = None if since_s is None else max(now_s - since_s, 0.0)
        return replace(
            told,
            heard=hearing.heard,
            known=len(hearing.known),
            cut_off_s=cut_off_s,
            agreed_by=hearing.agreed_by,
        )

    def report(self, own: MachineStatus) -> FleetReport:
        """Return the fleet as it is seen from here."""
        now_s = time.monotonic()
        return fleet_report(own, self._roster.rows(now_s), now_s - self._taken_s <= LOST_S)

    def keep(self) -> None:
        """Keep whom one has heard for the next start."""
        self._keep_s = time.monotonic() + KEEP_S
        kept = {"of": self._fleet_id, "at": time.time(), "machines": self._roster.kept(time.monotonic())}
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._path, json.dumps(kept), "which machines were heard", is_private=True)
        except (OSError, LbdnsError) as error:
            log.warning("which machines were heard is not kept for the next start: %s", error)

    def _restore(self) -> None:
        try:
            kept = json.loads(self._path.read_bytes())
            if kept.get("of", self._fleet_id) != self._fleet_id:
                return
            passed_s = time.time() - float(kept["at"])
            self._roster.restore(kept["machines"], time.monotonic(), passed_s)
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("%s cannot be read, so that nobody is known from earlier: %r", self._path, error)


def signed_by(signing: SigningFacts) -> tuple[str, int]:
    """Return what tells apart machines that sign other zones or with other keys, and how many zones have keys."""
    keys = [f"{one.zone} {key.tag} {key.algorithm}" for one in signing.zones for key in one.keys]
    return signed_digest(keys), len(signing.zones)


async def answer_question(data: bytes, operate: Callable[[str, Mapping[str, Any]], Awaitable[Any]]) -> bytes:
    """Return the answer to what another machine asks; `operate` does an operation of this server."""
    try:
        question = decode_question(data)
        return encode_answer(await operate(question.op, question.request))
    except LbdnsError as error:
        return encode_answer(error=str(error))
