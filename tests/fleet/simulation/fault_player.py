"""Plays a schedule: each fault begins and ends at its time, in the network, at endpoints, at machines and the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from tests.fleet.simulation.endpoint_world import EndpointWorld
from tests.fleet.simulation.fault_schedule import HUB, Fault
from tests.fleet.simulation.virtual_network import VirtualNetwork
from tests.fleet.simulation.virtual_time import VirtualTime


class Played(Protocol):
    """What faults happen to, besides network and endpoints."""

    def before_change(self) -> None:
        """Hear that something is about to change."""

    def turn_clock(self, machine: str, by_s: float) -> None:
        """Let a machine's time of day jump."""

    def kill(self, node: str) -> None:
        """Kill a machine's processes, or the hub's."""

    def start(self, node: str) -> None:
        """Start them again."""

    def write(self, machine: str) -> None:
        """Ask a machine for a change of the configuration."""

    def order(self, machine: str, pattern: str, state: str) -> None:
        """Force a state at a machine."""


class FaultPlayer:
    """The faults that hold now."""

    def __init__(
        self,
        time: VirtualTime,
        network: VirtualNetwork,
        world: EndpointWorld,
        played: Played,
    ) -> None:
        self._time = time
        self._network = network
        self._world = world
        self._played = played
        self._killed: dict[str, int] = {}

    def play(self, faults: Iterable[Fault]) -> None:
        """Take a schedule; times that have passed are now."""
        for fault in faults:
            self._time.at(fault.at_s - self._time.left_out_s, self._begin, fault)

    def _begin(self, fault: Fault) -> None:
        self._played.before_change()
        match fault.kind:
            case "write":
                self._played.write(*fault.names)
            case "order":
                self._played.order(*fault.names)
            case "flap":
                self._toggle(fault, self._time.now_s + fault.for_s, lambda step: self._step_links(fault, "cut", step))
            case "blink":
                self._toggle(fault, self._time.now_s + fault.for_s, lambda step: self._step_endpoints(fault, step))
            case "split" | "split_hub":
                side = frozenset(fault.names) | ({HUB} if fault.kind == "split_hub" else set())
                split = self._network.split(side)
                self._time.at(self._time.now_s + fault.for_s, self._end, lambda: self._network.heal(split))
            case _:
                self._step(fault, 1)
                self._time.at(self._time.now_s + fault.for_s, self._end, lambda: self._step(fault, -1))

    def _end(self, act: Callable[[], None]) -> None:
        self._played.before_change()
        act()

    def _toggle(self, fault: Fault, end_s: float, act: Callable[[int], None], step: int = 1) -> None:
        """Begin or end it, again and again until its time is over; it ends ended."""
        if step > 0 and self._time.now_s >= end_s:
            return
        self._played.before_change()
        act(step)
        self._time.at(self._time.now_s + fault.amount, self._toggle, fault, end_s, act, -step)

    def _step(self, fault: Fault, step: int) -> None:
        match fault.kind:
            case "isolate":
                self._step_links(fault, "cut", step)
                self._step_ways(fault, step)
            case "unplug":
                self._step_links(fault, "cut", step)
            case "blind":
                self._step_ways(fault, step)
            case "mute" | "deaf":
                self._step_links(fault, fault.kind, step)
            case "lossy":
                self._network.worsen(fault.names, "losses", fault.amount, step)
            case "slow":
                self._network.worsen(fault.names, "delays_s", fault.amount, step)
            case "clock":
                for name in fault.names:
                    self._played.turn_clock(name, fault.amount * step)
            case "kill" | "unhub":
                for name in fault.names:
                    self._step_process(name, step)
            case "down" | "regional":
                self._step_endpoints(fault, step)
            case _:
                raise ValueError(f"no fault of the kind {fault.kind}")

    def _step_links(self, fault: Fault, kind: str, step: int) -> None:
        self._network.change(fault.names, kind, step)

    def _step_ways(self, fault: Fault, step: int) -> None:
        for name in fault.names:
            self._world.cut(name, step)

    def _step_process(self, name: str, step: int) -> None:
        before = self._killed.get(name, 0)
        self._killed[name] = before + step
        if before == 0:
            self._played.kill(name)
        elif before + step == 0:
            self._played.start(name)

    def _step_endpoints(self, fault: Fault, step: int) -> None:
        for name in fault.names:
            if fault.kind == "regional":
                endpoint, _, regions = name.rpartition("/")
                self._world.change(endpoint, regions.split(","), step)
            else:
                self._world.change(name, self._world.regions, step)
