"""Samples of one thread that answers, in shared memory: a ring of records with one writer, which overwrites the oldest.

    head | record 1 | record 2 | ... | record `capacity`, then record `capacity` + 1 in the place of 1, and so on

A record's number is one that none has (NEVER) while it is written, so that a reader, any number of whom keep their own
place, knows what is half old; sample_words.py says where what stands. The writer takes no lock, calls nothing and waits
for nobody. While one responder replaces another both have the file mapped: the one that came last owns it, and leaves
out the record that the other may be at.
"""

from __future__ import annotations

from lbdns.mapped.fence import write_fence
from lbdns.mapped.sample_words import *


class SampleRing:
    """The file of one writer: `words`, `halves`, `floats` and `octets` are the same bytes in four units."""

    def __init__(self, room: memoryview, owner: int) -> None:
        """Own a file's bytes from now on; `owner`: this process's id."""
        octets = room.cast("B")
        self.octets = octets
        self.words = octets.cast("Q")
        self.halves = octets.cast("I")
        self.floats = octets.cast("f")
        self.owner = owner
        self.capacity = 0
        self.number = 0
        self.place = 0
        self.own()

    def own(self) -> None:
        """Be the one that writes."""
        self.capacity = self.words[HEAD_CAPACITY]
        self.number = self.words[HEAD_WRITTEN]
        if self.words[HEAD_OWNER]:
            self.number += 1
        write_fence()
        self.words[HEAD_OWNER] = self.owner


def is_owned(ring: SampleRing) -> bool:
    """Return whether this process is the one that writes."""
    return ring.words[HEAD_OWNER] == ring.owner


def begin_record(ring: SampleRing) -> None:
    """Begin the next record, of zeros, at `ring.place`, in records from the file's beginning."""
    ring.number += 1
    ring.place = 1 + ring.number % ring.capacity
    start = ring.place * SAMPLE_WORDS
    ring.words[start] = NEVER
    write_fence()
    for word in range(start + 1, start + WORDS_CLEARED):
        ring.words[word] = 0


def end_record(ring: SampleRing) -> None:
    """Let readers have the record."""
    write_fence()
    ring.words[ring.place * SAMPLE_WORDS] = ring.number
    ring.words[HEAD_WRITTEN] = ring.number
