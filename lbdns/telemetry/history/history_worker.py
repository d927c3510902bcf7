"""START HERE. The history process: `python -m lbdns.telemetry.history.history_worker --state-dir DIR ...`.

    counters --(every 10 s, and when a minute is over)--> whose they are --.
    samples, health table, record of changes ------------------------------+--> minutes --> file --> roll-ups, bounds

It is niced, belongs to one supervisor and ends with it; nobody waits for it. Where it begins, what was counted since
the last write of the one before it is added: the counters go on, whoever reads them.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lbdns.base.clocks import elapsed_s
from lbdns.base.errors import LbdnsError
from lbdns.base.log import log_uncaught, start_log
from lbdns.base.wording import moment
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.places.geodata import Geodata
from lbdns.telemetry.history.counter_sums import CounterFiles, CounterSums, decode_sums, encode_sums
from lbdns.telemetry.history.generation_follower import GenerationFollower
from lbdns.telemetry.history.history_bounds import HistoryBounds
from lbdns.telemetry.history.history_journal import HistoryJournal
from lbdns.telemetry.history.history_words import COVERED, MINUTE_S, TRANSPORT, HistoryKind
from lbdns.telemetry.history.low_priority import take_low_priority
from lbdns.telemetry.history.minute_counts import MinuteCounts, spread
from lbdns.telemetry.history.probe_results import ProbeResults
from lbdns.telemetry.history.sample_dimensions import cell_of
from lbdns.telemetry.history.slot_counts import SlotHolders, server_counts
from lbdns.telemetry.samples import SampleReader

WRITE_S: Final = 10
"""How often the minute that lasts is written: at multiples of this, so that a minute ends with a write."""
LOOK_S: Final = 1.0
CATCH_UP_S: Final = 5.0
SPREAD_S: Final = 1.5 * MINUTE_S
"""What was counted over a longer time, as none was there to write it, is spread over its minutes."""
GAP_MAX_S: Final = 3600
"""What was counted over a longer time still is not told apart by the minute, and not recorded."""

log = logging.getLogger("lbdns.history")


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """What a history process is told."""

    state_dir: Path
    bounds: HistoryBounds
    city: tuple[Path, ...] = ()  # geolocation databases; the countries that lbdns brings along without one
    asn: Path | None = None
    wake_fd: int | None = None
    write_s: float = WRITE_S


class HistoryWorker:
    """One history process at work."""

    def __init__(self, options: HistoryOptions, clock: Callable[[], float] = time.time) -> None:
        """Belong to the server of a state directory; raises LbdnsError where there is none. `clock`: the time of day,
        unix seconds."""
        self._options = options
        self._clock = clock
        self._run = RunDirectory(options.state_dir)
        self._control = Control.attach(self._run.control)
        self._inode = os.stat(self._run.control).st_ino
        self._parent = os.getppid()
        self._follower = GenerationFollower(self._control, self._run, options.wake_fd)
        self._files = CounterFiles(self._run)
        self._holders = SlotHolders()
        self._probes = ProbeResults()
        self._samples: SampleReader | None = None
        self._journal = HistoryJournal(options.state_dir, options.bounds)
        self._last: CounterSums | None = None  # up to which all is counted; None until the file says where that is
        self._taken_s = elapsed_s()
        self._sampled = MinuteCounts(0)  # what was read of samples since the last write
        self._ends = threading.Event()

    def stop(self) -> None:
        """End it, soon."""
        self._ends.set()

    def run(self) -> None:
        """Record until it is stopped, or its server is gone."""
        self._follower.start()
        try:
            due_s = 0.0
            step_s = self._options.write_s
            while not self._is_over():
                now_s = self._clock()
                if now_s >= due_s or due_s - now_s > 2 * step_s:  # or the time of day was set back
                    self.record()
                    due_s = (now_s // step_s + 1) * step_s
                self._ends.wait(min(max(due_s - self._clock(), 0.01), LOOK_S))
                if self._samples is not None:  # a ring holds what a thread writes in some seconds
                    self._gather(self._samples)
            self.record()
        finally:
            self._follower.stop()
            if self._samples is not None:
                self._samples.close()
            self._journal.close()

    def _is_over(self) -> bool:
        if self._ends.is_set():
            return True
        if os.getppid() != self._parent:
            log.info("the supervisor is gone")
            return True
        try:
            is_ours = os.stat(self._run.control).st_ino == self._inode
        except OSError:
            is_ours = False
        if not is_ours:
            log.info("the run directory was made anew")
        return not is_ours

    def record(self) -> None:
        """Take what has come, write it, and do some of what there is to tidy up."""
        now_s = self._clock()
        if self._last is None and not self._journal.open():
            return  # another process may count meanwhile
        if not self._take(now_s) or self._last is None:
            return
        if self._journal.write(now_s, encode_sums(self._last)):
            while self._journal.tend(now_s) and not self._ends.is_set():
                pass

    # --- what is counted ---

    def _take(self, now_s: float) -> bool:
        """Take what came since the last time into its minute; return whether that could be done: it is not known whose
        counts are whose before the generation in force has been read."""
        sums = self._sums(now_s)
        if not self._follower.caught_up(CATCH_UP_S):
            return False
        if self._adopt():
            # Slots that are new have counts of their own from the first query on.
            sums = self._sums(now_s)
            if not self._follower.caught_up(CATCH_UP_S):
                return False
            self._adopt()
        elapsed = elapsed_s()
        if self._last is None:
            self._last = self._resumed(sums)
            took_s = now_s - self._last.at_s
        else:
            took_s = elapsed - self._taken_s
        self._taken_s = elapsed
        self._count(self._last, sums.not_below(self._last), now_s, max(took_s, 0.0))
        return True

    def _sums(self, now_s: float) -> CounterSums:
        return self._files.read(self._control.get("counters_began_ns"), now_s, self._holders.counts)

    def _resumed(self, sums: CounterSums) -> CounterSums:
        """Return from where on is counted: from the last write of an earlier process, where these counters were counted
        then, or from their beginning; from now where that is too long ago."""
        before = decode_sums(self._journal.fact("counted_to"))
        if before is None or not sums.continues(before):
            before = CounterSums(sums.began_ns, sums.began_ns / 1e9, tuple(one[:0] for one in sums.ranges))
        if sums.at_s - before.at_s <= GAP_MAX_S:
            return before
        deltas = sums.since(before)
        replies = sum(count for name, count in server_counts(deltas[0], deltas[1]) if name[0] == TRANSPORT)
        if replies:
            log.warning(
                "%d queries from %s to now are not in the history: nobody recorded them", replies, moment(before.at_s)
            )
            self._journal.lose("queries", replies)
        return sums.not_below(before)

    def _adopt(self) -> bool:
        """Take up the generations that came into force; return whether there were any."""
        found = False
        with contextlib.suppress(IndexError):
            while True:
                following = self._follower.waiting.popleft()
                self._holders.adopt(following.slots)
                self._probes.adopt(following.slots, following.table)
                found = True
        return found

    def _count(self, before: CounterSums, sums: CounterSums, now_s: float, took_s: float) -> None:
        came = self._named(sums.since(before), took_s)
        for kind, name, numbers in self._probes.look():
            came.add(kind, name, *numbers)
        self._gather(self._reader())
        came.add_all(self._sampled)
        self._sampled = MinuteCounts(0)
        # Queries of a minute's last moments are read when it is over.
        for part in self._parts(came, now_s - took_s, now_s):
            self._journal.minute(part.start_s).add_all(part)
        self._journal.minute(int(now_s) // MINUTE_S * MINUTE_S)
        self._last = sums

    def _gather(self, reader: SampleReader) -> None:
        """Read what was sampled, before it is written over; it waits for the next write."""
        read = reader.read()
        for sample in read.samples:
            self._sampled.add_cell(cell_of(sample), sample.interval)
        self._journal.lose("samples", read.lost)
        self._journal.add_samples(read.samples)

    def _reader(self) -> SampleReader:
        """Return the reader of samples, which begins where an earlier process ended."""
        if self._samples is None:
            written_s = self._journal.fact("written_s") if self._journal.open() else None
            self._samples = SampleReader(self._run, self._geodata(), int((written_s or 0) * 1e9))
        return self._samples

    def _geodata(self) -> Geodata | None:
        try:
            return Geodata.open(self._options.city or None, self._options.asn, lookups_only=True)
        except (LbdnsError, OSError) as error:
            log.error("samples have no places in the history: %s", error)
            return None

    def _named(self, deltas: Sequence[object], took_s: float) -> MinuteCounts:
        fixed, fast, *slots = deltas
        came = MinuteCounts(0)
        came.add(HistoryKind.SERVER, (COVERED,), round(took_s * 1000))
        for name, count in server_counts(fixed, fast):  # type: ignore[arg-type]
            if count:
                came.add(HistoryKind.SERVER, name, count)
        named, unnamed = self._holders.named(tuple(slots))  # type: ignore[arg-type]
        self._journal.lose("unnamed", unnamed)
        for kind, name, count in named:
            came.add(kind, name, count)
        return came

    def _parts(self, came: MinuteCounts, since_s: float, until_s: float) -> list[MinuteCounts]:
        """Return the minutes of what came in a span: the one that it began in, or all of a long one."""
        first_s, last_s = (int(at_s) // MINUTE_S * MINUTE_S for at_s in (since_s, until_s))
        if until_s - since_s <= SPREAD_S:
            came.start_s = first_s
            return [came]
        parts = spread(came, range(first_s, last_s + 1, MINUTE_S))
        parts[-1].cells = came.cells
        return parts


def main(arguments: list[str] | None = None) -> int:
    """Run the process; returns its exit status."""
    parser = argparse.ArgumentParser(prog="lbdns.telemetry.history.history_worker", description="Keep the history.")
    parser.add_argument("--state-dir", type=Path, required=True, help="whose server; there the history is kept")
    parser.add_argument("--size", type=int, required=True, help="bytes that it may have")
    parser.add_argument("--days", type=int, required=True, help="how long anything is kept")
    parser.add_argument("--city", type=Path, action="append", default=[], help="geolocation databases: places")
    parser.add_argument("--asn", type=Path, help="and AS numbers")
    parser.add_argument("--write-s", type=float, default=WRITE_S, help="how often it writes")
    parser.add_argument("--wake-fd", type=int, help="an eventfd that says that the control file has news")
    parser.add_argument("--log", choices=["text", "json"], default="text")
    given = parser.parse_args(arguments)
    start_log("history", given.log)
    log_uncaught()
    take_low_priority()
    bounds = HistoryBounds(given.size, given.days)
    options = HistoryOptions(given.state_dir, bounds, tuple(given.city), given.asn, given.wake_fd, given.write_s)
    try:
        worker = HistoryWorker(options)
    except (LbdnsError, OSError) as error:
        log.error("%s", error)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
