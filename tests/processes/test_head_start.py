"""The monitor worker and the first responder begin while the supervisor compiles, and are no trace where nothing comes
of that."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import dns.message
import pytest

from lbdns.base.errors import LbdnsError
from lbdns.base.words import RESPONDER_MODULE
from lbdns.config.examined import Loaded
from lbdns.config.loading import load, parse
from lbdns.health.verdict import HEALTHY
from lbdns.mapped.control import Control
from lbdns.mapped.query_room import BEAT_BYTES, allocate_query_room
from lbdns.mapped.run_directory import RunDirectory
from lbdns.monitor.waiting_worker import Options, WaitingWorker
from lbdns.processes.supervisor import beginning, server_life
from lbdns.processes.supervisor.binding import bind
from lbdns.processes.supervisor.child_process import ENDED_WELL, ChildProcess
from lbdns.processes.supervisor.children import child_command
from lbdns.processes.supervisor.configuration_source import ConfigurationSource
from lbdns.processes.supervisor.hangups import Hangups
from lbdns.processes.supervisor.head_start import HeadStart
from lbdns.processes.supervisor.kept import Duty
from lbdns.processes.supervisor.monitor_child import heard_ns
from lbdns.processes.supervisor.responders import Responders
from lbdns.publish.publisher import Publisher
from tests.monitor import peers
from tests.monitor.stage import Stage, until
from tests.processes.load import NAME, ZONE, configuration
from tests.store.served import free_port

PATIENCE_S = 60.0


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    """A run directory that goes with the test."""
    made = RunDirectory(tmp_path / "state")
    try:
        yield made
    finally:
        made.remove()


@contextlib.asynccontextmanager
async def begun(run: RunDirectory, control: Control, state_dir: Path) -> AsyncIterator[tuple[HeadStart, int]]:
    """Yield a head start whose processes wait, and the process id of the spare responder."""
    ahead = HeadStart(run, control, state_dir, "text")
    try:
        await ahead.begin(1)
        await until(lambda: control.monitor_pid != 0 and ahead.spare.is_waiting, PATIENCE_S)
        yield ahead, ahead.spare.pid
    finally:
        await ahead.stop()


@pytest.mark.process
def test_a_worker_that_waits_goes_on_with_the_first_generation(tmp_path: Path, run: RunDirectory) -> None:
    control = Control.create(run.control)
    publisher = Publisher(control, run)

    async def main() -> None:
        async with peers.saying(peers.answer()) as peer, begun(run, control, tmp_path / "state") as (ahead, _):
            tree = configuration(("127.0.0.1",))
            tree["monitors"] = {"web": {"port": peer.port}}
            tree["pools"]["main"] |= {"monitor": "web"}
            published = publisher.prepare(parse(tree, tmp_path).configuration)
            ahead.heartbeat = lambda: heard_ns(published)
            pid = control.monitor_pid
            publisher.publish(published)
            await ahead.monitor.start(Duty([], published, "text"))
            assert ahead.monitor.health()["monitor"] == {"pid": pid, "restarts": 0, "hangs": 0}
            slot = published.slots.endpoint["main", "e0", "127.0.0.1"]
            assert published.table.columns["endpoint_state"][slot] == HEALTHY
        assert ahead.monitor.alive == 0

    asyncio.run(main())


@pytest.mark.process
@pytest.mark.parametrize("cores", [2, 4])
def test_where_cores_are_few_one_begins_behind_the_other(
    cores: int, tmp_path: Path, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    control = Control.create(run.control)
    begun_at_once: list[bool] = []

    async def main() -> None:
        ahead = HeadStart(run, control, tmp_path / "state", "text")
        try:
            await ahead.begin(1)
            begun_at_once.append(ahead.monitor.alive == 1)
            await until(lambda: ahead.monitor.alive == 1, PATIENCE_S)
            assert ahead.spare.is_waiting or cores > 2
            await until(lambda: ahead.spare.is_waiting, PATIENCE_S)
        finally:
            await ahead.stop()
        assert (ahead.monitor.alive, ahead.spare.pid) == (0, 0)

    asyncio.run(main())
    assert begun_at_once == [cores > 2]


@pytest.mark.process
def test_who_takes_them_over_begins_the_worker_that_has_not_begun(
    tmp_path: Path, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    control = Control.create(run.control)
    publisher = Publisher(control, run)

    async def main() -> None:
        ahead = HeadStart(run, control, tmp_path / "state", "text")
        published = publisher.prepare(parse(configuration(), tmp_path).configuration)
        ahead.heartbeat = lambda: heard_ns(published)
        publisher.publish(published)
        try:
            await ahead.begin(1)
            assert ahead.monitor.alive == 0
            ahead.take()
            await ahead.monitor.start(Duty([], published, "text"))
            await ahead.spare.wait()
            assert ahead.spare.is_waiting
            await until(lambda: control.monitor_pid != 0, PATIENCE_S)
            assert ahead.monitor.health()["monitor"] == {"pid": control.monitor_pid, "restarts": 0, "hangs": 0}
        finally:
            await ahead.monitor.stop()
            await ahead.spare.stop()

    asyncio.run(main())


@pytest.mark.process
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_first_responder_is_made_of_the_process_that_waits_where_it_logs_alike(
    log_format: str, tmp_path: Path, run: RunDirectory
) -> None:
    control = Control.create(run.control)
    publisher = Publisher(control, run)
    listen = (f"127.0.0.1:{free_port()}",)

    def ask() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(PATIENCE_S)
            udp.connect(("127.0.0.1", int(listen[0].rpartition(":")[2])))
            udp.send(dns.message.make_query(NAME, "A").to_wire())
            return udp.recv(512)

    async def main() -> None:
        async with begun(run, control, tmp_path / "state") as (ahead, pid):
            published = publisher.prepare(parse(configuration(), tmp_path).configuration)
            responders = Responders(tmp_path / "state", run, ahead.spare)
            sets = bind(listen, [], 1)
            responders.make_room(1, 1, published)
            publisher.publish(published)
            ahead.take()
            try:
                await responders.start(Duty(sets, published, log_format))
                (serving,) = responders.health()["responders"]
                assert (serving["pid"] == pid) is (log_format == "text")
                assert serving["restarts"] == 0
                assert dns.message.from_wire(await asyncio.to_thread(ask)).answer
                await until(lambda: responders.is_spared, PATIENCE_S)
                assert responders.health()["spare_responder"]["pid"] != pid
            finally:
                await responders.stop()
                await ahead.monitor.stop()

    asyncio.run(main())


@pytest.mark.process
def test_both_begin_before_the_configuration_is_read_and_end_where_that_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    (tmp_path / "lbdns.yaml").write_text(f'listen: ["127.0.0.1:{free_port()}"]\nstate: {state}\n')
    (tmp_path / "example.com.zone").write_text(ZONE)
    pids: list[int] = []
    starts: list[HeadStart] = []
    whole = load(tmp_path)

    class Watched(HeadStart):
        async def begin(self, threads: int) -> None:
            await super().begin(threads)
            starts.append(self)

    def read_late(*_: object) -> LbdnsError:
        (ahead,) = starts
        pids.extend((ahead.monitor.health()["monitor"]["pid"], ahead.spare.pid))
        return LbdnsError("not this one")

    def refuse(*_: object) -> Loaded:
        raise LbdnsError("nor any other")

    source = ConfigurationSource(
        load=refuse,
        directory=tmp_path,
        place="files",
        settings=lambda: whole.configuration.settings,
        override=lambda settings: settings,
        load_texts=lambda texts: whole,
    )
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)))
    monkeypatch.setattr(server_life, "HeadStart", Watched)
    monkeypatch.setattr(beginning, "read_first", read_late)
    with pytest.raises(LbdnsError, match="not this one"):
        asyncio.run(server_life.serve(source, Hangups()))
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not RunDirectory.location(state).exists()


@pytest.mark.process
def test_a_spare_responder_whose_supervisor_went_before_it_published_anything_ends_well(
    tmp_path: Path, run: RunDirectory
) -> None:
    Control.create(run.control)

    async def main() -> None:
        beat_fd = allocate_query_room(BEAT_BYTES)
        arguments = ["--state", str(tmp_path / "state"), "--beat-fd", str(beat_fd)]
        command = child_command(RESPONDER_MODULE, arguments)
        running = ChildProcess(command, [beat_fd], reports=True, listens=True)
        os.close(beat_fd)
        await asyncio.wait_for(running.is_ready.wait(), PATIENCE_S)
        assert running.channel is not None
        running.channel.close()
        assert await asyncio.wait_for(running.wait(), PATIENCE_S) == ENDED_WELL

    asyncio.run(main())


@pytest.mark.parametrize("went", ["before it looked", "while it waited"])
def test_a_worker_whose_supervisor_went_before_it_published_anything_ends(
    went: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path)
    parent = os.getppid()
    if went == "before it looked":
        monkeypatch.setattr(os, "getppid", lambda: 1)
    waiting = WaitingWorker(Options(tmp_path, stage.control.path, tmp_path, orphan_ok=True, parent_pid=parent))

    async def main() -> None:
        task = asyncio.create_task(waiting.wait())
        await until(lambda: stage.control.monitor_pid == os.getpid())
        if went == "while it waited":
            assert not task.done()
            monkeypatch.setattr(os, "getppid", lambda: 1)
        assert await asyncio.wait_for(task, PATIENCE_S) is None

    asyncio.run(main())
