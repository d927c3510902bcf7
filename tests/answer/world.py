"""The configuration that all tests of this directory ask: one of everything that PROTOCOL's tables speak of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

SOA = "{0}. 60 SOA ns1.{0}. hostmaster.{0}. 1 7200 900 1209600 60"
CHAIN_NAMES = 50
BIG_SERVERS = 13

# A name whose text is long enough that anything below a DNAME to it passes 255 octets.
LONG_LABELS = ".".join(letter * 60 for letter in "abc")

MAIN = f"""
$TTL 300
@ IN SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
@ NS ns2
@ MX 10 mail
@ TXT "v=spf1 -all"
ns1 A 192.0.2.53
ns1 AAAA 2001:db8::53
ns2 A 198.51.100.53
mail A 192.0.2.25
mail AAAA 2001:db8::25
static A 192.0.2.80
static TXT "at static"
multi 600 A 192.0.2.81
multi 600 A 192.0.2.82
multi 600 A 192.0.2.83
text TXT "no address here"
deep.er.ent TXT "below empty non-terminals"
wide TXT "one"
wide A 192.0.2.84
wide AAAA 2001:db8::84

; aliases
alias CNAME static
alias2 CNAME alias
outside CNAME www.example.net.
dangling CNAME nothing
blank CNAME text
to-www CNAME www
to-cut CNAME host.sub
to-apps CNAME one.apps
to-dead CNAME dead
to-ruled CNAME ruled
to-words CNAME api.words
loop1 CNAME loop2
loop2 CNAME loop1
self CNAME self

; delegations
sub NS ns1.sub
sub NS ns2.sub
sub NS ns.example.net.
sub DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ns1.sub A 203.0.113.1
ns1.sub AAAA 2001:db8:53::1
ns2.sub A 203.0.113.2
side NS ns1.sub
*.wild-cut.sub TXT "occluded"

; DNAMEs
old DNAME new
old TXT "at the DNAME's owner"
one.new A 192.0.2.91
away DNAME example.net.
steered DNAME apps
worded DNAME words
ring1 DNAME ring2
ring2 DNAME ring1
stretch DNAME {LONG_LABELS}

; types by number, types newer than the compression rule, types with names inside
raw TYPE65500 \\# 4 01020304
_sip._udp SRV 0 5 5060 static
_sip._udp SRV 1 5 5060 www
_sip._udp SRV 2 5 5060 elsewhere.example.net.
svc HTTPS 1 . alpn=h2
svc SVCB 1 static port=8443
bound SVCB 1 www
caa CAA 0 issue "ca.example.net"
ptr PTR static
exchange MX 10 mail
exchange MX 20 www
exchange MX 30 wild.under.wild

; wildcards beside those of RFC 4592
*.wild A 192.0.2.99
*.wild TXT "wild"
*.wildalias CNAME static
exact.apps TXT "hides the wildcard load balancer"
pinned.apps A 192.0.2.252

; odd labels
a\\.b.odd A 192.0.2.101
nul\\000.odd A 192.0.2.102
\\255x.odd A 192.0.2.103
a\\ b\\"c\\\\.odd A 192.0.2.104

; what load balancers hide, and what not
www A 192.0.2.250
www TXT "beside the load balancer"
hiding CNAME static
pinned A 192.0.2.251
"""

CHAIN = "\n".join(
    ["$TTL 300", "@ SOA ns1 hostmaster 1 7200 900 1209600 60", "@ NS ns1", "ns1 A 192.0.2.53"]
    + [f"hop{number} CNAME hop{number + 1}" for number in range(CHAIN_NAMES)]
    + [f"hop{CHAIN_NAMES} A 192.0.2.50"]
)

# RFC 4592 section 2.2.1, with the two rdatas that it leaves out.
RFC4592 = """
$TTL 3600
example. 3600 IN SOA ns.example.com. hostmaster.example.com. 1 7200 900 1209600 600
example. NS ns.example.com.
example. NS ns.example.net.
*.example. TXT "this is a wildcard"
*.example. MX 10 host1.example.
sub.*.example. TXT "this is not a wildcard"
host1.example. A 192.0.2.1
_ssh._tcp.host1.example. SRV 0 0 22 host1.example.
_ssh._tcp.host2.example. SRV 0 0 22 host2.example.
subdel.example. NS ns.example.com.
subdel.example. NS ns.example.net.
"""

# Sizes: what fits 512, 1232 and 64 KiB, and what does not.
BIG = "\n".join(
    ["$TTL 300", "@ SOA ns1 hostmaster 1 7200 900 1209600 60", "@ NS ns1", "ns1 A 192.0.2.53"]
    + [f"half TXT {number:02}{'h' * 100}" for number in range(6)]  # over 512, under 1232
    + [f"full TXT {number:02}{'f' * 200}" for number in range(10)]  # over 1232
    + [f"vast TXT {number:02} {' '.join(['v' * 250] * 3)}" for number in range(100)]  # over 64 KiB
    + [f"cut NS ns{number}.cut" for number in range(BIG_SERVERS)]
    + [f"ns{number}.cut A 203.0.113.{number}" for number in range(BIG_SERVERS)]
    + [f"ns{number}.cut AAAA 2001:db8:b::f{number}" for number in range(BIG_SERVERS)]
    + [f"many MX {number} mx{number}.hosts" for number in range(10)]
    + [f"mx{number}.hosts A 203.0.113.{100 + number}" for number in range(10)]
    + [f"mx{number}.hosts AAAA 2001:db8:c::f{number}" for number in range(10)]
    # Names first met beyond what a compression pointer reaches.
    + [f"far TXT {number:02} {' '.join(['x' * 250] * 3)}" for number in range(30)]
    + [f"far MX {number} mx{number}.far-hosts" for number in range(10)]
    + [f"mx{number}.far-hosts A 203.0.113.{200 + number}" for number in range(10)]
)

PARENT = """
$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
child NS ns1.child
child DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ns1.child A 192.0.2.54
into CNAME www.child
"""
CHILD = """
$TTL 300
@ 30 SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.54
www A 192.0.2.55
"""
APEX = """
$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
@ TXT "beside the apex load balancer"
ns1 A 192.0.2.53
"""

# Where clients are: networks that are unlike their neighbours, so that the scope is their own length.
PLACES = {"192.0.2.0/24": "NL", "203.0.113.0/25": "JP", "2001:db8:1::/48": "JP", "198.51.100.64/26": "BR"}


def write_geodata(path: Path) -> Path:
    """Write PLACES as a file in MaxMind's schema."""
    writer = MMDBWriter(6, "Toy-City", ipv4_compatible=True, languages=["en"], description="a toy")
    for network, country in PLACES.items():
        writer.insert_network(IPSet([network]), {"country": {"iso_code": country}})
    writer.to_db_file(str(path))
    return path


def _pool(*addresses: str, **fields: Any) -> dict[str, Any]:
    origins = [{"name": f"e{index}", "address": address} for index, address in enumerate(addresses)]
    return {"origins": origins, **fields}


POOLS: dict[str, Any] = {
    "one": _pool("198.51.100.1"),
    "two": _pool("198.51.100.21", "198.51.100.22", "2001:db8:2::21"),
    "eu": _pool("198.51.100.31", "2001:db8:3::31"),
    "asia": _pool("198.51.100.41", "2001:db8:4::41"),
    "off": _pool("198.51.100.51", enabled=False),
    "weighted": {
        "origins": [
            {"name": "heavy", "address": "198.51.100.61", "weight": 0.9},
            {"name": "light", "address": "198.51.100.62", "weight": 0.1},
        ]
    },
    "alias": {"origins": [{"name": "cdn", "address": "cdn.example.net", "flatten_cname": False}]},
    "mixed-alias": {
        "origins": [
            {"name": "cdn", "address": "cdn.example.net", "flatten_cname": False, "weight": 0.9},
            {"name": "own", "address": "198.51.100.71", "weight": 0.1},
        ]
    },
    "lost": _pool("lost.example.net", "lost.example.org"),
    "inner-alias": {"origins": [{"name": "static", "address": "static.example.com", "flatten_cname": False}]},
    "mx": {
        "origins": [
            {"name": "m1", "address": "mail.example.com", "priority": 10},
            {"name": "m2", "address": "mx.example.net", "priority": 20},
        ]
    },
    "srv": {
        "origins": [
            {"name": "s1", "address": "static.example.com", "port": 443, "priority": 1, "weight": 0.5},
            {"name": "s2", "address": "elsewhere.example.net", "port": 8443, "priority": 1, "weight": 0.5},
        ]
    },
    "crowd": _pool(*(f"198.51.100.{100 + number}" for number in range(100))),
    "some": _pool(*(f"198.51.100.{100 + number}" for number in range(100)), max_answers=40),
    "some-mx": _pool(*(f"mail{number}.example.com" for number in range(9)), max_answers=2),
}


def _balancer(name: str, *pools: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "default_pools": list(pools), "fallback_pool": pools[-1], "ttl": 20, **fields}


def _rule(condition: str, *pools: str, **fields: Any) -> dict[str, Any]:
    return {"condition": condition, **({"overrides": {"pools": list(pools)}} if pools else {}), **fields}


# Every test of texts (TEST_*) under some wildcard: a load balancer has MAX_TESTS of them at most.
TEXTS_ASKED = {
    "words": (
        'dns.qry.name contains "api"',
        'starts_with(upper(dns.qry.name), "W")',
        'ends_with(substring(dns.qry.name, 0, -21), "b.")',
        'dns.qry.name wildcard "*A*B.WORDS*"',
        'dns.qry.name in {"a.words.example.com." "b.words.example.com." ""}',
        'dns.rr.opt.client.addr contains "0.2"',
        r'dns.qry.name strict wildcard "\\*.*"',
    ),
    "orders": (
        'substring(dns.qry.name, 1, 3) eq "ww"',
        'dns.qry.name lt "b"',
        'dns.qry.name le "c.orders.example.com."',
        'dns.rr.opt.client.addr gt "192.0.2"',
        'dns.rr.opt.client.addr ge "2"',
        "len(dns.rr.opt.client.addr) in {9 11..12 -1}",
    ),
    "lengths": (
        "dns.qry.name.len eq 22",
        "dns.qry.name.len lt 23",
        "dns.qry.name.len le 24",
        "dns.qry.name.len gt 60",
        "dns.qry.name.len ge 200",
        "dns.qry.name.len & 1",
        "len(substring(dns.qry.name, -300, 300)) in {-5..21 30..9223372036854775807}",
    ),
    "python": (r'dns.qry.name matches "^[a-z]+[0-9]+[.]"', 'to_string(ip.src) contains "2."'),
}
STICKY = {"ttl": 7, "session_affinity": "ip_cookie"}
RULED_POOLS = ("two", "eu", "asia", "weighted", "mixed-alias", "off", "crowd")
RULED = [
    *(
        _balancer(
            f"*.{label}.example.com",
            "one",
            rules=[_rule(condition, pool) for condition, pool in zip(conditions, RULED_POOLS, strict=False)],
        )
        for label, conditions in TEXTS_ASKED.items()
    ),
    _balancer(
        "ruled.example.com",
        "two",
        rules=[
            _rule("ip.src in {192.0.2.0/25 2001:db8::/33}", "eu", terminates=True),
            _rule("ip.src in {198.51.100.0/24}", fixed_response={}),
            _rule('ip.src.country eq "JP" and dns.qry.type eq 28', overrides=STICKY),
            _rule("not dns.rr.opt.client and cidr(ip.src, 1, 1) ge 128.0.0.0", "alias"),
            _rule('starts_with(dns.rr.opt.client.addr, "203.0.")', "lost", "off"),
        ],
    ),
    _balancer(
        "sets.example.com",
        "one",
        rules=[_rule("ip.src in {128.0.0.0/1}", overrides={"location_strategy": {"prefer_ecs": "always"}})],
        pool_sets=[
            {"name": "nl", "match": {"topology": {"countries": ["NL"]}}, "overrides": {"pools": ["eu"]}},
            {"name": "jp", "match": {"topology": {"countries": ["JP"]}}, "fixed_response": {}},
            {"name": "rest", "overrides": {"pools": ["weighted", "two"], "steering_policy": "random"}},
        ],
    ),
    _balancer(
        "ruled.example.com",
        "mx",
        type="MX",
        rules=[_rule("ip.src in {192.0.2.0/25}", "some-mx"), _rule("ip.src in {::/1}", fixed_response={})],
    ),
    _balancer("_ruled._tcp.example.com", "srv", type="SRV", rules=[_rule("dns.rr.opt.client", fixed_response={})]),
]

BALANCERS = [
    _balancer("www.example.com", "one"),
    _balancer("both.example.com", "two"),
    _balancer("hiding.example.com", "one"),
    _balancer("pinned.example.com", "one", enabled=False),
    _balancer("dead.example.com", "off"),
    _balancer("passing.example.com", "off", "one"),
    _balancer("weighted.example.com", "weighted"),
    _balancer("crowd.example.com", "crowd"),
    _balancer("some.example.com", "some"),
    _balancer("some.example.com", "some-mx", type="MX"),
    _balancer("cdn.example.com", "alias"),
    _balancer("inner.example.com", "inner-alias"),
    _balancer("mixed.example.com", "mixed-alias"),
    _balancer("*.cdns.example.com", "alias"),
    _balancer("parked.example.com", "off", ttl=86400),
    _balancer("lost.example.com", "lost", "one"),
    _balancer("all-lost.example.com", "lost"),
    _balancer("*.apps.example.com", "one"),
    _balancer("mail.example.org", "mx", type="MX"),
    _balancer("_https._tcp.example.com", "srv", type="SRV"),
    _balancer("post.example.com", "mx", type="MX"),
    _balancer("post.example.com", "one"),
    _balancer("apex.test", "two"),
    _balancer(
        "geo.example.com",
        "one",
        steering_policy="geo",
        country_pools={"NL": ["eu"], "JP": ["asia"], "BR": ["weighted"]},
        location_strategy={"mode": "resolver_ip", "prefer_ecs": "always"},
    ),
    _balancer(
        "sticky.example.com",
        "two",
        session_affinity="ip_cookie",
        location_strategy={"mode": "resolver_ip", "prefer_ecs": "always"},
    ),
    *RULED,
]

ZONES = {
    "example.com": MAIN,
    "example.org": APEX,
    "chain.test": CHAIN,
    "example": RFC4592,
    "big.test": BIG,
    "parent.test": PARENT,
    "child.parent.test": CHILD,
    "apex.test": APEX,
}


def configuration(geodata: Path) -> Mapping[str, Any]:
    """Return the configuration as a dict, for `config.parse` and for `lbdns_server`."""
    return {
        "settings": {
            "pop": {"code": "IAD"},
            "workers": 1,
            "geodata": {"city": str(geodata)},
            "resolvers": ["127.0.0.1:9"],
        },
        "zones": ZONES,
        "pools": POOLS,
        "load_balancers": BALANCERS,
    }
