"""What is true of the endpoints: which of them are up, from which regions, and what a machine's probes see of that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from typing import Final

from tests.fleet.simulation.virtual_time import VirtualTime

LONG_AGO_S: Final = float("-inf")


Signature = tuple[tuple[bool, bool], ...]
"""Per region whether an endpoint is up there, and whether that has long been so."""


class EndpointWorld:
    """The truth: per endpoint and region how many faults hold, and since when that is so.

    A machine whose own way out is cut sees every endpoint fail, whatever is true.
    """

    def __init__(self, time: VirtualTime, endpoints: Sequence[str], regions: Sequence[str]) -> None:
        self._time = time
        self.endpoints = endpoints
        self.regions = regions
        self._faults: dict[tuple[str, str], int] = {}
        self._changed_s: dict[tuple[str, str], float] = {}
        self._touched: set[str] = set()
        self._cuts: dict[str, int] = {}
        self._cut_changed_s: dict[str, float] = {}
        self.on_endpoint: Callable[[str, str], None] = lambda endpoint, region: None
        self.on_machine: Callable[[str], None] = lambda machine: None

    def change(self, endpoint: str, regions: Iterable[str], step: int) -> None:
        """Begin (step 1) or end (step -1) a fault of an endpoint, as it is seen from some regions."""
        for region in regions:
            place = endpoint, region
            before = self._faults.get(place, 0)
            self._faults[place] = before + step
            if (before > 0) != (before + step > 0):
                self._touched.add(endpoint)
                self._changed_s[place] = self._time.now_s
                self.on_endpoint(endpoint, region)

    def cut(self, machine: str, step: int) -> None:
        """Begin or end a fault of a machine's own way out."""
        before = self._cuts.get(machine, 0)
        self._cuts[machine] = before + step
        if (before > 0) != (before + step > 0):
            self._cut_changed_s[machine] = self._time.now_s
            self.on_machine(machine)

    def is_up(self, endpoint: str, region: str) -> bool:
        """Whether an endpoint is up, as it is seen from a region."""
        return self._faults.get((endpoint, region), 0) == 0

    def changed_s(self, endpoint: str, region: str) -> float:
        """Return since when (`now_s`) an endpoint is as it is, as seen from a region."""
        return self._changed_s.get((endpoint, region), LONG_AGO_S)

    @property
    def touched(self) -> Set[str]:
        """The endpoints that have ever had a fault of their own: all others are alike."""
        return self._touched

    def signature(self, endpoint: str, window_s: float) -> Signature:
        """Return what endpoints have in common of which probes may have said the same in the last `window_s`."""
        if endpoint not in self._touched:
            return ()
        since_s = self._time.now_s - window_s
        found = tuple(
            (self.is_up(endpoint, region), self.changed_s(endpoint, region) < since_s) for region in self.regions
        )
        return () if all(up and long for up, long in found) else found

    def is_cut(self, machine: str) -> bool:
        """Whether a machine's own way out is cut."""
        return self._cuts.get(machine, 0) > 0

    def was_cut(self, machine: str, window_s: float) -> bool:
        """Whether a machine's own way out was cut at some time of the last `window_s`."""
        changed_s = self._cut_changed_s.get(machine)
        return changed_s is not None and (self.is_cut(machine) or self._time.now_s - changed_s <= window_s)

    def sees(self, machine: str, region: str, endpoint: str) -> bool:
        """Return what a probe from a machine says now."""
        return self.is_up(endpoint, region) and not self.is_cut(machine)

    def seen(self, machine: str, region: str, endpoint: str, window_s: float) -> frozenset[bool]:
        """Return all that probes from a machine may have said in the last `window_s`."""
        since_s = self._time.now_s - window_s
        cut = self.is_cut(machine)
        ups = self.seen_by_uncut(region, endpoint, window_s)
        cuts = {cut} if self._cut_changed_s.get(machine, LONG_AGO_S) < since_s else {True, False}
        return frozenset(one and not other for one in ups for other in cuts)

    def seen_by_uncut(self, region: str, endpoint: str, window_s: float) -> frozenset[bool]:
        """Return the same for a machine of a region whose way out is whole."""
        up = self.is_up(endpoint, region)
        is_long = self.changed_s(endpoint, region) < self._time.now_s - window_s
        return frozenset({up}) if is_long else frozenset({True, False})
