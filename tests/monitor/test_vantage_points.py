"""Where this machine probes from: its PoP's region in the figures that steer, and addresses of its own that vote."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.config.loading import parse
from lbdns.health.events import read_events
from lbdns.health.reasons import Reason
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.targets_document import Vantage
from lbdns.monitor.probe_plan import reaching
from lbdns.places.regions import REGION_CODES
from lbdns.publish.monitor_targets import TargetsMemo
from lbdns.snapshot.slots import Slots
from tests.loop_thread import LoopThread
from tests.monitor import peers
from tests.monitor.documents import endpoint, parse_targets, pool
from tests.monitor.stage import Stage, hurry, until
from tests.streams import serving_streams
from tests.whole_targets import encode_targets

ZONE = "@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53"
SMTP = {"type": "smtp", "interval": 5, "timeout": 2, "retries": 0}


class MailServers:
    """Mail servers in a thread, that greet after a delay of their own."""

    def __init__(self, **delays_s: float) -> None:
        self._thread = LoopThread()
        self._open = contextlib.AsyncExitStack()
        self.at: dict[str, tuple[str, int]] = {}  # name -> address, port
        for last, (name, delay_s) in enumerate(delays_s.items(), 1):
            self._thread.run(self._serve(name, f"127.0.0.{last}", delay_s))

    async def _serve(self, name: str, address: str, delay_s: float) -> None:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(delay_s)
            for reply in (b"220 mx\r\n", b"250 mx\r\n", b"221 bye\r\n"):
                writer.write(reply)
                await reader.read(1000)

        server = await self._open.enter_async_context(serving_streams(greet, address))
        self.at[name] = server.sockets[0].getsockname()

    def stop(self) -> None:
        self._thread.run(self._open.aclose())
        self._thread.stop()


@pytest.fixture
def servers() -> Iterator[MailServers]:
    made = MailServers(slow=0.3, fast=0.0)
    yield made
    made.stop()


@pytest.mark.process
def test_dynamic_latency_answers_the_pool_that_is_fast_from_this_pops_region(
    lbdns_server: Callable[..., Any], servers: MailServers
) -> None:
    server = lbdns_server(
        {
            "settings": {"pop": {"code": "AMS"}},
            "zones": {"example.com": ZONE},
            "monitors": {name: {**SMTP, "port": port} for name, (_, port) in servers.at.items()},
            "pools": {
                name: {"monitor": name, "origins": [{"name": "e", "address": address}]}
                for name, (address, _) in servers.at.items()
            }
            | {"last": {"origins": [{"name": "e", "address": "192.0.2.1"}]}},
            "load_balancers": [
                {
                    "name": "www.example.com",
                    "steering_policy": "dynamic_latency",
                    "default_pools": ["slow", "fast"],
                    "fallback_pool": "last",
                }
            ],
        }
    )
    assert server.addresses("www.example.com") == ["127.0.0.2"]
    run = RunDirectory.location(server.state_dir)
    (path,) = run.glob("health-*.bin")
    figures = HealthTable.attach(path).columns["pool_rtt"]
    ours = REGION_CODES.index("WEU")
    assert [index for index in range(2 * 13) if figures[index]] == [ours, 13 + ours]
    assert figures[ours] > 300 > figures[13 + ours]


def test_the_targets_document_says_where_it_probes_from() -> None:
    def document(**settings: Any) -> dict[str, Any]:
        configuration = parse({"settings": settings}, Path("/")).configuration
        slots = Slots().assign(configuration)
        found: dict[str, Any] = json.loads(encode_targets(configuration, slots, 1, Path("t"), TargetsMemo()))
        return found

    assert document(pop={"code": "AMS"})["vantage_points"] == [{"name": "local", "region": "WEU", "source": ""}]
    assert parse_targets(document(pop={"code": "AMS"})).vantages == (Vantage("local", "WEU", ""),)
    assert parse_targets(document()).vantages == (Vantage(),)
    two = [{"name": "a", "source": "127.0.0.2"}, {"name": "b", "region": "ENAM"}]
    assert parse_targets(document(pop={"region": "OC"}, vantage_points=two)).vantages == (
        Vantage("a", "OC", "127.0.0.2"),
        Vantage("b", "ENAM", ""),
    )


def test_a_source_reaches_its_own_family_only() -> None:
    v4, v6, any_ = Vantage("4", "", "192.0.2.1"), Vantage("6", "", "2001:db8::1"), Vantage("any")
    assert reaching([v4, v6, any_], "198.51.100.1") == [v4, any_]
    assert reaching([v4, v6, any_], "2001:db8::2") == [v6, any_]
    assert reaching([v4], "2001:db8::2") == [Vantage("4")]


@pytest.mark.slow
def test_three_addresses_of_this_machine_vote(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    refused: set[str] = set()
    heard: set[str] = set()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        source = writer.get_extra_info("peername")[0]
        heard.add(source)
        writer.write(peers.answer(code=503 if source in refused else 200))
        await writer.drain()

    async def main() -> None:
        async with peers.serving(handler) as peer:
            points = [{"name": f"v{last}", "region": "WEU", "source": f"127.0.0.{last}"} for last in (2, 3, 4)]
            stage.publish(pool("p", endpoint("e", port=peer.port)), vantage_points=points)
            async with stage.running() as running:
                await until(lambda: stage["endpoint_state"][0] == HEALTHY and stage["endpoint_checks"][0] == 3)
                assert heard == {"127.0.0.2", "127.0.0.3", "127.0.0.4"}
                refused.add("127.0.0.3")
                hurry(running)
                await until(lambda: stage["endpoint_checks"][0] == 6)
                assert stage["endpoint_state"][0] == HEALTHY
                refused.add("127.0.0.4")
                hurry(running)
                await until(lambda: stage["endpoint_state"][0] == UNHEALTHY)

    asyncio.run(main())
    events = read_events(stage.path)
    (flip,) = [event for event in events if event.after == "unhealthy"]
    assert flip.vantage in ("v3", "v4")
    # Each event names what decided it: what every vantage point saw last.
    assert {(seen.vantage, seen.healthy, seen.code) for seen in flip.probes} == {
        ("v2", True, 200),
        ("v3", False, 503),
        ("v4", False, 503),
    }


@pytest.mark.slow
def test_an_address_that_this_machine_does_not_have_is_named(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def main() -> None:
        async with peers.saying(peers.answer()) as peer:
            elsewhere = [{"name": "elsewhere", "source": "192.0.2.77"}]
            stage.publish(pool("p", endpoint("e", port=peer.port)), vantage_points=elsewhere)
            async with stage.running():
                await until(lambda: stage["endpoint_state"][0] == UNHEALTHY)
                assert stage["endpoint_reason"][0] == Reason.CONFIG_ERROR and peer.connections == 0

    asyncio.run(main())
    (flip,) = [event for event in read_events(stage.path) if event.kind == "endpoint"]
    assert flip.detail == "cannot probe from 192.0.2.77: Cannot assign requested address"
