"""What is true of the endpoints: which of them are up, from which regions, and what a machine's probes see of that."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Final
from zlib import crc32

from lbdns.health.reasons import Reason
from lbdns.monitor.probes.result import Result, Target
from tests.fleet.simulation.virtual_time import VirtualTime

LONG_AGO_S: Final = float("-inf")
PASSED: Final = Result(True, Reason.NO_FAILURES, 200, 30_000)
REFUSED: Final = Result(False, Reason.TCP_FAILED, 0, 30_000)
SILENT: Final = Result(False, Reason.TCP_TIMEOUT)
NO_FLIPS: Final[Sequence[float]] = ()
REFUSES_ONE_OF: Final = 4
"""So many of the endpoints refuse connections when they are down; all others are silent."""

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
        self.targets = {endpoint: Target(endpoint, 443) for endpoint in endpoints}
        self._refusing = {endpoint for endpoint in endpoints if crc32(endpoint.encode()) % REFUSES_ONE_OF == 0}
        self._faults: dict[tuple[str, str], int] = {}
        self._flips: dict[tuple[str, str], list[float]] = {}  # when it went down, when it came up, and so on
        self._touched: set[str] = set()
        self._cuts: dict[str, int] = {}
        self._cut_flips: dict[str, list[float]] = {}
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
                self._flips.setdefault(place, []).append(self._time.now_s)
                self.on_endpoint(endpoint, region)

    def cut(self, machine: str, step: int) -> None:
        """Begin or end a fault of a machine's own way out."""
        before = self._cuts.get(machine, 0)
        self._cuts[machine] = before + step
        if (before > 0) != (before + step > 0):
            self._cut_flips.setdefault(machine, []).append(self._time.now_s)
            self.on_machine(machine)

    def is_up(self, endpoint: str, region: str) -> bool:
        """Whether an endpoint is up, as it is seen from a region."""
        return self._faults.get((endpoint, region), 0) == 0

    def changed_s(self, endpoint: str, region: str) -> float:
        """Return since when (`now_s`) an endpoint is as it is, as seen from a region."""
        flips = self._flips.get((endpoint, region))
        return flips[-1] if flips else LONG_AGO_S

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
        flips = self._cut_flips.get(machine)
        return flips is not None and (self.is_cut(machine) or self._time.now_s - flips[-1] <= window_s)

    def sees(self, machine: str, region: str, endpoint: str) -> bool:
        """Return what a probe from a machine says now."""
        return self.is_up(endpoint, region) and not self.is_cut(machine)

    def found(self, machine: str, region: str, endpoint: str, at_s: float) -> Result:
        """Return what a probe from a machine finds that began at a time (`now_s`) up to now."""
        flips = self._cut_flips.get(machine, NO_FLIPS)
        if bisect_right(flips, at_s) % 2:
            return SILENT
        flips = self._flips.get((endpoint, region), NO_FLIPS)
        if bisect_right(flips, at_s) % 2:
            return REFUSED if endpoint in self._refusing else SILENT
        return PASSED

    def seen(self, machine: str, region: str, endpoint: str, window_s: float) -> frozenset[bool]:
        """Return all that probes from a machine may have said in the last `window_s`."""
        since_s = self._time.now_s - window_s
        cut = self.is_cut(machine)
        ups = self.seen_by_uncut(region, endpoint, window_s)
        flips = self._cut_flips.get(machine)
        cuts = {cut} if not flips or flips[-1] < since_s else {True, False}
        return frozenset(one and not other for one in ups for other in cuts)

    def seen_by_uncut(self, region: str, endpoint: str, window_s: float) -> frozenset[bool]:
        """Return the same for a machine of a region whose way out is whole."""
        up = self.is_up(endpoint, region)
        is_long = self.changed_s(endpoint, region) < self._time.now_s - window_s
        return frozenset({up}) if is_long else frozenset({True, False})
