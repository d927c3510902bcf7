"""The control socket: for its owner alone, one line each way, and no request that harms it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.processes.supervisor import control_socket as control
from lbdns.processes.supervisor.control_socket import ControlServer, ask


async def double(request: Mapping[str, Any]) -> int:
    """Return twice the number."""
    return 2 * int(request["number"])


async def refuse(request: Mapping[str, Any]) -> None:
    """Refuse."""
    raise LbdnsError("not today")


def serving(path: Path, scenario: Callable[[], None]) -> None:
    """Serve the two operations while a scenario runs in a thread."""

    async def run() -> None:
        server = ControlServer(path, {"double": double, "refuse": refuse})
        await server.start()
        try:
            await asyncio.to_thread(scenario)
        finally:
            await server.close()

    asyncio.run(run())


def test_asking_gets_results_and_refusals(tmp_path: Path) -> None:
    path = tmp_path / "state" / "control.sock"

    def scenario() -> None:
        assert path.stat().st_mode & 0o777 == 0o600
        assert ask(path, "double", number=21) == 42
        with pytest.raises(LbdnsError, match="not today"):
            ask(path, "refuse")
        with pytest.raises(LbdnsError, match="the operations are double, refuse"):
            ask(path, "nonsense")

    serving(path, scenario)
    assert not path.exists()


@pytest.mark.parametrize("sent", [b"nonsense\n", b"[]\n", b"1\n", b'{"op": []}\n', b"\xff\xfe\n"])
def test_what_is_no_request_is_told_so_and_the_connection_stays(tmp_path: Path, sent: bytes) -> None:
    def scenario() -> None:
        with socket.socket(socket.AF_UNIX) as sock, sock.makefile("rb") as replies:
            sock.settimeout(5)
            sock.connect(str(tmp_path / "s"))
            sock.sendall(sent)
            assert json.loads(replies.readline())["ok"] is False
            sock.sendall(b'{"op": "double", "number": 1}\n')
            assert json.loads(replies.readline()) == {"ok": True, "result": 2}

    serving(tmp_path / "s", scenario)


def test_a_line_without_end_and_a_crowd_of_clients_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "LINE_BYTES_MAX", 1000)
    monkeypatch.setattr(control, "CLIENTS_MAX", 3)

    def scenario() -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(tmp_path / "s"))
            sock.sendall(b"x" * 5000)
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(1) == b""
        crowd = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        for sock in crowd:
            sock.settimeout(5)
            sock.connect(str(tmp_path / "s"))
        with contextlib.suppress(ConnectionResetError):
            assert crowd[0].recv(1) == b"", "who has been silent longest gives way"
        for number in range(5):
            assert ask(tmp_path / "s", "double", number=number) == 2 * number
        for sock in crowd:
            sock.close()

    serving(tmp_path / "s", scenario)


def test_a_socket_left_by_a_killed_server_is_replaced_but_a_file_is_not(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "left"))
    serving(tmp_path / "left", lambda: None)
    (tmp_path / "file").write_text("precious")
    with pytest.raises(LbdnsError, match="cannot make the control socket"):
        serving(tmp_path / "file", lambda: None)
    assert (tmp_path / "file").read_text() == "precious"


def test_silence_of_the_other_side_is_an_error_in_words(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with pytest.raises(LbdnsError, match="the server does not answer: timed out"):
            ask(tmp_path / "s", "double", timeout_s=0.1)
