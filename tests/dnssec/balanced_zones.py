"""Random configurations of one zone to be signed, and random questions about it; everything follows from a seed."""

from __future__ import annotations

from random import Random
from typing import Any, Final

ZONE: Final = "example.com"
LABELS: Final = ("a", "b", "c", "*")
DEPTH_MAX: Final = 3
NAMES: Final = 14
HEAD: Final = (
    "$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\nns1 AAAA 2001:db8::53\n"
)
DS: Final = "DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
OUTSIDE: Final = "www.example.net."
TYPES: Final = (
    *("A", "AAAA", "TXT", "MX", "CNAME", "NS", "DS", "SRV", "SOA", "DNAME", "HTTPS"),
    *("DNSKEY", "NSEC", "NSEC3", "NSEC3PARAM", "RRSIG", "ANY", "CDS"),
)
MADE_TYPES: Final = ("DNSKEY", "NSEC", "NSEC3", "NSEC3PARAM", "RRSIG", "CDS")
"""What signing makes."""
PLAIN: Final = ("host", "text", "mail", "both", "alias", "cut", "secure cut", "dname")
BALANCED: Final = ("v4", "v6", "dual", "cname", "lost", "weighted", "off", "ruled")


def _pool(*addresses: str, **fields: Any) -> dict[str, Any]:
    return {"origins": [{"name": f"e{at}", "address": one} for at, one in enumerate(addresses)], **fields}


POOLS: Final[dict[str, Any]] = {
    "v4": _pool("198.51.100.1"),
    "v6": _pool("2001:db8:1::1"),
    "dual": _pool("198.51.100.2", "198.51.100.3", "2001:db8:1::2"),
    "cname": {"origins": [{"name": "cdn", "address": "cdn.example.net", "flatten_cname": False}]},
    "lost": _pool("lost.example.net"),
    "weighted": {
        "origins": [
            {"name": "heavy", "address": "198.51.100.4", "weight": 0.9},
            {"name": "light", "address": "198.51.100.5", "weight": 0.1},
            {"name": "six", "address": "2001:db8:1::5"},
        ]
    },
    "off": _pool("198.51.100.6", enabled=False),
    "mx": {"origins": [{"name": "m", "address": "ns1.example.com", "priority": 10}]},
}


def _name(chance: Random) -> str:
    return ".".join(chance.choice(LABELS) for _ in range(chance.randint(1, DEPTH_MAX)))


def random_tree(seed: int) -> dict[str, Any]:
    """Return a configuration with a zone of everything, and load balancers in it."""
    chance = Random(seed)
    names = list(dict.fromkeys(_name(chance) for _ in range(NAMES)))
    closed: set[str] = set()  # cuts and DNAMEs: nothing may stand below them
    lines: list[str] = []
    balancers: list[dict[str, Any]] = []
    for name in sorted(names, key=lambda one: (one.count("."), one)):
        if any(name.endswith(f".{one}") for one in closed):
            continue
        if "*" not in name[1:] and chance.random() < 0.45:
            balancers.append(_balancer(f"{name}.{ZONE}", chance.choice(BALANCED), chance))
            if chance.random() < 0.4:
                lines.append(f'{name} TXT "beside a load balancer"')
            if chance.random() < 0.2:
                balancers.append({**_balancer(f"{name}.{ZONE}", "mx", chance), "type": "MX"})
            continue
        kinds = [kind for kind in PLAIN if "*" not in name or kind not in ("cut", "secure cut", "dname")]
        kind = chance.choice(kinds)
        lines += _records(name, kind, chance.choice([*names, "nowhere", ""]), chance)
        if kind in ("cut", "secure cut", "dname"):
            closed.add(name)
    if chance.random() < 0.3:
        balancers.append(_balancer(ZONE, "dual", chance))
    return {
        "settings": {"pop": {"code": "IAD"}, "resolvers": ["127.0.0.1:9"]},
        "zones": {ZONE: HEAD + "\n".join(lines) + "\n"},
        "pools": POOLS,
        "load_balancers": balancers,
    }


def _records(name: str, kind: str, target: str, chance: Random) -> list[str]:
    to = target if target else OUTSIDE
    ttl = chance.choice(["", "20 ", "600 "])
    return {
        "host": [f"{name} {ttl}A 192.0.2.{chance.randrange(1, 9)}"],
        "text": [f'{name} {ttl}TXT "text"'],
        "mail": [f"{name} {ttl}MX 10 ns1"],
        "both": [f"{name} {ttl}A 192.0.2.1", f"{name} AAAA 2001:db8::1", f'{name} TXT "one" "two"'],
        "alias": [f"{name} {ttl}CNAME {to}"],
        "cut": [f"{name} NS ns.{name}", f"ns.{name} A 203.0.113.1"],
        "secure cut": [f"{name} NS {OUTSIDE}", f"{name} {DS}"],
        "dname": [f"{name} DNAME {to}"],
    }[kind]


def _balancer(name: str, pool: str, chance: Random) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if pool == "ruled":
        pool = "v4"
        condition = 'starts_with(dns.qry.name, "a")'
        fields["rules"] = [
            {"condition": condition, "overrides": {"default_pools": ["v6"], "ttl": 7}},
            {"condition": 'starts_with(dns.qry.name, "b")', "fixed_response": {}},
        ]
    ttl = chance.choice([5, 30, 120])
    return {"name": name, "default_pools": [pool], "fallback_pool": pool, "ttl": ttl, **fields}


def random_question(chance: Random) -> tuple[str, str]:
    """Return a name and a type: near what stands in a random zone, and where nothing does."""
    labels = [chance.choice([*LABELS, "a", "x", "ns", "ns1"]) for _ in range(chance.randrange(5))]
    return ".".join([*labels, f"{ZONE}."]), chance.choice(TYPES)
