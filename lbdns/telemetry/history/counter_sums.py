"""The counters of all responders, summed, by slot: what a history begins to count from, and counts to.

    counters-*.bin (mapped/counters.py) -> sums -> since the sums before -> of whom (slot_counts.py)

A file is mapped once and stays so: what it counted counts on when it is gone. Where the run directory is made anew its
supervisor writes what was counted before to files of their own, and starts another history process.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from lbdns.mapped.counter_room import SLOTS_FIRST
from lbdns.mapped.counter_words import DATAGRAMS, LOAD_BALANCERS_FIRST
from lbdns.mapped.counters import open_counters
from lbdns.mapped.run_directory import RunDirectory
from lbdns.telemetry.tally import Words, is_fast

RANGES: Final = 2 + len(SLOTS_FIRST)
"""The fixed words, those of the fast path's threads alone, and each kind that has slots."""


@dataclass(frozen=True, slots=True, eq=False)
class CounterSums:
    """Sums at `at_s` (unix seconds) of the counters of a server that began them at `began_ns` (0: not known)."""

    began_ns: int
    at_s: float
    ranges: tuple[Words, ...]

    def since(self, before: CounterSums | None) -> tuple[Words, ...]:
        """Return what came since; all of it where there was nothing, or the counters have begun anew."""
        if before is None or not self.continues(before):
            return self.ranges
        return tuple(_less(now, then) for now, then in zip(self.ranges, before.ranges, strict=True))

    def continues(self, before: CounterSums) -> bool:
        """Whether they are the same counters, further on. A server taken over goes on with them; one that came from a
        release that did not say when they began, or whose control file was lost, as well."""
        return self.began_ns in (0, before.began_ns)

    def not_below(self, before: CounterSums | None) -> CounterSums:
        """Return sums none of which is less than it was: while one responder replaces another a count may go back by
        some (telemetry/tally.py)."""
        if before is None or not self.continues(before):
            return self
        ranges = tuple(
            np.maximum(_wide(now, len(then)), _wide(then, len(now)))
            for now, then in zip(self.ranges, before.ranges, strict=True)
        )
        return CounterSums(self.began_ns, self.at_s, ranges)


def _wide(words: Words, size: int) -> Words:
    return np.pad(words, (0, max(size - len(words), 0)))


def _less(now: Words, then: Words) -> Words:
    then = _wide(then, len(now))[: len(now)]
    return now - np.minimum(now, then)


class CounterFiles:
    """The files of one run directory."""

    def __init__(self, run: RunDirectory) -> None:
        """Look there at each reading."""
        self._run = run
        self._files: dict[Path, Words] = {}

    def read(self, began_ns: int, at_s: float, slot_counts: Sequence[int]) -> CounterSums:
        """Return the sums of so many slots of each kind."""
        for path in self._run.all_counters():
            if path not in self._files:
                # One that a responder is just making is there in the next read.
                with contextlib.suppress(OSError, ValueError):
                    self._files[path] = np.frombuffer(open_counters(path), dtype=np.uint64)
        fast = [words for path, words in self._files.items() if is_fast(path)]
        every = list(self._files.values())
        fixed = _sums(every, DATAGRAMS, LOAD_BALANCERS_FIRST), _sums(fast, DATAGRAMS, LOAD_BALANCERS_FIRST)
        kinds = [_sums(every, first, count) for first, count in zip(SLOTS_FIRST, slot_counts, strict=True)]
        return CounterSums(began_ns, at_s, (*fixed, *kinds))


def _sums(files: Sequence[Words], first: int, count: int) -> Words:
    sums = np.zeros(count, np.uint64)
    for words in files:
        sums += words[first : first + count]
    return sums


def encode_sums(sums: CounterSums) -> bytes:
    """Return sums as bytes."""
    head = {"began_ns": sums.began_ns, "at_s": sums.at_s, "counts": [len(one) for one in sums.ranges]}
    body = b"".join(one.astype("<u8").tobytes() for one in sums.ranges)
    return zlib.compress(json.dumps(head).encode() + b"\n" + body, 1)


def decode_sums(data: Any) -> CounterSums | None:
    """Return the sums of some bytes, None where they are none."""
    try:
        head, _, body = zlib.decompress(data).partition(b"\n")
        found = json.loads(head)
        counts = [int(count) for count in found["counts"]]
        words = np.frombuffer(body, "<u8").astype(np.uint64)
        if len(counts) != RANGES or len(words) != sum(counts):
            return None
        ranges = tuple(np.split(words, np.cumsum(counts)[:-1]))
        return CounterSums(int(found["began_ns"]), float(found["at_s"]), ranges)
    except (zlib.error, ValueError, KeyError, TypeError):
        return None
