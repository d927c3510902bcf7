"""One query, as it was recorded or is supposed, and what it comes to in a view: by the responder's own road."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lbdns.answer.answer import Road, answer, answer_client
from lbdns.answer.match import MatchKind
from lbdns.answer.reply import Answer, Client, Transport
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import make_query
from lbdns.base.words import BALANCER_TYPES
from lbdns.dns.codes import RCODE_NAMES
from lbdns.dns.options.client_subnet import ClientSubnet
from lbdns.dns.rdata.record_types import type_text
from lbdns.places.place import Address, Network
from lbdns.publish.replay.lots import NO_RECORDS, Lots, Shares
from lbdns.snapshot.lookup.look_up import directory_of
from lbdns.steering.kernel.numbers import FAMILY_NAMED
from lbdns.steering.kernel.view import Query

PORT: Final = 53
"""A client's; no answer hangs on it."""
RECORDS: Final = "records"
"""In place of a pool: a zone's records answer."""
REFERRAL: Final = "referral"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A query to ask of configurations.

    `name`: lower-case wire form; `resolver`: who asks, `ecs`: for whom, None where it does not say; `views`: the number
    of the view that it is in, in either configuration, None where the addresses say it; `weight`: how many queries it
    stands for; `at_s`: when it was asked (unix seconds); `country`: of the client, "" where it is not known.
    """

    name: bytes
    qtype: int
    resolver: Address
    ecs: Network | None = None
    views: tuple[int | None, int | None] = (None, None)
    weight: float = 1.0
    at_s: float = 0.0
    country: str = ""

    @property
    def client(self) -> Address | Network:
        """Who is moved: the network that it is asked for, else the resolver."""
        return self.resolver if self.ecs is None or not self.ecs.prefixlen else self.ecs


@dataclass(frozen=True, slots=True)
class CameTo:
    """What a query comes to: RCODE in words, the load balancer that answers (its label and type, None where none does),
    the shares of pools and endpoints, the ECS scope, and for how long the answer may be kept (seconds)."""

    rcode: str
    balancer: tuple[str, str] | None
    shares: Shares
    scope: int
    ttl_s: int


class Replay:
    """Asks one view, at one moment of CLOCK_MONOTONIC; `number` says which of two configurations it is: 0 or 1."""

    def __init__(self, view: ServingView, number: int, now_s: int) -> None:
        """Ask a view; what draws come to is kept from query to query."""
        self._view, self._number, self._now_s = view, number, now_s
        self._lots = Lots(view)
        self._words: dict[str, Shares] = {}

    def come_to(self, asked: Replayed) -> CameTo:
        """Return what a query comes to."""
        query = make_query(Client(asked.resolver.packed, PORT), subnet_of(asked.ecs), self._now_s, 0)
        query.draw_fixed = True
        road = Road()
        reply = self._answer(asked, query, road)
        scope = reply.scope if asked.ecs is not None and asked.ecs.prefixlen else 0
        rcode = RCODE_NAMES[reply.rcode]
        if road.decision is None:
            return CameTo(rcode, None, self._of_word(_word(reply, road, rcode)), scope, _ttl_s(reply))
        shares = self._lots.shares_of(query, road.decision)
        kind = type_text(asked.qtype) if road.matches[-1].family == FAMILY_NAMED else BALANCER_TYPES[0]
        balancer = self._view.text("lb_text", road.decision.base), kind
        return CameTo(rcode, balancer, shares, scope, _ttl_s(reply))

    def _answer(self, asked: Replayed, query: Query, road: Road) -> Answer:
        number = asked.views[self._number]
        if number is None:
            return answer_client(self._view, 0, asked.name, asked.name, asked.qtype, query, Transport.TCP, road)
        road.view = number
        directory = directory_of(number)
        return answer(self._view, directory, asked.name, asked.name, asked.qtype, query, Transport.TCP, road)

    def _of_word(self, word: str) -> Shares:
        found = self._words.get(word)
        if found is None:
            found = self._words[word] = Shares({word: 1.0}, {})
        return found


def _word(reply: Answer, road: Road, rcode: str) -> str:
    """Return what answers where no load balancer does."""
    if rcode != "NOERROR":
        return rcode
    if reply.answer:
        return RECORDS
    is_referral = bool(road.matches) and road.matches[-1].kind is MatchKind.REFERRAL
    return REFERRAL if is_referral else NO_RECORDS


def _ttl_s(reply: Answer) -> int:
    """Return for how long a resolver keeps an answer: its records, else that there are none."""
    return min((one.ttl for one in reply.answer or reply.authority), default=0)


def subnet_of(ecs: Network | None) -> ClientSubnet | None:
    """Return the option by which a query tells a network, None where it tells none."""
    if ecs is None:
        return None
    octets = ecs.network_address.packed[: (ecs.prefixlen + 7) // 8]
    return ClientSubnet(1 if ecs.version == 4 else 2, ecs.prefixlen, octets)
