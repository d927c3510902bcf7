"""Probes through proxies: SOCKS5 and CONNECT, what is the proxy's own trouble and what the endpoint's."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.cli.commands.probe_command import probe_all
from lbdns.health.reasons import Reason
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.health.way_faults import WAY_DOWN, WAY_UP
from lbdns.manage.api.v4 import preview
from lbdns.manage.ways_out import WaysOut
from lbdns.model.configuration import Configuration
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings
from lbdns.model.targets_document import NetworkTarget
from lbdns.model.virtual_network import Via, VirtualNetwork
from lbdns.monitor.probes.make import probe_of
from lbdns.monitor.probes.result import Result, Target
from lbdns.monitor.ways.opener_client import Opening
from lbdns.monitor.ways.proxy_way import ProxyWay
from tests.monitor import peers
from tests.monitor.documents import endpoint, pool
from tests.monitor.played_proxies import PlayedProxy, carry, connected, connecting, socks5
from tests.monitor.stage import Stage, hurry, until

PLAYS = {"socks5": socks5, "http": connecting}


def way_by(scheme: str, port: int, user: str = "") -> ProxyWay:
    at = f"{user}@127.0.0.1" if user else "127.0.0.1"
    return ProxyWay(NetworkTarget("far", 0, proxy=f"{scheme}://{at}:{port}"), Opening(Path("/nowhere")))


async def probe(way: ProxyWay, address: str, port: int, kind: str = "http", timeout: float = 2.0) -> Result:
    monitor = Monitor.model_validate({"type": kind, "port": port, "allow_insecure": True})
    deadline_s = asyncio.get_running_loop().time() + timeout
    return await probe_of(monitor).run(Target(address, port, "app.example", way=way), deadline_s)


def through(scheme: str, proxy: PlayedProxy, user: str = "", kind: str = "tcp", **more: Any) -> tuple[Result, str]:
    """Probe an endpoint that is there by a proxy; returns the result, and what a look at the way says then."""

    async def run() -> tuple[Result, str]:
        async with peers.saying(peers.answer()) as there, PLAYS[scheme](proxy):
            way = way_by(scheme, proxy.peer.port, user)
            way.join("127.0.0.1", there.port)
            return await probe(way, "127.0.0.1", there.port, kind, **more), way.told(await way.look())

    return asyncio.run(run())


@pytest.mark.parametrize("scheme", PLAYS)
@pytest.mark.parametrize("in_pieces", [False, True])
def test_an_endpoint_is_probed_through_a_proxy(scheme: str, in_pieces: bool) -> None:
    result, fault = through(scheme, PlayedProxy(in_pieces=in_pieces), kind="http")
    assert (result.healthy, result.code, fault) == (True, 200, "")
    assert [name for name, _ in result.phases][:2] == ["proxy", "connect"]


@pytest.mark.parametrize("scheme", PLAYS)
def test_a_peer_that_speaks_first_is_heard_from_its_first_octet(scheme: str) -> None:
    async def run() -> Result:
        async def mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for said in (b"220 mx\r\n", b"250 ok\r\n", b"221 bye\r\n"):
                writer.write(said)
                await reader.read(100)

        async with peers.serving(mail) as there, PLAYS[scheme](PlayedProxy()) as proxy:
            return await probe(way_by(scheme, proxy.peer.port), "127.0.0.1", there.port, "smtp")

    result = asyncio.run(run())
    assert result.healthy, result


@pytest.mark.parametrize("scheme", PLAYS)
@pytest.mark.parametrize("address", ["app.corp.example", "::1", "127.0.0.1"])
def test_names_and_addresses_go_to_the_proxy_as_they_are(scheme: str, address: str) -> None:
    async def run() -> list[tuple[str, int]]:
        there = PlayedProxy({"app.corp.example": "127.0.0.1"})
        at = "::1" if ":" in address else "127.0.0.1"
        async with peers.saying(peers.answer(), address=at) as peer, PLAYS[scheme](there) as proxy:
            result = await probe(way_by(scheme, proxy.peer.port), address, peer.port)
            assert result.healthy, result
            return [(host, port - peer.port) for host, port in there.asked]

    assert asyncio.run(run()) == [(address, 0)]


@pytest.mark.parametrize("scheme", PLAYS)
def test_who_one_is_is_said_and_refused(scheme: str) -> None:
    proxy = PlayedProxy(user=b"u", password=b"p")
    assert through(scheme, proxy, "u:p")[0].healthy
    result, fault = through(scheme, proxy, "u:wrong")
    port = proxy.peer.port
    assert result.reason is Reason.NETWORK_DOWN
    assert fault == f"proxy 127.0.0.1:{port} takes no such user and password"
    result, fault = through(scheme, proxy)
    assert (result.reason, "no such user" in fault) == (Reason.NETWORK_DOWN, True)
    assert "wrong" not in result.detail


@pytest.mark.parametrize(
    ("scheme", "says", "reason"),
    [
        ("socks5", b"\x05\x01\x00\x01" + bytes(6), Reason.TCP_FAILED),
        ("socks5", b"\x05\x02\x00\x01" + bytes(6), Reason.CONFIG_ERROR),
        ("socks5", b"\x05\x03\x00\x01" + bytes(6), Reason.NETWORK_UNREACHABLE),
        ("socks5", b"\x05\x04\x00\x01" + bytes(6), Reason.NO_ROUTE),
        ("socks5", b"\x05\x05\x00\x01" + bytes(6), Reason.TCP_FAILED),
        ("socks5", b"\x05\x06\x00\x01" + bytes(6), Reason.NO_ROUTE),
        ("socks5", b"\x05\x08\x00\x01" + bytes(6), Reason.CONFIG_ERROR),
        ("socks5", b"\x05\x99\x00\x01" + bytes(6), Reason.OTHER),
        ("http", b"HTTP/1.1 403 No\r\n\r\n", Reason.CONFIG_ERROR),
        ("http", b"HTTP/1.1 500 Unable to connect\r\n\r\n", Reason.TCP_FAILED),
        ("http", b"HTTP/1.0 502 Bad Gateway\n\n", Reason.TCP_FAILED),
        ("http", b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Reason.TCP_FAILED),
        ("http", b"HTTP/1.1 504 Gateway Timeout\r\n\r\n", Reason.TCP_TIMEOUT),
        ("http", b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason.OTHER),
        ("socks5", b"", Reason.TCP_TIMEOUT),
        ("http", b"", Reason.TCP_TIMEOUT),
    ],
)
def test_what_a_proxy_says_of_an_endpoint_is_the_endpoints(scheme: str, says: bytes, reason: Reason) -> None:
    result, fault = through(scheme, PlayedProxy(says=says), timeout=0.5)
    assert (result.reason, fault) == (reason, "")


@pytest.mark.parametrize(
    ("scheme", "proxy", "fault"),
    [
        ("socks5", PlayedProxy(greets=b"HTTP/1.0 400 Bad Request\r\n"), "does not speak as its scheme says"),
        ("socks5", PlayedProxy(greets=b"\x05\x03"), "does not speak as its scheme says"),
        ("socks5", PlayedProxy(greets=b"\x05\xff"), "takes no such user and password"),
        ("http", PlayedProxy(says=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "does not speak as its scheme says"),
        ("http", PlayedProxy(says=b"HTTP/1.1 405 Method Not Allowed\r\n\r\n"), "does not speak as its scheme says"),
        ("http", PlayedProxy(says=b"HTTP/1.1 501 Not Implemented\r\n\r\n"), "does not speak as its scheme says"),
    ],
)
def test_a_proxy_that_is_none_is_its_own_trouble(scheme: str, proxy: PlayedProxy, fault: str) -> None:
    result, told = through(scheme, proxy)
    assert (result.reason, told) == (Reason.NETWORK_DOWN, f"proxy 127.0.0.1:{proxy.peer.port} {fault}")


@pytest.mark.parametrize("scheme", PLAYS)
def test_a_proxy_that_is_not_there_refuses(scheme: str) -> None:
    async def run() -> tuple[Result, str, int]:
        port = peers.refused_port()
        way = way_by(scheme, port)
        return await probe(way, "10.0.0.1", 80), way.told(await way.look()), port

    result, told, port = asyncio.run(run())
    assert (result.reason, told) == (Reason.NETWORK_DOWN, f"proxy 127.0.0.1:{port} refuses")
    assert result.text == f"Virtual network far is down: proxy 127.0.0.1:{port} refuses"


def test_a_proxy_that_is_silent_is_its_own_trouble() -> None:
    async def run() -> Result:
        with peers.black_hole() as port:
            return await probe(way_by("socks5", port), "10.0.0.1", 80, timeout=0.2)

    assert asyncio.run(run()).reason is Reason.NETWORK_DOWN


@pytest.mark.parametrize("kind", ["icmp_ping", "udp_icmp"])
def test_a_proxy_carries_tcp_alone(kind: str) -> None:
    result = asyncio.run(probe(way_by("socks5", 1), "127.0.0.1", 9, kind))
    assert (result.reason, result.detail) == (Reason.CONFIG_ERROR, "proxy 127.0.0.1:1 carries TCP alone")


def test_a_network_behind_a_proxy_goes_down_and_comes_back(tmp_path: Path) -> None:
    """The proxy stops: one fault for all behind it, at once; it is there again: all are probed again."""

    async def run() -> None:
        stage = Stage(tmp_path)
        port = peers.refused_port()
        networks = [{"name": "far", "slot": 0, "proxy": f"socks5://127.0.0.1:{port}"}]
        async with peers.saying(peers.answer()) as there, stage.running() as running:
            names = PlayedProxy({"app.corp.example": "127.0.0.1"})
            more = {"network": "far", "must_resolve": False}
            ends = [
                endpoint("e", "127.0.0.1", there.port, **more),
                endpoint("n", "app.corp.example", there.port, **more),
            ]
            async with _at(port, names):
                stage.publish(pool("p", *ends), networks=networks, monitors=WEB)
                await until(lambda: list(stage["endpoint_state"][:2]) == [HEALTHY] * 2)
                assert stage["network_state"][0] in (0, WAY_UP)
            hurry(running)
            await until(lambda: list(stage["endpoint_state"][:2]) == [UNHEALTHY] * 2)
            assert (stage["network_state"][0], stage["endpoint_reason"][0]) == (WAY_DOWN, Reason.NETWORK_DOWN)
            async with _at(port, names):
                await until(lambda: list(stage["endpoint_state"][:2]) == [HEALTHY] * 2)
                assert stage["network_state"][0] == WAY_UP

    asyncio.run(run())


WEB = {"web": {"type": "http", "interval": 3600, "timeout": 2, "retries": 0, "consecutive_up": 3}}


@contextlib.asynccontextmanager
async def _at(port: int, proxy: PlayedProxy) -> AsyncIterator[PlayedProxy]:
    """Run a SOCKS5 proxy at a port."""
    async with socks5(proxy):
        inner = proxy.peer.port

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            async with connected("127.0.0.1", inner) as there:
                await carry(reader, writer, *there)

        async with peers.serving(handle, port=port):
            yield proxy


def configured(port: int, **more: Any) -> Any:
    """Return what a server has published whose network `far` is behind a SOCKS5 proxy at a port."""
    network = VirtualNetwork(name="far", via=Via(proxy=f"socks5://127.0.0.1:{port}"))
    configuration = Configuration(virtual_networks={"far": network}, **more)
    return SimpleNamespace(configuration=configuration, table=SimpleNamespace(path=Path("/nowhere/health-1.bin")))


def test_a_preview_goes_through_the_network_of_each_endpoint() -> None:
    async def run() -> list[dict[str, Any]]:
        async with peers.saying(peers.answer()) as there, socks5(PlayedProxy({"app.corp.example": "127.0.0.1"})) as far:
            origins = [
                {"name": name, "address": address, "port": there.port, "virtual_network": "far"}
                for name, address in (("a", "127.0.0.1"), ("n", "app.corp.example"))
            ]
            one = Pool.model_validate({"name": "p", "origins": origins})
            monitor = Monitor.model_validate({"type": "http", "timeout": 1, "retries": 0})
            previews, shown = preview.Previews(), []
            for port in (far.peer.port, peers.refused_port()):
                ways = WaysOut(configured(port))
                id = previews.start(monitor, {"1" * 32: one}, Settings(), is_local=True, ways=ways)
                found = await previews.result(id)
                assert found is not None
                shown += [each for origin in found["1" * 32]["origins"] for each in origin.values()]
            return shown

    *good, first, second = asyncio.run(run())
    assert [one["healthy"] for one in good] == [True, True]
    assert first["failure_reason"].startswith("Virtual network far is down: proxy 127.0.0.1:")
    assert first["failure_reason"].endswith(" refuses") and first == second


def test_a_probe_by_hand_goes_through_a_proxy() -> None:
    async def run() -> list[Result]:
        async with peers.saying(peers.answer()) as there, socks5(PlayedProxy({"app.corp.example": "127.0.0.1"})) as far:
            monitor = Monitor.model_validate({"type": "http", "port": there.port})
            via = {"proxy": f"socks5://127.0.0.1:{far.peer.port}"}
            return [result for _, result in await probe_all(monitor, "app.corp.example", "", "", (), via)]

    (result,) = asyncio.run(run())
    assert result.healthy, result


def test_a_probe_by_hand_is_told_what_is_wrong_with_its_way() -> None:
    monitor = Monitor.model_validate({"type": "tcp", "port": 1})
    for via, told in (
        ({"proxy": "ftp://127.0.0.1:1"}, '"ftp" is no kind of proxy'),
        ({"device": "wg0", "namespace": "a"}, "a network is reached one way"),
    ):
        with pytest.raises(LbdnsError, match=told):
            asyncio.run(probe_all(monitor, "127.0.0.1", "", "", (), via))
    ((_, result),) = asyncio.run(probe_all(monitor, "127.0.0.1", "", "", (), {"device": "lbdns-none"}))
    assert result.text == "Virtual network --device is down: interface lbdns-none is not there"


@pytest.mark.process
@pytest.mark.parametrize(
    ("scheme", "program", "arguments"),
    [("socks5", "microsocks", ["-i", "127.0.0.1", "-p", "{port}"]), ("http", "tinyproxy", ["-d", "-c", "{conf}"])],
)
def test_a_real_proxy_carries_probes(tmp_path: Path, scheme: str, program: str, arguments: list[str]) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (Debian: {program})")
    port = peers.refused_port()
    conf = tmp_path / "conf"
    conf.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 10\nMaxClients 20\nLogLevel Critical\n")
    command = [program, *(one.format(port=port, conf=conf) for one in arguments)]

    async def run() -> tuple[Result, Result, str]:
        async with peers.saying(peers.answer()) as there:
            way = way_by(scheme, port)
            way.join("127.0.0.1", there.port)
            found = await probe(way, "127.0.0.1", there.port)
            while found.reason is Reason.NETWORK_DOWN:
                await asyncio.sleep(0.05)
                found = await probe(way, "127.0.0.1", there.port)
            return found, await probe(way, "127.0.0.1", peers.refused_port()), way.told(await way.look())

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            good, refused, fault = asyncio.run(run())
        finally:
            process.kill()
    assert good.healthy, good
    assert (refused.reason, fault) == (Reason.TCP_FAILED, "")
