"""Load balancers as records: what a transfer has in their place, and that a signed zone is one with them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lbdns.dns.codes import TYPE_A, TYPE_DNAME, TYPE_NSEC, TYPE_NSEC3
from lbdns.dns.name import encode_canonical, show_name
from lbdns.dns.zone import RRset, Zone
from lbdns.health.verdict import COUNTS, HEALTHY, UNHEALTHY
from lbdns.mapped.resolved import write_addresses
from lbdns.transfer.content.flat_pace import FIRST_S, FLAT_PACE_S, RENEWAL_S, FlatPace
from lbdns.transfer.content.flattening import Answered, SteeredName, flattened
from tests.answer.unbound import program
from tests.dnssec.in_process import Policy, SomeKeys, signs
from tests.dnssec.naive_chain import rrset_of, signatures_of
from tests.transfer.publications import Publications, flattening, walked, zone_of
from tests.validators.test_zone_tools import checked

HEAD = """$TTL 300
@ SOA ns1 hostmaster 7 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
mail A 192.0.2.25
www A 192.0.2.99
www TXT "beside it"
cut NS ns.cut
ns.cut A 192.0.2.77
"""


def one(name: str, address: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "address": address, **more}


POOLS: Mapping[str, Any] = {
    "eu": {"origins": [one("a", "192.0.2.10"), one("b", "192.0.2.9"), one("c", "2001:db8::1")]},
    "us": {"origins": [one("d", "192.0.2.20")]},
    "weighted": {"origins": [one("e", "192.0.2.30", weight=0.2), one("f", "192.0.2.31", weight=0.8)]},
    "alias": {"origins": [one("g", "app.example.net", flatten_cname=False)]},
    "host": {"origins": [one("h", "app.example.net")]},
    "mail": {"origins": [one("i", "mail.example.com", priority=10), one("j", "mail2.example.com", priority=20)]},
    "srv": {"origins": [one("k", "mail.example.com", priority=1, port=443)]},
    "shed": {"origins": [one("l", "192.0.2.40")], "load_shedding": {"default_percent": 40, "default_policy": "random"}},
    "shed-most": {
        "origins": [one("m", "192.0.2.41")],
        "load_shedding": {"default_percent": 60, "default_policy": "random"},
    },
    "few": {"max_answers": 1, "origins": [one("n", "192.0.2.50"), one("o", "192.0.2.51")]},
}


def balancer(name: str, *pools: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "default_pools": list(pools), "fallback_pool": pools[0], **more}


FIXED = {"name": "r", "condition": "dns.qry.qu", "fixed_response": {"message_body": "x"}}


def published(folder: Path, *balancers: Mapping[str, Any], zone: str = HEAD, signing: Any = None) -> Publications:
    """Publish one zone with load balancers, as a server at Amsterdam."""
    server = Publications(folder, signing)
    tree = {
        "settings": {**flattening("example.com"), "pop": {"code": "AMS"}},
        "zones": {"example.com": zone},
        "pools": dict(POOLS),
        "load_balancers": list(balancers),
    }
    configuration = server.read(tree)
    server.slots = server.slots.assign(configuration)
    for (name, *_), slot in server.slots.endpoint.items():
        if name in ("alias", "host"):
            write_addresses(server.table.columns, slot, [bytes((198, 51, 100, 7))], [], int(time.monotonic()) + 5)
    server.publish(configuration)
    server.configuration = configuration  # type: ignore[attr-defined]
    return server


def shown(rrsets: Iterable[RRset]) -> list[str]:
    """Return RRsets as lines."""
    return [" ".join(line.split()) for rrset in rrsets for line in rrset_of(rrset).to_text().splitlines()]


def records(server: Publications, name: str, *types: str) -> list[str]:
    """Return what a transfer has at a name, below it not, of some types."""
    lines = [line.split(" ", 4) for line in shown(walked(server.view, zone_of(server.view, "example.com")))]
    return [f"{ttl} {kind} {data}" for owner, ttl, _, kind, data in lines if owner == f"{name}." and kind in types]


STEERED: Mapping[str, tuple[Mapping[str, Any], list[str]]] = {
    "all that are up, in no order": (
        balancer("www.example.com", "eu"),
        ["30 A 192.0.2.9", "30 A 192.0.2.10", "30 AAAA 2001:db8::1"],
    ),
    "the TTL is the load balancer's": (balancer("www.example.com", "us", ttl=77), ["77 A 192.0.2.20"]),
    "the place is the PoP": (
        balancer("www.example.com", "eu", steering_policy="geo", pop_pools={"AMS": ["us"]}),
        ["30 A 192.0.2.20"],
    ),
    "so it is where the resolver's would count": (
        balancer(
            "www.example.com",
            "eu",
            steering_policy="geo",
            country_pools={"NL": ["us"]},
            location_strategy={"mode": "resolver_ip", "prefer_ecs": "always"},
        ),
        ["30 A 192.0.2.20"],
    ),
    "of weights the one that most get": (balancer("www.example.com", "weighted"), ["30 A 192.0.2.31"]),
    "what sheds less than half is not passed over": (balancer("www.example.com", "shed"), ["30 A 192.0.2.40"]),
    "what sheds most is": (balancer("www.example.com", "shed-most", fallback_pool="us"), ["30 A 192.0.2.20"]),
    "a hostname's addresses, whatever its resolution has left": (
        balancer("www.example.com", "host", ttl=600),
        ["600 A 198.51.100.7"],
    ),
    "a CNAME that other records stand beside is what it leads to": (
        balancer("www.example.com", "alias"),
        ["30 A 198.51.100.7"],
    ),
    "a CNAME alone is one": (balancer("alone.example.com", "alias"), ["30 CNAME app.example.net."]),
    "mail": (
        balancer("alone.example.com", "mail", type="MX"),
        ["30 MX 10 mail.example.com.", "30 MX 20 mail2.example.com."],
    ),
    "services": (balancer("_s._tcp.example.com", "srv", type="SRV"), ["30 SRV 1 100 443 mail.example.com."]),
    "a wildcard": (balancer("*.apps.example.com", "us"), ["30 A 192.0.2.20"]),
    "the apex": (balancer("example.com", "us"), ["30 A 192.0.2.20"]),
    "rules, of who has no address": (
        balancer(
            "www.example.com",
            "eu",
            rules=[
                {"name": "one", "condition": "ip.src in {192.0.2.0/24}", "fixed_response": {"message_body": "x"}},
                {
                    "name": "two",
                    "condition": 'dns.qry.name eq "www.example.com."',
                    "overrides": {"default_pools": ["us"]},
                },
            ],
        ),
        ["30 A 192.0.2.20"],
    ),
    "a fixed response is nothing": (
        balancer("www.example.com", "eu", rules=[FIXED]),
        [],
    ),
    "so many as the pool gives": (balancer("www.example.com", "few"), ["30 A 192.0.2.50"]),
}


@pytest.mark.parametrize("case", STEERED)
def test_a_load_balancer_is_what_a_client_at_this_pop_gets(tmp_path: Path, case: str) -> None:
    steered, expected = STEERED[case]
    server = published(tmp_path, steered)
    name = steered["name"]
    assert records(server, name, "A", "AAAA", "CNAME", "MX", "SRV") == expected
    first = server.transferred("example.com").records
    server.content.is_flat_due = True
    server.publish(server.configuration)  # type: ignore[attr-defined]
    assert server.transferred("example.com").records == first, "the same health, other records"


def test_a_cname_gives_way_to_another_load_balancer(tmp_path: Path) -> None:
    server = published(
        tmp_path, balancer("alone.example.com", "alias"), balancer("alone.example.com", "mail", type="MX")
    )
    kinds = [line.split()[1] for line in records(server, "alone.example.com", "A", "CNAME", "MX")]
    assert kinds == ["A", "MX", "MX"]


def test_nothing_is_sent_below_a_dname_that_a_primary_sent() -> None:
    def answered(name: str) -> Answered:
        owner = encode_canonical(name)
        return Answered(SteeredName(owner, "A", 0), (RRset(owner, TYPE_A, 30, (bytes((192, 0, 2, 10)),)),))

    apex, redirected = encode_canonical("example.com"), encode_canonical("w.example.com")
    zone = Zone(apex, (RRset(redirected, TYPE_DNAME, 60, (encode_canonical("example.net"),)),), "")
    names = ("www.example.com", "w.example.com", "*.w.example.com", "a.b.w.example.com", "example.com")
    sent = flattened(zone, [answered(name) for name in names])
    assert [show_name(one.owner) for one in sent.rrsets] == ["www.example.com", "w.example.com", "example.com"]


@pytest.mark.process
@pytest.mark.parametrize("denial", ["nsec", "nsec3", "compact"])
def test_a_signed_zone_verifies_as_others_have_it(tmp_path: Path, denial: str) -> None:
    """A load balancer that answers nothing, those at an apex and a wildcard, beside a cut, with other records."""
    ldns, bind = program("ldns-verify-zone"), program("dnssec-verify")
    signing = signs(SomeKeys.make("example.com"), policy=Policy(denial=denial), now_s=int(time.time()))
    server = published(
        tmp_path,
        balancer("www.example.com", "eu"),
        balancer("example.com", "eu"),
        balancer("*.apps.example.com", "us"),
        balancer("alone.example.com", "alias"),
        balancer("nothing.example.com", "eu", rules=[FIXED]),
        balancer("a.b.nothing-but.example.com", "eu", rules=[FIXED]),
        balancer("between.example.com", "eu", rules=[FIXED]),
        balancer("x.between.example.com", "eu"),
        balancer("mail.example.com", "mail", type="MX"),
        signing=signing,
    )
    found = walked(server.view, zone_of(server.view, "example.com"))
    assert {one.type for one in found} & {TYPE_NSEC, TYPE_NSEC3}
    assert not any(one.signatures for one in found if not one.rdatas)
    found = [one for one in found if one.rdatas]
    lines = shown(found)
    for rrset in found:
        if rrset.signatures:
            lines += signatures_of(rrset).to_text().splitlines()
    path = tmp_path / "transferred.zone"
    path.write_text("\n".join(lines) + "\n")
    assert "Zone is verified" in checked(ldns, str(path))
    assert "fully signed" in checked(bind, "-z", "-o", "example.com", str(path))


def test_a_zone_with_load_balancers_that_nobody_may_have_flat_has_none(tmp_path: Path) -> None:
    server = Publications(tmp_path)
    tree = {
        "settings": flattening("example.com", steered="refuse"),
        "zones": {"example.com": HEAD},
        "pools": dict(POOLS),
        "load_balancers": [balancer("www.example.com", "eu")],
    }
    server.publish(server.read(tree))
    assert not len(server.view.columns["flat_rrset"])
    assert records(server, "www.example.com", "A", "TXT") == ['300 TXT "beside it"']


def test_what_load_balancers_answer_is_looked_at_by_and_by(tmp_path: Path) -> None:
    """At once where health is measured, then at most once in 30 s, and once a day for signatures."""
    server = published(tmp_path, balancer("www.example.com", "eu", "us"))
    pace = FlatPace(server.content, 1000.0)
    assert not pace.cause(server.view.snapshot, server.table, 1000.0 + FLAT_PACE_S - 1), "nothing is measured"
    server.table.columns["endpoint_checks"][0] = 1

    def cause(now_s: float) -> str:
        found = pace.cause(server.view.snapshot, server.table, now_s)
        if found:
            server.publish(server.configuration)  # type: ignore[attr-defined]
        return found

    before = server.transferred("example.com")
    assert not cause(1000.0 + FIRST_S)
    write_states(server, up=False)
    at = 1000.0 + FIRST_S + 1
    assert cause(at)
    down = server.transferred("example.com")
    assert (down.serial, before.serial) == (8, 7)
    write_states(server, up=True)
    assert not any(cause(at + late) for late in (1, 10, FLAT_PACE_S - 0.1))
    assert cause(at + FLAT_PACE_S)
    after = server.transferred("example.com")
    assert after.serial == 9
    assert len(before.records - after.records) == 1, "the SOA's"
    assert not cause(at + 3 * FLAT_PACE_S)
    assert cause(at + 2 * RENEWAL_S)
    assert server.transferred("example.com").serial == 9


def write_states(server: Publications, up: bool) -> None:
    """Force the endpoints of a pool, as an operator does."""
    state = (HEALTHY if up else UNHEALTHY) | COUNTS
    for (name, *_), slot in server.slots.endpoint.items():
        if name == "eu":
            server.table.columns["endpoint_state"][slot] = state
