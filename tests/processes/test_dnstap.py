"""dnstap of a running server, heard by other people's collectors and by hand."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dns.message
import pytest
from dnstap_pb import Dnstap
from fstrm import FSTRM_DATA_FRAME, FstrmCodec

from lbdns.testing import LbdnsServer
from tests.processes.test_metrics import MAIL, WWW, scrape, tree
from tests.processes.test_reload import eventually

Start = Callable[..., LbdnsServer]
needs_dnstap_read = pytest.mark.skipif(
    shutil.which("dnstap-read") is None, reason="dnstap-read (Debian: bind9-dnsutils) is not installed"
)
needs_capture = pytest.mark.skipif(
    shutil.which("fstrm_capture") is None, reason="fstrm_capture (Debian: fstrm-bin) is not installed"
)


class Collector:
    """One end of Frame Streams, by hand: what came as dnstap messages, and when."""

    def __init__(self, path: Path) -> None:
        self.messages: list[tuple[float, Any]] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                channel, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(channel)
            threading.Thread(target=self._hear, args=(channel,), daemon=True).start()

    def _hear(self, channel: socket.socket) -> None:
        codec = FstrmCodec()
        kinds = []
        while data := channel.recv(65536):
            codec.append(data)
            while codec.process():
                kind, content, payload = codec.decode()
                if kind == FSTRM_DATA_FRAME:
                    told = Dnstap()
                    told.ParseFromString(payload)
                    self.messages.append((time.time(), told))
                    continue
                kinds.append(kind)
                if kinds == [4]:
                    assert content == [b"protobuf:dnstap.Dnstap"]
                    channel.sendall(codec.encode_ctrlaccept(content[0]))

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for channel in self._open:
            channel.shutdown(socket.SHUT_RDWR)
            channel.close()


@contextmanager
def collecting(path: Path) -> Iterator[Collector]:
    path.unlink(missing_ok=True)
    with closing(Collector(path)) as collector:
        yield collector


def test_queries_and_replies_reach_a_collector_with_both_times_and_the_zone(
    lbdns_server: Start, tmp_path: Path
) -> None:
    with collecting(tmp_path / "tap") as collector:
        server = lbdns_server(tree(dnstap={"socket": str(tmp_path / "tap"), "identity": "ns1"}))
        server.query(WWW)
        server.query(MAIL, "AAAA", tcp=True)
        server.query("outside.test")
        eventually(lambda: len(collector.messages) >= 6)
    sent = {(told.message.type, told.message.socket_protocol): told for _, told in collector.messages[:4]}
    assert sorted(sent) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    for heard_s, told in collector.messages:
        message = told.message
        assert (told.identity, told.version[:6], message.socket_family) == (b"ns1", b"lbdns ", 1)
        assert (message.query_address, message.response_address) == (bytes((127, 0, 0, 1)),) * 2
        assert message.query_port > 0 and message.response_port == int(server.status()["listen"][0].rpartition(":")[2])
        asked_s = message.query_time_sec + message.query_time_nsec / 1e9
        assert heard_s - 10 < asked_s <= heard_s
        if message.type == 2:
            answered_s = message.response_time_sec + message.response_time_nsec / 1e9
            assert asked_s <= answered_s <= heard_s
            assert not message.HasField("query_message")
        wire = message.query_message if message.type == 1 else message.response_message
        name = dns.message.from_wire(wire).question[0].name.to_text(omit_final_dot=True)
        assert message.query_zone == (b"" if name == "outside.test" else b"\7example\3com\0")
    assert scrape(server)("dnstap_exchanges_total") == 3


def test_a_collector_that_is_absent_slow_or_gone_touches_nothing(lbdns_server: Start, tmp_path: Path) -> None:
    server = lbdns_server(tree(dnstap={"socket": str(tmp_path / "tap"), "queries": False}))
    for _ in range(3):
        server.query(WWW)
    with collecting(tmp_path / "tap") as collector:
        eventually(lambda: len(collector.messages) == 3)  # what waited
    server.query(WWW)
    with collecting(tmp_path / "tap") as collector:
        server.query(WWW)
        eventually(lambda: len(collector.messages) >= 2)
    (tmp_path / "tap").unlink()
    silent = socket.socket(socket.AF_UNIX)  # takes connections, and says nothing
    silent.bind(str(tmp_path / "tap"))
    silent.listen()
    for _ in range(20):
        server.query(WWW)
    silent.close()
    assert "dnstap" in server.log


@needs_dnstap_read
def test_a_file_is_read_by_dnstap_read_and_made_anew_where_it_was_moved(lbdns_server: Start, tmp_path: Path) -> None:
    path, moved = tmp_path / "log.tap", tmp_path / "older.tap"
    server = lbdns_server(tree(dnstap={"file": str(path)}))
    eventually(path.exists)  # the worker begins when the server answers already
    server.query(WWW)
    eventually(lambda: len(frames(path)) == 2)
    path.rename(moved)
    eventually(path.exists)
    server.query(MAIL)
    eventually(lambda: len(frames(path)) == 2)
    server.reload({"lbdns.yaml": json.dumps(tree()["settings"])})  # which ends the stream
    for one, name in ((moved, WWW), (path, MAIL)):
        text = subprocess.run(["dnstap-read", "-y", one], capture_output=True, text=True, check=True).stdout
        assert text.count("type: AUTH_QUERY") == text.count("type: AUTH_RESPONSE") == 1
        assert text.count("query_time: !!timestamp") == text.count("response_time: !!timestamp") == 1
        assert f"{name}." in text


@needs_capture
@needs_dnstap_read
def test_fstrm_capture_takes_it(lbdns_server: Start, tmp_path: Path) -> None:
    where, file = tmp_path / "tap", tmp_path / "captured.tap"
    command = ["fstrm_capture", "-t", "protobuf:dnstap.Dnstap", "-u", str(where), "-w", str(file)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as capture:
        try:
            eventually(where.exists)
            server = lbdns_server(tree(dnstap={"socket": str(where), "responses": False}))
            for _ in range(5):
                server.query(WWW)
            eventually(lambda: scrape(server)("dnstap_exchanges_total") == 5)
            server.reload({"lbdns.yaml": json.dumps(tree()["settings"])})
        finally:
            capture.terminate()
            capture.wait(10)
    text = subprocess.run(["dnstap-read", file], capture_output=True, text=True, check=True).stdout
    assert len(text.splitlines()) == 5
    assert all(" AQ " in line for line in text.splitlines())


def frames(path: Path) -> list[bytes]:
    """Return the data frames of a file that is still written to."""
    data, at, found = path.read_bytes(), 0, []
    while at + 4 <= len(data):
        (size,) = struct.unpack_from("!I", data, at)
        if size == 0:
            at += 8 + struct.unpack_from("!I", data, at + 4)[0]
            continue
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def test_it_goes_on_over_reloads_deaths_and_a_take_over(lbdns_server: Start, tmp_path: Path) -> None:
    on = tree(dnstap={"socket": str(tmp_path / "tap"), "queries": False})
    with collecting(tmp_path / "tap") as collector:
        server = lbdns_server(tree())
        server.query(WWW)
        server.reload({"lbdns.yaml": json.dumps(on["settings"])})
        server.query(WWW)
        eventually(lambda: len(collector.messages) == 1)
        status = server.status()
        for pid in (status["responders"][0]["pid"], status["dnstap"]["pid"]):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: server.status()["responders"][0]["pid"] not in (0, status["responders"][0]["pid"]))
        server.query(WWW)
        eventually(lambda: len(collector.messages) == 2)
        os.kill(server.pid, signal.SIGKILL)
        assert server.process is not None
        server.process.wait()
        server.query(WWW)
        server.start()
        server.query(WWW)
        # What was answered between two supervisors is missing where its ring went before the next worker saw it.
        eventually(lambda: len(collector.messages) in (3, 4))
