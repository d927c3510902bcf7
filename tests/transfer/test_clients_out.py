"""Zone transfers from a running server by those who take them: dig, kdig, dnspython; others are answered meanwhile."""

from __future__ import annotations

import shutil
import socket
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone
import pytest

from lbdns.testing import LbdnsServer, running_server
from tests.answer import world
from tests.answer.lanes import frame, receive
from tests.answer.packets import query

pytestmark = pytest.mark.process

PATIENCE_S = 60.0
SECRET = b64encode(bytes(range(32))).decode()
KEY = dns.tsig.Key("mover.", SECRET)
BIG_NAMES = 40_000
BIG = "$TTL 300\n@ SOA ns1 h 7 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n" + "\n".join(
    f"host{number} A 10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(BIG_NAMES)
)
TREE: Mapping[str, Any] = {
    "zones": {"example.com": world.MAIN, "big.example": BIG},
    "pools": {"one": {"origins": [{"name": "a", "address": "192.0.2.10"}]}},
    "load_balancers": [],
    "settings": {
        "keys": [{"name": "mover", "secret": SECRET}],
        "access": {"transfer": [{"key": "mover"}]},
        "zones": {"big.example": {"access": {"transfer": [{"network": "127.0.0.0/8"}]}}},
    },
}


@pytest.fixture(scope="module")
def server(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LbdnsServer]:
    """A server whose zones may be transferred, one by a key, one from loopback."""
    with running_server(TREE, tmp_path_factory.mktemp("out")) as running:
        yield running


def run(*command: str) -> str:
    """Return what a client prints; skip where it is not installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False).stdout


def taken(server: LbdnsServer, name: str, key: dns.tsig.Key | None = None) -> dns.zone.Zone:
    """Return a zone as dnspython takes it, each message's signature looked at."""
    zone = dns.zone.Zone(name)
    asked, _ = dns.xfr.make_query(zone)
    if key is not None:
        asked.use_tsig(key)
    dns.query.inbound_xfr(server.host, zone, asked, port=server.port, timeout=PATIENCE_S, lifetime=PATIENCE_S)
    return zone


def wanted(text: str, name: str) -> dns.zone.Zone:
    """Return a zone as dnspython reads it from its file."""
    return dns.zone.from_text(text, name, relativize=True, check_origin=False)


@pytest.mark.parametrize(
    "command",
    [
        ("dig", "+onesoa", "-y", f"hmac-sha256:mover:{SECRET}"),
        ("kdig", "-y", f"hmac-sha256:mover:{SECRET}"),
    ],
    ids=lambda command: command[0],
)
def test_clients_take_a_zone(server: LbdnsServer, command: tuple[str, ...]) -> None:
    program, *options = command
    said = run(program, f"@{server.host}", "-p", str(server.port), *options, "example.com", "AXFR")
    assert not [line for line in said.splitlines() if "failed" in line.lower() or "BAD" in line]
    lines = [line for line in said.splitlines() if line and not line.startswith(";") and "\tTSIG\t" not in line]
    found = dns.zone.from_text("\n".join(lines), "example.com", check_origin=False)
    assert found == wanted(world.MAIN, "example.com")


def test_dnspython_takes_a_signed_transfer(server: LbdnsServer) -> None:
    assert taken(server, "example.com", KEY) == wanted(world.MAIN, "example.com")


def test_a_large_zone_is_the_same_by_ldns(server: LbdnsServer, tmp_path: Path) -> None:
    sent, own = tmp_path / "sent.zone", tmp_path / "own.zone"
    sent.write_text(run("dig", f"@{server.host}", "-p", str(server.port), "+onesoa", "big.example", "AXFR"))
    own.write_text("$ORIGIN big.example.\n" + BIG)
    assert "+0\t-0\t~0" in run("ldns-compare-zones", str(own), str(sent))


def test_who_may_not_is_told_and_may_go_on_asking(server: LbdnsServer) -> None:
    assert "Transfer failed" in run("dig", f"@{server.host}", "-p", str(server.port), "example.com", "AXFR")
    with socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as connection:
        for asked, rcode in ((query("example.com.", "AXFR"), 5), (query("static.example.com."), 0)):
            connection.sendall(frame(asked.wire))
            wire = receive(connection)
            assert wire is not None and wire[3] & 0xF == rcode


def test_others_are_answered_while_a_zone_is_sent_to_who_reads_slowly(server: LbdnsServer) -> None:
    """And so is he: what he asks on the same connection comes between the messages of the zone."""
    with socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as slow:
        slow.sendall(frame(query("big.example.", "AXFR").with_id(1).wire, query("static.example.com.").with_id(2).wire))
        with socket.create_connection((server.host, server.port), timeout=PATIENCE_S) as other:
            for _ in range(20):
                other.sendall(frame(query("static.example.com.").wire))
                assert receive(other)
        ids, records = [], 0
        while records < BIG_NAMES + 4:
            wire = receive(slow)
            assert wire is not None
            ids.append(int.from_bytes(wire[:2]))
            records += int.from_bytes(wire[6:8]) if ids[-1] == 1 else 0
        assert ids.count(2) == 1 and ids.index(2) < len(ids) - 1
        assert records == BIG_NAMES + 4
