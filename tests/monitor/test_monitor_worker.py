"""The worker with real peers: adoption, sharing, restarts, forced states, hostnames, what it logs and records."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.health import forced
from lbdns.health.events import HealthChange, Record, read_events
from lbdns.health.forced import Forced
from lbdns.health.reasons import Reason
from lbdns.health.verdict import COUNTS, CRITICAL, DEGRADED, HEALTHY, UNHEALTHY, UNKNOWN
from lbdns.mapped.health_table import HealthTable
from lbdns.monitor import worker as worker_module
from lbdns.monitor.generations import Generation
from lbdns.monitor.targets import load_targets
from lbdns.monitor.waiting_worker import Options, WaitingWorker
from lbdns.monitor.worker import MonitorWorker, in_flight_limit
from tests.monitor import peers
from tests.monitor.documents import document, endpoint, pool
from tests.monitor.stage import Stage, adopted, hurry, until

pytestmark = pytest.mark.slow

TCP = {"type": "tcp", "port": 1, "interval": 3600, "timeout": 1, "retries": 0}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


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
                await until(lambda: bytes(stage["endpoint_state"][:3]) == bytes([HEALTHY, UNHEALTHY, UNHEALTHY]))
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
            async with stage.running() as running:
                await until(lambda: stage["endpoint_state"][0] == HEALTHY)
                stage["endpoint_since"][0] -= 3 * 3600 + 12 * 60
                peer.go()
                hurry(running)
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
    for event in (flip, next(event for event in events if event.after == "critical"), events[-1]):
        (seen,) = event.probes
        assert (seen.vantage, seen.monitor, seen.healthy, seen.reason) == ("local", "web", False, flip.reason)


def test_identical_checks_run_once(stage: Stage) -> None:
    async def main() -> None:
        async with peers.saying(peers.answer()) as peer:
            same = [pool(name, endpoint("e", port=peer.port)) for name in ("a", "b", "c")]
            other_host = pool("d", endpoint("e", port=peer.port, host="other.example"))
            stage.publish(*same, other_host)
            async with stage.running() as running:
                await until(lambda: bytes(stage["endpoint_state"][:4]) == bytes([HEALTHY] * 4))
                assert peer.connections == 2
                assert sorted(b"other.example" in head for head in peer.received) == [False, True]
                # One that joins later has the last result at once, without a probe of its own.
                stage.publish(*same, other_host, pool("late", endpoint("e", port=peer.port)))
                await until(lambda: stage.control.get("monitor_generation") == 2)
                assert running.worker._ledger.pools["late"].endpoints[0].state == HEALTHY and peer.connections == 2

    asyncio.run(main())


def test_adoption_is_prompt_ends_what_is_gone_and_keeps_what_stays(stage: Stage) -> None:
    async def main() -> None:
        async with peers.saying(peers.answer()) as stays, peers.saying(peers.answer()) as goes:
            first = endpoint("stays", port=stays.port, slot=0)
            stage.publish(pool("p", first, endpoint("goes", "127.0.0.1", port=goes.port, slot=1)))
            async with stage.running() as running:
                await until(lambda: bytes(stage["endpoint_state"][:2]) == bytes([HEALTHY] * 2))
                checks = list(running.worker._plan.checks.values())
                async with peers.saying(peers.answer()) as comes:
                    # Slot 1 goes to another endpoint: the former owner's health is not its own.
                    stage.publish(pool("p", first, endpoint("comes", "127.0.0.1", port=comes.port, slot=1)))
                    await adopted(stage, 2)
                    assert stage["endpoint_checks"][1] == 0
                    await until(lambda: comes.connections == 1 and stage["endpoint_checks"][1] == 1)
                for check in checks:
                    running.worker._scheduler.hurry(check)
                await until(lambda: stays.connections == 2)
                assert checks[1].task is None and not checks[1].active  # what is gone is probed no more
                assert goes.connections == 1 and stage["endpoint_state"][0] == HEALTHY

    asyncio.run(main())


@pytest.mark.process
def test_a_worker_that_is_told_adopts_a_generation_within_100_ms(stage: Stage) -> None:
    async def main() -> None:
        took_s: list[float] = []
        stage.publish(pool("p", endpoint("e"), monitor=None))
        # A process of its own: this one's garbage would be counted too.
        with stage.process():
            await adopted(stage, 1)
            # The quickest of many: others share the machine's processors.
            while min(took_s, default=1.0) >= 0.1 and len(took_s) < 100:
                stage.publish(pool("p", endpoint("e"), monitor=None))
                took_s.append(await adopted(stage, stage.control.generation))
        assert min(took_s) < 0.1, took_s

    asyncio.run(main())


def test_a_worker_that_is_not_told_looks_by_itself(stage: Stage) -> None:
    async def main() -> None:
        async with stage.running():
            for generation in (1, 2):
                stage.publish(pool("p", endpoint("e"), monitor=None))
                await adopted(stage, generation)

    asyncio.run(main())


def test_what_is_the_same_once_more_is_not_adopted_anew(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    adopt, anew = MonitorWorker._adopt, list[int]()

    def note(worker: MonitorWorker, generation: Generation) -> None:
        anew.append(generation.targets.generation)
        adopt(worker, generation)

    async def main() -> None:
        async with stage.running():
            for generation, weight in ((1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0), (5, 0.5)):
                stage.publish(pool("p", endpoint("e", weight=weight), monitor=None))
                await adopted(stage, generation)

    monkeypatch.setattr(MonitorWorker, "_adopt", note)
    asyncio.run(main())
    assert anew == [1, 2, 5]


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
            async with stage.running() as running:
                await until(lambda: stage["endpoint_state"][0] == HEALTHY)
                (stage.path / "targets-2.json").write_text('{"generation": 2')
                stage.control.generation = 2
                await until(lambda: "generation 2 is not adopted" in caplog.text)
                hurry(running)
                await until(lambda: peer.connections == 2)
                assert stage["adopted_generation"][0] == 1

    asyncio.run(main())


def test_a_worker_waits_for_a_first_generation_that_can_be_read(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with stage.running():
            await until(lambda: stage.control.monitor_pid == os.getpid())
        (stage.path / "targets-1.json").write_text('{"generation": 1')
        stage.control.generation = 1
        async with stage.running():
            await until(lambda: "generation 1 is not adopted" in caplog.text)
            assert (stage["heartbeat_ns"][0], stage.control.get("monitor_generation")) == (0, 0)
            stage.publish(pool("p", endpoint("e"), monitor=None))
            await adopted(stage, 2)
            await until(lambda: stage["heartbeat_ns"][0] > 0)
        assert caplog.text.count("is not adopted") == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"monitors": {"web": {"type": "htpp"}}}, "monitors.web.type: "),
        ({"load_balancers": [{"name": "www", "pools": []}]}, "load_balancers[0].fallback: Field required"),
        ({"monitors": {"web": {"header": {"X": ["x\n"]}}}}, "monitors.web.header.X[0]: "),
        ({"monitors": {}}, "it has no monitor or group 'web'"),
    ],
)
def test_what_is_wrong_with_a_document_is_told(tmp_path: Path, more: dict[str, Any], told: str) -> None:
    (tmp_path / "t").write_text(json.dumps({**document(tmp_path / "table", pool("p", endpoint("e"))), **more}))
    with pytest.raises(
        LbdnsError, match=f"^{re.escape(str(tmp_path))}/t: not a targets document of this release: "
    ) as e:
        load_targets(tmp_path / "t", 1)
    assert told in str(e.value) and "\n" not in str(e.value)


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


@pytest.mark.process
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
                await until(lambda: bytes(stage["endpoint_state"][:2]) == bytes([HEALTHY, UNHEALTHY]))
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
        worker = WaitingWorker(Options(stage.path, stage.control.path))
        task = asyncio.create_task(worker.run())
        await until(lambda: stage.control.get("monitor_generation") == 1)
        stage.control.monitor_pid = 1
        await asyncio.wait_for(task, 10)
        task = asyncio.create_task(WaitingWorker(Options(stage.path, stage.control.path)).run())
        await until(lambda: stage.control.monitor_pid == os.getpid())
        stage.control.path.unlink()
        await asyncio.wait_for(task, 10)

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
                order("eu/eu-2", "up", for_s=1.0)
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
            stage.publish(pool("p", endpoint("e", port=peer.port)), vantage_points=[{"region": "WEU"}])
            async with stage.running():
                await until(lambda: stage["pool_rtt"][11] > 0)
                assert [index for index in range(13) if stage["pool_rtt"][index]] == [11]
            kept = stage["pool_rtt"][11]
        stage.table = HealthTable.create(stage.path / "health-1.bin", 32, 8, 1)  # the machine was restarted
        stage.control.generation = 0
        stage.publish(pool("p", endpoint("e", port=peers.refused_port())), vantage_points=[{"region": "WEU"}])
        async with stage.running():
            await until(lambda: stage["endpoint_state"][0] == UNHEALTHY)
            assert stage["pool_rtt"][11] == pytest.approx(kept, rel=1e-3)

    asyncio.run(main())


def test_the_bound_on_probes_leaves_descriptors_for_the_rest() -> None:
    assert 2 <= in_flight_limit() <= 16_384


def test_a_worker_knows_what_was_told_before_of_endpoints_whose_network_is_down(stage: Stage) -> None:
    """One was up and one was not; the network went down, the worker ended, the network is back with both up."""
    record = Record(stage.path)
    for name, after in (("good", "healthy"), ("bad", "healthy"), ("bad", "unhealthy")):
        change = HealthChange(1.0, "endpoint", f"p/{name}", "unknown", after, "p", name, "127.0.0.1", network="far")
        record.append(change)
    record.close()

    async def main() -> None:
        async with peers.saying(peers.answer()) as good, peers.saying(peers.answer()) as bad:

            def publish(device: str) -> None:
                one, other = (endpoint(n, port=p.port, network="far") for n, p in (("good", good), ("bad", bad)))
                stage.publish(pool("p", one, other), networks=[{"name": "far", "slot": 0, "device": device}])

            publish("lbdns-none")
            async with stage.running():
                await until(lambda: list(stage["endpoint_reason"][:2]) == [Reason.NETWORK_DOWN] * 2)
            publish("lo")
            async with stage.running():
                await until(lambda: list(stage["endpoint_state"][:2]) == [HEALTHY] * 2)

    asyncio.run(main())
    told = [(one.name, one.before, one.after) for one in read_events(stage.path)[3:] if one.kind == "endpoint"]
    assert told == [("p/bad", "unhealthy", "healthy")]


def test_who_looks_names_up_in_a_network_goes_with_it(stage: Stage) -> None:
    async def main() -> None:
        async with stage.running() as running:
            for number in range(3):
                named = pool("p", endpoint("e", "app.corp.example", network=f"far{number}"))
                stage.publish(named, networks=[{"name": f"far{number}", "slot": 0, "device": "lbdns-none"}])
                await adopted(stage, number + 1)
            assert running.worker._named._names.keys() == {"far2"}

    asyncio.run(main())


def test_what_generations_left_is_settled_once_it_is_a_tenth(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """To settle walks all that lives; pools that go leave as much behind as those that are replaced."""
    settled: list[int] = []
    monkeypatch.setattr(worker_module, "_settle_memory", lambda: settled.append(1))

    async def main() -> None:
        pools = [pool(f"p{number}", endpoint("e", f"192.0.2.{number}"), monitor=None) for number in range(8)]
        balancers = [{"name": f"b{number}", "pools": ["p0"], "fallback": "p0"} for number in range(20)]
        stage.publish(*pools, load_balancers=balancers)
        async with stage.running() as running:
            await adopted(stage, 1)
            worker = running.worker
            assert settled == [1]
            first, *others = worker._targets.pools
            later = ((first, *others[1:]), 1), ((first, *others[2:]), 1), ((first,), 2)
            for generation, (left, count) in enumerate(later, 2):
                targets = replace(worker._targets, generation=generation, pools=left)
                worker._follow(Generation(targets, worker._ledger.table))
                assert len(settled) == count

    asyncio.run(main())
