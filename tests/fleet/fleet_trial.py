"""A fleet of three under queries and changes while things befall it, and what came of that by figures.

What must hold, whatever the schedule: no query is unanswered or wrong, no acknowledged change is lost, no refused one
is done, no two contradictory ones are both acknowledged, and all machines answer alike a few seconds after all is
mended.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.fleet.fleet_changing import OUTCOMES, ZONE, Attempt, Writer, ask, own_name, what_is_wrong
from tests.fleet.fleet_faults import Scene, Step, play
from tests.fleet.fleet_load import Asked, FleetLoad
from tests.fleet.forming import form_fleet
from tests.fleet.likeness import APART_S, Likeness
from tests.fleet.machines import Fleet, Machine, running_machines
from tests.fleet.regional_endpoints import PORT, RegionalEndpoints, endpoint_address
from tests.processes.load import ZONE as ZONE_TEXT

PATIENCE_S: Final = 60.0
"""How long that is waited for, to say how long it took."""
FALLBACK: Final = "192.0.2.99"
ENDPOINTS: Final = 4
NAMES: Final = (f"www.{ZONE}", f"near.{ZONE}", f"ns.{ZONE}")
POLL_S: Final = 0.02


def configuration() -> dict[str, Any]:
    """Return what the fleet begins with: two load balancers over two probed endpoints each, and a fallback pool."""
    pools = {
        name: {
            "monitor": "web",
            "origins": [{"name": f"e{one}", "address": endpoint_address(one), "port": PORT} for one in numbers],
        }
        for name, numbers in (("main", (0, 1)), ("other", (2, 3)))
    }
    balancers = [
        {"name": name, "default_pools": [pool], "fallback_pool": "last", "ttl": 5}
        for name, pool in zip(NAMES, pools, strict=False)
    ]
    return {
        "zones": {ZONE: ZONE_TEXT},
        "monitors": {"web": {"type": "http", "interval": 5, "timeout": 1, "retries": 0}},
        "pools": {**pools, "last": {"origins": [{"name": "e", "address": FALLBACK}]}},
        "load_balancers": balancers,
    }


def right_answers() -> dict[str, list[str]]:
    """Return what the load balancers answer while all endpoints are well."""
    numbers = {NAMES[0]: (0, 1), NAMES[1]: (2, 3)}
    return {name: sorted(endpoint_address(one) for one in found) for name, found in numbers.items()}


@dataclass(slots=True)
class Outcome:
    """What came of a trial."""

    alike_within_s: float
    asked: dict[str, Asked]
    endpoints: RegionalEndpoints
    attempts: list[Attempt] = field(default_factory=list)
    alike_s: list[float] = field(default_factory=list)
    """How long after each mending all machines answered alike."""
    befell: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def problems(self) -> list[str]:
        """Return whatever does not hold, in words."""
        found = list(self.wrong)
        for name, asked in self.asked.items():
            if asked.lost:
                found.append(f"{name}: {len(asked.lost)} queries of {asked.answered} unanswered")
            found += [f"{name}: {count} x {text}" for text, count in self._wrong(asked).most_common(5)]
        found += [f"alike only {took_s:.1f} s after mending" for took_s in self.alike_s if took_s > self.alike_within_s]
        return found

    def _wrong(self, asked: Asked) -> Counter[str]:
        """Return the wrong answers; where the endpoints themselves had stood still, a fallback is none."""
        may_be_down = self.endpoints.may_be_down
        return asked.wrong + Counter(text for at_s, text in asked.fallen_back if not may_be_down(at_s))

    def figures(self) -> dict[str, Any]:
        """Return what is told of it."""
        alike = sorted(self.alike_s)
        by_outcome = Counter(one.outcome for one in self.attempts)
        return {
            "queries": sum(one.answered for one in self.asked.values()),
            "unanswered": sum(len(one.lost) for one in self.asked.values()),
            "wrong answers": sum(self._wrong(one).total() for one in self.asked.values()),
            "fallbacks answered": sum(len(one.fallen_back) for one in self.asked.values()),
            "endpoints without a processor (s)": [
                round(to_s - from_s, 1) for from_s, to_s in self.endpoints.stood_still
            ],
            "slowest answer (s)": round(max((one.slowest_s for one in self.asked.values()), default=0.0), 3),
            "changes": {outcome: by_outcome[outcome] for outcome in OUTCOMES},
            "slowest change (s)": round(max((one.took_s for one in self.attempts), default=0.0), 2),
            "befell": dict(sorted(self.befell.items())),
            "alike after (s)": {"median": round(alike[len(alike) // 2], 2), "slowest": round(alike[-1], 2)}
            if alike
            else {},
        }


class Trial:
    """A fleet that is asked and changed; schedules are played on it one after another."""

    def __init__(self, fleet: Fleet, endpoints: RegionalEndpoints, load: FleetLoad, alike_within_s: float) -> None:
        """Begin with nothing that befell it."""
        self.scene = Scene(fleet, endpoints, ENDPOINTS)
        self.outcome = Outcome(alike_within_s, load.asked, endpoints)
        self._numbers: Counter[str] = Counter()

    @property
    def fleet(self) -> Fleet:
        """The machines."""
        return self.scene.fleet

    def play(self, steps: Sequence[Step], seed: int) -> list[str]:
        """Play a schedule while each machine has a writer; return what does not hold until now, in words.

        After each step the writers pause until all machines are alike again.
        """
        for step in steps:
            writers = [Writer(one, seed, self._numbers) for one in self.fleet.machines]
            for writer in writers:
                writer.start()
            mended_s = play(step, self.fleet.wires.heal, writers)
            self.outcome.befell.update(one.kind for one in step.faults)
            self._watch(mended_s, step)
            for writer in writers:
                writer.stop()
                self.outcome.attempts += writer.attempts
        self.outcome.wrong += self._wrong_at_last()
        return self.outcome.problems()

    def _wrong_at_last(self) -> list[str]:
        """Return what is wrong with the stores for good; what comes late is late."""
        began_s = time.monotonic()
        while (wrong := what_is_wrong(self.fleet, self.outcome.attempts)) and time.monotonic() < began_s + PATIENCE_S:
            time.sleep(POLL_S)
        if not wrong:
            self.outcome.alike_s.append(time.monotonic() - began_s)
        return wrong

    def _watch(self, mended_s: float, step: Step) -> None:
        """Keep how long machines differ, until all of them answer as they do while nothing is wrong."""
        likeness = Likeness(mended_s)
        said: list[dict[str, list[str]]] = []
        while time.monotonic() < mended_s + PATIENCE_S:
            said = [answers(self.fleet, one) for one in self.fleet.machines]
            likeness.see(time.monotonic(), all(one == said[0] for one in said))
            if likeness.is_settled and said[0].items() >= right_answers().items():
                break
            time.sleep(POLL_S)
        else:
            self.outcome.wrong.append(f"not as before {PATIENCE_S:.0f} s after {step.name}: {said}")
        self.outcome.alike_s.append(likeness.alike_s)
        if likeness.apart_later_s > APART_S:
            self.outcome.wrong.append(f"alike after {step.name}, then apart for {likeness.apart_later_s:.1f} s")


def answers(fleet: Fleet, machine: Machine) -> dict[str, list[str]]:
    """Return what one machine answers for the names that may differ."""
    names = (*NAMES, *(own_name(one.name) for one in fleet.machines))
    return {name: machine.answer(name) for name in names}


@contextlib.contextmanager
def trial(work: Path, rate: float, alike_within_s: float, embedded_leaves: bool) -> Iterator[Trial]:
    """Yield a fleet of three under load, which serves `configuration`."""
    with running_machines(work) as fleet, contextlib.closing(RegionalEndpoints(ENDPOINTS)) as endpoints:
        ask(fleet.hub, "POST", "/lbdns/v1/apply", {"configuration": configuration()})
        form_fleet(fleet, embedded_leaves)
        for name, wanted in right_answers().items():
            fleet.wait_for(name, wanted)
        with FleetLoad(fleet.machines, NAMES, rate, frozenset({FALLBACK})) as load:
            yield Trial(fleet, endpoints, load, alike_within_s)
