"""unbound as a resolver in front of a server: it asks that for all it asks anybody, so that nothing leaves here."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import dns.exception
import pytest

BY_SUBNET = (
    'module-config: "subnetcache iterator"',
    "send-client-subnet: 127.0.0.1",
    "client-subnet-always-forward: yes",
    "max-client-subnet-ipv4: 32",
    "max-client-subnet-ipv6: 128",
)
"""Lines with which it caches by client subnet, as clients send it."""
STARTS = 5  # another process may take the port meanwhile
START_S = 10.0


def program(name: str) -> str:
    """Return a program's path; the test is skipped by name where it is not installed."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def free_port() -> int:
    """Return a port that is free for UDP and TCP, as far as one can tell before somebody takes it."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                tcp.bind(udp.getsockname())
                return int(udp.getsockname()[1])


@contextlib.contextmanager
def running_unbound(
    folder: Path, server_port: int, zones: Sequence[str], more: Sequence[str], ask: Callable[[int], object]
) -> Iterator[int]:
    """Run an unbound that asks the server for these zones; yield its port once `ask`, which is given it, has an answer.

    `more`: lines of its server's section. The test is skipped where unbound does not know a module that they name.
    """
    binary = program("unbound")
    log = folder / "log"
    for _ in range(STARTS):
        port = free_port()
        (folder / "unbound.conf").write_text(_settings(folder, port, server_port, zones, more))
        with log.open("wb") as out:
            process = subprocess.Popen([binary, "-d", "-p", "-c", str(folder / "unbound.conf")], stdout=out, stderr=out)
        try:
            if _is_answering(port, process, ask):
                yield port
                return
        finally:
            process.terminate()
            process.wait(10)
    said = log.read_text(errors="replace")
    if "module" in said and "subnet" in said:
        pytest.skip("unbound is built without its cache by client subnet")
    pytest.fail(f"unbound does not start:\n{said}")


def _settings(folder: Path, port: int, server_port: int, zones: Sequence[str], more: Sequence[str]) -> str:
    stubs = [f'stub-zone:\n name: "{zone}"\n stub-addr: 127.0.0.1@{server_port}\n stub-prime: no' for zone in zones]
    return "\n".join([
        "server:",
        f' directory: "{folder}"',
        " interface: 127.0.0.1",
        f" port: {port}",
        " outgoing-interface: 127.0.0.1",
        " do-not-query-localhost: no",
        " do-ip6: no",
        ' username: ""',
        ' chroot: ""',
        ' pidfile: ""',
        " use-syslog: no",
        " num-threads: 1",
        *(f" {line}" for line in more),
        "remote-control:",
        " control-enable: no",
        *stubs,
    ]) + "\n"  # fmt: skip


def _is_answering(port: int, process: subprocess.Popen[bytes], ask: Callable[[int], object]) -> bool:
    """Wait for the first answer; False where the process ended instead, or says nothing for long."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, dns.exception.Timeout):
            ask(port)
            return True
    return False
