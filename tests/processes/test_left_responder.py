"""A responder whose supervisor is killed before it is ready ends: nobody would know of it, nor tell it of changes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from lbdns.processes.supervisor.child_process import package_environment
from lbdns.testing import LbdnsServer
from tests.processes.load import configuration

pytestmark = pytest.mark.process


def test_a_responder_without_a_supervisor_ends_before_it_serves(lbdns_server: Callable[..., LbdnsServer]) -> None:
    server = lbdns_server(configuration())
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(tcp.getsockname())
        told, tell = os.pipe()
        os.close(told)
        address = "{}:{}".format(*tcp.getsockname())
        arguments = ["--state", str(server.state_dir), "--index", "9", "--count", "1", "--ready-fd", str(tell)]
        arguments += ["--listen", f"{address}={udp.fileno()},{tcp.fileno()}"]
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "lbdns.processes.responder.responder", *arguments],
            pass_fds=(udp.fileno(), tcp.fileno(), tell),
            capture_output=True,
            text=True,
            timeout=60,
            env=package_environment(),
            check=False,
        )
        os.close(tell)
    assert ended.returncode == 0 and "Traceback" not in ended.stderr
    assert "the supervisor ended before this responder was ready" in ended.stderr
