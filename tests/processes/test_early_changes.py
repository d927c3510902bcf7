"""Changes and hangups from the first moment of a server on: none is missed, and none ends it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbdns.testing import LbdnsServer, write_files
from tests.processes.launch import launched, soon
from tests.processes.load import NAME
from tests.processes.test_reload import NEW, NEW_FILES, OLD, OLD_FILES, eventually

pytestmark = pytest.mark.process

UNREADABLE_BY_OTHERS = fcntl.F_WRLCK


class Lease:
    """A lease on a file (fcntl(2)): who opens the file waits until the lease is given back."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR)
        self._is_given_back = False
        fcntl.fcntl(self._descriptor, fcntl.F_SETLEASE, UNREADABLE_BY_OTHERS)

    def wait(self) -> None:
        """Wait until somebody opens the file."""
        soon(lambda: fcntl.fcntl(self._descriptor, fcntl.F_GETLEASE) != UNREADABLE_BY_OTHERS)

    def give_back(self) -> None:
        """Let whoever waits for the file have it, now and later."""
        if self._is_given_back:
            return
        self._is_given_back = True
        fcntl.fcntl(self._descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def close(self) -> None:
        """End it, whatever became of it."""
        os.close(self._descriptor)


@pytest.fixture
def lease(tmp_path: Path) -> Iterator[Lease]:
    """Return a lease on the zone's file, which a server reads last."""
    write_files(OLD_FILES, tmp_path / "config")
    (zone,) = (tmp_path / "config").glob("*.zone")
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel's word to the holder, who asks by himself
    with contextlib.closing(Lease(zone)) as held:
        yield held
    signal.signal(signal.SIGIO, before)


def test_what_changes_behind_the_first_reading_is_served(tmp_path: Path, lease: Lease) -> None:
    write_files(NEW_FILES, tmp_path / "new")
    with launched(tmp_path) as (server, started):
        lease.wait()
        (tmp_path / "new" / "objects.yaml").replace(server.directory / "objects.yaml")
        lease.give_back()
        started.result()
        eventually(lambda: server.addresses(NAME) == sorted(NEW[1]))
        eventually(lambda: "files changed: " in server.log)  # said when it is served, so a moment later
        assert server.log.count("files changed: ") == 1


def test_what_changes_behind_a_reading_that_is_refused_is_served(tmp_path: Path, lease: Lease) -> None:
    included = tmp_path / "config" / "more.inc"
    included.write_text("nothing IN A that is an address\n")
    lease.give_back()
    with launched(tmp_path) as (server, started):
        started.result()
        (zone,) = server.directory.glob("*.zone")
        good = zone.read_text()
        zone.write_text(f"{good}$INCLUDE more.inc\n")
        eventually(lambda: "what was served before is served on" in server.log)
        included.write_text("more IN A 192.0.2.77\n")
        eventually(lambda: server.addresses("more.example.com") == ["192.0.2.77"], 4.0)


def at_the_first_moment(server: LbdnsServer, _: Lease) -> None:
    """Wait until SIGHUP is caught."""
    status = Path(f"/proc/{server.pid}/status")
    bit = 1 << (signal.SIGHUP - 1)
    soon(lambda: int(status.read_text().partition("SigCgt:")[2].split()[0], 16) & bit)


def in_the_first_reading(_: LbdnsServer, lease: Lease) -> None:
    """Wait until the zone's file is about to be read."""
    lease.wait()


def before_it_is_ready(server: LbdnsServer, lease: Lease) -> None:
    """Wait until the control socket is there."""
    lease.give_back()
    soon(server.control.exists)


@pytest.mark.parametrize("wait", [at_the_first_moment, in_the_first_reading, before_it_is_ready])
def test_a_hangup_is_kept_until_there_is_something_to_reload(
    tmp_path: Path, lease: Lease, wait: Callable[[LbdnsServer, Lease], None]
) -> None:
    with launched(tmp_path) as (server, started):
        wait(server, lease)
        os.kill(server.pid, signal.SIGHUP)
        lease.give_back()
        started.result()
        eventually(lambda: "SIGHUP: serving" in server.log)
        assert server.addresses(NAME) == sorted(OLD[1])
