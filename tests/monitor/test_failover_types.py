"""Failover end to end for each probe type: a real server, real endpoints, and answers that change with the probe.

Pings are the exception, as loopback addresses answer them whatever happens: test_own_network.py fails icmp_ping over.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trustme

from lbdns.health.events import read_events
from tests.loop_thread import LoopThread
from tests.monitor import peers
from tests.monitor.test_probe_other import BOUND, needs_ping
from tests.streams import Handler

pytestmark = pytest.mark.process

ZONE = "@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53"
TYPES = ("http", "https", "tcp", "udp_icmp", "smtp", "ldap")
SLACK_S = 0.1


class Endpoints:
    """One endpoint per probe type, in a thread with a loop of its own; `end` closes all of them."""

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self._stack = AsyncExitStack()
        self._thread = LoopThread()
        self._thread.run(self._start())

    async def _start(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        enter = self._stack.enter_async_context
        peer = await enter(peers.saying(peers.answer(), context))
        self.ports["https"] = peer.port
        for kind, replies in (("smtp", [b"220 mx\r\n", b"250 mx\r\n", b"221 bye\r\n"]), ("ldap", [b"", BOUND])):
            self.ports[kind] = (await enter(peers.serving(_in_turn(replies)))).port
        transport, _ = await self._thread.loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        self._stack.callback(transport.close)
        self.ports["udp_icmp"] = transport.get_extra_info("sockname")[1]

    def end(self) -> None:
        """Close every endpoint; may be called twice."""
        self._thread.run(self._stack.aclose())

    def stop(self) -> None:
        """End the thread."""
        self.end()
        self._thread.stop()


def _in_turn(replies: list[bytes]) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(replies[0])
        for reply in replies[1:]:
            await reader.read(1000)
            writer.write(reply)
        await reader.read(1000)

    return handler


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    made = Endpoints()
    yield made
    made.stop()


def configuration(ports: Mapping[str, int]) -> dict[str, Any]:
    monitors: dict[str, dict[str, Any]] = {
        kind: {"type": kind, "interval": 5, "timeout": 1, "retries": 0} for kind in TYPES
    }
    monitors["https"]["allow_insecure"] = True
    pools: dict[str, Any] = {"spare": {"origins": [{"name": "s", "address": "192.0.2.99"}]}}
    monitors["tcp"]["port"] = peers.refused_port()  # where the plugin plays the endpoint
    for kind, port in ports.items():
        monitors[kind]["port"] = port
    for kind in TYPES:
        pools[f"{kind}-pool"] = {"monitor": kind, "origins": [{"name": "e", "address": "127.0.0.1"}]}
        if kind in ports:
            # The service's own, which nobody probes where the monitor says a port.
            pools[f"{kind}-pool"]["origins"][0]["port"] = peers.refused_port()
    balancers = [
        {"name": f"{kind.replace('_', '-')}.example.com", "default_pools": [f"{kind}-pool"], "fallback_pool": "spare"}
        for kind in TYPES
    ]
    return {"zones": {"example.com": ZONE}, "monitors": monitors, "pools": pools, "load_balancers": balancers}


@needs_ping
def test_answers_change_with_the_deciding_probe(lbdns_server: Callable[..., Any], endpoints: Endpoints) -> None:
    server = lbdns_server(configuration(endpoints.ports))
    names = {kind: f"{kind.replace('_', '-')}.example.com" for kind in TYPES}
    for kind, name in names.items():
        assert server.addresses(name) == ["127.0.0.1"], (kind, server.log)
    endpoints.end()
    for kind in ("http", "tcp"):
        server.set_endpoint(f"{kind}-pool/e", up=False, wait=False)
    changed: dict[str, float] = {}
    deadline = time.monotonic() + 10
    while len(changed) < len(TYPES):
        assert time.monotonic() < deadline, (changed, server.log)
        for kind in TYPES:
            if kind not in changed and server.addresses(names[kind]) == ["192.0.2.99"]:
                changed[kind] = time.time()
    decided: dict[str, float] = {}
    while len(decided) < len(TYPES):  # recorded after the answers change
        assert time.monotonic() < deadline, (decided, server.log)
        flips = (event for event in read_events(server.state_dir) if event.kind == "endpoint")
        decided = {event.pool: event.at_s for event in flips if event.after == "unhealthy"}
    delays = sorted(changed_s - decided[f"{kind}-pool"] for kind, changed_s in changed.items())
    # Queries go round one by one on a machine that is busy with other tests: single stragglers are theirs.
    assert delays[len(delays) // 2] < SLACK_S and delays[-1] < 5 * SLACK_S, delays
