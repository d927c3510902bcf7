"""A supervisor that tells a transfer worker what to do, and hears what it says."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lbdns.base.own_package import package_environment
from lbdns.base.words import TRANSFER_MODULE
from lbdns.dns.zone_copy import ZoneCopy
from lbdns.dnssec.signer.signer_frames import FRAME_BYTES_MAX, FrameReader, decode_words, encode_words
from lbdns.mapped.run_directory import RunDirectory
from lbdns.transfer.inward.copy_shelf import CopyShelf
from lbdns.transfer.inward.notice_port import Notice
from lbdns.transfer.inward.primary_client import AskedKey, AskedPrimary
from lbdns.transfer.inward.worker_terms import NotifiedZone, SecondaryTerms, WorkerTerms
from lbdns.transfer.zone_transfer_status import ZoneTransferStatus
from tests.transfer.real_primaries import ALGORITHM, KEY, SECRET

WAIT_S = 30.0
ASKED_KEY = AskedKey(KEY, ALGORITHM, SECRET)


def asked(port: int, key: AskedKey | None = ASKED_KEY) -> AskedPrimary:
    """Return a primary on this machine."""
    return AskedPrimary("127.0.0.1", port, key)


class PlayedSupervisor:
    """One worker, and what it said."""

    def __init__(self, state_dir: Path, records_max: int | None = None) -> None:
        """Start it; `records_max`: what a transfer may have at most, where that is to be another bound than its own."""
        self.more = [] if records_max is None else ["--records-max", str(records_max)]
        self.state_dir = state_dir
        self.shelf = CopyShelf(state_dir)
        self.events: list[Mapping[str, Any]] = []
        self._answers: dict[int, Mapping[str, Any]] = {}
        self._number = 0
        self._news = threading.Condition()
        self._start()

    def _start(self) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", "-m", TRANSFER_MODULE, "--state-dir", str(self.state_dir)]
            command += ["--channel-fd", str(theirs.fileno()), *self.more]
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=package_environment())
        self._hearing = threading.Thread(target=self._hear)
        self._hearing.start()

    def _hear(self) -> None:
        reader = FrameReader(FRAME_BYTES_MAX)
        with contextlib.suppress(OSError):
            while octets := self._channel.recv(1 << 16):
                for frame in reader.take(octets):
                    with self._news:
                        if frame.number:
                            self._answers[frame.number] = decode_words(frame.body)
                        else:
                            self.events.append(decode_words(frame.body))
                        self._news.notify_all()

    def close(self) -> None:
        """End it, as a supervisor that dies does."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        self.process.wait(WAIT_S)
        self._hearing.join(WAIT_S)
        self._channel.close()

    def restart(self, number: signal.Signals) -> None:
        """End it by a signal, and start another."""
        self.process.send_signal(number)
        self.close()
        self._start()

    def ask(self, verb: str, **said: Any) -> Any:
        """Have it do something; returns what comes of it."""
        self._number += 1
        number = self._number
        self._channel.sendall(encode_words({"do": verb, "with": said}, number))
        with self._news:
            assert self._news.wait_for(lambda: number in self._answers, WAIT_S)
        return self._answers.pop(number)

    def terms(
        self,
        secondaries: Mapping[bytes, tuple[AskedPrimary, ...]],
        notified: Mapping[bytes, NotifiedZone] | None = None,
    ) -> None:
        """Tell it which zones come from where."""
        said = {apex: SecondaryTerms(primaries) for apex, primaries in secondaries.items()}
        answer = self.ask("terms", **WorkerTerms(said, notified or {}).as_json())
        assert "error" not in answer, answer

    def notice(self, apex: bytes, serial: int | None = None) -> None:
        """Say that a NOTIFY came in, as a responder does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(RunDirectory(self.state_dir).transfer_notices))
            sock.send(Notice(apex, "127.0.0.1", serial).encode())

    def status(self, zone: str = "example.com") -> ZoneTransferStatus:
        """Return how a zone stands now."""
        found = [ZoneTransferStatus.from_json(one) for one in self.ask("statuses")["result"]]
        return next(one for one in found if one.zone == zone)

    def wait(self, holds: Callable[[ZoneTransferStatus], bool], zone: str = "example.com") -> ZoneTransferStatus:
        """Wait until a zone stands so; returns how."""
        end_s = time.monotonic() + WAIT_S
        while True:
            status = self.status(zone)
            if holds(status):
                return status
            assert time.monotonic() < end_s, status
            time.sleep(0.05)

    def wait_for_serial(self, serial: int, zone: str = "example.com") -> ZoneTransferStatus:
        """Wait until a zone has a serial; returns how it stands then."""
        return self.wait(lambda status: status.serial == serial, zone)

    def memory_bytes(self) -> int:
        """Return the most memory that the worker had."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))

    def copy(self, apex: bytes) -> ZoneCopy:
        """Return the copy on disk."""
        held = self.shelf.read(apex)
        assert held is not None
        return held.copy


@contextlib.contextmanager
def played_supervisor(state_dir: Path, records_max: int | None = None) -> Iterator[PlayedSupervisor]:
    """Have a worker."""
    state_dir.mkdir(exist_ok=True)
    played = PlayedSupervisor(state_dir, records_max)
    try:
        yield played
    finally:
        played.close()
        RunDirectory(state_dir).remove()
