"""One server, which has its zone from NSD, then from Knot DNS, then from BIND: each says by NOTIFY that it changed."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.rcode
import dns.zone
import pytest

from lbdns.testing import LbdnsServer, running_server
from lbdns.transfer.zone_transfer_status import TransferState, ZoneTransferStatus
from tests.answer.unbound import free_port
from tests.transfer.real_primaries import ALGORITHM, APEX, KEY, PRIMARIES, SECRET, running_primary, zone_text

pytestmark = pytest.mark.process

WAIT_S = 20.0
STEERED = "192.0.2.77"
FIRST = {"nsd": 100, "knot": 200, "bind": 300}


def settings(server_port: int, primary_port: int) -> dict[str, Any]:
    """Return settings with a primary."""
    keys = [{"name": KEY, "algorithm": ALGORITHM, "secret": b64encode(SECRET).decode()}]
    zones = {APEX: {"primaries": [{"address": f"127.0.0.1:{primary_port}", "key": KEY}]}}
    return {"keys": keys, "zones": zones, "listen": [f"127.0.0.1:{server_port}"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LbdnsServer]:
    """Run a server whose primary is not there yet."""
    port = free_port()
    pools = {"eu": {"origins": [{"name": "one", "address": STEERED}]}}
    balancer = {"name": f"lb.{APEX}", "default_pools": ["eu"], "fallback_pool": "eu"}
    tree = {"settings": settings(port, free_port()), "pools": pools, "load_balancers": [balancer]}
    with running_server(tree, tmp_path_factory.mktemp("server"), override=False) as running:
        yield running


def wait_for(server: LbdnsServer, serial: int) -> None:
    """Wait until a serial is served."""
    end_s = time.monotonic() + WAIT_S
    while True:
        reply = server.query(APEX, "SOA")
        if reply.rcode() == dns.rcode.NOERROR and reply.answer[0][0].serial == serial:
            return
        assert time.monotonic() < end_s, server.log
        time.sleep(0.05)


@pytest.mark.parametrize("kind", FIRST)
def test_changes_that_are_said_by_notify_are_served(kind: str, server: LbdnsServer, tmp_path: Path) -> None:
    lines = [f"h{number} A 192.0.2.{number}" for number in range(1, 60)]
    assert kind in PRIMARIES
    with running_primary(kind, tmp_path, zone_text(FIRST[kind], "\n".join(lines)), notify=server.port) as primary:
        server.reload({"lbdns.yaml": json.dumps(settings(server.port, primary.port))})
        wait_for(server, FIRST[kind])
        for step in (1, 2):
            lines = [*lines[2:], f'more{step} TXT "{kind}"']
            primary.change(zone_text(FIRST[kind] + step, "\n".join(lines)))
            wait_for(server, FIRST[kind] + step)
        assert server.addresses(f"h5.{APEX}") == ["192.0.2.5"] and not server.addresses(f"h4.{APEX}")
        assert str(server.query(f"more2.{APEX}", "TXT").answer[0][0]) == f'"{kind}"'
        assert server.addresses(f"lb.{APEX}") == [STEERED]
        [said] = server.ask("zone_transfers", zone=APEX)
        status = ZoneTransferStatus.from_json(said)  # type: ignore[arg-type]
        assert status.state is TransferState.CURRENT and status.last_transfer == "ixfr" and status.counts["notifies"]
