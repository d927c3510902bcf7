"""The naive oracle of verdicts: it sees everything, and says which verdicts are possible at a machine.

Written from what is promised, slowly, and without a look at the code that it judges:

1. Each machine probes from its own place. What it says of an endpoint is what its probes saw within the *window*: the
   time in which a change of the truth, of the network or of a machine has surely been probed, sent and heard.
   Where none of its probes comes back, it may doubt itself, and what it said before stands as long.
2. A machine *hears* another one surely where nothing stood between them for a whole window, not at all where something
   has for a moment, perhaps in every other case.
3. A region's vote is the majority of its probers: the first N of those alive there, and in its own region the machine
   itself. Which ones these are the oracle does not know: any choice of so many is possible.
4. An endpoint is healthy where more than half of the regions that vote say so. A region of which nobody is heard does
   not vote.
5. A machine that hears fewer than half of those it knows, itself among both, is cut off: the verdict that it had when
   it last heard enough stands; where its own probes say up, up is possible too. Down it finds nothing by itself.
6. Where nobody at all is heard who may vote, what was published stands.
7. Where one that may have voted has fallen silent, that alone changes nothing: what was agreed stands beside what is
   left of the votes, until a region that is heard has turned since then and the votes that are left are clear.
8. An operator's order is no verdict: it lies above them.
9. Of a pool with check regions those regions vote, and no other.

| in the window | rule 5 | possible |
|---|---|---|
| heard enough all the time | agreeing | what the votes may be (rules 3, 4) |
| heard too few all the time | cut off | the agreed one; healthy where its own probes may have passed |
| either | unsure | both |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from lbdns.health.verdict import HEALTHY, UNHEALTHY, UNKNOWN
from tests.fleet.simulation.endpoint_world import EndpointWorld, Signature
from tests.fleet.simulation.virtual_network import Hearing, VirtualNetwork
from tests.fleet.simulation.virtual_time import VirtualTime

KNOWN_FOR_S: Final = 86_400.0
ALL_PROBERS: Final = 1_000_000
NONE: Final[frozenset[int]] = frozenset()
ALONE: Final = {state: frozenset({state}) for state in (UNKNOWN, HEALTHY, UNHEALTHY)}
LOST_S: Final = 6.0
"""A machine that nothing has come from for so long is not heard."""
MOMENT_S: Final = 0.5
"""What was worked out holds for so long while nothing changes: time alone makes it surer, never less so."""
RESTART_S: Final = 70.0
"""A machine that was started again counts as fallen silent for so long: it has to probe everything first."""


Kind = tuple[int | None, tuple[str, ...]]


class Standing(Enum):
    """Whether a machine hears enough of those it knows (rule 5)."""

    AGREEING = "agreeing"
    UNSURE = "unsure"
    CUT_OFF = "cut off"


@dataclass(slots=True, eq=False)
class Life:
    """A machine as the oracle sees it: where it is, whether it runs and since when (`now_s`), what it published."""

    name: str
    region: str
    runs: bool = False
    changed_s: float = float("-inf")
    starts: int = 0
    published: dict[str, int] = field(default_factory=dict)
    agreed: dict[str, frozenset[int]] = field(default_factory=dict)
    """What rule 5 calls the agreed verdict: more than one where it was unsure for a while."""
    reached_s: dict[str, float] = field(default_factory=dict)
    """When it could last hear each other machine."""
    apart: set[str] = field(default_factory=set)
    """The endpoints of which something else was agreed than what was published last, or more than that."""
    kinds: dict[Kind, dict[str, None]] = field(default_factory=dict)
    """All endpoints, by what was published of them last (None: nothing) and the regions that vote."""


class Tally(NamedTuple):
    """How many regions vote at least and at most for up and for down, and whether any region is sure to vote."""

    ups_min: int
    ups_max: int
    downs_min: int
    downs_max: int
    somebody_votes: bool


class VerdictOracle:
    """All machines, the network and the truth; `window_s` is rule 1's, `prober_count` rule 3's N."""

    def __init__(
        self,
        time: VirtualTime,
        network: VirtualNetwork,
        world: EndpointWorld,
        lives: Mapping[str, Life],
        window_s: float,
        prober_count: int,
        is_sampled: bool,
        check_regions: Mapping[str, tuple[str, ...]],
    ) -> None:
        """`is_sampled`: most machines only probe, and do not take over each other's probes. `check_regions`: of an
        endpoint the regions that alone vote (rule 9), where these are not all."""
        self._time = time
        self._network = network
        self._world = world
        self._lives = lives
        self._window_s = window_s
        self._prober_count = prober_count
        self._is_sampled = is_sampled
        self._memo: dict[tuple[str, str], Hearing] = {}
        self._memo_of_regions: dict[tuple[str, str], tuple[list[tuple[Life, Hearing]], bool]] = {}
        self._memo_of_standings: dict[str, Standing] = {}
        self._memo_of_silence: dict[str, float] = {}
        self._check_regions = check_regions
        self._memo_of_tallies: dict[tuple[str, Signature, tuple[str, ...]], Tally] = {}
        self._memo_s = float("-inf")
        self._calm: dict[str, None] = {}
        self._restless: list[Life] = []
        self._unsettled: list[Life] = []
        self._by_region: dict[str, list[Life]] = {}
        for life in lives.values():
            self._by_region.setdefault(life.region, []).append(life)
        self._regions = tuple(self._by_region)

    def forget(self) -> None:
        """Take it that something has changed: what was worked out for this moment holds no longer."""
        self._memo.clear()
        self._memo_of_regions.clear()
        self._memo_of_standings.clear()
        self._memo_of_silence.clear()
        self._memo_of_tallies.clear()
        self._memo_s = float("-inf")

    def _keep_for_this_moment(self) -> None:
        now_s = self._time.now_s
        if now_s - self._memo_s < MOMENT_S:
            return
        self.forget()
        self._memo_s = now_s
        whole_since_s, window_s = self._network.whole_since_s, self._window_s
        self._calm, self._restless, self._unsettled = {}, [], []
        for life in self._lives.values():
            if life.runs and now_s - max(life.changed_s, whole_since_s(life.name)) > window_s:
                self._calm[life.name] = None
                if now_s - life.changed_s < RESTART_S or self._may_doubt(life):
                    self._unsettled.append(life)
            else:
                self._restless.append(life)
                self._unsettled.append(life)

    # -- who is heard (rule 2) --

    def hears(self, hearer: Life, sender: Life) -> Hearing:
        """Whether one machine was able to hear another for the whole window."""
        if sender is hearer:
            return Hearing.SURE
        self._keep_for_this_moment()
        if hearer.name in self._calm and sender.name in self._calm:
            return Hearing.SURE
        pair = hearer.name, sender.name
        found = self._memo.get(pair)
        if found is None:
            found = self._memo[pair] = self._hears(hearer, sender)
        return found

    def _hears(self, hearer: Life, sender: Life) -> Hearing:
        now_s = self._time.now_s
        of_network = self._network.hearing(sender.name, hearer.name, self._window_s, LOST_S)
        if of_network is Hearing.NEVER or (not sender.runs and now_s - sender.changed_s > LOST_S):
            return Hearing.NEVER
        if not sender.runs or now_s - max(sender.changed_s, hearer.changed_s) <= self._window_s:
            return Hearing.MAYBE
        back = self._network.hearing(hearer.name, sender.name, self._window_s, LOST_S)
        return of_network if back is Hearing.SURE else Hearing.MAYBE  # who cannot ask hears no more than news

    # -- whether that is enough (rule 5) --

    def standing(self, life: Life) -> Standing:
        """Return whether a machine hears enough of those it knows."""
        self._keep_for_this_moment()
        found = self._memo_of_standings.get(life.name)
        if found is None:
            found = self._memo_of_standings[life.name] = self._standing(life)
        return found

    def _standing(self, life: Life) -> Standing:
        is_calm = life.name in self._calm
        sure = maybe = known = known_maybe = len(self._calm) if is_calm else 0
        for other in self._restless if is_calm else self._lives.values():
            heard = self.hears(life, other)
            sure += heard is Hearing.SURE
            maybe += heard is not Hearing.NEVER
            reached_s = life.reached_s.get(other.name, float("-inf"))
            ago_s = self._time.elapsed_s - reached_s
            if heard is Hearing.SURE:
                known += 1
                known_maybe += 1
            elif heard is Hearing.MAYBE or ago_s < KNOWN_FOR_S + self._window_s:
                known_maybe += 1
                known += other.name in life.reached_s and ago_s < KNOWN_FOR_S - self._window_s
        if 2 * sure >= known_maybe:
            return Standing.AGREEING
        return Standing.CUT_OFF if 2 * maybe < known else Standing.UNSURE

    def note(self, judges: Iterable[str]) -> None:
        """Look at whom machines hear, before something changes: what is said of the time before hangs on that."""
        for name in judges:
            self.note_one(self._lives[name])

    def note_one(self, life: Life) -> None:
        """Look at whom one machine hears."""
        if not life.runs:
            return
        self._keep_for_this_moment()
        is_calm = life.name in self._calm
        if is_calm:
            life.reached_s.update(dict.fromkeys(self._calm, self._time.elapsed_s))
        for other in self._restless if is_calm else self._lives.values():
            if self.hears(life, other) is Hearing.SURE:
                life.reached_s[other.name] = self._time.elapsed_s
        standing, published = self.standing(life), life.published
        if standing is Standing.AGREEING:
            life.agreed.update((endpoint, ALONE[published[endpoint]]) for endpoint in life.apart)
            life.apart.clear()
        elif standing is Standing.UNSURE:
            for endpoint in life.apart:
                life.agreed[endpoint] = life.agreed.get(endpoint, NONE) | ALONE[published[endpoint]]

    # -- what the votes may be (rules 3, 4) --

    def voted(self, life: Life, endpoint: str) -> set[int]:
        """Return the verdicts that the votes which a machine may have heard allow."""
        tally = self._tally(life, endpoint)
        found = set()
        if tally.ups_max > tally.downs_min:
            found.add(HEALTHY)
        if tally.downs_max and tally.ups_min <= tally.downs_max:
            found.add(UNHEALTHY)
        if not tally.somebody_votes:
            found |= {UNKNOWN, life.published.get(endpoint, UNKNOWN)}
        silent_s = self._silent_since_s(life)
        if silent_s == float("-inf"):
            return found
        if tally.ups_min <= tally.downs_max and tally.downs_min <= tally.ups_max:
            return found | {HEALTHY, UNHEALTHY}  # perhaps a tie among those who are left: the silent ones may decide
        if not self._has_turned_since(silent_s, life, endpoint, found == {HEALTHY}):
            found |= life.agreed.get(endpoint, NONE)
        return found

    def _tally(self, life: Life, endpoint: str) -> Tally:
        self._keep_for_this_moment()
        regions = self._voting(endpoint)
        place = life.name, self._world.signature(endpoint, self._window_s), regions
        found = self._memo_of_tallies.get(place)
        if found is None:
            votes = [self._region_votes(life, endpoint, region) for region in regions]
            found = self._memo_of_tallies[place] = Tally(
                sum(one == {True} for one in votes),
                sum(True in one for one in votes),
                sum(one == {False} for one in votes),
                sum(False in one for one in votes),
                any(None not in one for one in votes),
            )
        return found

    def _has_turned_since(self, silent_s: float, life: Life, endpoint: str, is_up: bool) -> bool:
        """Whether a region that is heard has turned to `is_up` since the last one fell silent (rule 7)."""
        return any(
            self._region_votes(life, endpoint, region) == {is_up}
            and self._world.is_up(endpoint, region) == is_up
            and silent_s + self._window_s < self._world.changed_s(endpoint, region)
            for region in self._voting(endpoint)
        )

    def _voting(self, endpoint: str) -> tuple[str, ...]:
        """Return the regions that vote of an endpoint (rule 9)."""
        return self._check_regions.get(endpoint, self._regions)

    def _silent_since_s(self, life: Life) -> float:
        """Return when the last one may have fallen silent whom a machine knows; -inf where all are heard."""
        self._keep_for_this_moment()
        found = self._memo_of_silence.get(life.name)
        if found is None:
            is_settled = life.name in self._calm and self._time.now_s - life.changed_s >= RESTART_S
            others = self._unsettled if is_settled else self._lives.values()  # of all others it follows nothing then
            found = self._memo_of_silence[life.name] = max(
                (self._fell_silent_s(life, one) for one in others), default=float("-inf")
            )
        return found

    def _fell_silent_s(self, life: Life, other: Life) -> float:
        now_s = self._time.now_s
        heard = self.hears(life, other)
        has_just_begun = now_s - max(other.changed_s, life.changed_s) < RESTART_S
        if heard is not Hearing.NEVER and self._may_doubt(other):
            return now_s
        if heard is Hearing.SURE:
            return now_s if has_just_begun and other is not life and other.starts > 1 else float("-inf")
        if heard is Hearing.NEVER and other.name in life.reached_s:
            lost_s = min(now_s, max(self._network.changed_s(other.name, life.name), other.changed_s))
            return now_s if has_just_begun else lost_s
        return now_s if heard is Hearing.MAYBE else float("-inf")

    def _region_votes(self, life: Life, endpoint: str, region: str) -> set[bool | None]:
        """Return what a region's vote may be at a machine: True, False, or None for no vote."""
        there, do_agree = self._there(life, region)
        sure: list[frozenset[bool]] = []
        maybe: list[frozenset[bool]] = []
        of_all = self._world.seen_by_uncut(region, endpoint, self._window_s)
        for other, heard in there:
            seen = frozenset({True, False}) if self._may_doubt(other) else of_all
            (sure if heard is Hearing.SURE else maybe).append(seen)
        voters = sure + maybe
        least = min(self._prober_count, len(sure))
        if maybe or not do_agree or (self._is_sampled and len(sure) < len(self._by_region[region])):
            least = 0  # somebody may count on another one who is not heard here
        most = min(self._prober_count + 1, len(voters))
        ups = sum(True in seen for seen in voters)
        downs = sum(False in seen for seen in voters)
        found: set[bool | None] = {None} if least == 0 else set()
        for count in range(max(1, least), most + 1):
            if 2 * min(count, ups) > count:
                found.add(True)
            if 2 * (count - min(count, downs)) <= count:
                found.add(False)
        return found

    def _there(self, life: Life, region: str) -> tuple[list[tuple[Life, Hearing]], bool]:
        """Return who of a region may be heard, and whether they agree on who is there."""
        self._keep_for_this_moment()
        place = life.name, region
        found = self._memo_of_regions.get(place)
        if found is None:
            all_heard = [(other, self.hears(life, other)) for other in self._by_region.get(region, ())]
            all_heard = [
                (other, Hearing.MAYBE if heard is Hearing.SURE and self._may_doubt(other) else heard)
                for other, heard in all_heard
            ]
            there: list[tuple[Life, Hearing]] = [one for one in all_heard if one[1] is not Hearing.NEVER]
            do_agree = self._is_sampled or self._agree_on_who_is_there(life, region)
            found = self._memo_of_regions[place] = there, do_agree
        return found

    def _may_doubt(self, other: Life) -> bool:
        """Whether no probe of a machine came back at some time of the window."""
        return self._world.was_cut(other.name, self._window_s)

    def _agree_on_who_is_there(self, life: Life, region: str) -> bool:
        """Whether those of a region who are heard hear the same ones of their region as the machine itself."""
        there = self._by_region.get(region, ())
        heard = {other.name: self.hears(life, other) for other in there}
        return all(
            self.hears(one, other) is heard[other.name]
            for one in there
            if heard[one.name] is not Hearing.NEVER
            for other in there
            if other is not one
        )

    # -- all of it --

    def possible(self, life: Life, endpoint: str) -> set[int]:
        """Return the verdicts that are possible at a machine now."""
        standing = self.standing(life)
        found: set[int] = set()
        if standing is not Standing.CUT_OFF:
            found |= self.voted(life, endpoint)
        if standing is not Standing.AGREEING:
            found |= life.agreed.get(endpoint, ALONE[UNKNOWN])
            is_own = life.region in self._voting(endpoint)
            if is_own and True in self._world.seen(life.name, life.region, endpoint, self._window_s):
                found.add(HEALTHY)  # rule 5
        if self._time.now_s - life.changed_s <= self._window_s:
            found |= {UNKNOWN, *life.agreed.get(endpoint, ())}  # it has just started: what it had stands meanwhile
        return found

    def publish(self, life: Life, endpoint: str, state: int) -> str:
        """Take what a machine publishes; returns what is wrong with it, "" where it is possible."""
        allowed = self.possible(life, endpoint)
        standing = self.standing(life)
        self._note_kind(life, endpoint, state)
        if standing is Standing.AGREEING:
            life.agreed[endpoint] = ALONE[state]
        elif standing is Standing.UNSURE:
            life.agreed[endpoint] = life.agreed.get(endpoint, NONE) | ALONE[state]
        (life.apart.discard if life.agreed.get(endpoint) == ALONE[state] else life.apart.add)(endpoint)
        if state in allowed:
            return ""
        return self._told(life, endpoint, state, allowed, standing)

    def _kinds(self, life: Life) -> dict[Kind, dict[str, None]]:
        if not life.kinds:
            for endpoint in self._world.endpoints:
                life.kinds.setdefault((None, self._voting(endpoint)), {})[endpoint] = None
        return life.kinds

    def _note_kind(self, life: Life, endpoint: str, state: int) -> None:
        voting, kinds = self._voting(endpoint), self._kinds(life)
        kinds[life.published.get(endpoint), voting].pop(endpoint, None)
        kinds.setdefault((state, voting), {})[endpoint] = None
        life.published[endpoint] = state

    def audit(self, life: Life) -> list[str]:
        """Return what is wrong with what a machine published last: what is no more possible.

        Of those that never had a fault, and of which the same was published and agreed, the same is possible: one of
        them is looked at, the others where that one is wrong.
        """
        own = life.apart | self._world.touched
        looked_at = {endpoint for endpoint in own if self._is_wrong(life, endpoint)}
        for members in self._kinds(life).values():
            alike = next((endpoint for endpoint in members if endpoint not in own), None)
            if alike is not None and self._is_wrong(life, alike):
                looked_at |= members.keys() - own
        if not looked_at:
            return []
        standing = self.standing(life)
        return [
            self._told(life, endpoint, life.published.get(endpoint, UNKNOWN), self.possible(life, endpoint), standing)
            for endpoint in self._world.endpoints
            if endpoint in looked_at
        ]

    def _is_wrong(self, life: Life, endpoint: str) -> bool:
        return life.published.get(endpoint, UNKNOWN) not in self.possible(life, endpoint)

    def _told(self, life: Life, endpoint: str, state: int, allowed: set[int], standing: Standing) -> str:
        words = {UNKNOWN: "unknown", HEALTHY: "healthy", UNHEALTHY: "unhealthy"}
        could = " or ".join(sorted(words[one] for one in allowed)) or "nothing"
        return (
            f"{self._time.elapsed_s:.3f} s: {life.name} ({standing.value}) has {endpoint} {words[state]}; "
            f"possible: {could}"
        )
