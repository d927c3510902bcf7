"""What an endpoint's series say together: its state, the result to show, the mean round-trip time. All pure.

series -> vantage points (majorities) -> monitor group (votes) -> addresses of a name (one is enough)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lbdns.health import quorum
from lbdns.health.verdict import HEALTHY
from lbdns.monitor.ledger.states import Series
from lbdns.monitor.targets import Member


def agreed_state(series: Sequence[Series], now_s: float) -> int:
    """Return an endpoint's measured state at `now_s` (the ledger's clock); the one series that votes decides alone."""
    if len(series) == 1 and series[0].member.votes:
        return series[0].state
    reports: dict[str, dict[Member, list[quorum.Report]]] = {}
    for one in series:
        members = reports.setdefault(one.address, {})
        if one.member.votes:
            members.setdefault(one.member, []).append(_report(one))
    return quorum.any_address(_address_state(members, now_s) for members in reports.values())


def _address_state(members: dict[Member, list[quorum.Report]], now_s: float) -> int:
    return quorum.group_state((quorum.agree(heard, now_s), member.must_be_healthy) for member, heard in members.items())


def telling(series: Iterable[Series], state: int) -> Series | None:
    """Return the voting series that says why an endpoint is in a state: the latest of those that are in it themselves
    and have a result that says so; None where there is none."""
    is_up = state == HEALTHY
    found = [one for one in series if one.member.votes and one.shown and (one.state == HEALTHY) == is_up]
    return max(found, key=lambda one: one.heard_s, default=None)


def watched_state(series: Iterable[Series], member: Member, now_s: float) -> int:
    """Return what a member that only watches sees at `now_s`, as `agreed_state` does of one that votes."""
    heard: dict[str, list[quorum.Report]] = {}
    for one in series:
        if one.member is member:
            heard.setdefault(one.address, []).append(_report(one))
    return quorum.any_address(quorum.agree(reports, now_s) for reports in heard.values())


def _report(one: Series) -> quorum.Report:
    return quorum.Report(one.vantage.name, one.vantage.region, one.state, one.heard_s, one.good_for_s)


def mean_rtt_us(series: Iterable[Series]) -> float:
    """Return the mean round-trip time over voting series that have one; 0 where none has."""
    times = [one.rtt_us for one in series if one.rtt_us and one.member.votes]
    return sum(times) / len(times) if times else 0.0
