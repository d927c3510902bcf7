"""Random zones with everything that a chain of denials has to get right, and load balancers in them."""

from __future__ import annotations

import random
from typing import Final

from lbdns.dns.codes import (
    TYPE_A,
    TYPE_AAAA,
    TYPE_CNAME,
    TYPE_DNAME,
    TYPE_DS,
    TYPE_MX,
    TYPE_NS,
    TYPE_SOA,
    TYPE_SRV,
    TYPE_TXT,
)
from lbdns.dns.name import encode_canonical, is_at_or_below
from lbdns.dns.zone import RRset, Zone
from lbdns.snapshot.compile.signed_zones import BalancerStanding

APEX: Final = encode_canonical("example.com")
MINIMUM_S: Final = 300
SOA: Final = RRset(
    APEX,
    TYPE_SOA,
    3600,
    (
        encode_canonical("ns.example.com")
        + encode_canonical("a.Example.com").title()
        + bytes(16)
        + MINIMUM_S.to_bytes(4, "big"),
    ),
)
_LABELS: Final = (
    "a",
    "b",
    "www",
    "*",
    "x-1",
    "zz",
    "\\000",
    "\\001",
    "\\001\\002",
    "a\\000",
    "a\\.b",
    "Z9".lower(),
    "0",
)
_DATA: Final = {
    TYPE_A: bytes((192, 0, 2, 1)),
    TYPE_AAAA: bytes(15) + b"\1",
    TYPE_TXT: b"\4Text",
    TYPE_MX: b"\0\1" + encode_canonical("Mail.Example.com"),
    TYPE_SRV: bytes(6) + encode_canonical("Host.Example.com"),
    TYPE_NS: encode_canonical("ns.example.net"),
    TYPE_DS: bytes((1, 2, 13, 2)) + bytes(32),
    TYPE_CNAME: encode_canonical("target.example.net"),
    TYPE_DNAME: encode_canonical("Below.example.net"),
    257: b"\0\5issueca.example",
    65280: b"\0\1\2",
}


def _data(draw: random.Random, rtype: int) -> tuple[bytes, ...]:
    base = _DATA[rtype]
    if rtype in (TYPE_A, TYPE_AAAA):
        return tuple(base[:-1] + bytes((draw.randrange(256),)) for _ in range(draw.randint(1, 3)))
    return (base,)


def random_name(draw: random.Random) -> bytes:
    """Return a name below the apex."""
    labels = draw.choices(_LABELS, k=draw.randint(1, 4))
    return encode_canonical(".".join((*labels, "example.com.")))


def random_zone(draw: random.Random, name_count: int = 25) -> tuple[Zone, list[BalancerStanding]]:
    """Return a zone, and load balancers that stand in it."""
    rrsets = [SOA, RRset(APEX, TYPE_NS, 300, (encode_canonical("ns.example.net"),))]
    redirects: list[bytes] = []
    names = list(dict.fromkeys(random_name(draw) for _ in range(name_count)))
    for name in names:
        if any(is_at_or_below(name, one) for one in redirects) or any(
            is_at_or_below(one.owner, name) for one in rrsets
        ):
            kinds = ["data"]
        else:
            kinds = ["data", "data", "data", "cut", "cut", "cname", "dname"]
        if any(is_at_or_below(name, one) for one in redirects):
            continue
        kind = draw.choice(kinds)
        if kind == "dname":
            redirects.append(name)
        types = {
            "data": draw.sample((TYPE_A, TYPE_AAAA, TYPE_TXT, TYPE_MX, TYPE_SRV, 257, 65280), draw.randint(1, 4)),
            "cut": draw.sample((TYPE_NS, TYPE_DS, TYPE_A), draw.randint(1, 3)),
            "cname": [TYPE_CNAME],
            "dname": [TYPE_DNAME, TYPE_TXT],
        }[kind]
        if kind == "cut" and TYPE_NS not in types:
            types.append(TYPE_NS)
        rrsets += [RRset(name, rtype, draw.choice((60, 300)), _data(draw, rtype)) for rtype in types]
    draw.shuffle(rrsets)
    cuts = [one.owner for one in rrsets if one.type == TYPE_NS and one.owner != APEX]
    free = [
        name
        for name in (*names, APEX, *(random_name(draw) for _ in range(5)))
        if not any(is_at_or_below(name, one) for one in (*cuts, *redirects))
    ]
    standing = [
        BalancerStanding(
            name,
            kind,
            {"A": draw.choice(((TYPE_A,), (TYPE_A, TYPE_AAAA), ())), "MX": (TYPE_MX,), "SRV": (TYPE_SRV,)}[kind],
            30,
        )
        for name in dict.fromkeys(draw.sample(free, min(6, len(free))))
        for kind in draw.sample(("A", "MX", "SRV"), draw.randint(1, 2))
    ]
    return Zone(APEX, tuple(rrsets), "example.com.zone"), standing
