"""What the validators are asked about: the same records and load balancers in a zone for each way to deny (NSEC, NSEC3,
compactly), an unsigned zone beside them, and twenty endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.answer.world import write_geodata

CHAINED, HASHED, COMPACT = SIGNED = ("signed.example", "hashed.example", "compact.example")
"""Apexes of the zones that deny by NSEC, by NSEC3, and compactly."""
DENIALS = ("nsec", "nsec3", "compact")
OPEN = "open.example"
SECURE_CUT, INSECURE_CUT = "safe", "plain"
STEERED_WILDCARDS = frozenset({"apps", "geo-apps", "ruled-apps", "cdns"})
TTL_S = 1
RULED_TTL_S = 2
ENDPOINTS = 20

STATIC = """
$TTL 300
@ IN SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
@ MX 10 mail
@ TXT "v=spf1 -all"
@ CAA 0 issue "ca.example.net"
ns1 A {server}
mail A 192.0.2.25
mail AAAA 2001:db8::25
static A 192.0.2.80
static TXT "at static"
multi A 192.0.2.81
multi A 192.0.2.82
multi A 192.0.2.83
text TXT "no address here"
deep.er.ent TXT "below empty non-terminals"
raw TYPE65500 \\# 4 01020304
_sip._udp SRV 0 5 5060 static
_443._tcp.static TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
svc HTTPS 1 . alpn=h2
svc SVCB 1 static port=8443
ptr PTR static
loc MX 10 mail
a\\.b.odd A 192.0.2.101
nul\\000.odd A 192.0.2.102
\\255x.odd A 192.0.2.103

alias CNAME static
alias2 CNAME alias
dangling CNAME nothing
blank CNAME text
to-www CNAME www
to-apps CNAME one.apps
to-open CNAME www.open.example.
to-open-wild CNAME one.apps.open.example.
to-gone CNAME nothing.open.example.
to-cut CNAME host.plain
to-safe CNAME host.safe

*.wild A 192.0.2.99
*.wild TXT "wild"
sub.here.wild TXT "hides the wildcard at here.wild"
*.wildalias CNAME www
*.cdn CNAME www.open.example.

old DNAME new
one.new A 192.0.2.91
steered DNAME apps
away DNAME open.example.

exact.apps TXT "hides the wildcard load balancer"
*.apps TXT "at the wildcard load balancer's own name"
below.cut.apps A 192.0.2.92
www TXT "beside the load balancer"
www CAA 0 issue "ca.example.net"
hiding CNAME static

plain NS ns.plain
ns.plain A {below}
safe NS ns.safe
ns.safe A {below}
{safe_ds}
"""

OPEN_TEXT = """
$TTL 300
@ IN SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
ns1 A {server}
static A 192.0.2.80
one.static A 192.0.2.79
"""

BELOW_TEXT = """
@ SOA ns hostmaster 1 7200 900 1209600 60
@ NS ns
ns A {below}
@ TXT "an apex below a cut"
host A 192.0.2.120
host AAAA 2001:db8::120
a.b TXT "deep"
"""

_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "one": ("198.51.100.1", "198.51.100.2"),
    "two": ("198.51.100.21", "198.51.100.22", "2001:db8:2::21"),
    "three": ("198.51.100.31", "2001:db8:3::31", "2001:db8:3::32"),
    "eu": ("198.51.100.41", "2001:db8:4::41"),
    "asia": ("198.51.100.51", "2001:db8:5::51"),
    "last": ("198.51.100.61",),
}


def _pools() -> dict[str, Any]:
    pools: dict[str, Any] = {
        name: {"origins": [{"name": f"e{index}", "address": address} for index, address in enumerate(addresses)]}
        for name, addresses in _FAMILIES.items()
    }
    pools["three"]["max_answers"] = 1
    pools["weighted"] = {
        "origins": [
            {"name": "heavy", "address": "198.51.100.71", "weight": 0.6},
            {"name": "middle", "address": "198.51.100.72", "weight": 0.2},
            {"name": "light", "address": "198.51.100.73", "weight": 0.2},
        ]
    }
    pools["alias"] = {"origins": [{"name": "cdn", "address": "static.open.example", "flatten_cname": False}]}
    pools["mx"] = {
        "origins": [
            {"name": "m1", "address": "mail.signed.example", "priority": 10},
            {"name": "m2", "address": "mx.example.net", "priority": 20},
        ]
    }
    pools["srv"] = {"origins": [{"name": "s1", "address": "static.signed.example", "port": 443, "priority": 1}]}
    assert sum(len(pool["origins"]) for pool in pools.values()) == ENDPOINTS
    return pools


def _balancer(name: str, *pools: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "default_pools": list(pools), "fallback_pool": pools[-1], "ttl": TTL_S, **fields}


def _rule(condition: str, *pools: str, **fields: Any) -> dict[str, Any]:
    return {"condition": condition, **({"overrides": {"pools": list(pools)}} if pools else {}), **fields}


_BY_NETWORK = [
    _rule("ip.src in {192.0.2.0/24 2001:db8::/33}", "eu", terminates=True),
    _rule("ip.src in {198.51.100.0/24}", fixed_response={}),
    _rule("dns.qry.type eq 28 and ip.src in {203.0.113.0/25}", overrides={"ttl": RULED_TTL_S, "pools": ["asia"]}),
    _rule('dns.qry.name contains "api"', overrides={"ttl": RULED_TTL_S, "pools": ["weighted"]}),
]
_BY_PLACE = {
    "steering_policy": "geo",
    "country_pools": {"NL": ["eu"], "JP": ["asia", "one"], "BR": ["last"]},
    "location_strategy": {"mode": "resolver_ip", "prefer_ecs": "always"},
}


def _balancers(apex: str) -> list[dict[str, Any]]:
    return [
        _balancer(f"www.{apex}", "one", "two"),
        _balancer(f"both.{apex}", "two", "three"),
        _balancer(f"four.{apex}", "last"),
        _balancer(f"hiding.{apex}", "eu", "last"),
        _balancer(f"weighted.{apex}", "weighted", "one"),
        _balancer(f"random.{apex}", "one", "eu", "last", steering_policy="random"),
        _balancer(f"geo.{apex}", "two", "one", **_BY_PLACE),
        _balancer(f"sticky.{apex}", "two", session_affinity="ip_cookie", location_strategy={"prefer_ecs": "always"}),
        _balancer(f"ruled.{apex}", "two", "last", rules=_BY_NETWORK),
        _balancer(f"cdn.{apex}", "alias"),
        _balancer(f"failing-alias.{apex}", "one", "alias"),
        _balancer(f"*.apps.{apex}", "one", "two"),
        _balancer(f"*.geo-apps.{apex}", "two", "one", **_BY_PLACE),
        _balancer(f"*.ruled-apps.{apex}", "three", "last", rules=_BY_NETWORK),
        _balancer(f"*.cdns.{apex}", "alias", "one"),
        _balancer(f"post.{apex}", "mx", type="MX"),
        _balancer(f"post.{apex}", "one"),
        _balancer(f"_https._tcp.{apex}", "srv", type="SRV"),
        _balancer(apex, "two", "one"),
    ]


def tree(folder: Any, server: str, below: str, safe_ds: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the configuration, unsigned: `server` is its address, `below` that of the zones below its cuts, `safe_ds`
    the DS of the signed one of these by the zone above it; `folder` gets a toy database of places."""
    zones = {
        apex: STATIC.format(
            server=server,
            below=below,
            safe_ds=f"{SECURE_CUT} DS {safe_ds[apex]}" if safe_ds and apex in safe_ds else "",
        )
        for apex in SIGNED
    }
    zones[OPEN] = OPEN_TEXT.format(server=server)
    balancers = [one for apex in SIGNED for one in _balancers(apex)]
    balancers += [_balancer(f"www.{OPEN}", "one", "two"), _balancer(f"*.apps.{OPEN}", "two", "last")]
    return {
        "settings": {
            "listen": [f"{server}:53"],
            "pop": {"code": "IAD"},
            "workers": 1,
            "geodata": {"city": str(write_geodata(folder / "toy.mmdb"))},
            "resolvers": ["127.0.0.1:9"],
        },
        "zones": zones,
        "pools": _pools(),
        "load_balancers": balancers,
    }
