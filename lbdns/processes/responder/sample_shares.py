"""What each thread of a responder samples: its part of what all threads of the server may write a second.

    a quarter of it is every thread's alike, so that one which begins to have traffic has some at once;
    three quarters go by how many replies each gave in the last second

All responders work that out for their own threads, from what all rings say; it adds up as far as they look at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lbdns.fastpath.sampling import Sampler, no_sampler
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.sample_ring import SampleRing, is_owned
from lbdns.mapped.sample_room import open_samples
from lbdns.mapped.sample_words import HEAD_OWNER, HEAD_SEEN

SHARE_EVERY_S: Final = 1.0
ALIKE: Final = 0.25
SEED_BITS: Final = 64

log = logging.getLogger("lbdns.processes")


class SampleShares:
    """The samplers of one responder, by part: 0 is the slow path's. A thread whose file cannot be had has one that
    samples nothing."""

    def __init__(self, run: RunDirectory, index: int, parts: int) -> None:
        """Open the rings that were made for it."""
        self._run = run
        self._index = index
        self._paths = [run.samples(index, part) for part in range(parts)]
        self.samplers = tuple(self._sampler(path) for path in self._paths)
        self._others: dict[Path, memoryview] = {}
        self._seen: Mapping[Path, int] = {}
        self._due_s = 0.0

    def _sampler(self, path: Path) -> Sampler:
        try:
            ring = SampleRing(open_samples(path, writable=True), os.getpid())
        except (OSError, ValueError) as error:
            log.warning("nothing that it answers is sampled: %s", error)
            return no_sampler()
        return Sampler(ring, random.getrandbits(SEED_BITS))

    def share_out(self, per_second: int, now_s: float) -> None:
        """Set the quotas where a second is over; `now_s`: of CLOCK_MONOTONIC.

        Where the run directory cannot be read, for lack of descriptors say, each thread keeps its part of then.
        """
        if now_s < self._due_s:
            return
        self._due_s = now_s + SHARE_EVERY_S
        try:
            seen = self._look()
        except OSError:
            seen = {path: self._seen.get(path, 0) for path in {*self._paths, *self._seen}}
        since = {path: max(count - self._seen.get(path, count), 0) for path, count in seen.items()}
        self._seen = seen
        total = sum(since.values())
        for path, sampler in zip(self._paths, self.samplers, strict=True):
            alike = 1 / max(len(seen), 1)
            share = since.get(path, 0) / total if total else alike
            if sampler.ring.capacity:
                sampler.quota = per_second * (ALIKE * alike + (1 - ALIKE) * share)
                self._reclaim(sampler)

    def _look(self) -> dict[Path, int]:
        """Return how many replies each thread of the server has seen, those of responders that are gone left out."""
        found = {}
        for path in self._run.all_samples():
            with contextlib.suppress(OSError, ValueError):
                if path not in self._others:
                    self._others[path] = open_samples(path).cast("Q")
                words = self._others[path]
                if path in self._paths or is_alive(words[HEAD_OWNER]):
                    found[path] = words[HEAD_SEEN]
        return found

    def _reclaim(self, sampler: Sampler) -> None:
        """Own a ring again that another process took and left: one that was to replace this one, and failed."""
        if not is_owned(sampler.ring) and not is_alive(sampler.ring.words[HEAD_OWNER]):
            sampler.ring.own()


def is_alive(pid: int) -> bool:
    """Return whether there is such a process."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 0
