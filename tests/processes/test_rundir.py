"""The state directory's lock, the run directory, and UNIX sockets at deep paths."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.mapped import run_directory as rundir
from lbdns.mapped.run_directory import RunDirectory, StateLock, unix_address


def test_a_second_holder_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    lock = StateLock(tmp_path / "state")
    with pytest.raises(LbdnsError, match=rf"\(pid {os.getpid()}\) already uses the state directory {tmp_path}/state"):
        StateLock(tmp_path / "state")
    lock.release()
    StateLock(tmp_path / "state").release()
    assert not (tmp_path / "state").exists()


def test_a_state_directory_with_other_things_in_it_is_kept(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    StateLock(tmp_path).release()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[int] = []
    flock = fcntl.flock

    def flock_after_removal(handle: int, how: int) -> None:
        flock(handle, how)
        if not removed:
            removed.append(handle)
            (tmp_path / "lock").unlink()

    monkeypatch.setattr(fcntl, "flock", flock_after_removal)
    lock = StateLock(tmp_path)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    lock.release()


@pytest.mark.parametrize("removed", ["file", "directory"])
def test_a_lock_that_was_removed_lets_nobody_in(tmp_path: Path, removed: str) -> None:
    state = tmp_path / "state"
    lock = StateLock(state)
    run = RunDirectory(state)
    try:
        lock.take_run()
        for _ in range(2):
            (state / "lock").unlink()
            if removed == "directory":
                state.rmdir()
            with pytest.raises(LbdnsError, match=rf"another lbdns server \(pid {os.getpid()}\) already uses"):
                StateLock(state)
            assert lock.is_lost()
            lock.renew()
            assert not lock.is_lost()
        shutil.rmtree(run.path)
        run.find()
        assert not lock.is_lost()
        (state / "lock").unlink()
        with pytest.raises(LbdnsError, match="already uses"):
            StateLock(state)
    finally:
        run.remove()
    lock.release()
    StateLock(state).release()


def test_a_directory_that_others_may_open_keeps_nobody_out(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o755)
    other = os.open(state, os.O_RDONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        StateLock(state).release()
    finally:
        os.close(other)


def test_a_state_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LbdnsError, match="cannot use it as the state directory"):
        StateLock(tmp_path / "file" / "state")


def test_run_directory_is_private_and_found_again(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert run.path.parent == rundir.SHARED_MEMORY
    assert run.path.stat().st_mode & 0o777 == 0o700
    run.control.touch()
    again = RunDirectory(tmp_path)
    assert again.path == run.path
    again.clear()
    assert not list(run.path.iterdir())
    again.remove()
    assert not run.path.exists()


def test_a_run_directory_that_others_can_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rundir, "SHARED_MEMORY", tmp_path)
    planted = RunDirectory.location(tmp_path / "state")
    planted.mkdir()
    planted.chmod(0o777)
    (tmp_path / "state").mkdir()
    assert RunDirectory(tmp_path / "state").path == tmp_path / "state" / "run"


def test_unix_sockets_work_at_paths_longer_than_the_kernel_takes(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with unix_address(deep / "s.sock") as address:
            server.bind(address)
        server.listen()
        with unix_address(deep / "s.sock") as address:
            client.connect(address)
