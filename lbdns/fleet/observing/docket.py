"""What is to be judged anew, and nothing else: a machine that comes or goes concerns what it speaks of, and a thousand
machines speak of ten thousand endpoints without each of them being judged whenever one is heard or lost.

    | what happens                       | what is judged anew                                                       |
    |------------------------------------|---------------------------------------------------------------------------|
    | a voice says something else        | its endpoint, by who hears it                                             |
    | a vantage point is silent, or not  | all that it speaks of                                                     |
    | this machine is cut off            | what its own vantage points speak of: all else is as agreed, and as it was |
    | it is not cut off any more         | all that was judged meanwhile                                             |
    | something was agreed for the first | the same once more: until then the fresh voices decided as if no other    |
    | time                               | had spoken                                                                |

So what stands is at all times what judging everything would come to (tests/fleet/test_docket.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable
from typing import Generic, TypeVar

Case = TypeVar("Case", bound=Hashable)


class Docket(Generic[Case]):
    """Endpoints by whatever names them where they are judged, in the order in which they are due."""

    def __init__(self) -> None:
        """Begin with nothing to judge."""
        self._spoken_of: dict[str, dict[Case, None]] = {}
        self._provisional: dict[Case, None] = {}  # judged while cut off
        self._due: OrderedDict[Case, None] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are due."""
        return len(self._due)

    def speaks(self, vantage: str, case: Case) -> None:
        """Take it that a vantage point speaks of an endpoint."""
        self._spoken_of.setdefault(vantage, {})[case] = None

    def ceases(self, vantage: str, case: Case) -> None:
        """Take it that a vantage point speaks of an endpoint no longer."""
        there = self._spoken_of.get(vantage)
        if there is not None:
            there.pop(case, None)
            if not there:
                del self._spoken_of[vantage]

    def keep_only(self, cases: Collection[Case]) -> None:
        """Let go of endpoints that are no more."""
        for vantage, there in list(self._spoken_of.items()):
            for gone in [one for one in there if one not in cases]:
                self.ceases(vantage, gone)
        self._provisional = {one: None for one in self._provisional if one in cases}
        self._due = OrderedDict((one, None) for one in self._due if one in cases)

    def call(self, cases: Iterable[Case]) -> None:
        """Have these judged."""
        self._due.update(dict.fromkeys(cases))

    def turn(self, vantages: Iterable[str]) -> None:
        """Take it that vantage points are silent, or are not any more, or since another time."""
        for vantage in vantages:
            self._due.update(self._spoken_of.get(vantage, {}))

    def cut_off(self, is_cut_off: bool, own: Iterable[str]) -> None:
        """Take it that this machine is cut off now, or is not any more; `own`: its vantage points."""
        self.turn(own)
        if not is_cut_off:
            self._due.update(self._provisional)

    def judged(self, case: Case, is_cut_off: bool, is_first: bool = False) -> None:
        """Take it that an endpoint was judged; `is_first`: nothing had been agreed of it, and something is now."""
        if self._due:
            self._due.pop(case, None)
        if is_cut_off:
            self._provisional[case] = None
            return
        self._provisional.pop(case, None)
        if is_first:
            self._due[case] = None

    def next(self) -> Case:
        """Return the one that is due first, which is so no longer."""
        return self._due.popitem(last=False)[0]
