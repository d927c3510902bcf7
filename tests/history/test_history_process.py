"""The history process and what may befall it and its file: it goes on, and says what was lost."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from lbdns.base.words import HISTORY_FILE
from lbdns.telemetry.history.history_bounds import HistoryBounds
from lbdns.telemetry.history.history_file import FORMAT
from lbdns.telemetry.history.history_journal import WAITING_SAMPLES_MAX
from lbdns.telemetry.history.history_reader import HistoryReader
from lbdns.telemetry.history.history_worker import HistoryOptions, HistoryWorker
from lbdns.telemetry.samples import SampleReading
from tests.history.filled import sample
from tests.history.recorded import eventually, recorded

pytestmark = pytest.mark.process

WWW, API = "www.example.com", "api.example.com"


def test_what_was_counted_before_it_began_is_counted(tmp_path: Path) -> None:
    """It begins some seconds after the server, which has answered since its start."""
    with recorded(tmp_path) as site:
        site.count(WWW, 7)
        site.start()
        eventually(lambda: site.counted(WWW) == 7, "nothing is counted")
        site.count(API, 2)
        eventually(lambda: (site.counted(WWW), site.counted(API)) == (7, 2), "nothing more is counted")
        assert site.end() == 0
        assert site.counted() == 9


def test_nothing_is_lost_or_counted_twice_when_it_is_killed(tmp_path: Path) -> None:
    """`kill -9` at any time, in the midst of writing too: where the file is, there it goes on."""
    chance = random.Random(1)
    with recorded(tmp_path) as site:
        sent = 0
        for _ in range(6):
            site.start(write_s=0.02)
            until_s = time.monotonic() + 1.0 + chance.random() / 2
            while time.monotonic() < until_s:
                site.count(WWW)
                sent += 1
                time.sleep(0.001)
            site.end(signal.SIGKILL)
        site.start()
        eventually(lambda: site.counted(WWW) == sent, "not all is counted")
        site.count(WWW)
        eventually(lambda: site.counted(WWW) == sent + 1, "the last process counts nothing")
        assert site.end() == 0
        assert site.counted() == sent + 1
        assert "lost" not in site.log and "aside" not in site.log


def test_it_waits_for_room_and_then_writes_all(tmp_path: Path) -> None:
    """A file that may not grow, as on a full disk: counts wait in memory, the log says so once, all is written then."""
    with recorded(tmp_path) as site:
        process = site.start()
        site.count(WWW, 3)
        eventually(lambda: site.counted(WWW) == 3, "nothing is counted")
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))  # the log has room
        site.count(WWW, 4)
        eventually(lambda: "the history is not written" in site.log, "nothing is said")
        time.sleep(1.0)
        assert process.poll() is None
        assert site.counted(WWW) == 3  # readers have what was written
        site.count(API, 5)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        eventually(lambda: (site.counted(WWW), site.counted(API)) == (7, 5), "what waited is not written")
        assert site.log.count("the history is not written") == 1
        assert "the history is written again" in site.log
        assert site.end() == 0


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"no database" * 4096, id="another-file"),
        pytest.param(lambda data: data[:4096] + os.urandom(len(data) - 4096), id="pages-overwritten"),
        pytest.param(lambda data: data[:5000], id="cut-short"),
        pytest.param(lambda data: os.urandom(100) + data[100:], id="head-overwritten"),
    ],
)
def test_a_damaged_file_is_put_aside(tmp_path: Path, damage: object) -> None:
    """Another one is begun, the log says what was lost, and what comes from then on is exact."""
    with recorded(tmp_path) as site:
        site.start()
        site.count(WWW, 3)
        eventually(lambda: site.counted(WWW) == 3, "nothing is counted")
        site.end()
        path = site.state_dir / HISTORY_FILE
        path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
        site.count(WWW, 4)
        site.start()
        eventually(lambda: site.counted(WWW) >= 4, "no other file is begun")
        site.count(API, 6)
        eventually(lambda: site.counted(API) == 6, "nothing more is counted")
        assert "put aside as history.db.damaged" in site.log
        assert (site.state_dir / f"{HISTORY_FILE}.damaged").exists()
        assert HistoryReader(site.state_dir).status()["lost"]["files"] == 1
        assert site.end() == 0


def test_a_file_that_is_damaged_while_it_is_written_is_put_aside(tmp_path: Path) -> None:
    """Whatever overwrites it meanwhile."""
    with recorded(tmp_path) as site:
        site.start()
        site.count(WWW, 3)
        eventually(lambda: site.counted(WWW) == 3, "nothing is counted")
        path = site.state_dir / HISTORY_FILE
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
        for suffix in ("-wal",):
            os.truncate(path.with_name(path.name + suffix), 0)
        eventually(lambda: "put aside as history.db.damaged" in site.log, "nothing is said")
        site.count(API, 6)
        eventually(lambda: site.counted(API) == 6, "nothing more is counted")
        assert site.end() == 0


def test_a_file_of_a_newer_release_is_put_aside(tmp_path: Path) -> None:
    """It is kept as it is, for that release."""
    with recorded(tmp_path) as site:
        path = site.state_dir / HISTORY_FILE
        site.start()
        eventually(site.exists, "there is no file")
        site.end()
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version={FORMAT + 1}")
        connection.close()
        assert site.counted() == -1
        site.start()
        site.count(WWW, 5)
        eventually(lambda: site.counted(WWW) == 5, "no other file is begun")
        assert f"a history of format {FORMAT + 1}; this release knows format {FORMAT}" in site.log
        with sqlite3.connect(path.with_name(f"{path.name}.newer")) as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] == FORMAT + 1
        connection.close()
        assert site.end() == 0


def test_a_file_that_is_removed_is_begun_anew(tmp_path: Path) -> None:
    """What is counted from then on is in another one."""
    with recorded(tmp_path) as site:
        site.start()
        site.count(WWW, 3)
        eventually(lambda: site.counted(WWW) == 3, "nothing is counted")
        for path in site.state_dir.glob(f"{HISTORY_FILE}*"):
            path.unlink()
        site.count(WWW, 4)
        eventually(lambda: site.counted(WWW) >= 4, "no other file is begun")
        assert "removed or replaced" in site.log
        assert site.end() == 0


def test_what_stands_at_its_place_is_waited_for(tmp_path: Path) -> None:
    """A directory that cannot be written to, or something else there: it goes on by itself when that is gone, and
    nothing is lost."""
    with recorded(tmp_path) as site:
        path = site.state_dir / HISTORY_FILE
        path.mkdir()
        site.start()
        site.count(WWW, 3)
        eventually(lambda: "the history is not written" in site.log, "nothing is said")
        site.count(WWW, 4)
        time.sleep(0.5)
        path.rmdir()
        eventually(lambda: site.counted(WWW) == 7, "it does not go on")
        assert site.end() == 0


def test_two_processes_never_write_one_file(tmp_path: Path) -> None:
    """The second waits until the first has ended, and goes on from there."""
    with recorded(tmp_path) as site:
        first = site.start()
        site.count(WWW, 3)
        eventually(lambda: site.counted(WWW) == 3, "nothing is counted")
        second = site.start()
        eventually(lambda: "another process writes the history" in site.log, "nothing is said")
        site.count(WWW, 4)
        eventually(lambda: site.counted(WWW) == 7, "the first does not go on")
        first.send_signal(signal.SIGKILL)
        first.wait()
        site.count(WWW, 5)
        eventually(lambda: site.counted(WWW) == 12, "the second does not go on")
        time.sleep(0.5)
        assert site.counted(WWW) == 12
        assert second.poll() is None
        assert site.end() == 0


def test_counters_that_begin_anew_are_counted_from_nothing(tmp_path: Path) -> None:
    """Another server, whose counters are lower, or higher, than those before."""
    with recorded(tmp_path) as site:
        site.start()
        site.count(WWW, 100)
        eventually(lambda: site.counted(WWW) == 100, "nothing is counted")
        site.end()
        site.run.remove()
        with recorded(tmp_path) as other:
            other.count(WWW, 130)
            other.start()
            eventually(lambda: other.counted(WWW) == 230, "the other's are not counted")
            other.end()


def test_names_keep_their_counts_when_slots_change_hands(tmp_path: Path) -> None:
    """Reloads in the midst of a minute: a slot's queries are those of whom it belonged to."""
    with recorded(tmp_path) as site:
        site.start()
        site.count(WWW, 3)
        site.publish({API: 1})  # www is gone
        site.count(API, 2)
        site.publish({API: 1, "new.example.com": 2})
        site.count("new.example.com", 8)
        site.publish({API: 3, "new.example.com": 2, WWW: 4})  # and comes back, and one gets another slot
        site.count(API, 1)
        site.count(WWW, 5)
        wanted = {WWW: 8, API: 3, "new.example.com": 8}
        eventually(lambda: {name: site.counted(name) for name in wanted} == wanted, "counts are not whole")
        assert site.end() == 0


def test_it_ends_with_its_server(tmp_path: Path) -> None:
    """Where the run directory is another's, or gone, there is nothing to record."""
    with recorded(tmp_path) as site:
        process = site.start()
        eventually(site.exists, "it does not begin")
        site.run.remove()
        assert process.wait(10) == 0
        assert "made anew" in site.log


def test_it_has_low_priority(tmp_path: Path) -> None:
    """The processor is for who answers."""
    with recorded(tmp_path) as site:
        process = site.start()
        eventually(site.exists, "it does not begin")
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 19
        assert site.end() == 0


def test_samples_are_read_between_two_writes(tmp_path: Path) -> None:
    """More than a ring holds at once: none is written over, and what finds no room to wait is counted as lost."""

    class PlayedReader:
        reads = 0

        def read(self) -> SampleReading:
            self.reads += 1
            count = {2: WAITING_SAMPLES_MAX, 3: 10}.get(self.reads, 0)
            return SampleReading([sample(time.time(), "eu")] * count, 0)

        def close(self) -> None:
            """Nothing is open."""

    with recorded(tmp_path) as site:
        worker = HistoryWorker(HistoryOptions(site.state_dir, HistoryBounds(100_000_000, 90), write_s=600.0))
        reader = PlayedReader()
        worker._samples = reader  # type: ignore[assignment]
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            eventually(lambda: reader.reads > 3, "samples are read only when all is written")
        finally:
            worker.stop()
            thread.join()
        status = HistoryReader(site.state_dir).status()
        assert (status["samples"]["rows"], status["lost"].get("samples")) == (WAITING_SAMPLES_MAX, 10)
