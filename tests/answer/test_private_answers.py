"""Private load balancers and overrides on the slow path: who is answered, from a zone or from one that is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.health import verdict
from lbdns.mapped.health_table import HealthTable
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots

OFFICE, PLANT, GUEST, ANYBODY = "10.1.0.9", "10.2.0.9", "10.3.0.9", "198.51.100.9"
RESOLVER = "192.0.2.53"
APP, DB, WWW = ["10.0.0.1"], ["10.0.0.7"], ["192.0.2.80"]
ZONE = """\
$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 300
@ NS ns1
ns1 A 192.0.2.53
old A 192.0.2.99
old TXT kept
cname CNAME old
"""
TREE: dict[str, Any] = {
    "settings": {
        "views": {
            "office": {"networks": ["10.1.0.0/16"], "private": True},
            "plant": {"networks": ["10.2.0.0/16"], "private": True},
            "guests": {"networks": ["10.3.0.0/16"]},
        },
        "trusted_resolvers": [f"{RESOLVER}/32"],
    },
    "zones": {"example.com": ZONE},
    "pools": {
        "app": {"origins": [{"name": "one", "address": "10.0.0.1"}]},
        "db": {"origins": [{"name": "one", "address": "10.0.0.7"}]},
        "www": {"origins": [{"name": "one", "address": "192.0.2.80"}]},
    },
    "load_balancers": [
        {"name": "100.112.0.0", "default_pools": ["app"], "fallback_pool": "app"},
        {"name": "db.internal", "default_pools": ["db"], "fallback_pool": "db", "on_ramps": ["plant"]},
        {"name": "own.example.com", "default_pools": ["app"], "fallback_pool": "app", "on_ramps": ["office"]},
        {"name": "off.internal", "default_pools": ["db"], "fallback_pool": "db", "on_ramps": [], "enabled": False},
        {"name": "www.example.com", "default_pools": ["www"], "fallback_pool": "www"},
    ],
    "overrides": {
        "app.corp": "100.112.0.0",
        "deep.app.corp": "db.internal",
        "*.wild.corp": "100.112.0.0",
        "www.example.com": "100.112.0.0",
        "old.example.com": "db.internal",
        "cname.example.com": "db.internal",
        "off.corp": "off.internal",
    },
}


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingView]:
    with served(TREE, tmp_path_factory.mktemp("private")) as made:
        yield made


@contextmanager
def served(tree: dict[str, Any], folder: Path) -> Iterator[ServingView]:
    """Compile a tree, twice by one memo, and serve what the second time gave."""
    configuration = parse(tree, folder).configuration
    slots = Slots().assign(configuration)
    memo = CompileMemo()
    compile_snapshot(configuration, Geodata.open(), slots, 1, memo=memo)
    snapshot = compile_snapshot(configuration, Geodata.open(), slots, 2, memo=memo)
    table = HealthTable.create(folder / "health.bin", slots.endpoint_count, slots.pool_count, 0)
    table.columns["pool_state"][:] = memoryview(bytes((verdict.HEALTHY,)) * len(table.columns["pool_state"]))
    yield ServingView(snapshot, table)


def ask(view: ServingView, name: str, rdtype: str, client: str, ecs: str | None = None) -> dns.message.Message:
    options: Any = [dns.edns.ECSOption.from_text(ecs)] if ecs else None
    query = dns.message.make_query(name, rdtype, use_edns=0, options=options)
    sender = Client(ip_address(client).packed, 4711)
    reply = respond(view, query.to_wire(), sender, Transport.TCP, 100, 7)
    assert reply is not None
    return dns.message.from_wire(reply)


def found(view: ServingView, name: str, client: str, rdtype: str = "A") -> Any:
    """Return the data of the answer; the code where there is none."""
    reply = ask(view, name, rdtype, client)
    data = sorted(str(rdata) for rrset in reply.answer for rdata in rrset)
    return data or dns.rcode.to_text(reply.rcode())


def scope(reply: dns.message.Message) -> int:
    (option,) = (one for one in reply.options if isinstance(one, dns.edns.ECSOption))
    return int(option.scopelen)


NOT_HERE, NOTHING = "REFUSED", "NXDOMAIN"


@pytest.mark.parametrize(
    ("name", "office", "plant", "others"),
    [
        ("100.112.0.0", APP, APP, NOT_HERE),
        ("APP.corp", APP, APP, NOT_HERE),
        ("x.app.corp", NOTHING, NOTHING, NOT_HERE),
        ("corp", NOT_HERE, NOT_HERE, NOT_HERE),
        ("112.0.0", NOT_HERE, NOT_HERE, NOT_HERE),
        ("other.corp", NOT_HERE, NOT_HERE, NOT_HERE),
        ("deep.app.corp", NOTHING, DB, NOT_HERE),
        ("x.wild.corp", APP, APP, NOT_HERE),
        ("a.b.wild.corp", APP, APP, NOT_HERE),
        ("wild.corp", "NOERROR", "NOERROR", NOT_HERE),
        ("db.internal", NOT_HERE, DB, NOT_HERE),
        ("off.internal", NOT_HERE, NOT_HERE, NOT_HERE),
        ("off.corp", NOT_HERE, NOT_HERE, NOT_HERE),
        ("own.example.com", APP, NOTHING, NOTHING),
        ("www.example.com", APP, APP, WWW),
        ("old.example.com", ["192.0.2.99"], DB, ["192.0.2.99"]),
        ("cname.example.com", ["192.0.2.99", "old.example.com."], DB, ["192.0.2.99", "old.example.com."]),
        ("nothing.example.com", NOTHING, NOTHING, NOTHING),
    ],
)
def test_who_is_answered_what(view: ServingView, name: str, office: Any, plant: Any, others: Any) -> None:
    assert found(view, name, OFFICE) == office
    assert found(view, name, PLANT) == plant
    for client in (GUEST, ANYBODY):
        assert found(view, name, client) == others


def test_a_made_zone_answers_like_any(view: ServingView) -> None:
    soa = "app.corp. nobody.invalid. 1 3600 1200 604800 30"
    assert found(view, "app.corp", OFFICE, "SOA") == [soa]
    assert found(view, "app.corp", OFFICE, "NS") == ["app.corp."]
    for rdtype in ("AAAA", "TXT", "MX", "DS", "CNAME"):
        reply = ask(view, "app.corp", rdtype, OFFICE)
        assert (reply.rcode(), reply.answer) == (dns.rcode.NOERROR, []), rdtype
        assert reply.flags & dns.flags.AA and reply.authority[0].to_text() == f"app.corp. 30 IN SOA {soa}"
    missing = ask(view, "no.such.app.corp", "A", PLANT)
    assert missing.rcode() == dns.rcode.NXDOMAIN and missing.authority[0].to_text() == f"app.corp. 30 IN SOA {soa}"
    assert {rrset.rdtype for rrset in ask(view, "app.corp", "ANY", OFFICE).answer} == {dns.rdatatype.HINFO}
    for rdtype in ("SOA", "NS", "ANY", "DS", "TXT"):
        refused = ask(view, "app.corp", rdtype, ANYBODY)
        assert (refused.rcode(), refused.answer, refused.authority) == (dns.rcode.REFUSED, [], []), rdtype
    assert found(view, "old.example.com", PLANT, "TXT") == ['"kept"']


def test_what_ecs_decides_limits_the_scope(view: ServingView) -> None:
    for name in ("app.corp", "no.app.corp", "100.112.0.0"):
        for ecs, is_here in (("10.1.2.0/24", True), ("10.9.2.0/24", False)):
            reply = ask(view, name, "A", RESOLVER, ecs)
            assert scope(reply) >= (16 if is_here else 13), "what others than the office are answered is another matter"
            assert (reply.rcode() == dns.rcode.REFUSED) is not is_here
    assert (
        scope(ask(view, "app.corp", "A", OFFICE, "198.51.100.0/24")) == 0
    )  # whose resolver is in the office is answered so whoever he asks for


@pytest.mark.parametrize("seed", range(8))
def test_random_private_names_against_a_naive_model(tmp_path: Path, seed: int) -> None:
    """A name is answered where it is placed, is missing below one that is, and is not here elsewhere: view by view."""
    random = Random(f"private {seed}")
    ramps = {"one": ["office"], "two": ["office", "plant"], "three": ["guests"], "four": []}
    private = ["office", "plant"]
    names = [".".join(random.choices("abc", k=random.randint(1, 4))) + ".corp" for _ in range(14)]
    first = list(dict.fromkeys(names))[: len(ramps)]
    balancers = [
        {"name": name, "default_pools": [pool], "fallback_pool": pool, "on_ramps": seen}
        for name, (pool, seen) in zip(first, ramps.items(), strict=True)
    ]
    addresses = {pool: f"10.9.0.{number}" for number, pool in enumerate(ramps)}
    pools = {pool: {"origins": [{"name": "o", "address": address}]} for pool, address in addresses.items()}
    overrides = {name: random.choice(first) for name in names if name not in first}
    tree = {**TREE, "pools": pools, "load_balancers": balancers, "overrides": overrides}
    placed: dict[tuple[str, str], str] = {}
    for name, (pool, seen) in zip(first, ramps.items(), strict=True):
        for owner in (name, *(one for one, target in overrides.items() if target == name)):
            placed |= {(owner, view): addresses[pool] for view in seen or private}
    clients = {"office": OFFICE, "plant": PLANT, "guests": GUEST, "": ANYBODY}
    with served(tree, tmp_path) as view:
        for _ in range(400):
            name = ".".join(random.choices("abc", k=random.randint(1, 5))) + ".corp"
            for sight, client in clients.items():
                above = [name.split(".", labels)[-1] for labels in range(1, name.count(".") + 1)]
                here: Any = "NXDOMAIN" if any((one, sight) in placed for one in above) else "REFUSED"
                expected = [placed[name, sight]] if (name, sight) in placed else here
                assert found(view, name, client) == expected, (name, sight, placed)
