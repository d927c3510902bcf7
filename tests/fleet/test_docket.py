"""Judging what is due, and nothing else: what stands is what judging everything anew would come to."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

from lbdns.fleet.observing.docket import Docket
from lbdns.fleet.observing.judging import Speaker, judge
from lbdns.health.verdict import HEALTHY, UNHEALTHY, UNKNOWN
from tests.fleet.voices import PlainMember, PlainVoice

MEMBERS = (PlainMember("a"), PlainMember("b", must_be_healthy=True))
OWN = "v0"


@dataclass
class Bench:
    """Voices of endpoints, what was agreed of them and what stands; `docket` None: all is judged after each change."""

    docket: Docket[int] | None
    speakers: list[Speaker] = field(default_factory=list)
    voices: dict[int, dict[tuple[str, int], PlainVoice]] = field(default_factory=dict)
    agreed: dict[int, int] = field(default_factory=dict)
    stands: dict[int, int] = field(default_factory=dict)
    is_cut_off: bool = False
    judged: int = 0

    def judge_one(self, endpoint: int) -> None:
        self.judged += 1
        before = self.agreed.get(endpoint, UNKNOWN)
        state = judge(list(self.voices[endpoint].values()), self.is_cut_off, before, 2)
        if not self.is_cut_off:
            self.agreed[endpoint] = state
        if self.docket is not None:
            self.docket.judged(endpoint, self.is_cut_off, before == UNKNOWN != state)
        self.stands[endpoint] = state

    def settle(self) -> None:
        if self.docket is not None:
            while len(self.docket):
                self.judge_one(self.docket.next())
            return
        for endpoint in self.voices:
            self.judge_one(endpoint)
            self.judge_one(endpoint)  # a first agreement stands after two

    def speak(self, endpoint: int, number: int, monitor: int, state: int | None, now_s: float) -> None:
        speaker = self.speakers[number]
        at = speaker.name, monitor
        known = self.voices[endpoint].get(at)
        if state is None:
            self.voices[endpoint].pop(at, None)
            if self.docket is not None and not any(name == speaker.name for name, _ in self.voices[endpoint]):
                self.docket.ceases(speaker.name, endpoint)
        elif known is None:
            self.voices[endpoint][at] = PlainVoice(speaker, state, member=MEMBERS[monitor], rank=number)
            if self.docket is not None:
                self.docket.speaks(speaker.name, endpoint)
        elif known.state != state:
            known.state, known.turned_s = state, now_s
        self.judge_one(endpoint)

    def turn(self, numbers: list[int], now_s: float | None) -> None:
        for number in numbers:
            self.speakers[number].silent_s = now_s
        if self.docket is not None:
            self.docket.turn(self.speakers[number].name for number in numbers)

    def cut_off(self, is_cut_off: bool) -> None:
        if is_cut_off != self.is_cut_off:
            self.is_cut_off = is_cut_off
            if self.docket is not None:
                self.docket.cut_off(is_cut_off, [OWN])


def bench(docket: Docket[int] | None, machines: int, endpoints: int) -> Bench:
    found = Bench(docket)
    found.speakers = [
        Speaker(f"v{number}", "abc"[number % 3], f"v{number}", is_own=number == 0) for number in range(machines)
    ]
    found.voices = {number: {} for number in range(endpoints)}
    return found


@pytest.mark.parametrize("seed", range(40))
def test_what_is_judged_is_what_judging_all_of_it_anew_comes_to(seed: int) -> None:
    luck = random.Random(seed)
    machines, endpoints = luck.randint(2, 8), luck.randint(1, 6)
    few, all_anew = bench(Docket(), machines, endpoints), bench(None, machines, endpoints)
    for second in range(120):
        roll, now_s = luck.random(), float(second)
        numbers = luck.sample(range(machines), luck.randint(1, machines))
        is_silent, is_cut_off = luck.random() < 0.5, luck.random() < 0.5
        said = luck.randrange(endpoints), luck.randrange(machines), luck.randrange(2)
        state = luck.choice([HEALTHY, UNHEALTHY, HEALTHY, UNHEALTHY, UNKNOWN, None])
        for one in (few, all_anew):
            if roll < 0.6:
                one.speak(*said, state, now_s)
            elif roll < 0.9:
                one.turn(numbers, now_s if is_silent else None)
            else:
                one.cut_off(is_cut_off)
            one.settle()
        for endpoint, voices in few.voices.items():
            if voices:
                assert few.stands[endpoint] == all_anew.stands[endpoint], (second, endpoint)
    assert few.judged < all_anew.judged


def test_a_machine_that_comes_or_goes_concerns_what_it_speaks_of() -> None:
    docket: Docket[str] = Docket()
    docket.speaks("v1", "x")
    docket.speaks("v1", "y")
    docket.speaks("v2", "z")
    docket.turn(["v1"])
    assert [docket.next(), docket.next()] == ["x", "y"]
    assert len(docket) == 0
    docket.ceases("v1", "x")
    docket.turn(["v1", "v3"])
    assert docket.next() == "y"


def test_what_was_judged_while_cut_off_is_judged_again_afterwards() -> None:
    docket: Docket[str] = Docket()
    docket.speaks("own", "x")
    docket.cut_off(True, ["own"])
    assert docket.next() == "x"
    docket.judged("x", True)
    docket.judged("y", True)
    docket.judged("z", False)
    docket.cut_off(False, ["own"])
    assert [docket.next(), docket.next()] == ["x", "y"]
    assert len(docket) == 0


def test_what_is_no_more_is_not_judged() -> None:
    docket: Docket[str] = Docket()
    docket.speaks("v1", "x")
    docket.judged("x", True)
    docket.call(["x", "y"])
    docket.keep_only({"y"})
    assert docket.next() == "y"
    docket.turn(["v1"])
    docket.cut_off(False, ["v1"])
    assert len(docket) == 0
