"""Schedules of faults: lists of plain values, made from a seed, shown as text, read back, and made smaller.

Times are the world's seconds. A schedule that breaks something is written down as it is; the simulation with the same
seed and fewer of its faults is another one that is as deterministic.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

HUB: Final = "hub"

KINDS: Final = {
    "isolate": "machines that reach nothing: neither the bus nor any endpoint",
    "unplug": "machines that do not reach the bus, and every endpoint",
    "blind": "machines that reach the bus, and no endpoint",
    "mute": "machines that nobody hears",
    "deaf": "machines that hear nobody",
    "flap": "machines whose link goes up and down every `amount` seconds",
    "lossy": "machines that lose a share `amount` of all messages",
    "slow": "machines whose messages take up to `amount` seconds, and overtake each other",
    "split": "machines on one side, all others, with the hub, on the other",
    "split_hub": "machines on one side, with the hub, all others on the other",
    "clock": "machines whose time of day jumps by `amount` seconds, and jumps back",
    "kill": "machines that are killed, and started again",
    "unhub": "the hub's process is killed, and started again",
    "down": "endpoints that are down everywhere",
    "regional": "endpoints (before the slash) that are down as seen from regions (behind it)",
    "blink": "endpoints that go down and up every `amount` seconds",
    "write": "a change of the configuration by a machine (no end)",
    "order": "a state forced by a machine (no end): machine, pattern, state",
}


OF_MACHINES: Final = (
    *("isolate", "isolate", "unplug", "blind", "mute", "deaf", "flap", "lossy", "slow", "split", "split_hub"),
    *("clock", "kill", "kill", "unhub"),
)
"""From what faults of machines and network are drawn."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault: `names` are what its kind says."""

    at_s: float
    for_s: float
    kind: str
    names: tuple[str, ...]
    amount: float = 0.0


def show(faults: Iterable[Fault]) -> str:
    """Return a schedule as text, a line each."""
    return "\n".join(json.dumps(asdict(fault)) for fault in faults)


def parse(text: str) -> list[Fault]:
    """Return the schedule that a text shows."""
    found = (json.loads(line) for line in text.splitlines() if line.strip())
    return [Fault(**{**one, "names": tuple(one["names"])}) for one in found]


def smaller(faults: Sequence[Fault], breaks: Callable[[list[Fault]], bool], tries_max: int = 400) -> list[Fault]:
    """Return a schedule of fewer faults that still breaks what the whole one breaks: parts are left out, ever smaller
    ones, as long as `breaks` says that it goes on breaking."""
    kept = list(faults)
    share = max(1, len(kept) // 2)
    tries = 0
    while tries < tries_max:
        start, shrunk = 0, False
        while start < len(kept) and tries < tries_max:
            candidate = kept[:start] + kept[start + share :]
            tries += 1
            if candidate and breaks(candidate):
                kept, shrunk = candidate, True
            else:
                start += share
        if share == 1 and not shrunk:
            break
        share = max(1, share // 2)
    return kept


class ScheduleMaker:
    """Draws schedules for a fleet."""

    def __init__(
        self, seed: int, machines: Sequence[str], regions: Sequence[str], endpoints: Sequence[str], hours: float
    ) -> None:
        self._chance = random.Random(f"{seed} schedule")
        self._machines = machines
        self._regions = regions
        self._endpoints = endpoints
        self._seconds = hours * 3600.0

    def make(self, fault_count: int, endpoint_fault_count: int, write_count: int, order_count: int) -> list[Fault]:
        """Return a schedule with so many faults of machines and network, of endpoints, changes and orders."""
        found = [self._fault() for _ in range(fault_count)]
        found += [self._endpoint_fault() for _ in range(endpoint_fault_count)]
        found += [self._write() for _ in range(write_count)]
        found += [self._order() for _ in range(order_count)]
        return sorted(found)

    def _at_s(self) -> float:
        return round(self._chance.uniform(120.0, max(121.0, self._seconds - 900.0)), 3)

    def _for_s(self) -> float:
        """Most are short; a few last for long."""
        return round(min(self._chance.expovariate(1 / 60.0) + 0.2, 600.0), 3)

    def _some(self, names: Sequence[str], count_max: int) -> tuple[str, ...]:
        return tuple(sorted(self._chance.sample(names, self._chance.randint(1, max(1, count_max)))))

    def _fault(self) -> Fault:
        draw = self._chance
        few = max(1, (len(self._machines) - 1) // 2)
        kind = draw.choice(OF_MACHINES)
        amount = {
            "flap": draw.uniform(0.3, 8.0),
            "lossy": draw.uniform(0.05, 0.6),
            "slow": draw.uniform(0.2, 4.0),
            "clock": draw.uniform(-600.0, 600.0),
        }.get(kind, 0.0)
        names = (HUB,) if kind == "unhub" else self._some(self._machines, 1 if kind == "blind" else few)
        if kind in ("lossy", "slow", "mute", "deaf") and draw.random() < 0.15:
            names = (HUB,)
        return Fault(self._at_s(), self._for_s(), kind, names, round(amount, 3))

    def _endpoint_fault(self) -> Fault:
        draw = self._chance
        kind = draw.choice(("down", "down", "regional", "blink"))
        endpoint = draw.choice(self._endpoints)
        if kind == "regional":
            names = (f"{endpoint}/{','.join(self._some(self._regions, len(self._regions) - 1))}",)
            return Fault(self._at_s(), self._for_s() * 3, kind, names)
        amount = round(draw.uniform(1.0, 20.0), 3) if kind == "blink" else 0.0
        return Fault(self._at_s(), self._for_s() * 3, kind, (endpoint,), amount)

    def _write(self) -> Fault:
        return Fault(self._at_s(), 0.0, "write", (self._chance.choice(self._machines),))

    def _order(self) -> Fault:
        draw = self._chance
        pool = draw.choice(self._endpoints).partition("/")[0]
        pattern = draw.choice((pool, f"{pool}/*", draw.choice(self._endpoints), "*"))
        state = draw.choice(("up", "down", "auto"))
        return Fault(self._at_s(), 0.0, "order", (draw.choice(self._machines), pattern, state))
