"""lbdns behind XDP on a cable between two namespaces: what is answered past the sockets is what the sockets answer."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbdns.dns.codes import OPTION_COOKIE
from lbdns.mapped.counter_words import DATAGRAMS, DEFERRED_COUNT
from lbdns.mapped.counters import open_counters
from lbdns.mapped.xdp_words import XDP_LOST
from lbdns.testing import write_files
from tests.answer import world
from tests.answer.mutations import good_messages
from tests.answer.packets import query
from tests.fastpath.fuzz_check import read_corpus
from tests.namespaces import inside
from tests.xdp.wire import CLIENT4, HOST4, HOST6, REPLY_S, Wire, WiredServer, asking, laid

pytestmark = [pytest.mark.process, pytest.mark.slow]

SOCKET_PARTS, XDP_PART = (1, 2), 3
DRAWS = 60  # of what chance decides
SILENCE_S = 0.3
ROOM = 2_048  # for frames that wait
ROUNDS = 20
COUNTED_S = 1.5
NAP = "hrtimer_nanosleep"  # the kernel's function that a thread is in which sleeps for a time
FLOOD = """
import socket, sys
sock, message = socket.socket(fileno=int(sys.argv[1])), bytes.fromhex(sys.argv[2])
while True:
    sock.send(message)
"""
RAW_PROTOCOL = 0x0003  # ETH_P_ALL


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with laid() as made:
        yield made


@pytest.fixture(scope="module")
def server(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WiredServer]:
    work = tmp_path_factory.mktemp("xdp")
    (work / "config").mkdir()
    tree = dict(world.configuration(world.write_geodata(work / "places.mmdb")))
    listen = [f"{HOST4}:53", f"[{HOST6}]:53"]
    tree["settings"] = {**tree["settings"], "listen": listen, "user": "root", "xdp": {"interface": wire.server_end}}
    write_files(tree, work / "config")
    made = WiredServer(wire, work / "config", work)
    with contextlib.closing(made):
        made.start()
        if "has the filter" not in made.log:
            pytest.skip(f"this kernel has no XDP for us: {made.log}")
        wait_until_read(made, 1)
        yield made


def wait_until_read(server: WiredServer, times: int) -> None:
    """Wait until so many processes have had the queue."""
    told = f"xdp: queue 0 of {Wire.server_end} is read"
    server.wait_for(lambda: server.log.count(told) >= times, "nobody reads the queue")


def counted(server: WiredServer, word: int = DATAGRAMS) -> tuple[int, int]:
    """Return what the threads of the sockets, and of the queue, have counted."""
    words = [open_counters(server.run_directory / f"counters-0-{part}.bin")[word] for part in (*SOCKET_PARTS, XDP_PART)]
    return words[0] + words[1], words[2]


def answered(sock: socket.socket, message: bytes) -> bytes | None:
    """Return the reply to a message, None where a good query that is sent after it is answered first."""
    mark = query("static.example.com.").with_id(int.from_bytes(message[:2]) ^ 0xFFFF).wire
    sock.send(message)
    sock.send(mark)
    replies = [sock.recv(4096)]
    if replies[0][:2] != mark[:2]:
        replies.append(sock.recv(4096))
    else:
        sock.settimeout(SILENCE_S)
        with contextlib.suppress(TimeoutError):  # from the slow path it comes later
            replies.append(sock.recv(4096))
        sock.settimeout(REPLY_S)
    return next((one for one in replies if one[:2] != mark[:2]), None)


@pytest.mark.parametrize("host", [HOST4, HOST6])
def test_replies_are_those_of_the_sockets(wire: Wire, server: WiredServer, host: str) -> None:
    cookie = struct.pack("!HH", OPTION_COOKIE, 8)
    messages = [one for one in (*read_corpus(), *good_messages()) if len(one) >= 2 and cookie not in one]
    before, deferred = counted(server), counted(server, DEFERRED_COUNT)[1]
    with asking(wire.client, host) as past, asking(wire.client, host, is_past=False) as through:
        for message in messages:
            found = answered(past, message)
            expected = answered(through, message)
            for _ in range(DRAWS):
                if found == expected:
                    break
                expected = answered(through, message)
            assert found == expected, message.hex()
    sockets, queue = (now - then for now, then in zip(counted(server), before, strict=True))
    assert queue == 2 * len(messages) and sockets >= queue
    assert counted(server, DEFERRED_COUNT)[1] > deferred  # and answered by the slow path, past the sockets


def test_tcp_and_what_is_no_query_go_to_the_kernel(wire: Wire, server: WiredServer) -> None:
    message = query("static.example.com.").wire
    with asking(wire.client, HOST4, socket.SOCK_STREAM) as stream, asking(wire.client, HOST4) as sock:
        for number in range(300):
            framed = number.to_bytes(2) + message[2:]
            stream.sendall(len(framed).to_bytes(2) + framed)
            sock.send(framed)
            assert sock.recv(4096)[:2] == framed[:2]
            size = int.from_bytes(received(stream, 2))
            assert received(stream, size)[:2] == framed[:2]
    with pinging(wire) as ping:
        answer_ping(ping)


def received(stream: socket.socket, size: int) -> bytes:
    """Return so many octets of a stream."""
    found = b""
    while len(found) < size:
        found += stream.recv(size - len(found))
    return found


def test_other_frames_are_left_to_the_kernel(wire: Wire, server: WiredServer) -> None:
    """A VLAN, options, a fragment, a header between, another port or address: the queue's thread sees none of them."""
    message = query("static.example.com.").wire
    raw = inside(wire.client, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(RAW_PROTOCOL)))
    with raw, asking(wire.client, HOST4) as sock:
        raw.bind((wire.client_end, 0))
        raw.settimeout(REPLY_S)
        sock.send(message)
        sock.recv(4096)
        good = frame_sent(raw, sock.getsockname()[1])
        before = counted(server)[1]
        for other in others(good):
            raw.send(other)
        raw.send(good)
        server.wait_for(lambda: counted(server)[1] > before, "the good frame is not counted")
        assert counted(server)[1] == before + 1


def frame_sent(raw: socket.socket, port: int) -> bytes:
    """Return the frame that went out from a port, with a UDP checksum of none."""
    while True:
        frame = raw.recv(4096)
        if frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_UDP and frame[34:36] == port.to_bytes(2):
            return frame[:40] + b"\0\0" + frame[42:]


def others(good: bytes) -> Iterator[bytes]:
    """Yield frames that are not the filter's, each of them a query otherwise."""
    yield good[:12] + b"\x81\x00\x00\x01" + good[12:]
    yield with_packet(good, good[14:15].replace(b"\x45", b"\x46") + good[15:34] + b"\x01\x01\x01\0" + good[34:])
    yield with_packet(good, good[14:20] + b"\x20\x00" + good[22:])
    yield with_packet(good, good[14:20] + b"\x00\x01" + good[22:])
    yield good[:36] + (54).to_bytes(2) + good[38:]
    yield with_packet(good, good[14:30] + socket.inet_aton("10.9.0.77") + good[34:])
    yield with_packet(good, good[14:26] + socket.inet_aton("127.0.0.1") + good[30:])
    yield bytes.fromhex("ffffffffffff") + good[6:]
    yield good[:38] + (int.from_bytes(good[38:40]) - 1).to_bytes(2) + good[40:]
    yield good[:41]


def with_packet(frame: bytes, packet: bytes) -> bytes:
    """Return a frame with another IPv4 packet, whose length and checksum are right."""
    size = (packet[0] & 15) * 4
    head = bytearray(packet[:size])
    head[2:4], head[10:12] = len(packet).to_bytes(2), b"\0\0"
    total = sum(struct.unpack(f"!{size // 2}H", head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    head[10:12] = (0xFFFF - total).to_bytes(2)
    return frame[:14] + bytes(head) + packet[size:]


@contextlib.contextmanager
def pinging(wire: Wire) -> Iterator[socket.socket]:
    """Yield a socket for pings."""
    with inside(wire.client, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)) as ping:
        ping.settimeout(REPLY_S)
        yield ping


def answer_ping(ping: socket.socket) -> None:
    """Send one, and have it answered."""
    ping.sendto(bytes.fromhex("0800f7ff00000000"), (HOST4, 0))
    assert ping.recv(2048)[20] == 0


def test_what_finds_no_room_is_counted(wire: Wire, server: WiredServer) -> None:
    """A responder that stands still for the moment that a burst takes; longer, and it would be taken for dead."""
    message = query("static.example.com.").wire
    before = counted(server, XDP_LOST)[1]
    with asking(wire.client, HOST4) as sock:
        for _ in range(ROUNDS):
            pid = server.status()["responders"][0]["pid"]
            os.kill(pid, signal.SIGSTOP)
            try:
                for _ in range(2 * ROOM):
                    sock.send(message)
            finally:
                with contextlib.suppress(ProcessLookupError):  # it took too long
                    os.kill(pid, signal.SIGCONT)
            ends_s = time.monotonic() + COUNTED_S
            while time.monotonic() < ends_s:
                if counted(server, XDP_LOST)[1] > before:
                    return
                time.sleep(0.05)
    raise AssertionError("nothing is counted")


def queue_threads(server: WiredServer) -> list[Path]:
    """Return the threads whose sleeps end when they should: the kernel lets others sleep 50 us longer."""
    tasks = Path(f"/proc/{server.status()['responders'][0]['pid']}/task")
    return [task for task in tasks.iterdir() if Path(f"/proc/{task.name}/timerslack_ns").read_text().strip() == "1"]


def test_the_thread_of_the_queue_wakes_in_time(server: WiredServer) -> None:
    """Where frames come fast it naps, for just so long."""
    assert len(queue_threads(server)) == 1


def test_where_frames_come_fast_the_thread_of_the_queue_naps(wire: Wire, server: WiredServer) -> None:
    """When it does, test_naps.py says. Elsewhere it sleeps until a frame comes, not for a time."""
    [queue] = queue_threads(server)
    seen = set()
    with asking(wire.client, HOST4) as sock:
        flooding = subprocess.Popen(
            [sys.executable, "-c", FLOOD, str(sock.fileno()), query("static.example.com.").wire.hex()],
            pass_fds=[sock.fileno()],
        )
        try:
            ends_s = time.monotonic() + REPLY_S
            while NAP not in seen and time.monotonic() < ends_s:
                seen.add((queue / "wchan").read_text())
        finally:
            flooding.kill()
            flooding.wait()
    if seen <= {"0", ""}:
        pytest.skip("this kernel does not tell what threads wait for")
    assert NAP in seen


def test_a_killed_responder_is_stood_in_for(wire: Wire, server: WiredServer) -> None:
    """Its queue is the kernel's at once, whose sockets wait for the next, which reads the queue again."""
    message = query("static.example.com.").wire
    times = server.log.count("is read")
    with asking(wire.client, HOST4) as sock:
        pid = server.status()["responders"][0]["pid"]
        os.kill(pid, signal.SIGKILL)
        server.wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "it lives on")
        # What came to its rings until now is lost: its threads end one by one.
        sock.send(message)
        assert sock.recv(4096)[:2] == message[:2]
        wait_until_read(server, times + 1)
        before = counted(server)[1]
        sock.send(message)
        assert sock.recv(4096)[:2] == message[:2]
        assert counted(server)[1] == before + 1


def test_the_filter_goes_with_the_supervisor_and_comes_with_the_next(wire: Wire, server: WiredServer) -> None:
    message = query("static.example.com.").wire
    times = server.log.count("is read")
    assert "lbdns" in wire.filter_shown()
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    server.wait_for(lambda: "xdp" not in wire.filter_shown(), "the filter is attached on")
    with asking(wire.client, HOST6) as sock:
        before = counted(server)[0]
        sock.send(message)
        assert sock.recv(4096)[:2] == message[:2]  # from the responder that was left, by its socket
        assert counted(server)[0] == before + 1
        server.start()
        wait_until_read(server, times + 1)
        before = counted(server)[1]
        sock.send(message)
        assert sock.recv(4096)[:2] == message[:2]
        assert counted(server)[1] == before + 1


def test_nothing_is_lost_when_all_ends_and_the_filter_is_gone(wire: Wire, server: WiredServer, tmp_path: Path) -> None:
    message = query("static.example.com.").wire
    with asking(wire.client, HOST4) as sock:
        assert sock.getsockname()[0] == CLIENT4
        for number in range(100):
            sock.send(number.to_bytes(2) + message[2:])
        assert server.stop() == 0
        assert {sock.recv(4096)[:2] for _ in range(100)} == {number.to_bytes(2) for number in range(100)}
    assert "xdp" not in wire.filter_shown()
