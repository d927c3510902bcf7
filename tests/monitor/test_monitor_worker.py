"""The worker with real peers: adoption, sharing, restarts, forced states, hostnames, what it logs and records."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import pytest

from lbdns.health import forced
from lbdns.health.control import Control
from lbdns.health.events import read_events
from lbdns.health.forced import Forced
from lbdns.health.reasons import Reason
from lbdns.health.resolved import read_addresses
from lbdns.health.table import HealthTable
from lbdns.health.verdict import COUNTS, CRITICAL, DEGRADED, HEALTHY, UNHEALTHY, UNKNOWN
from lbdns.monitor import names
from lbdns.monitor.worker import Options, Worker, in_flight_limit
from tests.monitor import peers
from tests.monitor.documents import document, endpoint, pool

TCP = {"type": "tcp", "port": 1, "interval": 3600, "timeout": 1, "retries": 0}


class Stage:
    """A run directory with table and control file, and the worker in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = HealthTable.create(path / "health-1.bin", 32, 8, 1)
        self.control = Control.create(path / "control")
        self.worker: Worker | None = None

    def __getitem__(self, column: str) -> Any:
        return self.table.columns[column]

    def publish(self, *pools: dict[str, Any], **more: Any) -> None:
        generation = self.control.generation + 1
        wanted = document(self.table.path, *pools, generation=generation, **more)
        (self.path / f"targets-{generation}.json").write_text(json.dumps(wanted))
        self.control.generation = generation

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Worker]:
        worker = Worker(Options(self.path, self.control.path, self.path))
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await task

    @contextlib.contextmanager
    def process(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "lbdns.monitor", "--run-dir", str(self.path), "--state-dir", str(self.path)]
        command += ["--control-file", str(self.control.path)]
        with (self.path / "log").open("ab") as log, subprocess.Popen(command, stderr=log) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def until(holds: Callable[[], bool], within_s: float = 3.0) -> float:
    """Wait until something holds; returns after how many seconds."""
    begun_s = time.monotonic()
    while not holds():
        assert time.monotonic() - begun_s < within_s, "it never came to hold"
        await asyncio.sleep(0.005)
    return time.monotonic() - begun_s


async def adopted(stage: Stage, generation: int) -> float:
    """Wait until the worker has taken a generation over; returns after how many seconds."""
    return await until(lambda: stage.control.get("monitor_generation") == generation)


def hurry(worker: Worker) -> None:
    """Probe everything now, as if the interval had passed."""
    assert worker._plan is not None
    for check in worker._plan.checks.values():
        worker._scheduler.hurry(check)


def test_first_results_come_at_once_and_pools_follow(stage: Stage) -> None:
    async def main() -> None:
        async with peers.saying(peers.answer()) as good, peers.saying(peers.answer(code=500)) as bad:
            two = [endpoint("good", port=good.port), endpoint("bad", port=bad.port)]
            stage.publish(
                pool("mixed", *two),
                pool("strict", endpoint("b", port=bad.port), minimum_origins=1),
                pool("free", endpoint("x", port=1), monitor=None),
                pool("off", endpoint("y", port=1), enabled=False),
            )
            async with stage.running():
                await until(lambda: bytes(stage["endpoint_state"][:3]) == bytes([HEALTHY, UNHEALTHY, UNHEALTHY]), 1)
                assert bytes(stage["pool_state"][:4]) == bytes([DEGRADED, CRITICAL, HEALTHY, UNKNOWN])
                assert bytes(stage["endpoint_state"][3:5]) == bytes([UNKNOWN, UNKNOWN])
                await until(lambda: stage["endpoint_checks"][1] > 0)
                assert (stage["endpoint_reason"][1], stage["endpoint_code"][1]) == (Reason.CODE_MISMATCH, 500)
                assert (stage["endpoint_code"][0], stage["endpoint_passed"][0]) == (200, 1)
                assert stage["endpoint_rtt_us"][0] > 0 and stage["endpoint_streak"][1] == -1
                assert abs(stage["endpoint_since"][0] - time.time()) < 5
                # The PoP's region is not known, so every region's column has the figure.
                assert all(rtt > 0 for rtt in stage["pool_rtt"][:13]) and not any(stage["pool_rtt"][13:26])
                assert stage.control.get("monitor_generation") == 1 and stage["adopted_generation"][0] == 1
                assert stage.control.monitor_pid == os.getpid()

    asyncio.run(main())


def test_a_flip_is_logged_recorded_and_counted(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        async with peers.saying(peers.answer()) as peer:
            port = peer.port
            stage.publish(
                pool("eu", endpoint("eu-1", port=port)),
                pool("us", endpoint("us-1", port=port), monitor=None),
                load_balancers=[{"name": "www.example.com", "pools": ["eu", "us"], "fallback": "us"}],
            )
            async with stage.running() as worker:
                await until(lambda: stage["endpoint_state"][0] == HEALTHY)
                stage["endpoint_since"][0] -= 3 * 3600 + 12 * 60
                peer.go()
                hurry(worker)
                await until(lambda: stage["endpoint_state"][0] == UNHEALTHY)

    asyncio.run(main())
    lines = [record.getMessage() for record in caplog.records]
    assert "pool eu endpoint eu-1 (127.0.0.1) is unhealthy: TCP connection failed; was healthy for 3 h 12 min" in lines
    assert any(line.startswith("pool eu is critical: 0 of 1 endpoints up, 1 needed; was healthy") for line in lines)
    assert any(line.startswith("load balancer www.example.com is degraded; was healthy") for line in lines)
    events = read_events(stage.path)
    flip = next(event for event in events if event.kind == "endpoint" and event.after == "unhealthy")
    assert (flip.before, flip.reason, flip.pool, flip.streak) == ("healthy", "TCP connection failed", "eu", -1)
    assert [event.kind for event in events].count("load_balancer") == 1


def test_identical_checks_run_once(stage: Stage) -> None:
    async def main() -> None:
        async with peers.saying(peers.answer()) as peer:
            same = [pool(name, endpoint("e", port=peer.port)) for name in ("a", "b", "c")]
            other_host = pool("d", endpoint("e", port=peer.port, header={"Host": ["other.example"]}))
            stage.publish(*same, other_host)
            async with stage.running() as worker:
                await until(lambda: bytes(stage["endpoint_state"][:4]) == bytes([HEALTHY] * 4))
                assert peer.connections == 2
                assert sorted(b"other.example" in head for head in peer.received) == [False, True]
                # One that joins later has the last result at once, without a probe of its own.
                stage.publish(*same, other_host, pool("late", endpoint("e", port=peer.port)))
                await until(lambda: stage.control.get("monitor_generation") == 2)
                assert worker._ledger is not None
                assert worker._ledger.pools["late"].endpoints[0].state == HEALTHY and peer.connections == 2

    asyncio.run(main())


def test_adoption_is_prompt_ends_what_is_gone_and_keeps_what_stays(stage: Stage) -> None:
    async def main() -> None:
        async with peers.saying(peers.answer()) as stays, peers.saying(peers.answer()) as goes:
            first = endpoint("stays", port=stays.port, slot=0)
            stage.publish(pool("p", first, endpoint("goes", "127.0.0.1", port=goes.port, slot=1)))
            async with stage.running() as worker:
                await until(lambda: bytes(stage["endpoint_state"][:2]) == bytes([HEALTHY] * 2))
                assert worker._plan is not None
                checks = list(worker._plan.checks.values())
                async with peers.saying(peers.answer()) as comes:
                    # Slot 1 goes to another endpoint: the former owner's health is not its own.
                    stage.publish(pool("p", first, endpoint("comes", "127.0.0.1", port=comes.port, slot=1)))
                    await adopted(stage, 2)
                    assert stage["endpoint_checks"][1] == 0
                    await until(lambda: comes.connections == 1 and stage["endpoint_checks"][1] == 1)
                for check in checks:
                    worker._scheduler.hurry(check)
                await until(lambda: stays.connections == 2)
                await asyncio.sleep(0.05)
                assert goes.connections == 1 and stage["endpoint_state"][0] == HEALTHY

    asyncio.run(main())


def test_a_generation_is_adopted_within_100_ms(stage: Stage) -> None:
    async def main() -> None:
        took_s = []
        async with stage.running():
            for generation in range(1, 6):
                stage.publish(pool("p", endpoint("e"), monitor=None))
                took_s.append(await adopted(stage, generation))
        # The quickest: others share the machine's processors.
        assert min(took_s) < 0.1

    asyncio.run(main())


def test_a_slot_that_fell_free_is_nobodys_a_generation_later(stage: Stage) -> None:
    async def main() -> None:
        async with peers.saying(peers.answer()) as peer:
            stays = endpoint("stays", "127.0.0.2", slot=0)
            stage.publish(pool("p", stays, endpoint("goes", port=peer.port, slot=1)))
            async with stage.running():
                await until(lambda: stage["endpoint_checks"][1] == 1)
                for generation, state in ((2, HEALTHY), (3, UNKNOWN)):
                    stage.publish(pool("p", stays))
                    await adopted(stage, generation)
                    assert stage["endpoint_state"][1] == state

    asyncio.run(main())


def test_a_document_that_cannot_be_read_changes_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with peers.saying(peers.answer()) as peer:
            stage.publish(pool("p", endpoint("e", port=peer.port)))
            async with stage.running() as worker:
                await until(lambda: stage["endpoint_state"][0] == HEALTHY)
                (stage.path / "targets-2.json").write_text('{"generation": 2')
                stage.control.generation = 2
                await until(lambda: "generation 2 is not adopted" in caplog.text)
                hurry(worker)
                await until(lambda: peer.connections == 2)
                assert stage["adopted_generation"][0] == 1

    asyncio.run(main())


def test_a_larger_table_takes_over_all_that_is_known(stage: Stage) -> None:
    async def main() -> None:
        async with peers.saying(peers.answer()) as peer:
            one = pool("p", endpoint("e", port=peer.port))
            stage.publish(one)
            async with stage.running():
                await until(lambda: stage["endpoint_checks"][0] == 1)
                old, stage.table = stage.table, HealthTable.create(stage.path / "health-2.bin", 64, 16, 2)
                stage.table.copy_from(old)
                stage.publish(one)
                await until(lambda: stage.control.get("monitor_generation") == 2)
                assert stage["endpoint_state"][0] == HEALTHY and stage["endpoint_checks"][0] == 1
                await until(lambda: time.monotonic_ns() - stage["heartbeat_ns"][0] < 0.5e9)
                assert peer.connections == 1

    asyncio.run(main())


def test_kill_9_changes_no_answer_and_a_new_worker_goes_on(stage: Stage) -> None:
    async def main() -> None:
        async with peers.saying(peers.answer()) as good:
            port = peers.refused_port()
            down = {**TCP, "port": port, "consecutive_up": 2}
            stage.publish(
                pool("p", endpoint("up", port=good.port)),
                pool("q", endpoint("down"), monitor="tcp"),
                monitors={"tcp": down},
            )
            with stage.process() as worker:
                await until(lambda: bytes(stage["endpoint_state"][:2]) == bytes([HEALTHY, UNHEALTHY]), 10)
                await until(lambda: min(stage["endpoint_checks"][:2]) > 0)
                worker.send_signal(signal.SIGKILL)
                worker.wait()
            since, checks = stage["endpoint_since"][0], stage["endpoint_checks"][0]
            async with peers.serving(peers.resetting, port=port):  # it listens again
                seen = set()
                with stage.process():
                    deadline = time.monotonic() + 10
                    while stage["endpoint_checks"][1] < 2 and time.monotonic() < deadline:
                        seen.add(bytes(stage["endpoint_state"][:2]))
                        await asyncio.sleep(0.005)
            # One good result is not two: the new worker knows that it was down.
            assert seen == {bytes([HEALTHY, UNHEALTHY])}
            assert stage["endpoint_since"][0] == since and stage["endpoint_checks"][0] >= checks
            assert stage["endpoint_streak"][1] == 1

    asyncio.run(main())


def test_a_worker_yields_to_its_successor_and_ends_with_its_server(stage: Stage) -> None:
    async def main() -> None:
        stage.publish(pool("p", endpoint("e"), monitor=None))
        worker = Worker(Options(stage.path, stage.control.path))
        task = asyncio.create_task(worker.run())
        await until(lambda: stage.control.get("monitor_generation") == 1)
        stage.control.monitor_pid = 1
        await asyncio.wait_for(task, 1)
        task = asyncio.create_task(Worker(Options(stage.path, stage.control.path)).run())
        await asyncio.sleep(0.1)
        stage.control.path.unlink()
        await asyncio.wait_for(task, 1)

    asyncio.run(main())


def test_forced_states_lie_over_what_is_measured_and_expire(stage: Stage) -> None:
    async def main() -> None:
        async with peers.saying(peers.answer()) as peer:
            stage.publish(
                pool("eu", endpoint("eu-1", port=peer.port), endpoint("eu-2", "127.0.0.2", port=peer.port)),
                pool("free", endpoint("x"), monitor=None),
            )
            async with stage.running():
                await until(lambda: stage["endpoint_state"][0] == HEALTHY and stage["endpoint_state"][1] == UNHEALTHY)

                def order(pattern: str, state: Any, for_s: float | None = None) -> None:
                    now_s = time.time()
                    until_s = now_s + for_s if for_s else None
                    entries = forced.change(
                        forced.load(stage.path), Forced(pattern, state, now_s, until_s, "drill"), now_s
                    )
                    forced.save(stage.path, entries)
                    stage.control.set("forced_version", stage.control.get("forced_version") + 1)

                order("e*/eu-1", "down")
                await until(lambda: stage["endpoint_state"][0] == UNHEALTHY | COUNTS)
                assert stage["endpoint_measured"][0] == HEALTHY and stage["pool_state"][0] == CRITICAL
                assert stage["pool_measured"][0] == DEGRADED
                order("eu/eu-2", "up", for_s=0.3)
                await until(lambda: stage["endpoint_state"][1] == HEALTHY | COUNTS)
                await until(lambda: stage["endpoint_state"][1] == UNHEALTHY)
                order("e*/eu-1", "auto")
                await until(lambda: stage["endpoint_state"][0] == HEALTHY)
                order("free/x", "down")
                await until(lambda: stage["pool_state"][1] == CRITICAL | COUNTS)
                order("free/x", "auto")
                await until(lambda: stage["pool_state"][1] == HEALTHY)
                order("free", "down")
                await until(lambda: stage["pool_state"][1] == CRITICAL | COUNTS)
                order("eu", "down")
                await until(lambda: stage["pool_state"][0] == CRITICAL | COUNTS)
            assert "forced down: drill" in {event.detail for event in read_events(stage.path)}
            # It outlives the worker: the next one puts it over the table before its first probe.
            stage["pool_state"][0] = DEGRADED
            async with stage.running():
                await until(lambda: stage["pool_state"][0] == CRITICAL | COUNTS)

    asyncio.run(main())


def test_round_trip_times_come_back_from_disk(stage: Stage) -> None:
    async def main() -> None:
        async with peers.saying(peers.answer()) as peer:
            stage.publish(pool("p", endpoint("e", port=peer.port)), pop={"region": "WEU"})
            async with stage.running():
                await until(lambda: stage["pool_rtt"][11] > 0)
                assert [index for index in range(13) if stage["pool_rtt"][index]] == [11]
            kept = stage["pool_rtt"][11]
        stage.table = HealthTable.create(stage.path / "health-1.bin", 32, 8, 1)  # the machine was restarted
        stage.control.generation = 0
        stage.publish(pool("p", endpoint("e", port=peers.refused_port())), pop={"region": "WEU"})
        async with stage.running():
            await until(lambda: stage["endpoint_state"][0] == UNHEALTHY)
            assert stage["pool_rtt"][11] == pytest.approx(kept, rel=1e-3)

    asyncio.run(main())


def test_the_bound_on_probes_leaves_descriptors_for_the_rest() -> None:
    assert 2 <= in_flight_limit() <= 16_384


# --- hostnames ---


class NameServer(asyncio.DatagramProtocol):
    """Answers A and AAAA for any name from two lists; silent or NXDOMAIN on demand."""

    def __init__(self) -> None:
        self.v4: list[str] = []
        self.v6: list[str] = []
        self.ttl_s = 1
        self.mode = "answer"
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self.mode == "silent":
            return
        query = dns.message.from_wire(data)
        reply = dns.message.make_response(query)
        question = query.question[0]
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
                assert 0 <= stage["resolved_expiry"][0] - time.time() + 1 <= 2
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
                await until(lambda: stage["resolved_expiry"][0] > time.time() + 20)
                assert addresses(stage) == ["127.0.0.1"] and stage["endpoint_state"][0] == HEALTHY
                await until(lambda: stage["endpoint_state"][0] == UNHEALTHY, 8)
                assert addresses(stage) == [] and stage["endpoint_reason"][0] == Reason.DNS_UNKNOWN_HOST
                server.mode = "answer"
                await until(lambda: stage["endpoint_state"][0] == HEALTHY, 8)

    asyncio.run(main())


def test_a_name_that_never_resolves_is_down_for_that_reason(stage: Stage) -> None:
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
