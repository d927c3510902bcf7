"""Which port is probed: the monitor's own, whatever the service's is; the endpoint's where the monitor has none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.manage.api.v4 import preview
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings
from tests.monitor import peers
from tests.monitor.documents import endpoint, pool
from tests.monitor.stage import Stage, until

QUICK = {"interval": 3600, "timeout": 1, "retries": 0}


@pytest.mark.slow
def test_the_worker_probes_the_monitors_port_and_the_endpoints_where_it_has_none(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def main() -> None:
        async with peers.saying(peers.answer()) as health, peers.saying(peers.answer()) as service:
            closed = peers.refused_port()
            monitors = {kind: {"type": kind, "port": health.port, **QUICK} for kind in ("http", "tcp")}
            stage.publish(
                pool("http", endpoint("e", port=closed), monitor="http"),
                pool("tcp", endpoint("e", port=closed), monitor="tcp"),
                pool("bare", endpoint("e", port=service.port)),
                pool("closed", endpoint("e", port=closed)),
                monitors=monitors,
            )
            async with stage.running():
                await until(lambda: min(stage["endpoint_checks"][:4]) > 0)
                assert list(stage["endpoint_state"][:4]) == [HEALTHY, HEALTHY, HEALTHY, UNHEALTHY]
            assert (health.connections, service.connections) == (2, 1)
            assert b"Host: 127.0.0.1:%d\r\n" % health.port in health.received[0]

    asyncio.run(main())


def test_a_preview_probes_the_same_port_as_the_worker() -> None:
    async def main() -> list[bool]:
        async with peers.saying(peers.answer()) as health:
            origins = [{"name": "o", "address": "127.0.0.1", "port": peers.refused_port()}]
            one = Pool.model_validate({"name": "p", "origins": origins})
            previews, found = preview.Previews(), []
            for port in (health.port, 0):
                monitor = Monitor.model_validate({"type": "http", "port": port, "timeout": 1, "retries": 0})
                result = await previews.result(previews.start(monitor, {"1" * 32: one}, Settings(), is_local=True))
                assert result is not None
                found.append(result["1" * 32]["healthy"])
            return found

    assert asyncio.run(main()) == [True, False]


@pytest.mark.process
def test_the_plugin_plays_endpoints_where_the_monitor_looks(lbdns_server: Callable[..., Any]) -> None:
    server = lbdns_server(
        {
            "zones": {"example.com": "@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53"},
            "monitors": {
                "knock": {"type": "tcp", "port": 22, "interval": 5, "timeout": 1, "retries": 0},
                "given": {"type": "http", "port": peers.refused_port(), "interval": 5, "timeout": 1, "retries": 0},
            },
            "pools": {
                "a": {
                    "monitor": "knock",
                    "minimum_origins": 2,
                    "origins": [{"name": "a1", "address": "127.0.0.11"}, {"name": "a2", "address": "127.0.0.12"}],
                },
                "b": {"monitor": "given", "origins": [{"name": "b1", "address": "127.0.0.13", "port": 9}]},
            },
            "load_balancers": [{"name": "www.example.com", "default_pools": ["a"], "fallback_pool": "b"}],
        }
    )
    assert server.addresses("www.example.com") == ["127.0.0.11", "127.0.0.12"]
    assert server.endpoint_state("b/b1") == "healthy"
    server.set_endpoint("a/a2", up=False)
    assert server.addresses("www.example.com") == ["127.0.0.13"]
