"""Row 1: endpoints that turn hostile, whose health must be judged like any other's and that harm nobody."""

from __future__ import annotations

from tests.faults.fault import Fault, Seen, took
from tests.faults.rig import until
from tests.strain.endpoints import HOSTILE_WAYS, PAIR_OF_ALL
from tests.strain.process_tree import MONITOR

NOTICED_S = 12.0
"""An interval of 5 s, its time-out, and a busy machine."""
SHARE_MAX = 0.3
"""Of a core, for the monitor worker while 7 endpoints or more are hostile."""


class EndpointTurnsHostile(Fault):
    """An endpoint that was well turns hostile: it is taken out of the answers, and the others are probed on."""

    row = 1
    what = "endpoint turns hostile"

    def inject(self) -> None:
        self._way = self.random.choice(sorted(HOSTILE_WAYS))
        self._address = self.random.choice(PAIR_OF_ALL)
        served = self.rig.subject.served
        served.endpoints_change(frozenset({self._address}) | self.rig.played.down)
        self._before_s = self._cpu_s()
        self.rig.played.turn_hostile(self._address, self._way)
        self._took_s = until(lambda: self._state() == "unhealthy", NOTICED_S + 5.0)
        self._share = (self._cpu_s() - self._before_s) / max(self._took_s, 1.0)

    def heal(self) -> None:
        self.rig.played.raise_up(self._address)
        self._back_s = until(lambda: self._state() == "healthy", NOTICED_S + 5.0)
        self.rig.subject.served.endpoints_changed(self.rig.played.down, 1.0)

    def afterwards(self) -> list[Seen]:
        return [
            took(f"{self._way} is unhealthy", self._took_s, NOTICED_S),
            took("it is healthy again", self._back_s, NOTICED_S),
            Seen("what the monitor worker takes", self._share <= SHARE_MAX, f"{100 * self._share:.0f} % of a core"),
        ]

    def _cpu_s(self) -> float:
        return sum(one.cpu_s for one in self.rig.subject.processes() if one.role == MONITOR)

    def _state(self) -> str:
        for pool in self.rig.server.health()["pools"]:
            for origin in pool["origins"]:
                if origin["address"] == self._address:
                    return str(origin["state"])
        raise LookupError(self._address)
