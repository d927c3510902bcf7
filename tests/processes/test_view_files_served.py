"""Files of views in a running server: watched like others, kept over a restart, and shown to nobody else meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
import dns.query
import dns.rcode
import pytest

from lbdns.processes.supervisor.binding import choose_ports
from lbdns.testing import LbdnsServer, write_files
from tests.processes.test_reload import eventually

pytestmark = pytest.mark.process

ZONE = "$TTL 60\n@ SOA ns1 hostmaster 1 7200 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.1\n"
OFFICE, GUEST = "10.1.2.0/24", "192.0.2.0/24"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LbdnsServer]:
    """Return a server that believes resolvers on loopback; not started."""
    (listen,) = choose_ports(("127.0.0.1:0",))
    settings: dict[str, Any] = {
        "listen": [listen],
        "state": str(tmp_path / "state"),
        "views": {"office": {"networks": ["10.0.0.0/8"]}},
        "trusted_resolvers": ["127.0.0.1"],
    }
    write_files({"settings": settings, "zones": {"example.com": ZONE, "corp@office": ZONE}}, tmp_path / "config")
    with contextlib.closing(LbdnsServer(tmp_path / "config", tmp_path, override=False)) as server:
        server.source = lambda: [str(server.directory)]  # type: ignore[method-assign]
        yield server


def ask(server: LbdnsServer, name: str, network: str) -> tuple[str, list[str]]:
    """Return RCODE and addresses that a client in a network is given, over UDP as over TCP."""
    address, _, bits = network.partition("/")
    options: list[dns.edns.Option] = [dns.edns.ECSOption(address, int(bits))]
    message = dns.message.make_query(name, "A", use_edns=0, options=options)
    replies = [send(message, server.host, port=server.port, timeout=5) for send in (dns.query.udp, dns.query.tcp)]
    found = [
        (dns.rcode.to_text(one.rcode()), [rdata.address for rrset in one.answer for rdata in rrset]) for one in replies
    ]
    return found[0] if found[0] == found[1] else ("a change between the two", [])


def test_what_a_view_sees_comes_and_goes_with_its_file(server: LbdnsServer) -> None:
    server.start()
    assert ask(server, "www.example.com", OFFICE) == ("NOERROR", ["192.0.2.1"])
    own = server.directory / "example.com@office.zone"
    own.write_text("$TTL 60\nwww A 10.0.0.1\n")
    eventually(lambda: ask(server, "www.example.com", OFFICE) == ("NOERROR", ["10.0.0.1"]))
    assert ask(server, "www.example.com", GUEST) == ("NOERROR", ["192.0.2.1"])
    own.unlink()
    eventually(lambda: ask(server, "www.example.com", OFFICE) == ("NOERROR", ["192.0.2.1"]))


def test_a_zone_of_a_view_stays_its_own_over_a_restart_with_a_mistake(server: LbdnsServer) -> None:
    server.start()
    assert ask(server, "www.corp", OFFICE) == ("NOERROR", ["192.0.2.1"])
    assert server.stop() == 0
    with (server.directory / "corp@office.zone").open("a") as file:
        file.write("www A not-an-address\n")
    server.start()
    assert ask(server, "www.corp", OFFICE) == ("NOERROR", ["192.0.2.1"])
    assert ask(server, "www.corp", GUEST) == ("REFUSED", [])
    assert ask(server, "www.example.com", GUEST) == ("NOERROR", ["192.0.2.1"])


def test_a_mistake_of_a_view_at_a_first_start_is_a_servfail_there_alone(server: LbdnsServer) -> None:
    (server.directory / "example.com@office.zone").write_text("$TTL 60\nwww A not-an-address\n")
    server.start()
    assert ask(server, "www.example.com", OFFICE) == ("SERVFAIL", [])
    assert ask(server, "www.example.com", GUEST) == ("NOERROR", ["192.0.2.1"])
    (server.directory / "example.com@office.zone").write_text("$TTL 60\nwww A 10.0.0.1\n")
    eventually(lambda: ask(server, "www.example.com", OFFICE) == ("NOERROR", ["10.0.0.1"]))
