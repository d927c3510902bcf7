"""Asking a view of signed zones as a responder does: what it lacks is signed, and then it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name

from lbdns.answer.answer import Road
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.dns.canonical import RRSIG_HEAD, signed_data, signed_labels
from lbdns.dnssec.unsigned import Unsigned
from tests.dnssec.in_process import NOW_S, SomeKeys, sign

CLIENT = Client(bytes((192, 0, 2, 7)), 40_000)
MONOTONIC_S = 1_000
LIFE_S = 14 * 86_400
COMPACT_OK = 0x4000
ROUNDS_MAX = 2


@dataclass
class SignedAsking:
    """One view, and the keys of its zones. `given` has everything that was signed on demand; `road` is the last one."""

    view: ServingView
    keys: dict[bytes, SomeKeys]
    given: dict[Unsigned, tuple[bytes, ...]] = field(default_factory=dict)
    road: Road = field(default_factory=Road)
    falls_back: bool = False
    signs: bool = True

    @staticmethod
    def of(view: ServingView, *several: SomeKeys) -> SignedAsking:
        """Return how a view is asked whose zones have these keys."""
        return SignedAsking(view, {one.keys.apex: one for one in several})

    def sign(self, unsigned: Unsigned) -> tuple[bytes, ...]:
        """Return the RRSIG data over something, by each key of its zone."""
        one = self.keys[unsigned.apex]
        found = []
        for signer in one.keys.zone_signers:
            head = RRSIG_HEAD.pack(
                unsigned.rtype,
                signer.algorithm,
                signed_labels(unsigned.owner),
                unsigned.ttl,
                NOW_S + LIFE_S,
                NOW_S - 3600,
                signer.tag,
            )
            head += unsigned.apex
            data = signed_data(head, unsigned.owner, unsigned.rtype, unsigned.ttl, unsigned.rdatas)
            found.append(head + sign(one.private[signer.id], data))
        return tuple(found)

    def wire(
        self,
        name: str,
        qtype: str,
        dnssec: bool = True,
        compact: bool = False,
        transport: Transport = Transport.TCP,
        draw: int = 0,
        client: Client = CLIENT,
    ) -> bytes:
        """Return the bytes of the reply, after as many rounds as a responder makes."""
        flags = (dns.flags.DO if dnssec else 0) | (COMPACT_OK if compact else 0)
        query = dns.message.make_query(dns.name.from_text(name), qtype, use_edns=0, ednsflags=flags, payload=1232, id=7)
        query.flags = dns.flags.Flag(0)
        for _ in range(ROUNDS_MAX + 1):
            self.road = Road(given=self.given, falls_back=self.falls_back)
            reply = respond(self.view, query.to_wire(), client, transport, MONOTONIC_S, draw, self.road)
            assert reply is not None
            if not self.road.lacking or not self.signs:
                return reply
            for unsigned in self.road.lacking:
                assert unsigned not in self.given
                self.given[unsigned] = self.sign(unsigned)
        raise AssertionError(f"{name} {qtype} lacks something after {ROUNDS_MAX} rounds: {self.road.lacking}")

    def ask(self, name: str, qtype: str, **said: object) -> dns.message.Message:
        """Return the reply as dnspython reads it."""
        return dns.message.from_wire(self.wire(name, qtype, **said))  # type: ignore[arg-type]
