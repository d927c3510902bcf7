"""What the fast path answers, the slow path answers byte for byte; what that drops is dropped, the rest deferred."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from random import Random

import pytest

from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import TYPE_A, TYPE_AAAA, TYPE_MX, TYPE_SRV
from lbdns.dns.options.option_table import ROWS
from lbdns.fastpath.layout import DEFERRED, DROPPED
from lbdns.fastpath.templates import add_templates
from tests.answer.mutations import good_messages, mutate
from tests.answer.packets import opt, option, query
from tests.fastpath.lanes import Lane, Served
from tests.steering import served, strategies

NOW_S = 1_000_000
CLIENTS = (bytes((192, 0, 2, 7)), bytes((203, 0, 113, 99)), bytes.fromhex("20010db8000000000000000000000053"))


def compare(
    fast: Served, view: ServingView, datagram: bytes, client: bytes, draw: int, now_s: int = NOW_S
) -> bytes | int:
    """Assert that the fast path agrees with the slow one about a datagram, and about the same over TCP; return what it
    said of the datagram."""
    said: bytes | int = DROPPED
    for served_over, transport in ((fast.stream, Transport.TCP), (fast, Transport.UDP)):
        said = served_over.ask(datagram, client, now_s, draw)
        slow = respond(view, datagram, Client(client, 40_000), transport, now_s, draw)
        if said == DROPPED:
            assert slow is None, datagram.hex()
        elif said != DEFERRED:
            assert said == slow, f"{transport}: {datagram.hex()}"
    return said


def test_the_wire_tests_messages_and_mutations_of_them(lane: Lane, view: ServingView) -> None:
    fast = Served(lane, view)
    chance = Random(4)
    good = good_messages()
    said = [compare(fast, view, message, CLIENTS[0], chance.getrandbits(64)) for message in good]
    for _ in range(20_000 if lane.name == "compiled" else 4_000):
        message = mutate(chance.choice(good), chance, good)
        said.append(compare(fast, view, message, chance.choice(CLIENTS), chance.getrandbits(64)))
    assert sum(isinstance(each, bytes) for each in said) > len(said) // 10, "most of it was deferred: nothing is shown"
    assert DEFERRED in said
    assert DROPPED in said


@pytest.mark.slow
def test_random_configurations(lane: Lane, tmp_path: Path) -> None:
    chance = Random(11)
    for number in range(30):
        folder = tmp_path / str(number)
        folder.mkdir()
        tree = strategies.draw_tree(chance)
        world = strategies.draw_world(chance, tree)
        made = served.Served(world, served.write_geodata(tree, folder / "places.mmdb"), folder)
        plain = ServingView(made.snapshot, made.table)
        view = ServingView(add_templates(made.snapshot, plain), made.table)
        fast = Served(lane, view)
        for _ in range(60):
            balancer = strategies.draw_balancer(chance, world)
            asked = strategies.draw_asked(chance, world, balancer)
            kinds = {"A": [TYPE_A, TYPE_AAAA], "MX": [TYPE_MX], "SRV": [TYPE_SRV]}[balancer.type]
            name = f"x{chance.randrange(9)}.{balancer.name[2:]}" if balancer.name.startswith("*.") else balancer.name
            ecs = None if asked.ecs is None else str(ip_network(f"{asked.ecs[0]}/{asked.ecs[1]}", strict=False))
            size = chance.choice((512, 1232, 4096))
            message = query(name + ".", chance.choice(kinds), edns=chance.random() < 0.5, ecs=ecs, size=size).wire
            compare(fast, view, message, asked.resolver.packed, asked.draw_base, asked.now_s)


@pytest.mark.parametrize(
    ("name", "qtype", "rcode"),
    [
        ("www.example.com.", "A", 0),
        ("WWW.example.COM.", "AAAA", 0),
        ("static.example.com.", "A", 0),
        ("static.example.com.", "TXT", 0),
        ("static.example.com.", "MX", 0),
        ("nothing.example.com.", "A", 3),
        ("example.com.", "SOA", 0),
        ("example.com.", "NS", 0),
        ("host.sub.example.com.", "A", 0),
        ("outside.test.", "A", 5),
        ("static.example.com.", "TYPE65535", 0),
    ],
)
@pytest.mark.parametrize("edns", ["none", "plain", "ecs"])
def test_what_must_not_be_deferred(lane: Lane, view: ServingView, name: str, qtype: str, rcode: int, edns: str) -> None:
    ecs = "203.0.113.0/24" if edns == "ecs" else None
    message = query(name, qtype, edns=edns != "none", ecs=ecs).wire
    said = compare(Served(lane, view), view, message, CLIENTS[0], 0x0123456789ABCDEF)
    assert isinstance(said, bytes), "deferred"
    assert said[3] & 0xF == rcode
    over_tcp = Served(lane, view, is_stream=True).ask(message, CLIENTS[0], NOW_S, 0x0123456789ABCDEF)
    assert isinstance(over_tcp, bytes), "deferred over TCP"


@pytest.mark.parametrize("qtype", ["ANY", "AXFR", "IXFR"])
def test_what_may_be_more_over_tcp_is_deferred_there(lane: Lane, view: ServingView, qtype: str) -> None:
    message = query("static.example.com.", qtype).wire
    fast = Served(lane, view)
    assert isinstance(fast.ask(message, CLIENTS[0], NOW_S, 0), bytes)
    assert fast.stream.ask(message, CLIENTS[0], NOW_S, 0) == DEFERRED


def test_a_question_that_cannot_be_read_is_refused_at_speed(lane: Lane, view: ServingView) -> None:
    said = compare(Served(lane, view), view, bytes((1, 2, 1, 0, 0, 1)) + bytes(6) + b"\x40abc", CLIENTS[0], 0)
    assert isinstance(said, bytes)
    assert (said[3], len(said)) == (1, 12)


@pytest.mark.parametrize("code", [*(row.code for row in ROWS), 65001], ids=str)
def test_both_roads_know_the_same_options(lane: Lane, view: ServingView, code: int) -> None:
    """An option that changes the reply, by its row of the table, is answered alike or deferred by the fast path."""
    fast = Served(lane, view)
    for size in range(42):
        for head in (b"", bytes((0, 1, 24, 0, 203, 0, 113)), bytes((0, 2, 0, 0))):
            message = query("static.example.com.", "A", edns=opt(option(code, head[:size].ljust(size, b"\0")))).wire
            compare(fast, view, message, CLIENTS[0], 0)
