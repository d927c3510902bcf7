"""Series of a machine in a fleet: each is a voice (fleet/observing/judging.py), its own and those of others alike."""

from __future__ import annotations

from lbdns.fleet.observing.judging import Speaker
from lbdns.fleet.observing.observation import Observation, target_key
from lbdns.fleet.observing.sharing_out import place_hash, rank
from lbdns.health.reasons import Reason
from lbdns.health.verdict import HEALTHY
from lbdns.model.targets_document import EndpointSpec, Vantage
from lbdns.monitor.ledger.states import EndpointHealth, Series, Taker
from lbdns.monitor.probes.result import Result
from lbdns.monitor.targets import Member


class FleetSeries(Series):
    """A series that is a voice; `key` names it in the whole fleet, `speaker` is its vantage point.

    It is quiet until its first result: what it begins with is the endpoint's state, and nothing that was seen.
    """

    __slots__ = ("key", "quiet_s", "rank", "speaker", "turned_s")

    def __init__(
        self,
        taker: Taker,
        endpoint: EndpointHealth,
        member: Member,
        address: str,
        vantage: Vantage,
        speaker: Speaker,
        now_s: float,
    ) -> None:
        super().__init__(taker, endpoint, member, address, vantage)
        self.speaker = speaker
        self.key = key_of(endpoint.spec, member, address)
        self.rank = rank(check_hash(member, endpoint.spec), place_hash(vantage.name))
        self.turned_s = 0.0
        self.quiet_s: float | None = now_s

    def rekey(self) -> bytes | None:
        """Go on under the endpoint's present name; return the former key where that changed, else None."""
        former, self.key = self.key, key_of(self.endpoint.spec, self.member, self.address)
        if former != self.key:
            self.rank = rank(check_hash(self.member, self.endpoint.spec), place_hash(self.vantage.name))
        return former if former != self.key else None

    def observation(self) -> Observation:
        """Return what others are told of it."""
        shown = self.shown if self.shown is not None else self.last
        return Observation(self.state, int(shown.reason), shown.code, self.rtt_us, self.streak, self.at_s)


def key_of(spec: EndpointSpec, member: Member, address: str) -> bytes:
    """Return what names the probes of an endpoint's address by a monitor in the whole fleet."""
    return target_key(spec.pool, spec.name, _place(spec), spec.network, member.name, address)


def check_hash(member: Member, spec: EndpointSpec) -> int:
    """Return what probes are shared out by: pools with the same monitor and endpoint share them."""
    return place_hash("\0".join((member.name, _place(spec), spec.network)))


def _place(spec: EndpointSpec) -> str:
    return f"{spec.address} {spec.port}"


def result_of(seen: Observation) -> Result:
    """Return the result that another machine's observation says why by; a reason of a newer release is some other."""
    reason = Reason(seen.reason) if seen.reason in Reason.__members__.values() else Reason.OTHER
    return Result(seen.state == HEALTHY, reason, seen.code, seen.rtt_us)
