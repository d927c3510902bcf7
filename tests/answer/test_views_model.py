"""Views on the slow path against a naive model: random content, random clients, and what each of them is answered.

Who is in which view, and what content a view has, the model says in plain Python (naive_views, naive_view_content).
What is answered, a server says that has that content alone, and no views. All bytes have to be the same, but for the
scope, which is at least as long as the view needs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.dns.master.reader import read_master
from lbdns.dns.name import encode_canonical
from lbdns.dns.zone import Zone
from lbdns.health import verdict
from lbdns.mapped.health_table import HealthTable
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots
from tests.answer.naive_view_content import Balancer, Content, RecordSet, seen_in, zone_of
from tests.answer.packets import OPTION_ECS, Query, option, query
from tests.steering import naive_views
from tests.steering.naive_places import Address, Network
from tests.steering.test_view_of import draw_address, draw_network, draw_views

QUESTIONS = int(os.environ.get("LBDNS_VIEW_QUESTIONS", "20000"))
"""In all worlds together; 100000 take a minute."""
WORLDS = 20
VIEWS = ("office", "lab", "site", "guests")
SIGHTS = ("", "public", *VIEWS)
APEXES = ("example.com", "sub.example.com", "deep.sub.example.com", "example.net", "corp")
LABELS = ("", "www", "mail", "a.b", "b", "*.w", "x.w", "old", "one.old", "sub", "h.sub", "deep.sub", "x.deep.sub", "*")
TYPES = ("A", "AAAA", "TXT", "MX", "CNAME", "SRV", "NS", "DNAME", "DS")
ASKED = (*TYPES, "ANY", "SOA")
POOLS: dict[str, dict[str, Any]] = {
    "one": {"origins": [{"name": "a", "address": "192.0.2.1"}, {"name": "b", "address": "2001:db8::1"}]},
    "two": {"origins": [{"name": "a", "address": "192.0.2.2"}]},
    "hosts": {"origins": [{"name": "m", "address": "mail.example.com", "port": 25}]},
    "alias": {"origins": [{"name": "c", "address": "www.sub.example.com", "flatten_cname": False}]},
}


@dataclass
class Asked:
    """A question and who asks it."""

    query: Query
    client: Client
    ecs: Network | None
    name: str
    type: str


def draw_target(random: Random) -> str:
    label, apex = random.choice(LABELS), random.choice(APEXES)
    return f"{label.replace('*', 'y')}.{apex}." if label else f"{apex}."


def draw_data(random: Random, rtype: str, view: str) -> str:
    """Return data that tells its view where it can."""
    number = SIGHTS.index(view)
    return {
        "A": f"10.{number}.0.{random.randint(1, 9)}",
        "AAAA": f"2001:db8:{number}::{random.randint(1, 9)}",
        "TXT": f'"of {view or "all"} {random.randint(1, 9)}"',
        "MX": f"{random.randint(1, 9)} {draw_target(random)}",
        "CNAME": draw_target(random),
        "DNAME": draw_target(random),
        "NS": draw_target(random),
        "SRV": f"0 0 53 {draw_target(random)}",
        "DS": f"{random.randint(1, 60000)} 13 2 {'ab' * 32}",
    }[rtype]


def draw_content(random: Random) -> Content:
    zones = {("example.com", "")}
    for apex in APEXES:
        for view in SIGHTS:
            if random.random() < (0.5 if view == "" else 0.15):
                zones.add((apex, view))
    records: dict[tuple[str, str, str], list[RecordSet]] = {}
    for apex in APEXES:
        for view in SIGHTS:
            is_whole = (apex, view) in zones
            if not is_whole and (view == "" or (apex, "") not in zones or random.random() < 0.4):
                continue
            here = records.setdefault((apex, view, f"{apex}."), [])
            if is_whole:
                soa = f"ns.{apex}. of-{view or 'all'}.example. 1 7200 900 1209600 {60 + SIGHTS.index(view)}"
                here.append(RecordSet(apex, f"{apex}.", "SOA", (soa,), view))
                here.append(RecordSet(apex, f"{apex}.", "NS", (f"ns.{apex}.",), view))
            for _ in range(random.randint(1, 14 if is_whole else 5)):
                draw_record(random, records, apex, view)
    balancers = tuple(one for one in draw_balancers(random) if zone_of(one, zones_above(zones, one["view"])))
    return Content(frozenset(zones), tuple(one for several in records.values() for one in several), balancers)


def zones_above(zones: set[tuple[str, str]], view: str) -> set[str]:
    """Return the zones that a view sees."""
    return {apex for apex, of_view in zones if of_view in ("", view)}


def draw_record(random: Random, records: dict[tuple[str, str, str], list[RecordSet]], apex: str, view: str) -> None:
    label, rtype = random.choice(LABELS), random.choice(TYPES)
    owner = f"{label}.{apex}." if label else f"{apex}."
    here = records.setdefault((apex, view, owner), [])
    if not label and rtype in ("CNAME", "DNAME", "NS", "DS"):
        return
    if any(rtype == one.type or "CNAME" in (rtype, one.type) for one in here):
        return
    count = 1 if rtype in ("CNAME", "DNAME") else random.randint(1, 3)
    data = tuple(dict.fromkeys(draw_data(random, rtype, view) for _ in range(count)))
    here.append(RecordSet(apex, owner, rtype, data, view))


def draw_balancers(random: Random) -> Iterator[Balancer]:
    seen = set()
    for _ in range(random.randint(0, 9)):
        label, apex, view = random.choice(LABELS), random.choice(APEXES), random.choice(("", "", *SIGHTS))
        kind = random.choice(("A", "A", "A", "MX", "SRV"))
        name = f"{label}.{apex}" if label else apex
        pool = "hosts" if kind != "A" else random.choice(("one", "two", "alias", "hosts"))
        if (name, kind, view) in seen:
            continue
        seen.add((name, kind, view))
        ttl = 30 + SIGHTS.index(view)
        fields: dict[str, Any] = {
            "name": name,
            "type": kind,
            "view": view,
            "default_pools": (pool,),
            "fallback_pool": pool,
            "ttl": ttl,
        }
        if kind == "A" and random.random() < 0.5:
            fields |= {"location_strategy": {"prefer_ecs": "always"}, "session_affinity": "ip_cookie"}
        if random.random() < 0.3:
            rule = {
                "condition": 'dns.qry.name contains "x" or ip.src in {10.0.0.0/9 203.0.113.0/26}',
                "overrides": {"ttl": 90 + SIGHTS.index(view)},
            }
            fields |= {"rules": [rule]}
        yield Balancer(tuple(fields.items()))


def zones_of(content: Content) -> tuple[tuple[Zone, ...], tuple[Zone, ...]]:
    """Return zones and overlays."""
    zones: list[Zone] = []
    overlays: list[Zone] = []
    for apex, view in sorted({(one.zone, one.view) for one in content.records} | set(content.zones)):
        lines = [
            f"{one.owner} 300 IN {one.type} {data}"
            for one in sorted(content.records, key=lambda one: one.type != "SOA")
            if (one.zone, one.view) == (apex, view)
            for data in one.data
        ]
        draft = read_master("\n".join(lines) + "\n", encode_canonical(apex), f"{apex}.zone", None, lambda _: "")
        assert not [one for one in draft.problems if one.severity == "error"], draft.problems
        zone = draft.finish()
        (zones if (apex, view) in content.zones else overlays).append(Zone(zone.apex, zone.rrsets, zone.file, view))
    return tuple(zones), tuple(overlays)


def configured(content: Content, settings: Mapping[str, Any]) -> Configuration:
    zones, overlays = zones_of(content)
    return Configuration(
        settings=Settings.model_validate(settings),
        zones=zones,
        overlays=overlays,
        pools={name: Pool.model_validate({"name": name, **pool}) for name, pool in POOLS.items()},
        load_balancers=tuple(LoadBalancer.model_validate(dict(one.fields)) for one in content.balancers),
    )


@contextmanager
def compiled(configuration: Configuration, folder: Path) -> Iterator[ServingView]:
    slots = Slots().assign(configuration)
    snapshot = compile_snapshot(configuration, Geodata.open(), slots, generation=1)
    folder.mkdir()
    table = HealthTable.create(folder / "health.bin", slots.endpoint_count, slots.pool_count, 0)
    table.columns["pool_state"][:] = memoryview(bytes((verdict.HEALTHY,)) * len(table.columns["pool_state"]))
    yield ServingView(snapshot, table)


def draw_asked(random: Random, views: dict[str, list[Network]], trusted: Sequence[Network]) -> Asked:
    label, apex, rtype = random.choice(LABELS), random.choice(APEXES), random.choice(ASKED)
    name = f"{label.replace('*', random.choice('*yx'))}.{apex}." if label else f"{apex}."
    if random.random() < 0.2:
        name = f"q.{name}"
    resolver = draw_address(random, views if random.random() < 0.4 else {"": list(trusted)})
    ecs = None
    if random.random() < 0.7:
        client = draw_address(random, views)
        bits = min(client.max_prefixlen, random.choice((0, 8, 20, 24, 32, 56, 128)))
        ecs = ip_network((client, bits), strict=False)
    return Asked(query(name, rtype, ecs=str(ecs) if ecs else None), Client(resolver.packed, 4711), ecs, name, rtype)


def scope_at(asked: Asked, reply: bytes) -> int | None:
    """Return where the scope stands in a reply's ECS option."""
    data = asked.query.subnet
    if data is None:
        return None
    head, address = option(OPTION_ECS, data)[:7], data[4:]
    at = len(reply)
    while (at := reply.rfind(head, 0, at)) >= 0:
        if reply[at + 8 : at + 8 + len(address)] == address:
            return at + 7
    raise AssertionError("no ECS option")


@pytest.mark.parametrize("seed", range(WORLDS))
def test_everybody_is_answered_from_their_view(tmp_path: Path, seed: int) -> None:
    random = Random(f"views {seed}")
    content = draw_content(random)
    views = draw_views(random)
    trusted = [draw_network(random) for _ in range(2)]
    settings = {
        "views": {name: {"networks": [str(one) for one in views[name]]} for name in VIEWS},
        "trusted_resolvers": [str(one) for one in trusted],
    }
    answered: set[str] = set()
    with compiled(configured(content, settings), tmp_path / "all") as all_views:
        alone: dict[str, Any] = {}
        for view in ("public", *VIEWS):
            alone[view] = compiled(configured(seen_in(content, view), {}), tmp_path / view)
            alone[view] = alone[view].__enter__()
        for _ in range(QUESTIONS // WORLDS):
            asked = draw_asked(random, views, trusted)
            resolver = ip_address(asked.client.address)
            view, needed = view_of(views, trusted, resolver, asked.ecs)
            transport = random.choice((Transport.UDP, Transport.TCP))
            draw = random.getrandbits(64)
            reply = respond(all_views, asked.query.wire, asked.client, transport, 100, draw)
            wanted = respond(alone[view], asked.query.wire, asked.client, transport, 100, draw)
            assert reply is not None and wanted is not None
            at = scope_at(asked, reply)
            if at is not None:
                assert reply[at] == max(wanted[at], needed), (asked, view)
                wanted = wanted[:at] + reply[at : at + 1] + wanted[at + 1 :]
            assert reply == wanted, (asked, view)
            answered.add(view)
    assert len(answered) > 1


def view_of(
    views: Mapping[str, Sequence[Network]], trusted: Sequence[Network], resolver: Address, ecs: Network | None
) -> tuple[str, int]:
    """Return the view and the scope that it needs at least."""
    if not any(resolver in one for one in trusted):
        return naive_views.view_of_address(views, resolver), 0
    if ecs is None or not ecs.prefixlen or not any(views.values()):
        return "public", 0
    first = ecs.network_address
    return naive_views.view_of_prefix(views, first, ecs.prefixlen), naive_views.scope_of(views, first)
