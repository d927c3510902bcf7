"""A rich configuration with the questions that can be asked of it: each policy, each kind of answer, many zones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.strain.endpoints import GOOD, HOSTILE, ODD, PAIR_OF_ALL
from tests.strain.truth import NO_DATA, NSID, NX_DOMAIN, PLAIN, TCP, Question, Reply, addresses, reply_of

ZONE = "example.com"
CHANGED = "changed"
"""A host of ZONE, and a pool with a load balancer of the same name, that are changed while all this is served."""
JAPAN, AMERICA, NOBODY = "133.11.0.0/24", "198.41.0.0/24", "192.0.2.0/24"
LARGE = 100  # addresses of one name: more than fit into a datagram
PAIR = PAIR_OF_ALL
SPARE = (GOOD[2], GOOD[3])
NEAR_JAPAN, NEAR_AMERICA = "203.0.113.10", "198.51.100.10"
WEIGHTED = ("192.0.2.20", "192.0.2.21", "192.0.2.22")
FALLBACK = "192.0.2.99"
OTHER_ZONE = "zone{}.example.net"

Judge = Callable[[frozenset[str]], Iterable[Reply]]


@dataclass(frozen=True, slots=True)
class Judged:
    """A question whose right replies follow from which endpoints are down."""

    question: Question
    judge: Judge


def settings_for(port: int) -> dict[str, Any]:
    """Return lbdns.yaml's keys beside `listen`; the API listens at a port of loopback."""
    return {"workers": 2, "pop": {"code": "AMS"}, "api": {"listen": f"127.0.0.1:{port}"}}


def zone_text(changed: str) -> str:
    """Return ZONE's file; `changed` is the address of its host CHANGED."""
    large = "".join(f"large A 10.1.0.{number}\n" for number in range(1, LARGE + 1))
    return f"""$TTL 300
@ IN SOA ns hostmaster 1 7200 900 1209600 60
@ IN NS ns
ns IN A 192.0.2.53
host IN A 192.0.2.1
host IN A 192.0.2.2
host IN AAAA 2001:db8::1
text IN TXT "a text"
alias IN CNAME host
*.wild IN A 192.0.2.3
old IN DNAME new
x.new IN A 192.0.2.4
sub IN NS ns.sub
ns.sub IN A 192.0.2.54
{CHANGED} IN A {changed}
{large}"""


def pools(port: int, changed: str) -> dict[str, Any]:
    """Return the pools; `port` is the endpoints', `changed` the address of the pool CHANGED's endpoint."""

    def pool(*where: str, **more: Any) -> dict[str, Any]:
        probed_at = {"port": port} if "monitor" in more else {}
        origins = [{"name": f"e{index}", "address": one, **probed_at} for index, one in enumerate(where)]
        return {"origins": origins, **more}

    probed = {"monitor": "web"}
    weighted = pool(*WEIGHTED, origin_steering={"policy": "hash"})
    for origin, weight in zip(weighted["origins"], (1, 0.5, 0.25), strict=True):
        origin["weight"] = weight
    crowd = {f"crowd{number}": pool(*GOOD[4 + 4 * number : 8 + 4 * number], **probed) for number in range(4)}
    return {
        "pair": pool(*PAIR, **probed),
        "spare": pool(*SPARE, **probed),
        "japan": pool(NEAR_JAPAN, latitude=35.7, longitude=139.7),
        "america": pool(NEAR_AMERICA, latitude=39.0, longitude=-77.5),
        "weighted": weighted,
        "shedding": pool("192.0.2.30", load_shedding={"default_percent": 50, "default_policy": "random"}),
        "fallback": pool(FALLBACK),
        "mail": {
            "origins": [
                {"name": f"mx{number}", "address": f"mx{number}.example.org", "priority": 10 * number, "port": 5060}
                for number in (1, 2)
            ]
        },
        "hostile": pool(*HOSTILE, **probed),
        "odd": pool(*ODD, **probed),
        "named": pool(f"host.{ZONE}"),
        CHANGED: pool(changed),
        **crowd,
    }


def balancers(other_zones: int) -> list[dict[str, Any]]:
    """Return the load balancers."""

    def balancer(label: str, *default: str, fallback: str = "fallback", **more: Any) -> dict[str, Any]:
        name = label if label.endswith("example.net") else f"{label}.{ZONE}"
        return {"name": name, "default_pools": list(default), "fallback_pool": fallback, **more}

    by_client = {"mode": "resolver_ip", "prefer_ecs": "always"}
    crowd = [f"crowd{number}" for number in range(4)]
    return [
        balancer("off", "pair", "spare", steering_policy="off", ttl=5),
        balancer("random", "pair", "spare", steering_policy="random"),
        balancer("latency", "pair", "spare", steering_policy="dynamic_latency"),
        balancer("least", "pair", "spare", steering_policy="least_connections"),
        balancer("outstanding", "pair", "spare", steering_policy="least_outstanding_requests"),
        balancer("sticky", "pair", session_affinity="ip_cookie"),
        balancer(
            "geo",
            "weighted",
            steering_policy="geo",
            country_pools={"JP": ["japan"], "US": ["america"]},
            location_strategy=by_client,
        ),
        balancer("near", "japan", "america", steering_policy="proximity", location_strategy=by_client),
        balancer("hash", "weighted"),
        balancer("shed", "shedding", "japan"),
        balancer("hostile", "hostile"),
        balancer("odd", "odd"),
        balancer("named", "named"),
        balancer("mail", "mail", fallback="mail", type="MX"),
        balancer("_sip._udp", "mail", fallback="mail", type="SRV"),
        balancer(CHANGED + "-pool", CHANGED),
        *(
            balancer(f"lb.{OTHER_ZONE.format(number)}", crowd[number % 4], crowd[(number + 1) % 4])
            for number in range(other_zones)
        ),
    ]


def configuration(port: int, other_zones: int, changed: str = "192.0.2.40") -> dict[str, Any]:
    """Return all of it but the settings, as lbdns.testing takes it; `port` is where endpoints are probed."""
    small = "$TTL 300\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53\nwww IN A {}\n"
    others = {OTHER_ZONE.format(number): small.format(f"10.2.0.{number}") for number in range(other_zones)}
    return {
        "zones": {ZONE: zone_text(changed), **others},
        "monitors": {
            "web": {
                "type": "http", "interval": 5, "timeout": 1, "retries": 0, "follow_redirects": True,
            }
        },
        "pools": pools(port, changed),
        "load_balancers": balancers(other_zones),
    }  # fmt: skip


def up(where: Iterable[str], down: frozenset[str]) -> list[str]:
    """Return those of some addresses that are not down."""
    return [address for address in where if address not in down]


def in_order(*order: Iterable[str]) -> Judge:
    """Return the judge of a load balancer that answers with the first pool that has an endpoint up."""

    def judge(down: frozenset[str]) -> Iterable[Reply]:
        return [next((addresses(*left) for pool in order if (left := up(pool, down))), addresses(FALLBACK))]

    return judge


def any_of(*choice: Iterable[str]) -> Judge:
    """Return the judge of a load balancer that answers with any pool that has an endpoint up."""

    def judge(down: frozenset[str]) -> Iterable[Reply]:
        return [addresses(*left) for pool in choice if (left := up(pool, down))] or [addresses(FALLBACK)]

    return judge


def one_of(pool: Iterable[str]) -> Judge:
    """Return the judge of a load balancer that answers with one endpoint of a pool."""
    held = tuple(pool)

    def judge(down: frozenset[str]) -> Iterable[Reply]:
        return [addresses(one) for one in up(held, down)] or [addresses(FALLBACK)]

    return judge


def judged(other_zones: int) -> list[Judged]:
    """Return the questions whose right replies follow from the endpoints' health."""
    none_down: frozenset[str] = frozenset()

    def one(name: str, judge: Judge) -> Judged:
        return Judged(Question(name, "A", judge(none_down)), judge)

    crowd = [GOOD[4 + 4 * number : 8 + 4 * number] for number in range(4)]
    return [
        one(f"off.{ZONE}", in_order(PAIR, SPARE)),
        one(f"sticky.{ZONE}", one_of(PAIR)),
        *(one(f"{label}.{ZONE}", any_of(PAIR, SPARE)) for label in ("random", "latency", "least", "outstanding")),
        *(
            one(f"lb.{OTHER_ZONE.format(number)}", in_order(crowd[number % 4], crowd[(number + 1) % 4]))
            for number in range(other_zones)
        ),
    ]


def steady(other_zones: int) -> list[Question]:
    """Return the questions whose right replies stay the same."""
    large = [f"A 10.1.0.{number}" for number in range(1, LARGE + 1)]
    one_weighted = [addresses(one) for one in WEIGHTED]
    mail = [f"MX {10 * number} mx{number}.example.org." for number in (1, 2)]
    sip = [f"SRV {10 * number} 100 5060 mx{number}.example.org." for number in (1, 2)]
    return [
        Question(f"host.{ZONE}", "A", [addresses("192.0.2.1", "192.0.2.2")]),
        Question(f"host.{ZONE}", "AAAA", [reply_of("AAAA 2001:db8::1")]),
        Question(f"host.{ZONE}", "MX", [NO_DATA]),
        Question(f"text.{ZONE}", "TXT", [reply_of('TXT "a text"')]),
        Question(f"alias.{ZONE}", "A", [reply_of(f"CNAME host.{ZONE}.", "A 192.0.2.1", "A 192.0.2.2")]),
        Question(f"any.thing.wild.{ZONE}", "A", [addresses("192.0.2.3")]),
        Question(f"x.old.{ZONE}", "A", [reply_of(f"DNAME new.{ZONE}.", f"CNAME x.new.{ZONE}.", "A 192.0.2.4")]),
        Question(f"below.sub.{ZONE}", "A", [NO_DATA]),
        Question(f"nothing.{ZONE}", "A", [NX_DOMAIN]),
        Question("www.example.invalid", "A", [reply_of(rcode="REFUSED")]),
        Question(f"large.{ZONE}", "A", [reply_of(tc=True)], roads=(PLAIN, NSID)),
        Question(f"large.{ZONE}", "A", [reply_of(*large)], roads=(TCP,)),
        Question(f"geo.{ZONE}", "A", [addresses(NEAR_JAPAN)], ecs=JAPAN),
        Question(f"geo.{ZONE}", "A", [addresses(NEAR_AMERICA)], ecs=AMERICA),
        Question(f"geo.{ZONE}", "A", one_weighted, ecs=NOBODY),
        Question(f"near.{ZONE}", "A", [addresses(NEAR_JAPAN)], ecs=JAPAN),
        Question(f"near.{ZONE}", "A", [addresses(NEAR_AMERICA)], ecs=AMERICA),
        Question(f"hash.{ZONE}", "A", one_weighted),
        Question(f"shed.{ZONE}", "A", [addresses("192.0.2.30"), addresses(NEAR_JAPAN)]),
        Question(f"hostile.{ZONE}", "A", [addresses(FALLBACK)]),
        Question(f"odd.{ZONE}", "A", [addresses(*ODD)]),
        Question(f"named.{ZONE}", "A", [addresses("192.0.2.1", "192.0.2.2")]),
        Question(f"mail.{ZONE}", "MX", [reply_of(*mail)]),
        Question(f"_sip._udp.{ZONE}", "SRV", [reply_of(*sip)]),
        *(
            Question(f"www.{OTHER_ZONE.format(number)}", "A", [addresses(f"10.2.0.{number}")])
            for number in range(other_zones)
        ),
    ]


class Served:
    """What one server is asked, and what is right to answer now."""

    def __init__(self, other_zones: int, changed: str = "192.0.2.40") -> None:
        """Describe a server of `configuration` with as many other zones."""
        self._judged = judged(other_zones)
        self.host = Question(f"{CHANGED}.{ZONE}", "A", [addresses(changed)])
        self.pool = Question(f"{CHANGED}-pool.{ZONE}", "A", [addresses(changed)])
        self.coming = Question("www.coming.example", "A", [reply_of(rcode="REFUSED")])
        self.questions = [
            *steady(other_zones), *(one.question for one in self._judged), self.host, self.pool, self.coming
        ]  # fmt: skip

    def endpoints_change(self, down: frozenset[str]) -> None:
        """These endpoints are about to be those that are down: until `endpoints_changed`, both is right."""
        for one in self._judged:
            one.question.begin(one.judge(down))

    def endpoints_changed(self, down: frozenset[str], notice_s: float) -> None:
        """These are down now, which answers must show in `notice_s` seconds."""
        for one in self._judged:
            one.question.settle(one.judge(down), notice_s)
