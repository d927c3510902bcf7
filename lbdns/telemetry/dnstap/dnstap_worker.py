"""START HERE: the process that tells of queries and replies by dnstap.

    taps-*.bin (mapped/tap_ring.py) --each TURN_S--> exchanges -> frames (tap_frames.py) -> a sink (frame_sink.py)

It reads rings that have one reader, no more while its sink is full: then they fill up, and those who answer count what
they leave out. Nobody waits for it. It ends with the supervisor, after what is in the rings; SIGHUP has it make a file
that was moved anew.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from lbdns import __version__
from lbdns.base.log import log_uncaught, start_log
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.tap_words import TAP_HEAD_SENT
from lbdns.telemetry.dnstap.frame_sink import FileSink, FrameSink, SocketSink
from lbdns.telemetry.dnstap.tap_frames import TapFrames
from lbdns.telemetry.dnstap.tap_reader import TapReader

TURN_S: Final = 0.02  # frames leave within 100 ms
PIECE: Final = 256  # exchanges of a thread, before the next has its turn
NICE: Final = 10


class DnstapWorker:
    """Carries from rings to a sink."""

    def __init__(self, run: RunDirectory, frames: TapFrames, sink: FrameSink) -> None:
        """Read the rings of a run directory."""
        self._run = run
        self._frames = frames
        self._sink = sink
        self._readers: dict[Path, TapReader] = {}

    def turn(self) -> None:
        """Carry what there is, as far as the sink takes it."""
        self._sink.work()
        readers = self._followed()
        while readers and not self._sink.is_full:
            readers = [reader for reader in readers if self._carry(reader)]
            self._sink.work()

    def _carry(self, reader: TapReader) -> bool:
        exchanges = reader.read(PIECE)
        self._sink.give(frame for exchange in exchanges for frame in self._frames.of(exchange))
        reader.count(TAP_HEAD_SENT, len(exchanges))
        return len(exchanges) == PIECE

    def _followed(self) -> list[TapReader]:
        found = {}
        for path in self._run.all_taps():
            # One that is just being made is there in the next turn.
            with contextlib.suppress(OSError, ValueError):
                before = self._readers.get(path)
                found[path] = before if before and before.inode == path.stat().st_ino else TapReader(path)
        self._readers = found
        return list(found.values())

    def run(self, stop: threading.Event, hung_up: threading.Event, parent: int) -> None:
        """Carry until told to stop, or the parent ends."""
        while not stop.wait(TURN_S) and os.getppid() == parent:
            if hung_up.is_set():
                hung_up.clear()
                self._sink.reopen()
            self.turn()
        self.turn()
        self._sink.close()


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return what the supervisor says on the command line; `ps` shows it to people."""
    parser = argparse.ArgumentParser(prog="lbdns.telemetry.dnstap.dnstap_worker", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the state directory")
    parser.add_argument("--socket", type=Path, help="a collector's UNIX socket")
    parser.add_argument("--file", type=Path, help="the file to write to, where there is no socket")
    parser.add_argument("--identity", default="", help="what this server calls itself")
    parser.add_argument("--queries", action="store_true", help="tell of queries")
    parser.add_argument("--responses", action="store_true", help="tell of replies")
    parser.add_argument("--parent", type=int, required=True, help="the process that this one ends with")
    parser.add_argument("--wake-fd", type=int)
    parser.add_argument("--log", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Carry until told to stop; the exit status is 0 then."""
    said = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    start_log("dnstap worker", said.log)
    log_uncaught()
    stop, hung_up = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, lambda *_: hung_up.set())
    with contextlib.suppress(PermissionError):  # a filter of system calls, such as systemd's ~@resources
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    sink: FrameSink = SocketSink(said.socket) if said.socket else FileSink(said.file)
    frames = TapFrames(said.identity, f"lbdns {__version__}", said.queries, said.responses)
    DnstapWorker(RunDirectory(said.state), frames, sink).run(stop, hung_up, said.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
