"""What a reader had in hand when it died, by the memory that outlives it: it is answered, and what kills is not."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.base.words import RESPONDER_MODULE
from lbdns.fastpath.read import Server
from lbdns.mapped.counters import Counters, open_counters
from lbdns.mapped.query_room import allocate_query_room, map_query_room
from lbdns.processes.responder.fast_port import load_loop
from lbdns.processes.supervisor.child_process import package_environment
from lbdns.testing import LbdnsServer
from tests.answer.packets import query, slow_query
from tests.fastpath.test_loop_bytes import listening
from tests.processes.load import configuration

ANSWERED = query("static.example.com.", "A").wire
DEFERRED = slow_query("static.example.com.").wire
# As in_hand.pxd lays it out.
SERVING, MESSAGES, PEERS, INCOMING = 8, 2688, 6784, 12672
MESSAGE_BYTES, LENGTH_IN_MESSAGE, NAME_LENGTH_IN_MESSAGE, PEER_BYTES, IN_STRIDE, BATCH = 64, 56, 8, 28, 4224, 64
GARBAGE_ROUNDS = 50
STOP_POLL_US = 2000


class Readers:
    """One socket and one memory, and the readers that go on for each other; calling it makes the next."""

    def __init__(self, view: ServingView, counters: Path, loop_class: Any) -> None:
        self.udp = listening(socket.AF_INET, "127.0.0.1")
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, STOP_POLL_US))
        self.handle = allocate_query_room(loop_class.room_bytes())
        self.room = map_query_room(self.handle, loop_class.room_bytes())
        self._view = view
        self._counters = Counters(open_counters(counters, True))
        self._loop_class = loop_class

    def __call__(self) -> Any:
        loop = self._loop_class(self.udp.fileno(), False, self._counters, 1, self.room)
        view = self._view
        loop.start_with(*(Server(view.columns, view.table.columns, view.region_index) for _ in range(2)))
        return loop


@pytest.fixture
def make(view: ServingView, tmp_path: Path) -> Iterator[Readers]:
    """Return what makes one reader after another."""
    loop_class = load_loop()
    if loop_class is None:
        pytest.skip("the compiled loop is not installed")
    readers = Readers(view, tmp_path / "counters", loop_class)
    yield readers
    readers.udp.close()
    os.close(readers.handle)


@contextmanager
def running(loop: Any) -> Iterator[None]:
    """Run a reader's loop for a `with` block, and until it has read all that came."""
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield
    finally:
        loop.stop()
        thread.join()


def ask(made: Readers, *datagrams: bytes) -> socket.socket:
    """Return a client that has sent these."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(5)
    client.connect(made.udp.getsockname())
    for datagram in datagrams:
        client.send(datagram)
    return client


def leave_in_batch(made: Readers, client: socket.socket, *datagrams: bytes, serving: int | None = None) -> None:
    """Leave a batch as a reader does that is killed once it has read it; `serving`: which one it had under way."""
    address, port = client.getsockname()
    peer = struct.pack("=H", socket.AF_INET) + port.to_bytes(2) + socket.inet_aton(address)
    for index, datagram in enumerate(datagrams):
        message = MESSAGES + index * MESSAGE_BYTES
        made.room[INCOMING + index * IN_STRIDE :][: len(datagram)] = datagram
        made.room[PEERS + index * PEER_BYTES :][: len(peer)] = peer
        made.room[message + NAME_LENGTH_IN_MESSAGE :][:4] = struct.pack("=I", 16)
        made.room[message + LENGTH_IN_MESSAGE :][:4] = struct.pack("=I", len(datagram))
    made.room[SERVING:][:4] = struct.pack("=i", 0 if serving is None else serving + 1)


def test_what_waits_for_the_slow_path_is_there_for_the_next_process(make: Readers) -> None:
    first = make()
    assert first.left == 0
    with ask(make, *(DEFERRED,) * 5) as client:
        with running(first):
            pass
        taken = first.take()
        first.reply(b"answer")
        assert client.recv(100) == b"answer"
        assert taken == first.take() == (DEFERRED, socket.inet_aton("127.0.0.1"), client.getsockname()[1])
        # It dies now, and had the second in hand.
        second = make()
        assert second.left == 4 and second.left_out == []
        for number in range(4):
            assert second.take() == taken
            second.reply(b"%d" % number)
            assert client.recv(100) == b"%d" % number
        assert second.take() is None and make().left == 0


def test_what_two_processes_had_in_hand_when_they_died_is_left_out(make: Readers) -> None:
    with ask(make, DEFERRED, ANSWERED, DEFERRED + b"\0") as client:
        with running(make()):
            pass
        assert len(client.recv(4096)) > len(ANSWERED)
        dies = make()
        dies.take()
        dies = make()
        assert dies.left == 2 and dies.left_out == []
        dies.take()
        after = make()
        assert after.left == 1
        assert after.left_out == [(DEFERRED, socket.inet_aton("127.0.0.1"), client.getsockname()[1])]
        assert after.take()[0] == DEFERRED + b"\0"
        after.reply(b"")
        assert make().left_out == [] and make().left == 0


def test_a_batch_that_was_cut_is_answered(make: Readers) -> None:
    make()
    numbered = [number.to_bytes(2) + ANSWERED[2:] for number in range(BATCH)]
    with ask(make) as client:
        leave_in_batch(make, client, *numbered)
        loop = make()
        assert loop.left == BATCH
        with running(loop):
            assert sorted(client.recv(4096)[:2] for _ in numbered) == sorted(one[:2] for one in numbered)
        with ask(make, ANSWERED) as other, running(make()):  # and the batch is as good as new
            assert other.recv(4096)[:2] == ANSWERED[:2]
        assert make().left == 0


def test_what_the_fast_path_died_of_goes_to_the_slow_path(make: Readers) -> None:
    make()
    numbered = [number.to_bytes(2) + ANSWERED[2:] for number in range(3)]
    with ask(make) as client:
        leave_in_batch(make, client, *numbered, serving=1)
        loop = make()
        assert loop.left == 3
        with running(loop):
            assert {client.recv(4096)[:2] for _ in range(2)} == {numbered[0][:2], numbered[2][:2]}
        assert loop.take()[0] == numbered[1]
        after = make()
        assert [one[0] for one in after.left_out] == [numbered[1]] and after.left == 0


def test_queues_keep_what_they_hold_whatever_comes_and_goes(make: Readers) -> None:
    chance = Random(9)
    loop = make()
    with ask(make) as client:
        for number in range(60):
            sent = [DEFERRED + chance.randbytes(chance.choice((0, 1, 7, 100))) for _ in range(chance.randrange(1, 30))]
            for datagram in sent:
                client.send(datagram)
            with running(loop):
                pass
            loop = make()
            assert loop.left == len(sent), number
            for datagram in sent:
                taken = loop.take()
                assert taken is not None and taken[0] == datagram
                loop.reply(b"")


@pytest.mark.parametrize("place", [(SERVING, INCOMING), (INCOMING, None), (8, MESSAGES), (MESSAGES, PEERS)], ids=str)
def test_memory_that_a_dying_process_damaged_harms_nobody(make: Readers, place: tuple[int, int | None]) -> None:
    chance = Random(sum(one or 0 for one in place))
    for _ in range(GARBAGE_ROUNDS):
        with ask(make, *(DEFERRED,) * 9) as client, running(make()):
            client.send(ANSWERED)
            while client.recv(4096)[:2] != ANSWERED[:2]:
                pass
        view = make.room[place[0] : place[1]]
        if chance.randrange(2):
            view[:] = chance.randbytes(len(view))
        for _ in range(chance.randrange(200)):
            view[chance.randrange(len(view))] = chance.choice((0, 1, 8, 64, 127, 255))
        loop = make()
        while loop.take() is not None:
            loop.reply(b"")
        with running(loop), ask(make, ANSWERED) as other:
            assert other.recv(4096)[:2] == ANSWERED[:2]


def test_memory_of_another_release_is_begun_anew(make: Readers) -> None:
    with ask(make, DEFERRED):
        with running(make()):
            pass
        make.room[0] ^= 1
        assert make().left == 0


@pytest.mark.process
def test_a_process_answers_what_another_left_and_ends(make: Readers, lbdns_server: Callable[..., LbdnsServer]) -> None:
    server = lbdns_server(configuration())
    with ask(make, DEFERRED, DEFERRED) as client, socket.create_server(("127.0.0.1", 0)) as tcp:
        with running(make()):
            pass
        passed = (make.udp.fileno(), tcp.fileno(), make.handle)
        arguments = ["--state", str(server.state_dir), "--index", "9", "--room-fd", str(make.handle), "--finish"]
        arguments += ["--listen", f"127.0.0.1:53={passed[0]},{passed[1]}"]
        ended = subprocess.run(
            [sys.executable, "-P", "-m", RESPONDER_MODULE, *arguments],
            pass_fds=passed,
            capture_output=True,
            text=True,
            timeout=60,
            env=package_environment(),
            check=False,
        )
        assert ended.returncode == 0 and "goes on with 2 queries" in ended.stderr
        assert client.recv(4096)[:2] == client.recv(4096)[:2] == DEFERRED[:2]
