"""The http, https and tcp probes against real peers: every failure reason, and every bound."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from lbdns.health.reasons import Reason
from lbdns.monitor.probes import http
from lbdns.monitor.probes.http import HttpProbe, host_header, server_name
from lbdns.monitor.probes.result import Result, Target
from lbdns.monitor.probes.tcp import TcpProbe
from lbdns.monitor.trust import client_context
from tests.monitor import peers
from tests.monitor.probing import against, probe

HTTPS = HttpProbe(scheme="https")


def test_a_good_answer_is_healthy_with_code_time_and_phases() -> None:
    result = against(peers.answer())
    assert result.healthy and result.reason is Reason.NO_FAILURES and result.code == 200
    assert [name for name, _ in result.phases] == ["connect", "answer", "body"]
    assert 0 < result.rtt_us < 2_000_000 and sum(us for _, us in result.phases) <= result.rtt_us


def test_the_request_carries_method_path_host_and_headers_and_asks_to_close() -> None:
    async def run() -> bytes:
        async with peers.saying(peers.answer()) as peer:
            what = HttpProbe(method="OPTIONS", path="/up?x=1", header=(("X-Why", "probe"), ("X-Why", "again")))
            await probe(what, peer.port, host="www.example.com")
            return peer.received[0]

    lines = asyncio.run(run()).decode().split("\r\n")
    assert lines[:2] == ["OPTIONS /up?x=1 HTTP/1.1", "Host: www.example.com"]
    assert {"X-Why: probe", "X-Why: again", "Connection: close"} <= set(lines)
    assert lines[2].startswith("User-Agent: lbdns/")


def test_ipv6() -> None:
    async def run() -> tuple[Result, Result]:
        async with peers.saying(peers.answer(), address="::1") as peer:
            return await probe(HttpProbe(), peer.port, address="::1"), await probe(TcpProbe(), peer.port, address="::1")

    assert all(result.healthy for result in asyncio.run(run()))


@pytest.mark.parametrize(
    ("codes", "code", "healthy"),
    [
        (((200, 200),), 200, True),
        (((200, 200),), 204, False),
        (((200, 299),), 204, True),
        (((200, 200), (301, 302)), 302, True),
        (((500, 599),), 503, True),
    ],
)
def test_expected_codes(codes: tuple[tuple[int, int], ...], code: int, healthy: bool) -> None:
    result = against(peers.answer(b"", code), HttpProbe(codes=codes))
    assert (result.healthy, result.code) == (healthy, code)
    assert result.reason is (Reason.NO_FAILURES if healthy else Reason.CODE_MISMATCH)


@pytest.mark.parametrize(
    ("data", "wanted", "reason"),
    [
        (peers.answer(b"all GOOD here"), "Good", Reason.NO_FAILURES),
        (peers.answer(b"bad"), "good", Reason.BODY_MISMATCH),
        (peers.answer(b""), "good", Reason.BODY_MISMATCH),
        (peers.answer(b"x" * 10_236 + b"good"), "good", Reason.NO_FAILURES),
        (peers.answer(b"x" * 10_237 + b"good"), "good", Reason.BODY_MISMATCH),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end it is good", "it is good", Reason.NO_FAILURES),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\n go\r\n2\r\nod\r\n0\r\n\r\n",
            "good",
            Reason.NO_FAILURES,
        ),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + peers.answer(b"good"), "good", Reason.NO_FAILURES),
    ],
)
def test_expected_body(data: bytes, wanted: str, reason: Reason) -> None:
    assert against(data, HttpProbe(body=wanted)).reason is reason


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 20_000,
        b"HTTP/1.1 100 Wait\r\n\r\n" * 20,
        b"",
    ],
)
def test_what_is_not_http_or_too_much_of_it(data: bytes) -> None:
    assert against(data).reason is Reason.HTTP_INVALID


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 4000,
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_a_body_that_breaks_off_or_is_none_matters_where_one_is_expected(data: bytes) -> None:
    assert against(data, HttpProbe(body="good")).reason in (Reason.HTTP_INVALID, Reason.BODY_MISMATCH)
    result = against(data)
    assert result.healthy and result.code == 200


def test_what_follows_the_head_is_nobodys_business_where_no_body_is_expected() -> None:
    """An endless stream, one that says nothing more, a reset, and a close, each after a good head."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

    async def run() -> list[Result]:
        async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            while True:
                writer.write(b"data: tick\n\n")
                await writer.drain()
                await asyncio.sleep(0.01)

        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(head)
            await reader.read()

        async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(head)
            await writer.drain()
            await peers.resetting(reader, writer)

        async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head)

        results = []
        for handler in (stream, mute, reset, close):
            async with peers.serving(handler) as peer:
                results.append(await probe(HttpProbe(), peer.port, timeout=1))
        return results

    results = asyncio.run(run())
    assert [(result.healthy, result.code) for result in results] == [(True, 200)] * 4
    assert all(result.rtt_us < 900_000 for result in results)


@pytest.mark.slow
def test_timeouts_say_in_which_phase() -> None:
    with peers.black_hole() as port:
        started = asyncio.run(probe(TcpProbe(), port, timeout=0.2))
        result = asyncio.run(probe(HttpProbe(), port, timeout=0.2))
    assert started.reason is result.reason is Reason.TCP_TIMEOUT
    assert 150_000 < result.rtt_us < 600_000
    slow_head = against(b"HTTP/1.1 200 OK\r\n", stay=1, timeout=0.2)
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    slow_body = against(half, HttpProbe(body="whole"), stay=1, timeout=0.2)
    assert slow_head.reason is slow_body.reason is Reason.HTTP_TIMEOUT
    assert (slow_head.code, slow_body.code) == (0, 200)


def test_a_body_that_trickles_for_ever_ends_at_the_deadline() -> None:
    async def run() -> Result:
        async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b"x")
                await asyncio.sleep(0.01)

        async with peers.serving(trickle) as peer:
            return await probe(HttpProbe(body="good"), peer.port, timeout=0.2)

    assert asyncio.run(run()).reason is Reason.HTTP_TIMEOUT


def test_an_endless_body_is_read_no_further_than_10_kb() -> None:
    async def run() -> Result:
        async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()

        async with peers.serving(pour) as peer:
            return await probe(HttpProbe(body="good"), peer.port, timeout=5)

    result = asyncio.run(run())
    assert result.reason is Reason.BODY_MISMATCH and "first 10240 bytes" in result.detail
    assert result.rtt_us < 2_000_000


def test_refused_and_reset() -> None:
    async def run() -> list[Result]:
        async with peers.serving(peers.resetting) as peer:
            port = peers.refused_port()
            return [await probe(TcpProbe(), port), await probe(HttpProbe(), port), await probe(HttpProbe(), peer.port)]

    assert [result.reason for result in asyncio.run(run())] == [Reason.TCP_FAILED, Reason.TCP_FAILED, Reason.RESET]


def test_a_tcp_probe_passes_where_something_listens() -> None:
    async def run() -> Result:
        async with peers.saying(b"") as peer:
            return await probe(TcpProbe(), peer.port)

    result = asyncio.run(run())
    assert result.healthy and [name for name, _ in result.phases] == ["connect"]


UNROUTED = """
import asyncio, sys
from lbdns.monitor.probes.tcp import TcpProbe
from lbdns.monitor.trust import client_context
from lbdns.monitor.probes.result import Target
async def main():
    for address in sys.argv[1:]:
        result = await TcpProbe().run(Target(address, 9), asyncio.get_running_loop().time() + 2)
        print(result.reason.name)
asyncio.run(main())
"""


@pytest.mark.process
def test_no_route_and_network_unreachable() -> None:
    """In a network of its own, so that nothing leaves the machine."""
    setup = "ip link set lo up && ip route add unreachable 203.0.113.0/24"
    inside = ["unshare", "-Urn", "sh", "-c"]
    try:
        usable = subprocess.run([*inside, setup], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        usable = False
    if not usable:
        pytest.skip("needs unshare and ip (util-linux, iproute2) and the right to make a network namespace")
    command = f'{setup} && "$0" -c "$1" 203.0.113.9 198.51.100.9 2001:db8::1'
    done = subprocess.run(
        [*inside, command, sys.executable, UNROUTED], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.split() == ["NO_ROUTE", "NETWORK_UNREACHABLE", "NETWORK_UNREACHABLE"]


# --- TLS ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test's authority is what the system trusts."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    http.tls_context.cache_clear()
    yield
    http.tls_context.cache_clear()


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def tls(context: ssl.SSLContext, what: HttpProbe = HTTPS, host: str = "app.example") -> Result:
    async def run() -> Result:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the peers' broken handshakes are meant
        async with peers.saying(peers.answer(), context) as peer:
            return await probe(what, peer.port, host)

    return asyncio.run(run())


@pytest.mark.usefixtures("trusted")
def test_https_with_a_good_certificate_sends_the_host_as_server_name(authority: trustme.CA) -> None:
    context = server_context(authority, "app.example", "127.0.0.1")
    asked: list[object] = []
    context.sni_callback = lambda _sock, name, _context: asked.append(name)
    result = tls(context, host="app.example:8443")
    assert result.healthy and asked == ["app.example"]
    assert [name for name, _ in result.phases] == ["connect", "tls", "answer", "body"]
    assert tls(context, host="127.0.0.1").healthy and asked == ["app.example", None]


@pytest.mark.usefixtures("trusted")
def test_a_certificate_for_another_name(authority: trustme.CA) -> None:
    context = server_context(authority, "other.example")
    assert tls(context).reason is Reason.TLS_NAME_MISMATCH
    assert tls(context, host="127.0.0.1").reason is Reason.TLS_NAME_MISMATCH
    assert tls(context, HttpProbe(scheme="https", allow_insecure=True)).healthy


@pytest.mark.usefixtures("trusted")
def test_a_certificate_from_nobody_known() -> None:
    assert tls(server_context(trustme.CA(), "app.example")).reason is Reason.TLS_UNTRUSTED


@pytest.mark.usefixtures("trusted")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_endpoints_of_tls_1_0_and_1_1_are_reached_where_insecure_is_allowed_and_nowhere_else(
    authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    context = server_context(authority, "app.example")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    result = tls(context, HttpProbe(scheme="https", allow_insecure=True))
    assert result.healthy and result.code == 200, result.text
    assert tls(context).reason in (Reason.TLS_PROTOCOL, Reason.TLS_HANDSHAKE)  # asyncio's servers send no alert
    assert client_context(allow_insecure=True).minimum_version == ssl.create_default_context().minimum_version


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("alert", "reason"),
    [
        (ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME, Reason.TLS_UNRECOGNIZED_NAME),
        (ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE, Reason.TLS_HANDSHAKE),
        (ssl.ALERT_DESCRIPTION_PROTOCOL_VERSION, Reason.TLS_PROTOCOL),
    ],
)
def test_handshakes_that_the_peer_refuses(authority: trustme.CA, alert: int, reason: Reason) -> None:
    context = server_context(authority, "app.example")
    context.sni_callback = lambda *_: alert
    with socket.create_server(("127.0.0.1", 0)) as listener:  # asyncio's servers close without sending the alert

        def refuse() -> None:
            with listener.accept()[0] as plain, contextlib.suppress(OSError):
                context.wrap_socket(plain, server_side=True)

        server = threading.Thread(target=refuse)
        server.start()
        assert asyncio.run(probe(HTTPS, listener.getsockname()[1])).reason is reason
        server.join()


def test_a_peer_without_tls_and_one_that_hangs_up() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)

    async def run() -> list[Result]:
        async with peers.serving(hang_up) as silent:

            async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await reader.read(1000)
                writer.write(peers.answer(code=400))

            async with peers.serving(plain) as talker:
                return [await probe(HTTPS, talker.port), await probe(HTTPS, silent.port)]

    assert [result.reason for result in asyncio.run(run())] == [Reason.TLS_PROTOCOL, Reason.TLS_HANDSHAKE]


def test_a_handshake_that_never_ends() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2)

    async def run() -> Result:
        async with peers.serving(mute) as peer:
            return await probe(HTTPS, peer.port, timeout=0.2)

    result = asyncio.run(run())
    assert result.reason is Reason.HTTP_TIMEOUT and result.phases[0][0] == "connect"


@pytest.mark.parametrize(
    ("host", "name"),
    [("a.example", "a.example"), ("a.example:8443", "a.example"), ("[::1]:8443", "::1"), ("a.example.", "a.example")],
)
def test_the_server_name_follows_the_host_header(host: str, name: str) -> None:
    assert server_name(Target("192.0.2.1", 1, host)) == name


def test_host_header_without_one_given() -> None:
    assert host_header("192.0.2.1", 80, "http") == "192.0.2.1"
    assert host_header("192.0.2.1", 443, "http") == "192.0.2.1:443"
    assert host_header("2001:db8::1", 443, "https") == "[2001:db8::1]"
    assert host_header("a.example", 8443, "https") == "a.example:8443"


@pytest.mark.slow
def test_probes_leave_nothing_behind() -> None:
    """No object, no cycle for the collector and no descriptor, however a probe ends."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        with peers.black_hole() as hole:
            for port, timeout in ((hole, 0.01), (peers.refused_port(), 1.0)):
                what = HttpProbe(follow_redirects=True)
                await what.run(Target("127.0.0.1", port, "x"), loop.time() + timeout)
                gc.collect()
                before = len(gc.get_objects()), len(os.listdir("/proc/self/fd"))
                for _ in range(30):
                    await what.run(Target("127.0.0.1", port, "x"), loop.time() + timeout)
                assert gc.collect() == 0
                after = len(gc.get_objects()), len(os.listdir("/proc/self/fd"))
                assert after[0] - before[0] < 30 and after[1] == before[1]

    asyncio.run(run())
