"""A machine's clocks: one that only goes on, a little too fast or too slow, and a time of day that is minutes off."""

from __future__ import annotations

from tests.fleet.simulation.virtual_time import VirtualTime

EPOCH_S = 1_800_000_000.0
"""The time of day at which simulations begin, in unix seconds."""


class VirtualClocks:
    """The two clocks of one machine; `rate` is its monotonic clock's seconds in a second."""

    def __init__(self, time: VirtualTime, rate: float, skew_s: float) -> None:
        self._time = time
        self._rate = rate
        self.skew_s = skew_s
        self._booted_s = time.now_s

    def boot(self) -> None:
        """Begin the monotonic clock anew, as a machine that was restarted does."""
        self._booted_s = self._time.now_s

    def monotonic_s(self) -> float:
        """Return seconds that only go on, since an hour before the machine's start."""
        return 3600.0 + (self._time.now_s - self._booted_s) * self._rate

    def true_s(self, monotonic_s: float) -> float:
        """Return the simulation's `now_s` at which the monotonic clock shows `monotonic_s`."""
        return self._booted_s + (monotonic_s - 3600.0) / self._rate

    def wall_s(self) -> float:
        """Return unix seconds as this machine believes."""
        return EPOCH_S + self._time.elapsed_s + self.skew_s
