"""Aliases and hostnames at speed: chains in a zone, chains to load balancers, endpoints whose hostnames stand in zones
here or resolved to addresses. The fast path's bytes equal the slow path's, and little of it is deferred."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

import dns.message
import pytest
from dns.rdatatype import to_text

from lbdns.answer.answer import Road
from lbdns.answer.match import MatchKind
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.fastpath import template_rows
from lbdns.fastpath.layout import DEFERRED
from lbdns.mapped.resolved import write_addresses
from lbdns.steering.kernel.numbers import ENDPOINT_HOSTNAME
from tests.answer.lanes import compiled_view
from tests.answer.packets import query
from tests.fastpath.lanes import Lane, Served
from tests.fastpath.test_equality import CLIENTS, NOW_S, compare

APEX = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\nns1 AAAA 2001:db8::53\n"
TYPES = ("A", "A", "AAAA", "AAAA", "CNAME", "MX", "SRV", "TXT", "DS", "NS", "DNAME", "ANY", "TYPE65280")
LABELS = ("a", "b", "c", "d", "x.a", "y.a", "q.x.a", "*.w", "*.v.w", "e.w", "lb1", "lb2", "mx", "child", "www.child")
BELOW = (
    "z.old",
    "Q.x.old",
    "old",
    "a.older",
    "x.old.older",
    "lb1.lbs.oldest",
    "x.away",
    "b.under.a",
    "x" * 60 + ".far",
)
OTHERS = ("foo.w", "bar.v.w", "x.cut", "cut", *BELOW, "none", "ns1", "ns1.child", "x.lbs", "mxlb", "srv", "Foo.W", "")
ASKED = (*LABELS, *OTHERS)
RESOLVED = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2")
LEFT_SHARE_MAX = 0.01  # of what does not go round


def draw_zones(chance: Random) -> dict[str, str]:
    """Return a zone with aliases of every kind, and sometimes one below it with or without a cut between."""
    lines = [
        APEX,
        "cut NS ns.cut",
        "ns.cut A 192.0.2.54",
        "away DNAME example.net.",
        f"far DNAME {'y' * 60}.{'z' * 60}.a",
    ]
    for label in ("old", "older", "oldest", "under.a"):
        target = chance.choice(("a", "w", "v.w", "@", "cut", "old", "older", "Old", "x.a", "child", "lbs", "old.older"))
        if chance.randrange(4):
            lines.append(f"{label} DNAME {target}")
    targets = (*ASKED[:-1], "@", "out.example.net.", "*.w", "*.v.w")
    for label in LABELS:
        way = chance.randrange(6)
        if way < 3:
            lines.append(f"{label} CNAME {chance.choice(targets)}")
        elif way < 5:
            lines += [f"{label} A 192.0.2.{chance.randrange(1, 250)}" for _ in range(chance.randrange(1, 3))]
            lines += [f"{label} AAAA 2001:db8::{chance.randrange(1, 250):x}"] * chance.randrange(2)
            lines += [f"{label} MX 10 {chance.choice(targets[:-3])}"] * chance.randrange(2)
    zones = {"example.com": "\n".join(dict.fromkeys(lines)) + "\n"}
    if chance.randrange(2):
        zones["child.example.com"] = APEX + "www A 192.0.2.77\nup CNAME a.example.com.\n"
        if chance.randrange(2):
            lines = [line for line in lines if not line.split(" ")[0].endswith("child")]
            lines += ["child NS ns1.child", "ns1.child A 192.0.2.53"]
            zones["example.com"] = "\n".join(dict.fromkeys(lines)) + "\n"
    return zones


def draw_pool(chance: Random, is_named: bool) -> dict[str, Any]:
    """Return a pool of hostnames, and of addresses where it is for addresses."""
    origins = []
    names = [label for label in ASKED[:-2] if "*" not in label]
    hostnames = [*(f"{name}.example.com" for name in names), "www.child.example.com", "h.example.net"]
    for index, hostname in enumerate(chance.sample(hostnames, chance.randrange(1, 4))):
        address = hostname if is_named or chance.randrange(3) else RESOLVED[index]
        fields = {"flatten_cname": chance.randrange(2) > 0, "weight": chance.choice((1.0, 1.0, 0.5))}
        origins.append({"name": f"e{index}", "address": address, "port": 25 + index, **fields})
    return {"origins": origins}


def draw_configuration(chance: Random) -> dict[str, Any]:
    """Return zones, and load balancers of each type over pools with hostnames in those zones and elsewhere."""
    balancers: list[dict[str, Any]] = []
    for name, kind in (("lb1", "A"), ("lb2", "A"), ("*.lbs", "A"), ("", "A"), ("mxlb", "MX"), ("srv", "SRV")):
        pool = "named" if kind != "A" else chance.choice(("main", "other"))
        full = f"{name}.example.com".lstrip(".")
        balancers.append({"name": full, "type": kind, "default_pools": [pool], "fallback_pool": pool, "ttl": 20})
    pools = {"main": draw_pool(chance, False), "other": draw_pool(chance, False), "named": draw_pool(chance, True)}
    return {
        "settings": {"resolvers": ["127.0.0.1:9"]},
        "zones": draw_zones(chance),
        "pools": pools,
        "load_balancers": balancers,
    }


LEFT_S = 7  # what resolutions have left at NOW_S


def draw_resolved(chance: Random, view: ServingView) -> None:
    """Put addresses of hostname endpoints into the health table, several of them the same."""
    for endpoint, flags in enumerate(view.columns["endpoint_flags"]):
        if flags & ENDPOINT_HOSTNAME:
            drawn = [ip_address(chance.choice(RESOLVED)) for _ in range(chance.randrange(4))]
            four = [address.packed for address in drawn if address.version == 4]
            six = [address.packed for address in drawn if address.version == 6]
            write_addresses(view.table.columns, view.columns["endpoint_slot"][endpoint], four, six, NOW_S + LEFT_S)


@pytest.mark.slow
def test_random_aliases_and_hostnames(lane: Lane, tmp_path: Path) -> None:
    chance = Random(23)
    asked = left = 0
    for number in range(25):
        folder = tmp_path / str(number)
        folder.mkdir()
        view = compiled_view(parse(draw_configuration(chance), folder).configuration, folder)
        fast = Served(lane, view)
        for name in (*ASKED, "foo.lbs"):
            draw_resolved(chance, view)
            for qtype in TYPES:
                size = chance.choice((512, 1232, 1232))
                message = query(f"{name}.example.com.".lstrip("."), qtype, edns=chance.random() < 0.5, size=size).wire
                now_s = NOW_S + chance.choice((0, LEFT_S - 1, LEFT_S, LEFT_S + 1, -100, 100_000))
                said = compare(fast, view, message, chance.choice(CLIENTS), chance.getrandbits(64), now_s)
                asked += 1
                left += said == DEFERRED and not goes_round(view, message, now_s)
    assert left < LEFT_SHARE_MAX * asked, f"{left} of {asked} are left to the slow path"


def goes_round(view: ServingView, message: bytes, now_s: int) -> bool:
    """Return whether the road of a query comes to something twice, or leads to where it has been."""
    road = Road()
    respond(view, message, Client(CLIENTS[0], 40_000), Transport.UDP, now_s, 0, road)
    entries = [match.entry for match in road.matches]
    return len(set(entries)) < len(entries) or road.matches[-1].kind in (MatchKind.CNAME, MatchKind.DNAME)


def test_aliases_beyond_the_bound_are_the_slow_path_s(
    lane: Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_rows, "ALIASES_MAX", 1)
    zones = {"example.com": APEX + "a CNAME ns1\nb CNAME ns1\nc CNAME out.example.net.\n"}
    view = compiled_view(parse({"settings": {}, "zones": zones}, tmp_path).configuration, tmp_path)
    fast = Served(lane, view)
    said = [compare(fast, view, query(f"{name}.example.com.").wire, CLIENTS[0], 0) for name in "abc"]
    assert [one == DEFERRED for one in said] == [False, True, False]


PASSED_TWICE = [
    # (zone, name asked, type, owners and types of the answer section)
    (
        "old DNAME new\nx.new CNAME y.old\ny.new A 192.0.2.9",
        "x.old",
        "A",
        "old DNAME|x.old CNAME|x.new CNAME|y.old CNAME|y.new A",
    ),
    ("old DNAME new\nx.new CNAME old", "x.old", "DNAME", "old DNAME|x.old CNAME|x.new CNAME"),
    ("old DNAME new\n*.new CNAME y.OLD", "x.old", "A", "old DNAME|x.old CNAME|x.new CNAME|y.old CNAME|y.new CNAME"),
    (
        "old DNAME a.old",
        "x.old",
        "A",
        "old DNAME|x.old CNAME" + "".join(f"|x{'.a' * n}.old CNAME" for n in range(1, 17)),
    ),
    (
        "p DNAME q\nq DNAME r\nx.r CNAME z.p\nz.r A 192.0.2.9",
        "x.p",
        "A",
        "p DNAME|x.p CNAME|q DNAME|x.q CNAME|x.r CNAME|z.p CNAME|z.q CNAME|z.r A",
    ),
    (
        "old DNAME new\nw CNAME x.old\nx.new CNAME y.old",
        "w",
        "A",
        "w CNAME|old DNAME|x.old CNAME|x.new CNAME|y.old CNAME",
    ),
]


@pytest.mark.parametrize(("records", "name", "qtype", "expected"), PASSED_TWICE)
def test_a_dname_passed_twice_stands_once(
    lane: Lane, tmp_path: Path, records: str, name: str, qtype: str, expected: str
) -> None:
    zones = {"example.com": f"{APEX}{records}\n"}
    view = compiled_view(parse({"settings": {}, "zones": zones}, tmp_path).configuration, tmp_path)
    asked = query(f"{name}.example.com.", qtype)
    compare(Served(lane, view), view, asked.wire, CLIENTS[0], 0)
    wire = respond(view, asked.wire, Client(CLIENTS[0], 40_000), Transport.TCP, NOW_S, 0)
    assert wire is not None
    rrsets = dns.message.from_wire(wire, one_rr_per_rrset=True).answer
    shown = [f"{one.name.to_text().lower().removesuffix('.example.com.')} {to_text(one.rdtype)}" for one in rrsets]
    assert "|".join(shown) == expected


NESTED = 14
"""Each name of that many is one label longer than the one before, whose bytes it points at: too many pointers."""


def steered_after(alias: str, lines: list[str], balancer: str, folder: Path) -> ServingView:
    """Return a view whose `alias` leads by `lines` to a load balancer with two addresses."""
    tree = {
        "zones": {"example.com": APEX + "\n".join([alias, *lines]) + "\n"},
        "pools": {"p": {"origins": [{"name": str(host), "address": f"192.0.2.{host}"} for host in (1, 2)]}},
        "load_balancers": [{"name": f"{balancer}.example.com", "default_pools": ["p"], "fallback_pool": "p"}],
    }
    return compiled_view(parse(tree, folder).configuration, folder)


@pytest.mark.parametrize(
    ("alias", "asked", "lines", "balancer", "is_fast"),
    [
        ("*.w CNAME x.d", "one.w", ["d DNAME lbs"], "x.lbs", True),
        ("n CNAME x.d", "n", ["d DNAME lbs"], "*.lbs", True),
        ("n CNAME x.d", "n", ["d DNAME e", "e DNAME lbs"], "*.lbs", True),
        (
            "n CNAME a.n",
            "n",
            [f"{'a.' * count}n CNAME {'a.' * (count + 1)}n" for count in range(1, NESTED)],
            "a." * NESTED + "n",
            False,
        ),
    ],
    ids=["DNAME under a wildcard", "DNAME", "DNAMEs", "nested names"],
)
def test_what_aliases_lead_to_belongs_to_the_name_at_their_end(
    lane: Lane, tmp_path: Path, alias: str, asked: str, lines: list[str], balancer: str, is_fast: bool
) -> None:
    view = steered_after(alias, lines, balancer, tmp_path)
    for edns in (True, False):
        message = query(f"{asked}.example.com.", "A", edns=edns).wire
        said = compare(Served(lane, view), view, message, CLIENTS[0], 7)
        assert (said != DEFERRED) is is_fast
        if isinstance(said, bytes):
            *_, last, addresses = dns.message.from_wire(said).answer
            assert (addresses.name, len(addresses)) == (last[0].target, 2)
