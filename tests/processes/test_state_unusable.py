"""A state directory that takes nothing: what is in files is served all the same, and what cannot be kept is said."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from lbdns.base.errors import LbdnsError
from lbdns.base.words import CONTROL_SOCKET, LAST_SERVED
from lbdns.mapped.run_directory import RunDirectory, StateLock
from lbdns.processes.supervisor.binding import choose_ports
from lbdns.testing import LbdnsServer, write_files
from tests.processes.load import NAME
from tests.processes.namespaces import filled, read_only, seen_from_outside, small_disk, with_mounts
from tests.processes.test_last_served import lbdns, row
from tests.processes.test_reload import NEW, NEW_FILES, OLD, OLD_FILES, eventually

pytestmark = pytest.mark.process

Spoil = Callable[[Path], list[str]]


class SecludedServer(LbdnsServer):
    """A server of OLD_FILES whose state directory is as its mount namespace has it."""

    def __init__(self, work: Path) -> None:
        (listen,) = choose_ports(("127.0.0.1:0",))
        write_files({**OLD_FILES, "settings": {"listen": [listen]}}, work / "config")
        super().__init__(work / "config", work, override=False)

    @property
    def state(self) -> Path:
        """Where its state directory is seen from outside."""
        return seen_from_outside(self.pid, self.state_dir)

    @property
    def control(self) -> Path:
        """Where its control socket is, if it could be made."""
        return self.state / CONTROL_SOCKET

    @control.setter
    def control(self, _: Path) -> None:
        """Follow the process."""

    def command(self) -> list[str]:
        """Listen where the settings say."""
        return [sys.executable, "-P", "-m", "lbdns", "serve", str(self.directory), "--state", str(self.state_dir)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LbdnsServer]:
    """Return a server of files that has not started yet."""
    with contextlib.closing(SecludedServer(tmp_path)) as server:
        yield server


def read_only_empty(state: Path) -> list[str]:
    state.mkdir()
    return [read_only(state)]


def read_only_missing(state: Path) -> list[str]:
    return [read_only(state.parent)]


def full(state: Path) -> list[str]:
    return [small_disk(state, "64k"), filled(state)]


def without_inodes(state: Path) -> list[str]:
    place = shlex.quote(str(state))
    return [f"mkdir {place}", f"mount -t tmpfs -o nr_inodes=1 none {place}"]


def a_file(state: Path) -> list[str]:
    state.write_text("no directory")
    return []


def a_link_to_nowhere(state: Path) -> list[str]:
    state.symlink_to(state.parent / "gone" / "away")
    return [read_only(state.parent)]


@pytest.mark.parametrize("spoil", [read_only_empty, read_only_missing, full, without_inodes, a_file, a_link_to_nowhere])
def test_files_are_served_without_a_state_directory(
    server: SecludedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Spoil
) -> None:
    with_mounts(monkeypatch, tmp_path, *spoil(server.state_dir))
    server.start()
    assert server.addresses(NAME) == sorted(OLD[1])
    eventually(lambda: bool(row(server, "kept")["problems"]))
    server.reload({"objects.yaml": yaml.safe_dump({key: NEW_FILES[key] for key in ("pools", "load_balancers")})})
    assert server.addresses(NAME) == sorted(NEW[1])
    assert server.stop() == 0
    assert "Traceback" not in server.log
    told = [line.partition(": ")[2] for line in server.log.splitlines() if " error " in line]
    assert told and len(told) == len(set(told)), server.log


def test_a_command_finds_the_server_whose_sockets_stand_elsewhere(
    server: SecludedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = sys.executable
    with_mounts(monkeypatch, tmp_path, *read_only_missing(server.state_dir))
    server.start()
    monkeypatch.setattr(sys, "executable", python)
    state = ["--state", str(server.state_dir)]
    assert lbdns("status", *state).stdout.startswith("lbdns ")
    assert lbdns("pool", "list", *state).returncode == 0
    forced = lbdns("health", "set", "main", "down", *state)
    assert forced.returncode == 1 and "cannot write the forced states" in forced.stderr
    second = lbdns("serve", str(server.directory), *state)
    assert second.returncode == 1 and f"another lbdns server (pid {server.pid})" in second.stderr
    assert server.stop() == 0
    assert not RunDirectory.location(server.state_dir).with_suffix(".lock").exists()


def test_files_are_served_where_nobody_may_look_at_the_state_directory(
    server: SecludedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv here")
    server.state_dir.mkdir()
    mine = f"mount -t tmpfs -o uid=65534,mode=0700 none {shlex.quote(str(server.state_dir))}"
    server.state_dir = server.state_dir / "below"
    with_mounts(monkeypatch, tmp_path, mine, through="setpriv --bounding-set=-dac_override,-dac_read_search")
    server.start()
    assert server.addresses(NAME) == sorted(OLD[1])
    assert "cannot use it as the state directory: Permission denied" in server.log
    assert server.stop() == 0 and "Traceback" not in server.log


def test_a_lock_that_stands_in_excludes_who_finds_the_directory_well_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.touch()
    lock = StateLock(state, may_stand_in=True)
    assert "cannot use it as the state directory" in lock.problem
    state.unlink()
    with pytest.raises(LbdnsError, match=rf"another lbdns server \(pid {os.getpid()}\)"):
        StateLock(state)
    lock.release()
    StateLock(state).release()


def test_where_there_is_room_again_what_is_served_is_kept(
    server: SecludedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_mounts(monkeypatch, tmp_path, small_disk(server.state_dir, "512k"), filled(server.state_dir))
    server.start()
    eventually(lambda: bool(row(server, "kept")["problems"]))
    (server.state / "filling").unlink()
    server.reload({"objects.yaml": yaml.safe_dump({key: NEW_FILES[key] for key in ("pools", "load_balancers")})})
    eventually(lambda: not row(server, "kept")["problems"])
    assert (server.state / LAST_SERVED / "current.json").exists()
    assert "what is served is kept for a restart again" in server.log


def test_tokens_that_cannot_be_read_do_not_keep_files_from_being_served(
    server: SecludedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = server.directory / "lbdns.yaml"
    settings.write_text(f"{settings.read_text()}api: {{listen: '{choose_ports(('127.0.0.1:0',))[0]}'}}\n")
    with_mounts(monkeypatch, tmp_path, *read_only_missing(server.state_dir))
    server.start()
    assert server.addresses(NAME) == sorted(OLD[1])
    eventually(lambda: "no token can be checked or made" in server.log)
    assert "Traceback" not in server.log and server.process is not None and server.process.poll() is None
