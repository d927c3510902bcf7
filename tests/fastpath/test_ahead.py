"""Batches that are read ahead, with what decisions read: each reply is the slow path's, whatever else is there."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.dns.codes import HEADER_BYTES
from lbdns.fastpath.read import Server
from lbdns.fastpath.templates import add_templates
from lbdns.mapped.counters import Counters, open_counters
from lbdns.mapped.query_room import map_query_room
from lbdns.processes.responder.fast_port import load_loop, served
from tests.answer import world
from tests.answer.lanes import compiled_view
from tests.answer.packets import query

NAMES = 1000
BATCH = 64
BATCHES = 20
LEFT_ALONE_BYTES = 1 << 14  # of table and names, as ahead.pyx has it
PATIENCE_S = 10.0
TREE = {
    "zones": {
        "example.com": "\n".join(
            [
                "$TTL 300",
                "@ IN SOA ns1 hostmaster 1 7200 900 1209600 60",
                "@ NS ns1",
                "ns1 A 192.0.2.53",
                "old DNAME st1",
                "a.st1 A 192.0.2.9",
                "*.wild A 192.0.2.8",
                *(f"st{number} A 198.51.100.{number % 250}" for number in range(NAMES)),
                "",
            ]
        )
    },
}


def questions(chance: Random) -> list[bytes]:
    """Return a batch: names that are there and that are not, of few labels and of many, and what is no question."""
    made: list[bytes] = []
    for number in range(BATCH):
        name = chance.choice(
            (
                f"st{chance.randrange(NAMES)}.example.com.",
                f"St{chance.randrange(NAMES)}.eXaMPLE.com.",
                f"no{number}.example.com.",
                f"x{number}.wild.example.com.",
                "a.b.c.d.e.f.g.wild.example.com.",
                "a.b.c.d.e.f.g.h.i.example.com.",
                "a.old.example.com.",
                f"st{number}.example.net.",
                ".",
            )
        )
        asked = query(name, chance.choice(("A", "TXT")), edns=chance.random() < 0.5).with_id(number).wire
        made.append(asked[: HEADER_BYTES + 3] if chance.random() < 0.1 else asked)
    return made


def balancer(name: str, **fields: Any) -> dict[str, Any]:
    """Return a load balancer each of whose answers is one endpoint's, whatever is drawn."""
    return {"name": f"{name}.example.com", "default_pools": ["one"], "fallback_pool": "one", **fields}


ALWAYS = {"mode": "resolver_ip", "prefer_ecs": "always"}
GEO = {"steering_policy": "geo", "country_pools": {"NL": ["eu"], "JP": ["asia"]}, "location_strategy": ALWAYS}
NEAR = {"steering_policy": "proximity", "default_pools": ["eu", "asia"], "location_strategy": ALWAYS}
ECS_RULE = {
    "name": "some",
    "condition": "ip.src in {192.0.2.0/25 2001:db8::/33}",
    "overrides": {"default_pools": ["asia"]},
}
BALANCERS = [
    *(balancer(f"lb{number}", default_pools=["eu" if number % 2 else "asia"]) for number in range(50)),
    balancer("geo", **GEO),
    balancer("by-pop", **GEO | {"location_strategy": {"mode": "pop", "prefer_ecs": "always"}}),
    balancer("by-resolver", **GEO | {"location_strategy": {"mode": "resolver_ip"}}),
    balancer("near", **NEAR),
    balancer("ruled", **GEO, rules=[ECS_RULE]),
    balancer(
        "closed", rules=[{"name": "all", "condition": "ip.src in {0.0.0.0/0}", "fixed_response": {"status_code": 503}}]
    ),
    balancer("off", default_pools=["off"], fallback_pool="off"),
    balancer("alias", default_pools=["alias"], fallback_pool="alias"),
    balancer("lost", default_pools=["lost", "one"]),
    balancer("mail", default_pools=["mx"], fallback_pool="mx"),
]
SUBNETS = (
    None,
    "192.0.2.0/24",
    "203.0.113.0/24",
    "198.51.100.0/28",
    "9.0.0.0/8",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "2001:db8::/56",
)
BROKEN_ECS = (b"", b"\0\1\x20\0", b"\0\1\x20\0\xc0", b"\0\3\x18\0\1\2\3", b"\0\2\x80\0" + bytes(range(16)))


def steered_questions(chance: Random) -> list[bytes]:
    """Return a batch: load balancers of every kind, with and without ECS, which is sometimes broken or cut off."""
    made: list[bytes] = []
    for number in range(BATCH):
        name = chance.choice([one["name"] for one in BALANCERS] + [f"st{number}.example.com"])
        subnet = chance.choice(SUBNETS + BROKEN_ECS)
        asked = query(name + ".", chance.choice(("A", "A", "AAAA", "MX")), edns=True, ecs=subnet).with_id(number).wire
        made.append(asked[: -chance.randrange(1, 12)] if chance.random() < 0.1 else asked)
    return made


def check_batches(view: ServingView, folder: Path, questions: Callable[[Random], list[bytes]]) -> None:
    """Assert that each datagram of many batches gets the slow path's reply."""
    loop_class = load_loop()
    if loop_class is None:
        pytest.skip("the compiled loop is not installed")
    assert view.columns["table"].nbytes + view.columns["name_row"].nbytes > LEFT_ALONE_BYTES
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        udp.bind(("127.0.0.1", 0))
        client.connect(udp.getsockname())
        client.settimeout(PATIENCE_S)
        counters = Counters(open_counters(folder / "counters", True))
        loop = loop_class(udp.fileno(), False, counters, 1, map_query_room(None, loop_class.room_bytes()))
        loop.start_with(Server(*served(view, "")), Server(*served(view, "")))
        loop.stop()  # each run answers what has arrived, and returns
        asker = Client(socket.inet_aton("127.0.0.1"), client.getsockname()[1])
        for seed in range(BATCHES):
            batch = questions(Random(seed))
            for datagram in batch:
                client.send(datagram)
            loop.run()
            for datagram in batch:
                assert client.recv(4096) == respond(view, datagram, asker, Transport.UDP, 0, 0), datagram.hex()


def test_each_of_a_batch_gets_its_own_reply(tmp_path: Path) -> None:
    made = compiled_view(parse(TREE, tmp_path).configuration, tmp_path)
    check_batches(ServingView(add_templates(made.snapshot, made), made.table), tmp_path, questions)


def test_each_of_a_batch_is_steered_by_itself(tmp_path: Path) -> None:
    pools = {name: world.POOLS[name] for name in ("one", "off", "alias", "lost", "mx")}
    for name, latitude in (("eu", 52.0), ("asia", 35.0)):
        address = world.POOLS[name]["origins"][0]
        pools[name] = {"origins": [address], "latitude": latitude, "longitude": 2 * latitude}
    geodata = {"city": str(world.write_geodata(tmp_path / "places.mmdb"))}
    tree = TREE | {
        "settings": {"pop": {"code": "IAD"}, "workers": 1, "geodata": geodata},
        "pools": pools,
        "load_balancers": BALANCERS,
    }
    view = compiled_view(parse(tree, tmp_path).configuration, tmp_path)
    check_batches(view, tmp_path, steered_questions)
