"""Processes that sign in bulk beside the signer's own, one for each core that it may run on.

    lot --cut into pieces--> hand that waits --signed--> collected in order --> whoever wanted the lot

They are forks of the signer, so that they have its keys without these going anywhere, and they end with it, when they
have not been needed for IDLE_S, and when its keys change. What is asked for one by one is signed in the signer's own
process, which comes first: hands are niced.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.dnssec.signer.signer_frames import (
    FRAME_BYTES_MAX,
    FrameReader,
    decode_bulk,
    decode_signatures,
    encode_bulk,
    encode_frame,
    encode_signatures,
)

PIECE: Final = 512
"""Signatures that a hand makes at a time."""
IDLE_S: Final = 10.0
NICE: Final = 5
READ_BYTES: Final = 1 << 18
BULK_FAILED: Final = 9
"""The kind of a frame that says why a piece was not signed."""
_PR_SET_PDEATHSIG: Final = 1

Lot = Sequence[tuple[int, "bytes | memoryview"]]
Sign = Callable[[int, "bytes | memoryview"], bytes]

log = logging.getLogger("lbdns.dnssec")


class _Hand:
    """One process, by the socket that leads to it."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self.sock = sock
        self.reader = FrameReader(FRAME_BYTES_MAX)

    async def sign(self, piece: Lot) -> list[bytes]:
        """Have a piece signed; raises LbdnsError, and OSError where the process has ended."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.sock, encode_bulk(0, piece))
        while True:
            octets = await loop.sock_recv(self.sock, READ_BYTES)
            if not octets:
                raise ConnectionResetError("the process has ended")
            for frame in self.reader.take(octets):
                if frame.kind == BULK_FAILED:
                    raise LbdnsError(frame.body.decode())
                return decode_signatures(frame.body)

    def end(self) -> None:
        """End the process."""
        self.sock.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


class BulkHands:
    """Signs lots. `made`: signatures so far."""

    def __init__(self, sign: Sign, count: int | None = None) -> None:
        """Sign by `sign`, in `count` processes at most: as many as there are cores by default. None begins yet."""
        self._sign = sign
        self._count = count or len(os.sched_getaffinity(0))
        self._waiting: deque[_Hand] = deque()
        self._room = asyncio.Semaphore(self._count)
        self._generation = 0
        self._ending: asyncio.TimerHandle | None = None
        self.made = 0

    async def signatures(self, wanted: Lot) -> list[bytes]:
        """Return the signature of each (id of the key, octets); raises LbdnsError."""
        pieces = [wanted[at : at + PIECE] for at in range(0, len(wanted), PIECE)]
        done = await asyncio.gather(*(self._piece(piece) for piece in pieces))
        self.made += len(wanted)
        return [signature for piece in done for signature in piece]

    @property
    def pids(self) -> list[int]:
        """The processes that wait for work."""
        return [hand.pid for hand in self._waiting]

    def forget_keys(self) -> None:
        """Let none go on with the keys that there were."""
        self._generation += 1
        self.close()

    def close(self) -> None:
        """End those that wait; those at work end after it."""
        if self._ending is not None:
            self._ending.cancel()
        while self._waiting:
            self._waiting.popleft().end()

    async def _piece(self, piece: Lot) -> list[bytes]:
        async with self._room:
            generation = self._generation
            hand = self._waiting.popleft() if self._waiting else self._begin()
            try:
                signatures = await hand.sign(piece)
            except LbdnsError:
                self._put_back(hand, generation)
                raise
            except OSError as error:
                hand.end()
                raise LbdnsError(f"a process that signs in bulk ended: {error}") from error
            except BaseException:
                hand.end()
                raise
            self._put_back(hand, generation)
            return signatures

    def _put_back(self, hand: _Hand, generation: int) -> None:
        if generation != self._generation:
            hand.end()
            return
        self._waiting.append(hand)
        if self._ending is not None:
            self._ending.cancel()
        self._ending = asyncio.get_running_loop().call_later(IDLE_S, self.close)

    def _begin(self) -> _Hand:
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                ours.close()
                _work(theirs, self._sign, parent)
                status = 0
            finally:
                os._exit(status)
        theirs.close()
        ours.setblocking(False)
        return _Hand(pid, ours)


def _work(sock: socket.socket, sign: Sign, parent: int) -> None:
    """Sign what comes by a socket until it is closed: the life of a hand."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    # Were the signer killed, none of its keys is to stay in memory.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        return
    with contextlib.suppress(OSError):
        os.nice(NICE)
    own = sock.fileno()
    for path in os.listdir("/proc/self/fd"):
        if int(path) > 2 and int(path) != own:
            with contextlib.suppress(OSError):
                os.close(int(path))
    reader = FrameReader(FRAME_BYTES_MAX)
    while octets := sock.recv(READ_BYTES):
        for frame in reader.take(octets):
            try:
                signed = encode_signatures(0, [sign(key_id, data) for key_id, data in decode_bulk(frame.body)])
            except LbdnsError as error:
                signed = encode_frame(BULK_FAILED, 0, str(error).encode())
            sock.sendall(signed)
