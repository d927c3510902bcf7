"""Counters of one thread that answers, in shared memory: 64-bit words with one writer, summed by whoever shows them.

    fixed words | replies by RCODE (16) | by type (256, the last for all others) | by location source (4)
                | how long batches took | decisions by load balancer slot | by pool slot | by endpoint slot
                | matches by slot of a rule or pool set

Slots are stable over reloads, so that the counts are too. The file is sparse: only what is counted takes memory, which
is allocated before anything is (counter_room.py), as a memory file system that is full kills who writes to a hole.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from lbdns.mapped.counter_words import *


class Counters:
    """The words of one writer."""

    def __init__(self, words: memoryview) -> None:
        self.words = words


def open_counters(path: Path, writable: bool = False) -> memoryview:
    """Map a file of counters, made where it is not there and `writable`; returns its WORD_COUNT 64-bit words."""
    size = WORD_COUNT * 8
    handle = os.open(path, (os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY) | os.O_CLOEXEC, 0o600)
    try:
        if writable and os.fstat(handle).st_size != size:
            os.ftruncate(handle, size)
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        return memoryview(mmap.mmap(handle, size, access=access)).cast("Q")
    finally:
        os.close(handle)


def count_word(counters: Counters, word: int, by: int) -> None:
    """Add to one word."""
    counters.words[word] += by


def count_reply(counters: Counters, rcode: int, qtype: int) -> None:
    """Count a reply by RCODE and type."""
    counters.words[RCODES_FIRST + (rcode & (RCODE_COUNT - 1))] += 1
    counters.words[TYPES_FIRST + (qtype if qtype < TYPE_OTHER else TYPE_OTHER)] += 1


def count_slot(counters: Counters, first: int, slot: int) -> None:
    """Count one of the words that belong to slots."""
    if slot < SLOTS_MAX:
        counters.words[first + slot] += 1
