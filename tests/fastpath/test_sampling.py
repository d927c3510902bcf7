"""Samples: both roads write the same record for the same query; what is sampled is an unbiased estimate."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.answer.answer import Road
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.fastpath import sampling
from lbdns.fastpath.sampled_road import sample_answered
from lbdns.fastpath.sampling import begin_batch, is_due, take
from lbdns.mapped.sample_ring import SampleRing
from lbdns.mapped.sample_room import allocate_samples, open_samples
from lbdns.mapped.sample_words import (
    HEAD_MISSED,
    HEAD_SEEN,
    HEAD_WRITTEN,
    PERIOD_NS,
    SAMPLE_BYTES,
    SAMPLE_NUMBER,
    SAMPLE_WORDS,
)
from tests.answer.mutations import good_messages, mutate
from tests.fastpath.lanes import GUARD_BYTES, Lane, Served
from tests.fastpath.test_equality import CLIENTS, NOW_S

QUOTA = 1e9
CAPACITY = 8
UNIX_NS = 1_700_000_000_000_000_000


def made(path: Path, quota: float = QUOTA, by: Any = sampling, ring_class: Any = SampleRing) -> Any:
    """Return a sampler over a file made anew, which samples every reply where the quota is large."""
    allocate_samples(path, CAPACITY)
    sampler = by.Sampler(ring_class(open_samples(path, writable=True), 1), 7)
    sampler.quota = quota
    by.begin_batch(sampler, 1)
    return sampler


def last_record(sampler: Any) -> bytes:
    """Return the record that was written last, but for its number."""
    number = sampler.ring.words[HEAD_WRITTEN]
    place = 1 + number % sampler.ring.capacity
    assert sampler.ring.words[place * SAMPLE_WORDS + SAMPLE_NUMBER] == number
    return bytes(sampler.ring.octets[place * SAMPLE_BYTES + 8 : (place + 1) * SAMPLE_BYTES])


@pytest.mark.parametrize("transport", Transport)
def test_both_roads_write_the_same_record(lane: Lane, view: ServingView, tmp_path: Path, transport: Transport) -> None:
    """Both forms of the fast path's writer, beside the installed one for the slow path."""
    fast, slow = made(tmp_path / "fast", QUOTA, lane.sampling, lane.ring_class), made(tmp_path / "slow")
    served = Served(lane, view, is_stream=transport is Transport.TCP)
    served.server.generation = view.snapshot.generation
    chance = Random(12)
    good = good_messages()
    compared = steered = 0
    for number in range(6000 if lane.name == "compiled" else 2500):
        message = good[number] if number < len(good) else mutate(chance.choice(good), chance, good)
        client, draw = chance.choice(CLIENTS), chance.getrandbits(64)
        said = served.ask(message, client, NOW_S, draw)
        road = Road()
        reply = respond(view, message, Client(client, 40_000), transport, NOW_S, draw, road)
        if not isinstance(said, bytes) or reply is None:
            continue
        assert said == reply
        for sampler, by in ((fast, lane.sampling), (slow, sampling)):
            assert by.is_due(sampler)
            assert by.take(sampler)
        fast.unix_ns = UNIX_NS
        lane.sampling.sample_served(fast, served.server, GUARD_BYTES)
        sample_answered(slow, view, Client(client, 40_000), transport, road, reply, UNIX_NS)
        assert last_record(fast) == last_record(slow), message.hex()
        compared += 1
        steered += road.decision is not None
    assert compared > 500
    assert steered > 50


def test_n_times_the_samples_estimates_within_three_standard_deviations(tmp_path: Path) -> None:
    """Seeded: 200 kinds of 1,000 replies each, among 50 times as many others, at several N."""
    sampler = made(tmp_path / "ring")
    chance = Random(5)
    outside = 0
    for interval in (2, 10, 100):
        sampling.set_interval(sampler, interval)
        for _ in range(100):
            count = estimate = 0
            while count < 1000:
                count += 1
                if is_due(sampler):
                    estimate += sampler.interval
                    sampling.draw_next(sampler)
                for _ in range(chance.randrange(3)):
                    if is_due(sampler):
                        sampling.draw_next(sampler)
            deviation = math.sqrt(count * (interval - 1))
            outside += abs(estimate - count) > 3 * deviation
    assert outside <= 3  # of 300; 0.27 % of a normal distribution lie outside


@pytest.mark.parametrize("per_second", [50, 1000, 300_000])
def test_no_more_is_written_than_the_quota(tmp_path: Path, per_second: int) -> None:
    sampler = made(tmp_path / "ring", quota=200.0)
    for second in range(1, 6):
        before = sampler.written
        for reply in range(per_second):
            if reply % 64 == 0:
                begin_batch(sampler, second * PERIOD_NS + reply * PERIOD_NS // per_second)
            if is_due(sampler):
                take(sampler)
        assert before >= 0
        assert sampler.written <= 200
        if second > 2:
            assert sampler.written >= min(per_second, 100), "much less than it may"
    begin_batch(sampler, 7 * PERIOD_NS)
    assert sampler.ring.words[HEAD_SEEN] == 5 * per_second


def test_what_is_over_the_quota_is_counted(tmp_path: Path) -> None:
    sampler = made(tmp_path / "ring", quota=2.0)
    for _ in range(100_000):
        if is_due(sampler):
            take(sampler)
    assert sampler.written <= 2
    assert sampler.ring.words[HEAD_MISSED] > 0
