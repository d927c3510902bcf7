"""contrib/lbdns.service under a systemd that is the first process of namespaces of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.load import ZONE
from tests.processes.namespaces import needs_namespaces
from tests.processes.test_reload import eventually
from tests.processes.users import needs_root, public_directory
from tests.store.served import free_port

pytestmark = pytest.mark.process

FIRST = Path(__file__).with_name("systemd_first.sh")
TREE = Path(__file__).parents[2]
SYSTEMD = Path("/lib/systemd/systemd")
CGROUP = Path("/sys/fs/cgroup/systemd")  # the hierarchy of systemd's own, where controllers have others
WITHIN_S = 60.0
LIMIT_S = 90

ASKING = """
ask() { dig @127.0.0.1 -p "$PORT" ns.example.com +short +tries=1 +time=5; }
shown() { systemctl show lbdns -p "$1" --value; }
echo "user $(ps -o user= -p "$(shown MainPID)")"
echo "state $(shown ActiveState)"
echo "answer $(ask)"
sleep 1.5
echo "watchdog $(shown WatchdogTimestampMonotonic)"
kill -KILL "$(shown MainPID)"
echo "killed $(ask)"
until [ "$(shown NRestarts)" != 0 ] && [ "$(shown ActiveState)" = active ]; do sleep 0.1; done
echo "restarts $(shown NRestarts)"
echo "again $(ask)"
systemctl reload lbdns
echo "reloaded $?"
systemctl stop lbdns
echo "stopped $(shown Result)"
cat /run/lbdns.log
echo end
"""


@pytest.fixture
def work(starts_processes: None) -> Iterator[Path]:
    """A directory that the user of the unit can pass."""
    needs_root()
    needs_namespaces()
    for command, package in (("dig", "dnsutils"), ("systemd-sysusers", "systemd"), ("ps", "procps")):
        if shutil.which(command) is None:
            pytest.skip(f"{command} (Debian: {package}) is not installed")
    if not SYSTEMD.exists() or not os.access(CGROUP / "cgroup.procs", os.W_OK):
        pytest.skip("systemd cannot be a first process here: it is not installed, or there is no cgroup for it alone")
    with public_directory() as directory:
        yield directory


def ended(place: Path) -> list[int]:
    """Kill who is left in a cgroup; returns who that was."""
    left = [int(pid) for one in place.rglob("cgroup.procs") for pid in one.read_text().split()]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return left


@contextlib.contextmanager
def own_cgroup() -> Iterator[Path]:
    """Make a cgroup, and remove it with all that was made in it."""
    place = CGROUP / f"lbdns-test-{os.getpid()}"
    place.mkdir()
    try:
        yield place
    finally:
        eventually(lambda: not ended(place))
        for one in sorted((path for path in place.rglob("*") if path.is_dir()), reverse=True):
            one.rmdir()
        place.rmdir()


def test_systemd_runs_restarts_reloads_and_stops_it(work: Path) -> None:
    (work / "asking").write_text(ASKING)
    (work / "example.com.zone").write_text(ZONE)
    said = work / "said"
    paths = (work, sys.base_prefix, TREE, sysconfig.get_path("purelib"))
    first = ["sh", str(FIRST), *map(str, paths), str(free_port())]
    alone = ["unshare", "--pid", "--mount", "--fork", "--mount-proc", "--cgroup", "--uts", "--ipc", "--kill-child"]
    with own_cgroup() as place, (work / "log").open("wb") as log:
        entering = f"echo $$ >{place}/cgroup.procs && exec timeout -s KILL {LIMIT_S} " + '"$@"'
        command = ["sh", "-c", entering, "sh", *alone, *first]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            eventually(lambda: said.exists() and said.read_text().endswith("end\n"), WITHIN_S)
        finally:
            ended(place)
            process.wait()
    told = dict(line.partition(" ")[::2] for line in said.read_text().splitlines())
    assert told["user"] == "lbdns" and told["state"] == "active"
    assert told["answer"] == told["killed"] == told["again"] == "192.0.2.53"
    assert int(told["watchdog"]) > 0 and told["restarts"] == "1"
    assert told["reloaded"] == "0" and told["stopped"] == "success"
    assert "took over from 1 responder" in said.read_text() and "Traceback" not in said.read_text()
