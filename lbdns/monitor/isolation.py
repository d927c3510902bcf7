"""A vantage point's doubt in itself: when all its targets fall silent at once, it is likely the one cut off.

    trusting --(a silent failure, nobody answered since that probe began, others to ask)--> doubting
    doubting --(anyone answers)--> trusting, what was held back is believed
    doubting --(the witnesses are silent too)--> cut off: results are set aside, the last agreed states stand
    cut off  --(anyone answers)--> trusting, whoever was silent is probed again

Silent are connections that time out and routes that are missing. A refusal, a reset, a wrong answer, a connection on
which nothing is said came from somewhere, so they clear the doubt. In a busy vantage point somebody answers all the
time and nothing is ever held back; in a small one the witnesses, up to three other addresses that answered last time,
are probed at once, which takes one round trip. With fewer than two others to ask there is nothing to judge by, and
every result is believed.

Where the machine is in a fleet and hears too little of it, it is *apart*: failures of any kind are set aside then.
Alone they would decide nothing, and when the others are heard again they would speak of a time in which it was the one
cut off. What was set aside is probed at once then.

Endpoints of virtual networks neither clear a doubt nor are witnesses: that a private network works says nothing of the
rest, and one of whose endpoints all fall silent is no reason to doubt that. Their own silence is asked about as any.
That the way into a network is down is known and passes (ways/).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from lbdns.health.reasons import Reason
from lbdns.model.targets_document import Vantage
from lbdns.monitor.probes.result import Result, Target

WITNESSES_MIN: Final = 2
WITNESSES_MAX: Final = 3
_SILENT: Final = frozenset({Reason.NO_ROUTE, Reason.NETWORK_UNREACHABLE, Reason.TCP_TIMEOUT})


class GatedCheck(Protocol):
    """What is probed, and hears of its results what the gate lets through: a check."""

    @property
    def target(self) -> Target:
        """Where its probes go."""
        ...

    def tell(self, result: Result) -> None:
        """Take a result that is believed."""
        ...

    def set_aside(self) -> None:
        """Take it that there was a failure of which nothing follows."""
        ...


Check = TypeVar("Check", bound=GatedCheck)


class IsolationGate(Generic[Check]):
    """The door through which a vantage point's results go; it holds some back and sets some aside."""

    def __init__(
        self,
        vantage: Vantage,
        hurry: Callable[[Check], None],
        tell: Callable[[Vantage, bool], None],
        clock: Callable[[], float],
    ) -> None:
        """Probe witnesses with `hurry`; `tell(vantage, True)` says that it is cut off, False that it is no more.
        `clock`: the one by which probes start."""
        self.vantage = vantage
        self._clock = clock
        self._hurry = hurry
        self._tell = tell
        self._answered_s = float("-inf")
        self._good: dict[str, Check] = {}  # address -> a check that passed last time
        self._held: dict[Check, Result] = {}
        self._witnesses: set[Check] = set()
        self._aside: dict[Check, None] = {}  # in order, without doubles
        self.cut_off = False
        self._is_apart = False

    def be_apart(self, is_apart: bool) -> None:
        """Take it that the machine hears too little of its fleet, or hears enough of it again."""
        if is_apart == self._is_apart:
            return
        self._is_apart = is_apart
        if not is_apart and not self.cut_off:
            self._end_aside()

    def take(self, check: Check, result: Result, started_s: float) -> None:
        """Believe a result, hold it back until witnesses are heard, or set it aside."""
        address = check.target.address
        if check.target.way is not None:
            self._take_of_network(check, result, started_s)
            return
        if result.healthy:
            self._good[address] = check
        elif self._good.get(address) is check:
            del self._good[address]
        if result.healthy or not (result.silent or result.reason in _SILENT):
            self._answered_s = self._clock()
            self._clear()
            self._believe(check, result)
        else:
            self._take_silence(check, result, started_s)

    def _believe(self, check: Check, result: Result) -> None:
        """Pass a result on; while apart one that passes alone."""
        if self._is_apart and not result.healthy:
            self._aside[check] = None
            check.set_aside()
            return
        self._aside.pop(check, None)
        check.tell(result)

    def _take_of_network(self, check: Check, result: Result, started_s: float) -> None:
        if result.silent or result.reason in _SILENT:
            self._take_silence(check, result, started_s)
        else:
            self._held.pop(check, None)
            self._believe(check, result)

    def _take_silence(self, check: Check, result: Result, started_s: float) -> None:
        address = check.target.address
        if self.cut_off:
            self._aside[check] = None
        elif self._held:
            self._held[check] = result
            self._witnesses.discard(check)
            self._weigh()
        elif self._answered_s >= started_s or not self._call_witnesses(address):
            self._believe(check, result)
        else:
            self._held[check] = result

    def expect(self, check: Check) -> None:
        """Count a check among those that answered last time: what a worker that was restarted knows from the table."""
        if check.target.way is None:
            self._good.setdefault(check.target.address, check)

    def forget(self, check: Check) -> None:
        """Drop a check that is no more."""
        if self._good.get(check.target.address) is check:
            del self._good[check.target.address]
        self._held.pop(check, None)
        self._aside.pop(check, None)
        if check in self._witnesses:
            self._witnesses.discard(check)
            if not self._witnesses:
                self._clear()  # no witness was heard: no reason to doubt

    def _call_witnesses(self, address: str) -> bool:
        """Ask others whether they can be reached; False where there are too few to ask."""
        others = (check for other, check in self._good.items() if other != address)
        called = list(itertools.islice(others, WITNESSES_MAX))
        if len(called) < WITNESSES_MIN:
            return False
        self._witnesses = set(called)
        for check in called:
            self._hurry(check)
        return True

    def _weigh(self) -> None:
        if self._witnesses:
            return
        self.cut_off = True
        self._aside.update(dict.fromkeys(self._held))
        self._held.clear()
        self._tell(self.vantage, True)

    def _clear(self) -> None:
        """The network works: believe what was held back, probe again what was set aside."""
        self._witnesses.clear()
        held, self._held = self._held, {}
        for check, result in held.items():
            self._believe(check, result)
        if self.cut_off:
            self.cut_off = False
            self._tell(self.vantage, False)
            self._end_aside()

    def _end_aside(self) -> None:
        """Probe at once what was set aside."""
        aside, self._aside = self._aside, {}
        for check in aside:
            self._hurry(check)
