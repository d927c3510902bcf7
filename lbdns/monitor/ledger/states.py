"""The nouns of the ledger: series, endpoints, pools and load balancers with what is known of them right now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lbdns.base.words import Health
from lbdns.health import forced, verdict
from lbdns.health.events import PROBES_MAX, Seen
from lbdns.health.forced import Forced
from lbdns.health.identity import identity
from lbdns.health.reasons import REASONS, Reason
from lbdns.health.verdict import HEALTHY, UNHEALTHY, UNKNOWN
from lbdns.model.targets_document import BalancerSpec, EndpointSpec, Vantage
from lbdns.monitor.probes.result import Result
from lbdns.monitor.targets import Member, PoolSpec

RUN_MAX = 5  # results in a row that are remembered
STALE_INTERVALS = 3  # a vantage point that says nothing for so many intervals is not heard

_NO_RESULT = Result(True, Reason.NO_FAILURES)


CUT_OFF = Result(False, Reason.NETWORK_DOWN)


def is_cut_off(result: Result | None) -> bool:
    """Whether a result says that the endpoint's virtual network is down."""
    return result is not None and result.reason is Reason.NETWORK_DOWN


class Taker(Protocol):
    """Who judges a series' results."""

    def take(self, series: Series, result: Result) -> None:
        """Take one more result of a series."""
        ...

    def set_aside(self, series: Series) -> None:
        """Take it that nothing follows of a series' last failure."""
        ...


class Series:
    """One member's results on one address of an endpoint, from one vantage point.

    `shown` is the latest result that speaks for the state, None before the first: thresholds let a state stand through
    results of the other kind. `run` keeps the latest results in a row that speak against the state: nothing while all
    is as it was.
    """

    __slots__ = (
        "address",
        "at_s",
        "endpoint",
        "heard_s",
        "last",
        "member",
        "rtt_us",
        "run",
        "shown",
        "state",
        "streak",
        "taker",
        "vantage",
    )

    def __init__(self, taker: Taker, endpoint: EndpointHealth, member: Member, address: str, vantage: Vantage) -> None:
        """Begin where the endpoint stands: a new worker, monitor or address changes no answer by itself.

        Where the endpoint stands says nothing of a member that only watches.
        """
        self.taker = taker
        self.endpoint = endpoint
        self.member = member
        self.address = address
        self.vantage = vantage
        self.state = endpoint.state if member.votes else UNKNOWN
        self.shown: Result | None = None
        self.streak = 0
        self.at_s = self.heard_s = 0.0
        self.rtt_us = 0
        self.last = _NO_RESULT
        self.run: tuple[tuple[float, Result], ...] = ()

    @property
    def pool_id(self) -> str:
        """The id of the pool that it is for; empty where the pool has none."""
        return self.endpoint.pool.spec.id

    def take(self, result: Result) -> None:
        """Take one more result."""
        self.taker.take(self, result)

    def set_aside(self) -> None:
        """Take it that there was a failure of which nothing follows."""
        self.taker.set_aside(self)

    def note(self, result: Result, at_s: float, heard_s: float) -> None:
        """Remember a result, and that it speaks against the state where it does; `at_s`: unix seconds, `heard_s`: those
        for how long it counts."""
        self.last, self.at_s, self.heard_s = result, at_s, heard_s
        if result.healthy != (self.state == HEALTHY):
            alike = self.run if self.run and self.run[-1][1].healthy == result.healthy else ()
            self.run = (*alike[1 - RUN_MAX :], (at_s, result))
        elif self.run:
            self.run = ()

    def advance(self, result: Result) -> bool:
        """Let a result count towards the thresholds; True where the state flips.

        That the network is down counts at once, and the first result after it decides alone: what went before says
        nothing of an endpoint that nobody could reach meanwhile.
        """
        monitor, before = self.member.monitor, self.state
        if result.reason is Reason.NETWORK_DOWN:
            self.state, self.streak, self.shown = UNHEALTHY, 0, result
            return before != self.state
        state, streak = (UNKNOWN, 0) if is_cut_off(self.shown) else (before, self.streak)
        self.state, self.streak = verdict.advance(
            state, streak, result.healthy, monitor.consecutive_up, monitor.consecutive_down
        )
        if result.healthy == (self.state == HEALTHY):
            self.shown = result
        return before != self.state

    def seen(self) -> tuple[Seen, ...]:
        """Return the results that decided the state, or the last one where they are long past."""
        return tuple(
            Seen(
                at_s,
                self.vantage.name,
                self.member.name,
                self.address,
                result.healthy,
                REASONS[result.reason],
                result.code,
                result.rtt_us,
                self.member.must_be_healthy,
                not self.member.votes,
            )
            for at_s, result in self.run or ((self.at_s, self.last),) * (self.at_s > 0)
        )

    @property
    def good_for_s(self) -> float:
        """How long a result counts where several vantage points speak."""
        monitor = self.member.monitor
        return float(STALE_INTERVALS * monitor.interval + monitor.timeout * (monitor.retries + 1))


class EndpointHealth:
    """One endpoint: its specification, its series, its measured state and its effective byte.

    `watched`: the states that members see which only watch, by their names. `resolution`: whether its hostname, whose
    addresses somebody needs, was found to have any: UNKNOWN, RESOLVED or UNRESOLVED in Health's words. `told`: while
    its virtual network is down, the state that people were told of before; else None.
    """

    __slots__ = ("effective", "forced", "pool", "resolution", "series", "spec", "state", "told", "watched")

    def __init__(self, spec: EndpointSpec, pool: PoolHealth) -> None:
        self.spec = spec
        self.pool = pool
        self.series: list[Series] = []
        self.state = UNKNOWN
        self.effective = UNKNOWN
        self.forced: Forced | None = None
        self.watched: dict[str, int] = {}
        self.resolution: str = Health.UNKNOWN
        self.told: int | None = None

    @property
    def is_unresolved(self) -> bool:
        """Whether its hostname was found to lead nowhere."""
        return self.resolution == Health.UNRESOLVED

    @property
    def byte(self) -> int:
        """The effective byte that follows from all that is known."""
        return forced.endpoint_byte(self.state, self.forced, self.is_unresolved)

    @property
    def probed(self) -> bool:
        """Whether it is to be probed at all: enabled, in an enabled pool with a monitor."""
        return self.spec.enabled and self.pool.spec.enabled and bool(self.pool.spec.members)

    def rename_members(self, names: Mapping[str, str]) -> None:
        """Let what members see that only watch go on under other names (former name -> present one)."""
        self.watched = {names.get(name, name): state for name, state in self.watched.items()}


def deciding(series: Sequence[Series], cause: Series | None) -> tuple[Seen, ...]:
    """Return the probes behind an endpoint's change, oldest first: the cause's run, and the last of all others.

    Those of members that only watch stand beside them, marked so: they decided nothing.
    """
    if cause is None:
        return ()
    others = (seen for one in series if one is not cause for seen in one.seen()[-1:])
    found = sorted((*others, *cause.seen()), key=lambda seen: seen.at_s)
    if len(found) > PROBES_MAX:  # each member's last word before any other
        last = {seen.monitor: seen for seen in found}.values()
        more = [seen for seen in reversed(found) if seen not in last]
        found = sorted((*last, *more)[:PROBES_MAX], key=lambda seen: seen.at_s)
    return tuple(found)


class PoolHealth:
    """One pool: its specification, endpoints, effective byte, and the word that was told of it last."""

    __slots__ = ("balancers", "effective", "endpoints", "forced", "identity", "spec", "word")

    def __init__(self, spec: PoolSpec) -> None:
        self.spec = spec
        self.identity = identity(spec.name)
        self.endpoints: list[EndpointHealth] = []
        self.balancers: list[BalancerHealth] = []
        self.effective = UNKNOWN
        self.word = ""
        self.forced: Forced | None = None


class BalancerHealth:
    """One load balancer and the word for its health; empty before the first."""

    __slots__ = ("pools", "spec", "word")

    def __init__(self, spec: BalancerSpec) -> None:
        self.spec = spec
        self.pools: list[PoolHealth] = []
        self.word = ""
