"""Batches whose names are read and hashed ahead: each reply is the slow path's, whatever else is in the batch."""

from __future__ import annotations

import socket
from pathlib import Path
from random import Random

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
from tests.answer.lanes import compiled_view
from tests.answer.packets import query

NAMES = 1000
BATCH = 64
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


def test_each_of_a_batch_gets_its_own_reply(tmp_path: Path) -> None:
    loop_class = load_loop()
    if loop_class is None:
        pytest.skip("the compiled loop is not installed")
    made = compiled_view(parse(TREE, tmp_path).configuration, tmp_path)
    view = ServingView(add_templates(made.snapshot, made), made.table)
    assert view.columns["table"].nbytes + view.columns["name_row"].nbytes > LEFT_ALONE_BYTES
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        udp.bind(("127.0.0.1", 0))
        client.connect(udp.getsockname())
        client.settimeout(PATIENCE_S)
        counters = Counters(open_counters(tmp_path / "counters", True))
        loop = loop_class(udp.fileno(), False, counters, 1, map_query_room(None, loop_class.room_bytes()))
        loop.start_with(Server(*served(view, "")), Server(*served(view, "")))
        loop.stop()  # each run answers what has arrived, and returns
        asker = Client(socket.inet_aton("127.0.0.1"), client.getsockname()[1])
        for seed in range(20):
            batch = questions(Random(seed))
            for datagram in batch:
                client.send(datagram)
            loop.run()
            for datagram in batch:
                assert client.recv(4096) == respond(view, datagram, asker, Transport.UDP, 0, 0), datagram.hex()
