"""Redirects of the http probe: followed as clients of the web do, always to the endpoint's own address."""

from __future__ import annotations

import asyncio

import pytest

from lbdns.health.reasons import Reason
from lbdns.monitor.probes import http
from lbdns.monitor.probes.http import HttpProbe
from lbdns.monitor.probes.result import Result, Target
from tests.monitor import peers
from tests.monitor.probing import probe

FOLLOWING = HttpProbe(follow_redirects=True)


def redirecting(location: bytes, what: HttpProbe = FOLLOWING) -> tuple[Result, list[bytes]]:
    """An endpoint that sends /  to `location` (PORT stands for its own port) and answers 200 elsewhere."""

    async def run() -> tuple[Result, list[bytes]]:
        heads: list[bytes] = []

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            heads.append(head)
            port = b"%d" % writer.get_extra_info("sockname")[1]
            fields = b"Location: " + location.replace(b"PORT", port) + b"\r\n"
            writer.write(peers.answer(code=302, fields=fields) if b" / " in head else peers.answer(b"there"))
            await writer.drain()

        async with peers.serving(handler) as peer:
            return await probe(what, peer.port), heads

    return asyncio.run(run())


def test_redirects_are_followed_when_asked_to() -> None:
    result, heads = redirecting(b"/there?x", HttpProbe(follow_redirects=True, body="there"))
    assert result.healthy and heads[1].startswith(b"GET /there?x HTTP/1.1\r\nHost: app.example\r\n")
    result, heads = redirecting(b"/there", HttpProbe())
    assert (result.reason, result.code, len(heads)) == (Reason.CODE_MISMATCH, 302, 1)


def test_a_redirect_to_another_host_stays_at_the_endpoints_address() -> None:
    result, heads = redirecting(b"http://elsewhere.invalid:PORT/there")
    assert result.healthy and b"Host: elsewhere.invalid:" in heads[1]


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (b"/my page", b"/my%20page"),
        (b"  /there \t", b"/there"),
        (b"/my%20page?a b", b"/my%20page?a%20b"),
        ("/über/straße?q=ü".encode(), b"/%C3%BCber/stra%C3%9Fe?q=%C3%BC"),
        (b"/\xfc", b"/%FC"),
        (b"there you are", b"/there%20you%20are"),
        (b"//app.example/there", b"/there"),
        (b"http://app.example/there#part two", b"/there"),
        (b"http://APP.Example/there", b"/there"),
        (b"HTTP://App.example:80/there", b"/there"),
        (b"http://user@APP.example/a|b", b"/a|b"),
    ],
)
def test_a_redirect_to_the_same_host_is_followed_as_clients_of_the_web_do(location: bytes, path: bytes) -> None:
    """The peer's port is not 80: it stays, since the Host header says no other than the Location."""
    result, heads = redirecting(location)
    assert result.healthy, result.text
    assert heads[1].startswith(b"GET " + path + b" HTTP/1.1\r\nHost: app.example\r\n")


def test_hosts_compare_with_their_ports_without_case_and_in_their_a_labels() -> None:
    def leads_to(location: str, host: str, scheme: str = "http") -> tuple[str, int, str]:
        there, target, _ = http._redirected(scheme, Target("192.0.2.1", 18080, host), "/", location)
        return there, target.port, target.host

    assert leads_to("http://WWW.Example.net/", "www.example.net") == ("http", 18080, "www.example.net")
    assert leads_to("http://www.example.net/", "WWW.example.net:80") == ("http", 18080, "WWW.example.net:80")
    assert leads_to("http://www.Example.net:8080/", "www.example.net:8080") == ("http", 18080, "www.example.net:8080")
    assert leads_to("https://WWW.Example.net/", "www.example.net") == ("https", 443, "www.example.net")
    assert leads_to("http://www.example.net:8081/", "www.example.net") == ("http", 8081, "www.example.net:8081")
    assert leads_to("http://[2001:DB8::1]/", "[2001:db8::1]") == ("http", 18080, "[2001:db8::1]")
    utf8 = "http://Bücher.example/".encode().decode("latin-1")
    assert leads_to(utf8, "xn--bcher-kva.example") == ("http", 18080, "xn--bcher-kva.example")
    assert leads_to(utf8, "www.example.net") == ("http", 80, "xn--bcher-kva.example")


@pytest.mark.parametrize(
    "location", [b"ftp://x/", b"file:///etc/passwd", b"http://[x/", b"http://h\xe9/", b"/" + b"x" * 3000, b"/a\tb\x0b"]
)
def test_a_redirect_elsewhere_is_not_followed(location: bytes) -> None:
    result, heads = redirecting(location)
    assert result.reason is Reason.HTTP_INVALID and len(heads) == 1


def test_redirects_are_bounded() -> None:
    result, heads = redirecting(b"/")
    assert result.reason is Reason.CODE_MISMATCH and len(heads) == http.REDIRECTS_MAX + 1
