"""Where dnstap frames go, as Frame Streams (fstrm): one way to a file, both ways, with a handshake, to a collector.

    socket: absent --connect--> READY sent --ACCEPT heard--> START sent, frames --lost, or silent--> absent
    file:   absent --made--> START, frames --moved, or told to--> STOP, absent

Nothing here waits: `give` keeps what is not written yet, and `is_full` says when that is enough. A frame that a
connection was lost in is sent again on the next.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from fstrm import FSTRM_CONTROL_STOP, FstrmCodec

from lbdns.base.wording import moment

CONTENT_TYPE: Final = b"protobuf:dnstap.Dnstap"
WAITING_MAX_BYTES: Final = 1 << 20
RETRY_S: Final = 0.25
HANDSHAKE_S: Final = 2.0
WRITE_FRAMES: Final = 256  # at a time
FINISH_S: Final = 0.5

log = logging.getLogger("lbdns.telemetry")


class FrameSink(Protocol):
    """Where frames go."""

    @property
    def is_full(self) -> bool:
        """Whether no more should be given for now."""

    def give(self, payloads: Iterable[bytes]) -> None:
        """Take frames to write."""

    def work(self) -> None:
        """Write what can be written now, and see that there is somewhere to write to."""

    def reopen(self) -> None:
        """Begin a file anew; a socket stays."""

    def close(self) -> None:
        """Write the rest, as far as that goes at once, and end the stream."""


class _Waiting:
    """Frames that are not written yet, whole; how much of the first is."""

    def __init__(self) -> None:
        self._codec = FstrmCodec()
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self.written = 0

    @property
    def is_full(self) -> bool:
        return self._bytes >= WAITING_MAX_BYTES

    def give(self, payloads: Iterable[bytes]) -> None:
        for payload in payloads:
            frame = self._codec.encode_data(payload)
            self._frames.append(frame)
            self._bytes += len(frame)

    def next(self) -> bytes:
        """Return what is to be written next, b"" where nothing is."""
        some = [self._frames[number] for number in range(min(WRITE_FRAMES, len(self._frames)))]
        return b"".join(some)[self.written :]

    def wrote(self, count: int) -> None:
        """Note that so many octets of that are written."""
        self.written += count
        while self._frames and self.written >= len(self._frames[0]):
            frame = self._frames.popleft()
            self.written -= len(frame)
            self._bytes -= len(frame)


class SocketSink:
    """A collector's UNIX socket, connected to whenever it is there."""

    def __init__(self, path: Path) -> None:
        """Write to whoever listens at `path`."""
        self._path = path
        self._waiting = _Waiting()
        self._channel: socket.socket | None = None
        self._control = b""  # of the handshake, to be written first
        self._codec = FstrmCodec()
        self._is_started = False
        self._since_s = 0.0
        self._problem = ""

    @property
    def is_full(self) -> bool:
        """Whether no more should be given for now: what waits is as much as is kept."""
        return self._waiting.is_full

    def give(self, payloads: Iterable[bytes]) -> None:
        """Take frames to write."""
        self._waiting.give(payloads)

    def work(self) -> None:
        """Connect, shake hands, and write what can be written now."""
        try:
            if self._channel is None:
                self._connect()
            else:
                self._go_on(self._channel)
        except BlockingIOError:
            pass
        except (OSError, ValueError) as error:
            self._lose(str(error))

    def _connect(self) -> None:
        now_s = time.monotonic()
        if now_s - self._since_s < RETRY_S:
            return
        self._since_s = now_s
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            channel.connect(str(self._path))
        except OSError:
            channel.close()
            raise
        self._channel, self._codec, self._is_started = channel, FstrmCodec(), False
        self._control = self._codec.encode_ctrlready(CONTENT_TYPE)
        self._go_on(channel)

    def _go_on(self, channel: socket.socket) -> None:
        while self._control:
            self._control = self._control[channel.send(self._control) :]
        self._hear(channel)
        if not self._is_started:
            return
        while rest := self._waiting.next():
            self._waiting.wrote(channel.send(rest))

    def _hear(self, channel: socket.socket) -> None:
        """Take what the collector says: ACCEPT first, and then nothing but its end."""
        try:
            heard = channel.recv(4096)
        except BlockingIOError:
            if not self._is_started and time.monotonic() - self._since_s > HANDSHAKE_S:
                raise TimeoutError("it does not answer READY") from None
            return
        if not heard:
            raise ConnectionResetError("the collector closed the connection")
        if self._is_started:
            return
        try:
            is_accepted = self._codec.is_ctrlaccept(heard)
        except Exception as error:  # the library raises nothing more special
            raise ValueError(f"no Frame Streams collector: {error}") from error
        if is_accepted:
            self._is_started = True
            if self._problem:
                log.info("dnstap: %s takes frames again", self._path)
            self._problem = ""
            self._control = self._codec.encode_ctrlstart(CONTENT_TYPE)
            self._go_on(channel)

    def _lose(self, problem: str) -> None:
        if self._channel is not None:
            self._channel.close()
        self._channel, self._is_started, self._waiting.written = None, False, 0
        if problem != self._problem:
            log.warning("dnstap: %s: %s; tried again until it goes", self._path, problem)
        self._problem = problem

    def reopen(self) -> None:
        """Leave it: the collector has the files."""

    def close(self) -> None:
        """Write the rest and end the stream: STOP, and the collector's FINISH for a moment."""
        self.work()
        if self._channel is None or not self._is_started:
            return
        with contextlib.suppress(OSError):
            self._channel.settimeout(FINISH_S)
            while rest := self._waiting.next():
                self._channel.sendall(rest)
                self._waiting.wrote(len(rest))
            self._channel.sendall(self._codec.encode(FSTRM_CONTROL_STOP))
            self._channel.recv(4096)
        self._channel.close()


class FileSink:
    """A file, made anew when it was moved or when it is told to be; what stands there before is moved aside."""

    def __init__(self, path: Path) -> None:
        """Write to `path`."""
        self._path = path
        self._waiting = _Waiting()
        self._codec = FstrmCodec()
        self._handle: int | None = None
        self._good = 0  # octets of whole frames
        self._since_s = 0.0
        self._problem = ""

    @property
    def is_full(self) -> bool:
        """Whether no more should be given for now: what waits is as much as is kept."""
        return self._waiting.is_full

    def give(self, payloads: Iterable[bytes]) -> None:
        """Take frames to write."""
        self._waiting.give(payloads)

    def work(self) -> None:
        """See that the file is where it belongs, and write."""
        now_s = time.monotonic()
        try:
            if now_s - self._since_s >= RETRY_S:
                self._since_s = now_s
                if self._handle is not None and not self._is_there(self._handle):
                    self._end(self._handle)
                if self._handle is None:
                    self._make()
            if self._handle is not None:
                self._write(self._handle)
        except OSError as error:
            if str(error) != self._problem:
                log.warning("dnstap: %s: %s; tried again until it goes", self._path, error.strerror or error)
            self._problem = str(error)

    def _is_there(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(handle))
        except FileNotFoundError:
            return False

    def _make(self) -> None:
        """Make the file: one that holds something already would have two beginnings."""
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_size:
                self._path.replace(f"{self._path}.{moment(time.time()).replace(' ', 'T')}")
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        start = self._codec.encode_ctrlstart(CONTENT_TYPE)
        try:
            if os.write(handle, start) < len(start):
                raise OSError("no room for the stream's beginning")
        except OSError:
            os.close(handle)
            raise
        self._handle, self._good, self._waiting.written = handle, len(start), 0

    def _write(self, handle: int) -> None:
        """Write frames; of one that the disk has no room for, nothing stays."""
        while rest := self._waiting.next():
            try:
                count = os.write(handle, rest)
            except OSError:
                os.ftruncate(handle, self._good)
                os.lseek(handle, self._good, os.SEEK_SET)
                self._waiting.written = 0
                raise
            self._good += count + self._waiting.written
            self._waiting.wrote(count)
            self._good -= self._waiting.written
            self._problem = ""

    def _end(self, handle: int) -> None:
        with contextlib.suppress(OSError):
            self._write(handle)
            os.write(handle, self._codec.encode(FSTRM_CONTROL_STOP))
        os.close(handle)
        self._handle = None

    def reopen(self) -> None:
        """End the stream where the file was moved, and make the file anew."""
        if self._handle is not None and not self._is_there(self._handle):
            self._end(self._handle)
        self._since_s = 0.0
        self.work()

    def close(self) -> None:
        """Write the rest and end the stream."""
        self.work()
        if self._handle is not None:
            self._end(self._handle)
