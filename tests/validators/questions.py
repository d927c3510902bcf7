"""Random questions to the world of signed zones, by a seed."""

from __future__ import annotations

import random
import string
from collections.abc import Collection
from typing import NamedTuple

from tests.validators.signed_world import OPEN, SIGNED

TYPES = (
    *("A",) * 12,
    *("AAAA",) * 8,
    *("MX", "TXT", "NS", "SOA", "CNAME", "DS", "SRV", "CAA", "HTTPS", "SVCB", "PTR", "TLSA", "DNAME", "TYPE65500") * 2,
    *("DNSKEY", "CDS", "CDNSKEY", "NSEC", "NSEC3PARAM", "RRSIG", "ANY", "SPF", "NAPTR", "LOC", "TYPE65280"),
)
UNCOMPARED = frozenset({"DNSKEY", "CDS", "CDNSKEY", "NSEC", "NSEC3PARAM", "RRSIG", "ANY"})
"""Types that only a signed zone has, or of which a resolver gives what it happens to hold."""

NETWORKS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8:1::/56", "2001:db8:8000::/56")
"""Clients' networks, as long as resolvers tell them, so that they tell no less than was asked."""
PLACES = (
    "", "ns1", "mail", "static", "multi", "text", "deep.er.ent", "er.ent", "ent", "raw", "_sip._udp", "_udp",
    "_443._tcp.static", "_tcp.static", "svc", "ptr", "loc", "a\\.b.odd", "nul\\000.odd", "\\255x.odd", "odd",
    "alias", "alias2", "dangling", "blank", "to-www", "to-apps", "to-open", "to-open-wild", "to-gone", "to-cut",
    "to-safe", "*.wild", "wild", "sub.here.wild", "here.wild", "*.wildalias", "wildalias", "*.cdn", "old", "one.old",
    "no.old", "steered", "away", "static.away", "new", "exact.apps", "*.apps", "apps", "cut.apps", "below.cut.apps",
    "www", "hiding", "plain", "ns.plain", "safe", "ns.safe", "host.plain", "host.safe", "a.b.safe", "b.safe",
    "no.plain", "no.safe", "both", "four", "weighted", "random", "geo", "sticky", "ruled", "cdn", "failing-alias",
    "*.geo-apps", "*.ruled-apps", "*.cdns", "post", "_https._tcp", "_tcp",
)  # fmt: skip
STEERED = (
    "www", "both", "four", "hiding", "weighted", "random", "geo", "sticky", "ruled", "cdn", "failing-alias", "post", "",
    "to-www", "to-apps", "to-open",
)  # fmt: skip
ABOVE_RANDOM = (
    "apps", "geo-apps", "ruled-apps", "cdns", "wild", "wildalias", "cdn", "steered", "cut.apps", "exact.apps", "www",
    "static", "ent", "", "safe", "plain", "away", "old", "here.wild", "post",
)  # fmt: skip
WILDCARDS = frozenset({"wild", "wildalias", "cdn"})
"""Below them nothing that begins with `*` is asked: unbound reckons the signature of that over the wrong name."""
REDIRECTED = (".old", ".steered", ".away")
TYPES_OF_NAMES = frozenset({"CNAME", "DNAME", "DS", "ANY"})
"""What is not asked of a CNAME that a DNAME makes: it has no signature, and unbound and PowerDNS want one then."""
WILD = ("apps", "geo-apps", "ruled-apps", "cdns", "steered")
FRESH_LETTERS = 8  # of a random label that nobody has drawn before


class Question(NamedTuple):
    """What a client asks: a name with its last dot, a type, its network ("" where it names none), DO, CO."""

    name: str
    rtype: str
    network: str
    do: bool
    co: bool
    is_fresh: bool
    """Whether nobody has asked that name before."""


class Questions:
    """Questions without end, the same for a seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def next(self, but: Collection[str] = ()) -> Question:
        """Return another question, of a type that is not among some."""
        chance = self._chance
        apex = chance.choice((*SIGNED, *SIGNED, *SIGNED, OPEN))
        rtype = chance.choice(TYPES)
        dice = chance.random()
        is_fresh = False
        if dice < 0.35:
            relative = chance.choice(STEERED)
        elif dice < 0.6:
            relative = chance.choice(PLACES)
        elif dice < 0.8:
            label = self._label()
            relative, is_fresh = f"{label}.{chance.choice(WILD)}", len(label) >= FRESH_LETTERS
        else:
            labels = [self._label() for _ in range(chance.choice((1, 1, 1, 2, 3)))]
            above = chance.choice(ABOVE_RANDOM)
            if labels[0] == "*" and above in WILDCARDS:
                labels[0] = "b"
            relative = ".".join([*labels, above]).rstrip(".")
            is_fresh = len(labels[0]) >= FRESH_LETTERS
        is_made = relative.endswith(REDIRECTED)
        while rtype in but or (is_made and rtype in TYPES_OF_NAMES):
            rtype = chance.choice(TYPES)
        name = f"{relative}.{apex}." if relative else f"{apex}."
        if chance.random() < 0.2:
            name = "".join(chance.choice((letter.lower(), letter.upper())) for letter in name)
        network = chance.choice(NETWORKS) if chance.random() < 0.35 else ""
        return Question(name, rtype, network, chance.random() < 0.6, chance.random() < 0.1, is_fresh)

    def _label(self) -> str:
        chance = self._chance
        if chance.random() < 0.1:
            return chance.choice(("api", "xapi7", "*", "*", "a*"))
        return "".join(chance.choice(string.ascii_lowercase + string.digits) for _ in range(chance.randrange(3, 12)))
