"""Many opinions, one state: vantage points that agree, monitors in a group, addresses of one name. All pure.

States are the endpoint states of `verdict`; a *report* is what one vantage point believes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lbdns.health.verdict import HEALTHY, UNHEALTHY, UNKNOWN

PROBERS_PER_REGION = 3  # vantage points that speak for a region; further ones are spare


@dataclass(frozen=True, slots=True)
class Report:
    """What one vantage point believes: `state` since its result at `at_s`, good for `good_for_s` from then on."""

    vantage: str
    region: str
    state: int
    at_s: float
    good_for_s: float


def agree(reports: Iterable[Report], now_s: float) -> int:
    """Return what the vantage points agree on: per region the majority of its probers, then the majority of regions.

    | reports                                   | state                                            |
    |-------------------------------------------|--------------------------------------------------|
    | none that knows anything                  | UNKNOWN                                          |
    | some fresh                                | by the fresh ones alone                          |
    | all stale                                 | by all of them: the last agreed state stands     |
    | more than half of the regions healthy     | HEALTHY                                          |
    | half or less                              | UNHEALTHY: healthy needs more than half          |

    Within a region the same holds of its probers; at most three speak, the first three by name.
    """
    known = [report for report in reports if report.state != UNKNOWN]
    fresh = [report for report in known if now_s - report.at_s <= report.good_for_s]
    regions: dict[str, list[bool]] = {}
    for report in sorted(fresh or known, key=lambda report: report.vantage):
        votes = regions.setdefault(report.region, [])
        if len(votes) < PROBERS_PER_REGION:
            votes.append(report.state == HEALTHY)
    if not regions:
        return UNKNOWN
    return HEALTHY if _most([_most(votes) for votes in regions.values()]) else UNHEALTHY


def _most(votes: Sequence[bool]) -> bool:
    return 2 * sum(votes) > len(votes)


def group_state(members: Iterable[tuple[int, bool]]) -> int:
    """Return an endpoint's state from its voting members: (state, must_be_healthy) each.

    | a must member | failing, of all voters | failing + unknown  | a must member | state     |
    |---------------|------------------------|--------------------|---------------|-----------|
    | failing       |                        |                    |               | UNHEALTHY |
    | none failing  | more than half         |                    |               | UNHEALTHY |
    | none failing  | half or less           | more than half     |               | UNKNOWN   |
    | none failing  | half or less           | half or less       | unknown       | UNKNOWN   |
    | none failing  | half or less           | half or less       | all healthy   | HEALTHY   |

    Nobody votes: HEALTHY, since nothing says otherwise (ours).
    """
    voters = list(members)
    failing = sum(state == UNHEALTHY for state, _ in voters)
    unknown = sum(state == UNKNOWN for state, _ in voters)
    if any(must and state == UNHEALTHY for state, must in voters) or 2 * failing > len(voters):
        return UNHEALTHY
    if any(must and state == UNKNOWN for state, must in voters) or 2 * (failing + unknown) > len(voters):
        return UNKNOWN
    return HEALTHY


def any_address(states: Iterable[int]) -> int:
    """Return a hostname's state from those of its addresses: one healthy address makes it healthy (ours).

    | some healthy | some unknown | state     |
    |--------------|--------------|-----------|
    | yes          |              | HEALTHY   |
    | no           | yes          | UNKNOWN   |
    | no           | no           | UNHEALTHY |
    """
    found = set(states)
    return HEALTHY if HEALTHY in found else UNKNOWN if UNKNOWN in found or not found else UNHEALTHY
