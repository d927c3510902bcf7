"""Readers of a ring: each its own place; what was overwritten, or is half written, is lost and counted, once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.sample_ring import SampleRing, begin_record, end_record
from lbdns.mapped.sample_room import allocate_samples, open_samples
from lbdns.mapped.sample_words import HEAD_OWNER, SAMPLE_HALVES, SAMPLE_INTERVAL, SAMPLE_UNIX_NS, SAMPLE_WORDS
from lbdns.telemetry.samples import SampleReader

CAPACITY = 16


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    made = RunDirectory(tmp_path)
    yield made
    made.remove()


def ring_of(run: RunDirectory, owner: int, part: int = 1) -> SampleRing:
    allocate_samples(run.samples(0, part), CAPACITY)
    return SampleRing(open_samples(run.samples(0, part), writable=True), owner)


def put(ring: SampleRing, unix_ns: int) -> None:
    begin_record(ring)
    ring.words[ring.place * SAMPLE_WORDS + SAMPLE_UNIX_NS] = unix_ns
    ring.halves[ring.place * SAMPLE_HALVES + SAMPLE_INTERVAL] = 3
    end_record(ring)


def times(reader: SampleReader) -> tuple[list[int], int]:
    found = reader.read()
    assert all(sample.interval == 3 for sample in found.samples)
    return [sample.unix_ns for sample in found.samples], found.lost


def test_each_reader_has_its_own_place(run: RunDirectory) -> None:
    ring = ring_of(run, 7)
    with contextlib.closing(SampleReader(run)) as first, contextlib.closing(SampleReader(run)) as second:
        put(ring, 1)
        assert times(first) == ([1], 0)
        put(ring, 2)
        assert times(first) == ([2], 0)
        assert times(second) == ([1, 2], 0)
        assert times(first) == times(second) == ([], 0)


def test_what_was_overwritten_is_counted_by_its_writer(run: RunDirectory) -> None:
    ring, other = ring_of(run, 7), ring_of(run, 7, part=2)
    with contextlib.closing(SampleReader(run)) as reader:
        assert times(reader) == ([], 0)
        for number in range(1, 41):
            put(ring, number)
        put(other, 100)
        assert times(reader) == ([*range(25, 41), 100], 24)
        assert reader.lost == {"0-1": 24, "0-2": 0}


def test_a_record_that_is_half_written_is_not_shown(run: RunDirectory) -> None:
    ring = ring_of(run, 7)
    with contextlib.closing(SampleReader(run)) as reader:
        for number in range(1, CAPACITY + 1):
            put(ring, number)
        begin_record(ring)  # in the place of the first
        assert times(reader) == (list(range(2, CAPACITY + 1)), 1)
        end_record(ring)


def test_who_came_last_owns_the_ring_and_leaves_a_record_out(run: RunDirectory) -> None:
    """The one before may be at a record in that moment: neither spoils the other's, and none is taken for lost."""
    before = ring_of(run, 7)
    put(before, 1)
    begin_record(before)  # it is at its second
    after = ring_of(run, 8)
    put(after, 10)
    assert before.words[HEAD_OWNER] == 8
    with contextlib.closing(SampleReader(run)) as reader:
        first, lost = times(reader)
        assert (first, lost) == ([1, 10], 1)  # the half-written one
    end_record(before)
    put(after, 11)
    with contextlib.closing(SampleReader(run)) as reader:
        assert times(reader)[0][-2:] == [10, 11]


def test_a_reader_begins_behind_a_time(run: RunDirectory) -> None:
    ring = ring_of(run, 7)
    for number in range(1, 6):
        put(ring, number)
    with contextlib.closing(SampleReader(run, since_unix_ns=3)) as reader:
        assert times(reader) == ([4, 5], 0)
