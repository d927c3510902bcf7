"""Clients over TCP that mean no good, from many addresses, in a process of their own: python -m tests.strain.tcp_flood.

Each connection does what its habit says, and is opened again where the server closes it, so many a second at most.
"""

from __future__ import annotations

import argparse
import contextlib
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

GARBAGE = bytes.fromhex("16030100c8010000c40303") + bytes(range(200))
PIPELINED = 1000
TICK_S = 0.02
OPENED_AT_ONCE = 20
READ_BYTES = 1 << 16
RECEIVE_BYTES = 4096  # of one who does not read
DRIP_S = 1.9
STARTED_S = 20.0

HABITS = ("half", "drip", "whole", "greedy", "unread", "half-close", "garbage")
"""Sends half a query; an octet now and then; a whole query and then nothing; thousands, and reads the answers;
thousands, and reads nothing; one and no more, and reads nothing; what is no DNS."""


class Held:
    """One connection."""

    def __init__(self, source: str, server: tuple[str, int], habit: str, message: bytes) -> None:
        """Begin to connect."""
        self.source = source
        self._habit = habit
        self._message = message
        self._left = memoryview(self._first())
        self._drip_at_s = time.monotonic() + DRIP_S
        self.sock = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
        self.sock.setblocking(False)
        if habit in ("unread", "half-close"):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        with contextlib.suppress(OSError):
            self.sock.bind((source, 0))
            self.sock.connect_ex(server)

    def _first(self) -> bytes:
        return {
            "half": self._message[: len(self._message) // 2],
            "drip": self._message[:1],
            "garbage": GARBAGE,
            "greedy": self._message * PIPELINED,
            "unread": self._message * PIPELINED,
        }.get(self._habit, self._message)

    def events(self) -> int:
        """Return what it waits for."""
        reads = self._habit not in ("unread", "half-close")
        return (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if self._left else 0)

    def go_on(self, events: int) -> bool:
        """Do what can be done; False where the connection is over."""
        try:
            if events & selectors.EVENT_READ and not self.sock.recv(READ_BYTES):
                return False
            if events & selectors.EVENT_WRITE and self._left:
                self._left = self._left[self.sock.send(self._left) :]
                if not self._left and self._habit in ("greedy", "unread"):
                    self._left = memoryview(self._first())
                if not self._left and self._habit == "half-close":
                    self.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def is_over(self, now_s: float) -> bool:
        """Send what is due of a drip; whether the server has closed a connection that is not read."""
        if self._habit == "drip" and now_s >= self._drip_at_s and not self._left:
            self._drip_at_s = now_s + DRIP_S
            self._left = memoryview(b"\0")
        if self._habit not in ("unread", "half-close"):
            return False
        state = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state in (7, 8)  # closed, or the server has closed


def flood(server: tuple[str, int], habit: str, sources: Sequence[str], message: bytes) -> None:
    """Keep a connection from each of `sources`, until stdin ends."""
    waiting = list(sources)
    with selectors.EpollSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        held: dict[socket.socket, tuple[Held, int]] = {}

        def end(one: Held) -> None:
            if held.pop(one.sock)[1]:
                selector.unregister(one.sock)
            one.sock.close()
            waiting.append(one.source)

        next_s = looked_s = 0.0
        while True:
            now_s = time.monotonic()
            if now_s >= next_s:
                next_s = now_s + TICK_S
                for source in waiting[:OPENED_AT_ONCE]:
                    one = Held(source, server, habit, message)
                    held[one.sock] = one, one.events()
                    selector.register(one.sock, one.events(), one)
                del waiting[:OPENED_AT_ONCE]
            if now_s >= looked_s + 0.2:
                looked_s = now_s
                for one, _ in tuple(held.values()):
                    if one.is_over(now_s):
                        end(one)
                    else:
                        follow(selector, held, one)
            for key, events in selector.select(TICK_S):
                if key.data is None:
                    return
                if key.data.go_on(events):
                    follow(selector, held, key.data)
                else:
                    end(key.data)


def follow(selector: selectors.EpollSelector, held: dict[socket.socket, tuple[Held, int]], one: Held) -> None:
    """Have the selector wait for what a connection waits for now."""
    before, wanted = held[one.sock][1], one.events()
    if before == wanted:
        return
    if not before:
        selector.register(one.sock, wanted, one)
    elif not wanted:
        selector.unregister(one.sock)
    else:
        selector.modify(one.sock, wanted, one)
    held[one.sock] = one, wanted


@contextlib.contextmanager
def flooding(server: tuple[str, int], habit: str, sources: Sequence[str], message: bytes) -> Iterator[None]:
    """Flood a server for a `with` block; `message` is a query without its length."""
    command = [sys.executable, "-m", "tests.strain.tcp_flood", server[0], str(server[1]), habit, message.hex()]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([*command, *sources], stdin=subprocess.PIPE, cwd=root) as process:
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(STARTED_S)


def main() -> None:
    """Flood as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("habit", choices=HABITS)
    parser.add_argument("message", type=bytes.fromhex)
    parser.add_argument("sources", nargs="+")
    said = parser.parse_args()
    message = len(said.message).to_bytes(2) + said.message
    flood((said.host, said.port), said.habit, said.sources, message)


if __name__ == "__main__":
    main()
