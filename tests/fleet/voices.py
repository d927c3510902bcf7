"""Voices as plain values, and a judge that is slow and obvious."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

from lbdns.fleet.observing.judging import Speaker
from lbdns.health.verdict import HEALTHY, UNHEALTHY, UNKNOWN


@dataclass(frozen=True)
class PlainMember:
    name: str = "m"
    votes: bool = True
    must_be_healthy: bool = False


MEMBER = PlainMember()


@dataclass
class PlainVoice:
    speaker: Speaker
    state: int
    address: str = "192.0.2.1"
    member: PlainMember = MEMBER
    rank: int = 0
    turned_s: float = 0.0
    quiet_s: float | None = None


@dataclass
class Scene:
    """An endpoint that vantage points in regions see: `says` is a list of (region, state)."""

    says: Sequence[tuple[str, int]]
    silent: dict[int, float] = field(default_factory=dict)  # since when
    turned: dict[int, float] = field(default_factory=dict)
    own: int = 0

    def voices(self) -> list[PlainVoice]:
        return [
            PlainVoice(
                Speaker(f"v{number}", region, f"v{number}", number == self.own, self.silent.get(number)),
                state,
                rank=number,
                turned_s=self.turned.get(number, 0.0),
            )
            for number, (region, state) in enumerate(self.says)
        ]


def naive_majority(says: Sequence[tuple[str, bool]]) -> bool | None:
    """Return whether most regions are up, by what most of each say; None: nobody says anything."""
    regions: dict[str, list[bool]] = {}
    for region, is_up in says:
        regions.setdefault(region, []).append(is_up)
    if not regions:
        return None
    up = sum(there.count(True) > there.count(False) for there in regions.values())
    return up > len(regions) - up


def possible(scene: Scene) -> set[int]:
    """Return every verdict that could be that of all, whatever the silent ones would say now."""
    known = [
        (region, state == HEALTHY) for number, (region, state) in enumerate(scene.says) if number not in scene.silent
    ]
    silent = [scene.says[number][0] for number in scene.silent]
    found = set()
    for guesses in product([True, False], repeat=len(silent)):
        verdict = naive_majority([*known, *zip(silent, guesses, strict=True)])
        found.add(UNKNOWN if verdict is None else HEALTHY if verdict else UNHEALTHY)
    return found
