"""What befalls a fleet, each a class: `begin` does it, `end` mends it; drawn by a seed.

| fault | |
|---|---|
| silent | what a machine sends to the others is lost, and what they send to it |
| mute, deaf | one of both |
| unplugged | its cable is out: it reaches no endpoint either |
| bus killed | kill -9 of its nats-server |
| supervisor killed | kill -9; started again as a service manager would |
| monitor killed | kill -9 of its monitor worker |
| endpoint ill | an endpoint fails for everybody, or for one region |
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.fleet.fleet_changing import Writer
from tests.fleet.machines import BUS_SERVER, START_S, Fleet, Machine
from tests.fleet.regional_endpoints import EVERYBODY, RegionalEndpoints

MONITOR_MODULE: Final = b"lbdns.monitor"


@dataclass(frozen=True, slots=True)
class Scene:
    """What faults are done to."""

    fleet: Fleet
    endpoints: RegionalEndpoints
    endpoint_count: int


class FleetFault:
    """A fault of one machine; `name` says it in words."""

    kind = ""

    def __init__(self, scene: Scene, machine: Machine, chance: Random) -> None:
        """Prepare."""
        self.scene = scene
        self.machine = machine
        self.chance = chance

    @property
    def name(self) -> str:
        """What it is."""
        return f"{self.machine.name} {self.kind}"

    def begin(self) -> None:
        """Do it."""
        raise AssertionError

    def end(self) -> None:
        """Mend it; what is cut is mended for all at once, by the wires."""


class Silent(FleetFault):
    """Cut off both ways."""

    kind = "silent"

    def begin(self) -> None:
        """Cut it off."""
        self.scene.fleet.wires.cut_off(self.machine.name)


class Mute(FleetFault):
    """It hears, and is not heard."""

    kind = "mute"

    def begin(self) -> None:
        """Lose what it sends."""
        self.scene.fleet.wires.cut_off(self.machine.name, hears=False)


class Deaf(FleetFault):
    """It is heard, and does not hear."""

    kind = "deaf"

    def begin(self) -> None:
        """Lose what it is sent."""
        self.scene.fleet.wires.cut_off(self.machine.name, sends=False)


class Unplugged(FleetFault):
    """Without a carrier."""

    kind = "unplugged"

    def begin(self) -> None:
        """Take the cable out."""
        self.scene.fleet.wires.unplug(self.machine.name)


class BusKilled(FleetFault):
    """Its nats-server dies; whoever keeps that starts it again."""

    kind = "bus killed"

    def begin(self) -> None:
        """Kill it, or the hub's where the machine has none."""
        machine = self.machine if self.machine.pids(BUS_SERVER) else self.scene.fleet.hub
        for pid in machine.pids(BUS_SERVER):
            machine.kill_process(pid)


class SupervisorKilled(FleetFault):
    """Its supervisor dies, perhaps in the middle of a change."""

    kind = "supervisor killed"

    def begin(self) -> None:
        """Kill it."""
        self.machine.kill_supervisor()

    def end(self) -> None:
        """Start it again."""
        self.machine.start()
        self.machine.wait_for_api(START_S)


class MonitorKilled(FleetFault):
    """Its monitor worker dies; the supervisor starts it again."""

    kind = "monitor killed"

    def begin(self) -> None:
        """Kill it."""
        for pid in self.machine.pids():
            if MONITOR_MODULE in _arguments(pid):
                self.machine.kill_process(pid)


class EndpointIll(FleetFault):
    """An endpoint fails, for everybody or for this machine alone."""

    kind = "endpoint ill"

    def __init__(self, scene: Scene, machine: Machine, chance: Random) -> None:
        """Choose the endpoint, and for whom it fails."""
        super().__init__(scene, machine, chance)
        self.number = chance.randrange(scene.endpoint_count)
        self.is_for_all = chance.random() < 0.5

    @property
    def name(self) -> str:
        """What it is."""
        return f"endpoint {self.number} ill for {'everybody' if self.is_for_all else self.machine.name}"

    def begin(self) -> None:
        """Let it fail."""
        probers = EVERYBODY if self.is_for_all else frozenset({self.machine.stand.address})
        self.scene.endpoints.fail(self.number, probers)

    def end(self) -> None:
        """Let it be well."""
        self.scene.endpoints.mend(self.number)


CUTS: Final = (Silent, Mute, Deaf, Unplugged)
KILLS: Final = (BusKilled, SupervisorKilled, MonitorKilled)
ALL_FAULTS: Final = (*CUTS, *KILLS, EndpointIll)
SECOND_SHARE: Final = 0.3
"""How many of the steps have two faults at once."""


@dataclass(frozen=True, slots=True)
class Step:
    """Some faults that begin together, last so long, and are mended together."""

    faults: tuple[FleetFault, ...]
    lasts_s: float

    @property
    def name(self) -> str:
        """What happens."""
        return f"{' and '.join(one.name for one in self.faults)} for {self.lasts_s:.1f} s"


def draw_steps(scene: Scene, seed: int, count: int, longest_s: float) -> list[Step]:
    """Return a schedule by its seed: at least one cut of each machine where there are as many steps as machines."""
    chance = Random(seed)
    order = list(scene.fleet.machines)
    chance.shuffle(order)
    steps = []
    for number in range(count):
        kinds: list[Callable[[Scene, Machine, Random], FleetFault]] = [
            chance.choice(CUTS if number < len(order) else ALL_FAULTS)
        ]
        if chance.random() < SECOND_SHARE:
            kinds.append(chance.choice((*KILLS, EndpointIll)))
        machines = [order[number % len(order)], chance.choice(order)]
        faults = [kind(scene, machine, chance) for kind, machine in zip(kinds, machines, strict=False)]
        is_twice = len({(type(one), one.machine) for one in faults}) < len(faults)  # who is dead is not killed
        steps.append(Step(tuple(faults[:1] if is_twice else faults), chance.uniform(longest_s / 4, longest_s)))
    return steps


def draw_kills(scene: Scene, seed: int, count: int, longest_s: float) -> list[Step]:
    """Return so many kills by a seed, a step each."""
    chance = Random(seed)
    steps = []
    for _ in range(count):
        fault = chance.choice(KILLS)(scene, chance.choice(scene.fleet.machines), chance)
        steps.append(Step((fault,), chance.uniform(0.0, longest_s)))
    return steps


def play(step: Step, mend_wires: Callable[[], None], writers: Sequence[Writer]) -> float:
    """Do what a step says, and return the monotonic time at which all of it was mended; then nobody begins a change."""
    for fault in step.faults:
        fault.begin()
    time.sleep(step.lasts_s)
    for writer in writers:
        writer.pause()
    mend_wires()
    for fault in step.faults:
        fault.end()
    return time.monotonic()


def _arguments(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []
