"""What follows for an endpoint from all that is heard, whoever is silent: majorities as in `health.quorum`. All pure.

A *voice* is what one vantage point says of one address by one monitor. One is *silent* whose machine is not heard,
which believes itself cut off, which has looked no longer for a moment, or which has just begun; what it said last is
its vote.

Where the machine that judges is itself cut off (hearing.py):

    | its own voices say | verdict                                                             |
    |--------------------|---------------------------------------------------------------------|
    | HEALTHY            | HEALTHY: it reaches what it answers with                            |
    | anything else      | what was agreed last: its own isolation takes nothing down          |

Else, with the *fresh* voices, which are all but the silent ones; each majority is first of a region's voices, then of
the regions:

    | the silent ones | most fresh ones say | all, as the silent ones spoke last, say | turned so since | verdict   |
    |-----------------|---------------------|----------------------------------------|-----------------|-----------|
    | none            | X; a tie: UNHEALTHY |                                        |                 | X         |
    | could say whatever they like, and all said X                                 |                 | X         |
    | some            | nothing             |                                        |                 | as agreed |
    | some            | X                   | X                                      |                 | X         |
    | some            | X                   | something else                         | one             | X         |
    | some            | X                   | something else                         | none            | as agreed |
    | some            | a tie               | Y                                      | one             | Y         |
    | some            | a tie               | Y                                      | none            | as agreed |

*Turned so since*: one of the fresh ones came to say it after the last of the silent ones was heard last.
What cannot be told, as too few of a monitor group have said anything yet, is nobody's word: what was agreed stands.

So whoever falls silent changes nothing by that, and whoever is left still decides what happens from then on. Where
nothing was agreed yet, the fresh ones decide as if none were silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lbdns.health.quorum import any_address, group_state
from lbdns.health.verdict import HEALTHY, UNHEALTHY, UNKNOWN


@dataclass(slots=True, eq=False)
class Speaker:
    """A vantage point. `silent_s`: since when it is silent, None: it is not (the judge's monotonic clock)."""

    name: str
    region: str
    machine: str
    is_own: bool = False
    silent_s: float | None = None


class Voice(Protocol):
    """What one vantage point says of one address by one monitor.

    `rank`: its number by rendezvous hashing, of which the smallest speak. `turned_s`: when its state changed to what it
    is, 0: not since it is heard. `quiet_s`: since when this voice alone is silent, None: it is not.
    """

    @property
    def speaker(self) -> Speaker:
        """Whose it is."""
        ...

    @property
    def state(self) -> int:
        """An endpoint state of `health.verdict`."""
        ...

    @property
    def address(self) -> str:
        """What was probed."""
        ...

    @property
    def member(self) -> Any:
        """The monitor's part: has `votes` and `must_be_healthy`, and is a key."""
        ...

    @property
    def rank(self) -> int: ...

    @property
    def turned_s(self) -> float: ...

    @property
    def quiet_s(self) -> float | None: ...


def judge(voices: Sequence[Voice], is_cut_off: bool, agreed: int, per_region: int | None) -> int:
    """Return an endpoint's state by the tables above.

    `agreed`: the state that was agreed last, UNKNOWN where none was; `per_region`: how many speak for a region, None:
    all of them.
    """
    if is_cut_off:
        own = [one for one in voices if one.speaker.is_own and one.member.votes and silent_since_s(one) is None]
        return HEALTHY if own and _state(own, per_region, _most) == HEALTHY else agreed
    votes = [one for one in voices if one.member.votes]
    if votes and (unanimous := votes[0].state) != UNKNOWN and _say_all(votes, unanimous):
        return unanimous
    silent = [one for one in votes if one.state != UNKNOWN and silent_since_s(one) is not None]
    fresh = [one for one in votes if silent_since_s(one) is None] if silent else votes
    if not silent:
        return _state(fresh, per_region, _most)
    if all(one.state == UNKNOWN for one in fresh):
        return agreed
    if agreed == UNKNOWN:
        return _state(fresh, per_region, _most)
    return _judge_with_silent(votes, fresh, silent, agreed, per_region)


def _say_all(votes: Sequence[Voice], state: int) -> bool:
    """Whether all say the same, and one of them is fresh: whichever row of the table it is, that is what follows. Most
    endpoints are so at most times, and need no more than this look."""
    is_any_fresh = False
    for one in votes:
        if one.state != state:
            return False
        is_any_fresh = is_any_fresh or (one.quiet_s is None and one.speaker.silent_s is None)
    return is_any_fresh


def _judge_with_silent(
    votes: Sequence[Voice], fresh: Sequence[Voice], silent: Sequence[Voice], agreed: int, per_region: int | None
) -> int:
    best = _state(votes, per_region, _most, silent_say=HEALTHY)
    if best != UNKNOWN and best == _state(votes, per_region, _most, silent_say=UNHEALTHY):
        return best
    leaning = _state(fresh, per_region, _strictly_most)
    in_all = _state(votes, per_region, _most)
    found = in_all if leaning == UNKNOWN else leaning
    if found in (agreed, UNKNOWN):
        return agreed
    last_s = max(since_s for one in silent if (since_s := silent_since_s(one)) is not None)
    is_new = any(one.state == found and one.turned_s > last_s for one in fresh)
    return found if is_new or leaning == in_all else agreed


def silent_since_s(voice: Voice) -> float | None:
    """Return since when a voice is silent; None: it is not."""
    quiet_s, silent_s = voice.quiet_s, voice.speaker.silent_s
    if quiet_s is None or silent_s is None:
        return silent_s if quiet_s is None else quiet_s
    return min(quiet_s, silent_s)


_Choose = Callable[[Iterable[bool]], int]


def _state(voices: Sequence[Voice], per_region: int | None, choose: _Choose, silent_say: int = UNKNOWN) -> int:
    """Return what voices come to: majorities by address and monitor, then groups, then addresses. `silent_say`: what is
    taken for the word of those that are silent, UNKNOWN: what they said last."""
    first = voices[0] if voices else None
    if first is not None and all(one.member is first.member and one.address == first.address for one in voices):
        return _majority(voices, per_region, choose, silent_say)
    heard: dict[str, dict[Any, list[Voice]]] = {}
    for one in voices:
        heard.setdefault(one.address, {}).setdefault(one.member, []).append(one)
    return any_address(
        group_state(
            (_majority(each, per_region, choose, silent_say), member.must_be_healthy)
            for member, each in members.items()
        )
        for members in heard.values()
    )


def _majority(voices: Sequence[Voice], per_region: int | None, choose: _Choose, silent_say: int) -> int:
    regions: dict[str, list[Voice]] = {}
    for one in voices:
        if one.state != UNKNOWN:
            regions.setdefault(one.speaker.region, []).append(one)
    said = [
        choose([_word(one, silent_say) == HEALTHY for one in _speaking(there, per_region)])
        for there in regions.values()
    ]
    return choose([state == HEALTHY for state in said if state != UNKNOWN])


def _word(voice: Voice, silent_say: int) -> int:
    return voice.state if silent_say == UNKNOWN or silent_since_s(voice) is None else silent_say


def _speaking(voices: list[Voice], per_region: int | None) -> list[Voice]:
    """Return those that speak for a region: fresh ones before silent ones, by rank."""
    if per_region is None or len(voices) <= per_region:
        return voices
    return sorted(voices, key=lambda one: (silent_since_s(one) is not None, one.rank, one.speaker.name))[:per_region]


def _most(votes: Iterable[bool]) -> int:
    found = list(votes)
    if not found:
        return UNKNOWN
    return HEALTHY if 2 * sum(found) > len(found) else UNHEALTHY


def _strictly_most(votes: Iterable[bool]) -> int:
    found = list(votes)
    up = 2 * sum(found)
    return UNKNOWN if up == len(found) else HEALTHY if up > len(found) else UNHEALTHY
