"""Hostnames as endpoints: resolved, probed per address, kept while resolution fails, given up in the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import pytest

from lbdns.config.loading import parse
from lbdns.health.reasons import Reason
from lbdns.health.verdict import CRITICAL, HEALTHY, UNHEALTHY
from lbdns.mapped.resolved import read_addresses
from lbdns.model.targets_document import decode_document
from lbdns.monitor import resolving as names
from lbdns.publish.monitor_targets import TargetsMemo
from lbdns.snapshot.slots import Slots
from tests.monitor import peers
from tests.monitor.documents import endpoint, pool
from tests.monitor.stage import Stage, until
from tests.whole_targets import encode_targets

pytestmark = pytest.mark.slow


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


class NameServer(asyncio.DatagramProtocol):
    """Answers A and AAAA for any name from two lists; silent or NXDOMAIN on demand."""

    def __init__(self) -> None:
        self.v4: list[str] = []
        self.v6: list[str] = []
        self.ttl_s = 1
        self.mode = "answer"
        self.asked: set[str] = set()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.mode == "silent":
            return
        query = dns.message.from_wire(data)
        reply = dns.message.make_response(query)
        question = query.question[0]
        self.asked.add(question.name.to_text())
        texts = self.v4 if question.rdtype == 1 else self.v6
        if self.mode == "nxdomain":
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif texts:
            reply.answer.append(dns.rrset.from_text_list(question.name, self.ttl_s, "IN", question.rdtype, texts))
        self.transport.sendto(reply.to_wire(), addr)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        try:
            yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
        finally:
            transport.close()


def addresses(stage: Stage, slot: int = 0) -> list[str]:
    return [".".join(map(str, packed)) for packed in read_addresses(stage.table.columns, slot, 4)]


def test_a_hostname_is_resolved_probed_per_address_and_answered_with_those_that_are_up(stage: Stage) -> None:
    async def main() -> None:
        server = NameServer()
        server.v4 = ["127.0.0.1", "127.0.0.2"]
        async with server.running() as resolver, peers.saying(peers.answer()) as peer:
            stage.publish(
                pool("p", endpoint("e", "app.example", port=peer.port)),
                pool("free", endpoint("e", "app.example"), monitor=None),
                resolvers=[resolver],
            )
            async with stage.running():
                await until(lambda: addresses(stage) == ["127.0.0.1"])
                assert stage["endpoint_state"][0] == HEALTHY
                # Nobody asks the other pool's health: it has them all.
                assert addresses(stage, 1) == server.v4
                assert 0 <= stage["resolved_expiry"][0] - time.monotonic() + 1 <= 2
                assert peer.received[0].startswith(b"GET / HTTP/1.1\r\nHost: app.example:")
                server.v4 = ["127.0.0.3"]
                async with peers.saying(peers.answer(), address="127.0.0.3", port=peer.port):
                    await until(lambda: addresses(stage) == ["127.0.0.3"])
                    assert stage["endpoint_state"][0] == HEALTHY
                    await until(lambda: addresses(stage, 1) == ["127.0.0.3"])

    asyncio.run(main())


def test_the_last_good_addresses_stay_while_resolution_fails_and_go_in_the_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(names, "STALE_MAX_S", 1.0)
    monkeypatch.setattr(names, "RETRY_FIRST_S", 0.2)
    monkeypatch.setattr(names, "RETRY_MAX_S", 0.3)

    async def main() -> None:
        server = NameServer()
        server.v4 = ["127.0.0.1"]
        async with server.running() as resolver, peers.saying(peers.answer()) as peer:
            stage.publish(pool("p", endpoint("e", "app.example", port=peer.port)), resolvers=[resolver])
            async with stage.running():
                await until(lambda: addresses(stage) == ["127.0.0.1"])
                server.mode = "nxdomain"
                await until(lambda: "does not resolve (no such name)" in caplog.text)
                await until(lambda: stage["resolved_expiry"][0] > time.monotonic() + 20)
                assert addresses(stage) == ["127.0.0.1"] and stage["endpoint_state"][0] == HEALTHY
                await until(lambda: stage["endpoint_state"][0] == UNHEALTHY, 8)
                assert addresses(stage) == [] and stage["endpoint_reason"][0] == Reason.DNS_UNKNOWN_HOST
                server.mode = "answer"
                await until(lambda: stage["endpoint_state"][0] == HEALTHY, 8)

    asyncio.run(main())


def test_a_name_that_never_resolves_is_down_for_that_reason(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        server = NameServer()
        server.mode = "nxdomain"
        async with server.running() as resolver:
            stage.publish(pool("p", endpoint("e", "none.example", port=1)), resolvers=[resolver])
            async with stage.running():
                await until(lambda: stage["endpoint_state"][0] == UNHEALTHY)
                assert stage["endpoint_reason"][0] == Reason.DNS_UNKNOWN_HOST
                assert stage["pool_state"][0] == CRITICAL

    asyncio.run(main())
    assert "does not resolve (no such name): it has no address" in caplog.text and "for an hour" not in caplog.text


def test_names_whose_addresses_nobody_needs_are_not_complained_of(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        server = NameServer()
        server.mode = "nxdomain"
        async with server.running() as resolver:
            mail = endpoint("e", "mx.example", must_resolve=False)
            both = [pool("a", endpoint("e", "both.example", must_resolve=False), monitor=None)]
            both.append(pool("b", endpoint("e", "both.example"), monitor=None))
            stage.publish(pool("p", mail, monitor=None), *both, resolvers=[resolver])
            async with stage.running():
                await until(lambda: {"mx.example.", "both.example."} <= server.asked)
                await until(lambda: "both.example does not resolve" in caplog.text)

    asyncio.run(main())
    assert not [record for record in caplog.records if "mx.example" in record.getMessage() and record.levelno > 10]


def test_who_needs_a_names_addresses() -> None:
    named = {"name": "e", "address": "app.example.net"}
    unflattened = {**named, "flatten_cname": False}
    plain: dict[str, Any] = {"origins": [named]}
    pools = {
        "web": plain,
        "bare": {"origins": [unflattened]},
        "apex": {"origins": [unflattened]},
        "mail": plain,
        "watched": {"origins": [named], "monitor": "web"},
        "unused": plain,
    }
    names = {"web": "www.example.com", "bare": "bare.example.com", "apex": "example.com", "mail": "mx.example.com"}
    balancers = [
        {"name": names[one], "default_pools": [one], "fallback_pool": one, "type": "MX" if one == "mail" else "A"}
        for one in names
    ]
    zone = "@ 60 IN SOA ns h 1 2 3 4 5\n@ 60 IN NS ns\nns 60 IN A 192.0.2.1\n"
    tree = {"zones": {"example.com": zone}, "monitors": {"web": {}}, "pools": pools, "load_balancers": balancers}
    configuration = parse(tree, Path("/")).configuration
    written = encode_targets(configuration, Slots().assign(configuration), 1, Path("t"), TargetsMemo())
    needed = {pool.name for pool in decode_document(written).pools if pool.endpoints[0].must_resolve}
    assert needed == {"web", "apex", "watched"}
