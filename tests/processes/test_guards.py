"""Guards of a running server: cookies that servers share, limits that processes share, proxies that say whom they ask
for, over UDP and TCP."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lbdns.dns.options.cookie import decode_cookie
from lbdns.testing import LbdnsServer, running_server
from tests.answer.packets import OPTION_COOKIE, opt, option, query
from tests.answer.replies import Reply

pytestmark = pytest.mark.process

PATIENCE_S = 5.0
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PROXY, LOCAL = 0x21, 0x20
ZONE = """$TTL 300
@ SOA ns1 host 1 7200 3600 1209600 300
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.80
"""
SECRETS = [bytes([number] * 16).hex() for number in (1, 2, 3)]


def tree(**settings: Any) -> dict[str, Any]:
    """Return the configuration of a server with two zones."""
    zones = {"example.com": ZONE, "inside.example": ZONE}
    return {"settings": {"metrics": "127.0.0.1:0", **settings}, "zones": zones}


def ask(server: LbdnsServer, message: bytes, source: str = "127.0.0.1") -> Reply:
    """Return the reply to a datagram from one of this machine's addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(PATIENCE_S)
        asking.bind((source, 0))
        asking.sendto(message, (server.host, server.port))
        return Reply(asking.recv(65535))


def ask_tcp(server: LbdnsServer, *pieces: bytes) -> Reply | None:
    """Return the reply to what is sent piece by piece over TCP, None where the connection is closed."""
    with socket.create_connection((server.host, server.port), PATIENCE_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.01 if len(pieces) > 1 else 0)
            data = b""
            while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2]):
                more = connection.recv(65535)
                if not more:
                    return None
                data += more
            return Reply(data[2:])
    return None


def framed(message: bytes) -> bytes:
    """Return a message with its length before it."""
    return len(message).to_bytes(2) + message


def cookie_in(reply: Reply) -> bytes:
    """Return the Cookie option of a reply."""
    return reply.options()[OPTION_COOKIE]


def with_cookie(cookie: bytes, name: str = "www.example.com.") -> bytes:
    """Return a query that brings a cookie."""
    return query(name, edns=opt(option(OPTION_COOKIE, cookie))).wire


def counted(server: LbdnsServer, family: str) -> dict[str, float]:
    """Return the samples of a metric family by their labels."""
    with urllib.request.urlopen(f"http://{server.status()['metrics']}/metrics", timeout=PATIENCE_S) as reply:
        lines = reply.read().decode().splitlines()
    found = [line.rpartition(" ") for line in lines if line.startswith(f"lbdns_{family}_total")]
    return {name.partition("{")[2].rstrip("}"): float(value) for name, _, value in found}


class TestCookies:
    """What servers behind one address share, and what each has of itself."""

    def test_servers_of_one_file_know_each_others(self, tmp_path: Path) -> None:
        shared = tmp_path / "secrets"
        shared.write_text(f"# shared\n{SECRETS[0]}\n{SECRETS[1]}\n")
        shared.chmod(0o600)
        settings = {"cookies": {"secret_file": str(shared)}}
        with (
            running_server(tree(**settings), tmp_path / "a") as one,
            running_server(tree(**settings), tmp_path / "b") as two,
        ):
            given = cookie_in(ask(one, with_cookie(bytes(8))))
            assert cookie_in(ask(two, with_cookie(given))) == given
            over_tcp = ask_tcp(two, framed(with_cookie(given)))
            assert over_tcp is not None
            assert cookie_in(over_tcp) == given
            # The next secret is in use at one of them: the cookie is good at both, and renewed at that one alone.
            (tmp_path / "b" / "own").write_text(f"{SECRETS[1]}\n{SECRETS[0]}\n{SECRETS[2]}\n")
            os.chmod(tmp_path / "b" / "own", 0o600)
            two.reload({"lbdns.yaml": f"cookies: {{secret_file: {tmp_path / 'b' / 'own'}}}\nmetrics: 127.0.0.1:0\n"})
            renewed = cookie_in(ask(two, with_cookie(given)))
            assert renewed != given
            assert cookie_in(ask(one, with_cookie(given))) == given
            before = counted(one, "cookies")['standing="valid"']
            newer = cookie_in(ask(one, with_cookie(renewed)))
            assert counted(one, "cookies")['standing="valid"'] == before + 1
            assert newer != renewed, "made with the secret that is in use here"

    def test_its_own_are_good_after_a_restart(self, tmp_path: Path) -> None:
        with running_server(tree(), tmp_path) as server:
            given = cookie_in(ask(server, with_cookie(bytes(8))))
            parts = decode_cookie(given)
            assert parts is not None
            assert abs(parts.parts().stamp - time.time()) < 60
            server.stop()
            server.start()
            assert cookie_in(ask(server, with_cookie(given))) == given
            server.reload({"lbdns.yaml": "cookies: 'off'\nmetrics: 127.0.0.1:0\n"})
            assert cookie_in(ask(server, with_cookie(given))) == given, "off: they are given on"
            server.reload({"lbdns.yaml": "cookies: never\nmetrics: 127.0.0.1:0\n"})
            assert OPTION_COOKIE not in ask(server, with_cookie(given)).options()
            assert not any(
                one in server.log for one in (tmp_path / "state" / "cookie-secrets").read_text().split()[-2:]
            )


def test_all_processes_share_a_limit_and_tcp_has_none(tmp_path: Path) -> None:
    limit = {"per_second": 1, "instant": 20, "slip": 1}
    with running_server(tree(workers=2, rate_limit=limit), tmp_path) as server:
        replies = [ask(server, query(f"n{number}.example.com.").wire) for number in range(100)]
        whole = sum(not reply.tc for reply in replies)
        assert 20 <= whole <= 24, "each of two processes alone would have given 20"
        assert all(reply.rcode == "NXDOMAIN" for reply in replies)
        assert not ask(server, query("www.example.com.").wire).tc, "another class"
        assert not ask(server, query("n.inside.example.").wire).tc, "another zone"
        assert not ask(server, query("n.example.com.").wire, "127.9.0.1").tc, "another network"
        over_tcp = ask_tcp(server, framed(query("n.example.com.").wire))
        assert over_tcp is not None
        assert not over_tcp.tc
        given = cookie_in(ask(server, with_cookie(bytes(8), "m.example.com.")))
        assert not ask(server, with_cookie(given, "m.example.com.")).tc, "a valid cookie"
        assert counted(server, "rate_limited")['action="truncated",class="nxdomain"'] == 101 - whole


def proxied(source: str, message: bytes, command: int = PROXY, more: bytes = b"", family: int | None = None) -> bytes:
    """Return a message behind a header, by which a proxy asks for a client."""
    version = 6 if ":" in source else 4
    packed = socket.inet_pton(socket.AF_INET6 if version == 6 else socket.AF_INET, source)
    block = packed + bytes(len(packed)) + struct.pack("!HH", 40_000, 53) + more
    kind = (0x11 if version == 4 else 0x21) if family is None else family
    return SIGNATURE + bytes((command, kind)) + len(block).to_bytes(2) + block + message


INSIDE, OUTSIDE = "192.0.2.7", "203.0.113.7"
ASKED = query("www.inside.example.", edns=True).wire
OTHERS = query("www.example.com.", edns=True).wire


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LbdnsServer]:
    """A server behind a proxy at 127.0.0.1, with a zone that 192.0.2.0/24 and 2001:db8::/32 may ask alone."""
    settings = {
        "proxies": ["127.0.0.1"],
        "zones": {"inside.example": {"access": {"query": [{"network": "192.0.2.0/24"}, {"network": "2001:db8::/32"}]}}},
    }
    made = tree(**settings)
    with running_server(made, tmp_path_factory.mktemp("behind")) as server:
        yield server


FORMS = [
    pytest.param(proxied(INSIDE, ASKED), "NOERROR", id="IPv4"),
    pytest.param(proxied("2001:db8::7", ASKED), "NOERROR", id="IPv6"),
    pytest.param(proxied("::ffff:192.0.2.7", ASKED), "NOERROR", id="IPv4 in IPv6's clothes"),
    pytest.param(proxied(INSIDE, ASKED, more=b"\x04\x00\x02ab" * 20), "NOERROR", id="TLVs"),
    pytest.param(proxied(INSIDE, ASKED, family=0x12), "NOERROR", id="the client came over TCP"),
    pytest.param(proxied(OUTSIDE, ASKED), "REFUSED", id="another client"),
    pytest.param(proxied("2001:db9::7", ASKED), "REFUSED", id="another client, IPv6"),
    pytest.param(proxied(INSIDE, ASKED, LOCAL), "REFUSED", id="LOCAL: the proxy itself"),
    pytest.param(proxied(INSIDE, ASKED, family=0), "REFUSED", id="of no family: the proxy itself"),
    pytest.param(proxied(OUTSIDE, OTHERS), "NOERROR", id="a zone that all may ask"),
]
BROKEN = [
    pytest.param(ASKED, id="no header"),
    pytest.param(proxied(INSIDE, ASKED, 0x11), id="version 1"),
    pytest.param(proxied(INSIDE, ASKED, 0x22), id="another command"),
    pytest.param(SIGNATURE + bytes((PROXY, 0x11)) + (8).to_bytes(2) + bytes(8) + ASKED, id="a short block"),
    pytest.param(
        SIGNATURE + bytes((PROXY, 0x11)) + (4000).to_bytes(2) + bytes(12) + ASKED, id="a length beyond the end"
    ),
    pytest.param(b"PROXY UDP4 192.0.2.7 192.0.2.1 9 53\r\n" + ASKED, id="version 1's text"),
]


@pytest.mark.parametrize(("message", "rcode"), FORMS)
class TestProxies:
    """Whom a proxy asks for."""

    def test_over_udp(self, behind: LbdnsServer, message: bytes, rcode: str) -> None:
        reply = ask(behind, message)
        assert reply.rcode == rcode
        assert reply.ede == (18 if rcode == "REFUSED" else None)

    def test_over_tcp(self, behind: LbdnsServer, message: bytes, rcode: str) -> None:
        asked = OTHERS if message.endswith(OTHERS) else ASKED
        header = message.removesuffix(asked)
        reply = ask_tcp(behind, header + framed(asked))
        assert reply is not None
        assert reply.rcode == rcode


@pytest.mark.parametrize("message", BROKEN)
def test_what_a_proxy_says_without_a_header_is_not_answered(behind: LbdnsServer, message: bytes) -> None:
    before = counted(behind, "proxied")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(PATIENCE_S)
        asking.connect((behind.host, behind.port))
        asking.send(message)
        asking.send(proxied(INSIDE, query("www.inside.example.").with_id(77).wire))
        assert asking.recv(65535)[:2] == (77).to_bytes(2), "the next one alone is answered"
    after = counted(behind, "proxied")
    assert after['header="refused"'] == before['header="refused"'] + 1
    assert after['header="accepted"'] == before['header="accepted"'] + 1


@pytest.mark.parametrize("message", [framed(ASKED), BROKEN[1].values[0], BROKEN[3].values[0]])
def test_a_connection_of_a_proxy_without_a_header_is_closed(behind: LbdnsServer, message: bytes) -> None:
    assert ask_tcp(behind, message) is None


def test_a_header_comes_in_pieces_and_counts_for_all_that_follows(behind: LbdnsServer) -> None:
    whole = proxied(INSIDE, framed(ASKED))
    for pieces in ([whole[at : at + 1] for at in range(len(whole))], [whole[:5], whole[5:20], whole[20:]]):
        reply = ask_tcp(behind, *pieces)
        assert reply is not None
        assert reply.rcode == "NOERROR"


def test_from_anybody_else_a_header_is_none(behind: LbdnsServer) -> None:
    """Its octets are a message of opcode 1 then; and who sends none is answered as ever."""
    reply = ask(behind, proxied(INSIDE, ASKED), "127.0.0.2")
    assert reply.rcode == "NOTIMP"
    assert ask(behind, OTHERS, "127.0.0.2").rcode == "NOERROR"
    assert ask(behind, ASKED, "127.0.0.2").rcode == "REFUSED"


def test_a_cookie_is_of_the_client_behind_the_proxy(behind: LbdnsServer) -> None:
    given = cookie_in(ask(behind, proxied(INSIDE, with_cookie(bytes(8)))))
    assert cookie_in(ask(behind, proxied(INSIDE, with_cookie(given)))) == given
    assert cookie_in(ask(behind, proxied(OUTSIDE, with_cookie(given)))) != given


def test_a_proxy_has_as_many_connections_as_its_clients(behind: LbdnsServer) -> None:
    """Each client has his share; that of one address is no bound for who asks for many."""
    with contextlib.ExitStack() as stack:
        connections: Sequence[socket.socket] = [
            stack.enter_context(socket.create_connection((behind.host, behind.port), PATIENCE_S)) for _ in range(40)
        ]
        for number, connection in enumerate(connections):
            connection.sendall(proxied(f"192.0.2.{number}", framed(ASKED)))
        for connection in connections:
            assert len(connection.recv(65535)) > 12
