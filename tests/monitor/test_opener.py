"""The process that opens sockets in network namespaces: whom it answers, what it survives, when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.monitor.ways.opener import AT_ENTRY, AT_FILE, AT_SOCKET, REPLY, REQUEST
from lbdns.monitor.ways.opener_client import NoOpener, OpenFailed, Opening
from tests.monitor.stage import until

pytestmark = pytest.mark.process

OWN = "/proc/self/ns/net"
NOTHING_MORE = ["setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all", "--ambient-caps=-all"]


@contextlib.contextmanager
def opener(path: Path, *through: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one at a path."""
    command = [*through, sys.executable, "-m", "lbdns.monitor.ways.opener", "--socket", str(path)]
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.kill()


def asking(path: Path, story: Callable[[Opening], Awaitable[Any]]) -> Any:
    """Run a story with a client of the opener at a path."""

    async def run() -> Any:
        opening = Opening(path)
        try:
            return await story(opening)
        finally:
            opening.close()

    return asyncio.run(run())


async def failure(opening: Opening, namespace: str, *what: int) -> tuple[int, int]:
    with pytest.raises(OpenFailed) as failed:
        await opening.open(namespace, *(what or (socket.AF_INET, socket.SOCK_STREAM)))
    return failed.value.number, failed.value.step


def test_each_step_that_fails_is_told_apart(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()

    async def story(opening: Opening) -> None:
        assert await failure(opening, "lbdns-none") == (errno.ENOENT, AT_FILE)
        number, step = await failure(opening, str(tmp_path / "file"))
        assert step == AT_ENTRY and number in (errno.EINVAL, errno.EPERM)
        assert (await failure(opening, str(tmp_path / "pipe")))[1] == AT_ENTRY  # and does not wait for a writer
        if os.geteuid() == 0:
            assert (await failure(opening, OWN, socket.AF_INET, 77))[1] == AT_SOCKET
            found = await opening.open(OWN, socket.AF_INET, socket.SOCK_STREAM)
            with found.sock:
                assert found.namespace == (os.stat(OWN).st_dev, os.stat(OWN).st_ino)
                assert not found.sock.getblocking() and not found.sock.get_inheritable()

    with opener(tmp_path / "o.sock"):
        asking(tmp_path / "o.sock", story)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enters its own network namespace anew")
def test_many_ask_at_once_and_those_that_give_up_leave_nothing_open(tmp_path: Path) -> None:
    async def story(opening: Opening) -> None:
        before = len(os.listdir("/proc/self/fd"))
        tasks = [asyncio.create_task(opening.open(OWN, socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(500)]
        await asyncio.sleep(0.01)
        for task in tasks[::2]:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        opened = [one for one in found if not isinstance(one, BaseException)]
        assert len(opened) >= 250
        for one in opened:
            one.sock.close()
        await until(lambda: len(os.listdir("/proc/self/fd")) <= before + 1)  # the channel

    with opener(tmp_path / "o.sock"):
        asking(tmp_path / "o.sock", story)


def test_who_asks_waits_for_one_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "o.sock"

    async def story(opening: Opening) -> None:
        asked = asyncio.create_task(failure(opening, "lbdns-none"))
        await asyncio.sleep(0.1)
        with opener(path) as first:
            assert await asked == (errno.ENOENT, AT_FILE)
            first.kill()
            first.wait()
            asked = asyncio.create_task(failure(opening, "lbdns-none"))
            await asyncio.sleep(0.1)
        with opener(path):
            assert await asked == (errno.ENOENT, AT_FILE)
        with pytest.raises(NoOpener):
            await opening.open("lbdns-none", socket.AF_INET, socket.SOCK_STREAM)

    asking(path, story)


def test_nonsense_ends_a_connection_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "o.sock"
    with opener(path) as process:

        async def story(opening: Opening) -> None:
            await failure(opening, "lbdns-none")
            for said in (b"", b"x", b"x" * REQUEST.size, REQUEST.pack(1, 2, 1, 0), REQUEST.pack(1, 2, 1, 0) + b"a\0b"):
                with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
                    client.connect(str(path))
                    client.settimeout(5)
                    client.send(said)
                    heard = client.recv(100)
                    assert not heard or REPLY.unpack(heard)[1]
            await failure(opening, "lbdns-none")

        asking(path, story)
        assert process.poll() is None
        assert path.stat().st_mode & 0o777 == 0o600


def test_it_ends_with_the_last_worker_of_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "o.sock"
    command = f"{sys.executable} -m lbdns.monitor.ways.opener --socket {path} & echo $!; read line"

    async def story(opening: Opening) -> None:
        with subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as supervisor:
            assert supervisor.stdout is not None
            pid = int(supervisor.stdout.readline())
            await failure(opening, "lbdns-none")
            supervisor.kill()
            supervisor.wait()
        await asyncio.sleep(1.5)
        await failure(opening, "lbdns-none")  # the worker goes on
        opening.close()
        await until(lambda: not _is_alive(pid))

    asking(path, story)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_one_that_comes_later_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "o.sock"

    async def story(opening: Opening) -> None:
        with opener(path) as first:
            await failure(opening, "lbdns-none")
            with opener(path) as second:
                await asyncio.sleep(0)
                inode = path.stat().st_ino
                await until(lambda: path.stat().st_ino != inode or second.poll() is not None, within_s=20)
                await failure(opening, "lbdns-none")  # the first has a client still
                opening.close()
                await until(lambda: first.poll() is not None)
                await failure(opening, "lbdns-none")
                path.unlink()
                await until(path.exists)  # it is there again

    asking(path, story)


@pytest.mark.skipif(
    shutil.which("setpriv") is None
    or subprocess.run([*NOTHING_MORE, "unshare", "-U", "-r", "-n", "true"], capture_output=True).returncode != 0,
    reason="no user namespaces here (Debian's util-linux)",
)
def test_a_namespace_of_a_user_namespace_is_entered_without_privileges(tmp_path: Path) -> None:
    """What rootless containers have: made by the user that the opener runs as, who has no capability."""
    path = tmp_path / "o.sock"
    inside = [*NOTHING_MORE, "unshare", "-U", "-r", "-n", "sh", "-c", "echo $$; exec sleep 60"]
    with opener(path, *NOTHING_MORE) as process, subprocess.Popen(inside, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            there = f"/proc/{int(other.stdout.readline())}/ns/net"

            async def story(opening: Opening) -> None:
                for _ in range(3):
                    found = await opening.open(there, socket.AF_INET, socket.SOCK_DGRAM)
                    with found.sock, pytest.raises(OSError) as error:
                        found.sock.connect(("192.0.2.1", 9))
                    assert error.value.errno == errno.ENETUNREACH  # nothing is up in it
                    assert found.namespace[1] == os.stat(there).st_ino
                assert await failure(opening, f"/proc/{os.getpid()}/ns/net") == (errno.EACCES, AT_FILE)

            asking(path, story)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            assert len(children) == 1  # who went in stays there
            process.send_signal(signal.SIGTERM)
            process.wait()
            asyncio.run(until(lambda: not _is_alive(int(children[0]))))
        finally:
            other.kill()
