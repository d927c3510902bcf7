"""A history with something in it, for tests of whatever shows one: minutes of some load balancers, samples, changes.

fill(state_dir, until_s, minutes=90)  ->  what each minute has, in `MINUTE`
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from lbdns.health.events import HealthChange
from lbdns.telemetry.history.history_store import EventRow, HistoryStore, SampleBatch
from lbdns.telemetry.history.history_words import (
    COVERED,
    MINUTE_S,
    RCODE,
    SOURCE,
    TRANSPORT,
    TYPE,
    HistoryKind,
)
from lbdns.telemetry.history.minute_counts import MinuteCounts
from lbdns.telemetry.history.sample_dimensions import cell_of
from lbdns.telemetry.history.sample_rows import encode_samples
from lbdns.telemetry.sampled_names import SampledBalancer
from lbdns.telemetry.samples import SampledDecision, TrafficSample

LOAD_BALANCER: Final = "www.example.com"
POOLS: Final = {"eu": 40, "us": 20}  # decisions a minute
ENDPOINT_ADDRESS: Final = "192.0.2.1"
REPLIES: Final = 100  # a minute, 60 of them steered
HEALTHY_BYTE: Final = 3


def sample(
    at_s: float, pool: str = "eu", country: str = "DE", region: str = "WEU", interval: int = 10, number: int = 1
) -> TrafficSample:
    """Return a steered sample; "" for `pool`: one that no load balancer answered."""
    decision = SampledDecision(
        load_balancer=SampledBalancer(LOAD_BALANCER, "A", ""),
        policy="geo",
        is_sticky=False,
        family="A",
        outcome="answer",
        location_source="ecs",
        place_class=1,
        ttl_s=30,
        pool=pool,
        pool_position=0,
        is_fallback=False,
        pool_state=HEALTHY_BYTE,
        rtt_ms=12.5,
        endpoints=((pool, f"{pool}1", ENDPOINT_ADDRESS),),
        endpoint_count=1,
        is_alias=False,
        rules=(),
        rule_count=0,
        passed=(),
        passed_count=0,
    )
    return TrafficSample(
        writer="0-1",
        number=number,
        unix_ns=int(at_s * 1e9),
        interval=interval,
        generation=1,
        transport="udp",
        qname=b"\x03www\x07example\x03com\x00",
        qtype=1,
        rcode=0,
        kind="steered" if pool else "nodata",
        view="public",
        known_view="",
        resolver=IPv4Network("192.0.2.0/24"),
        ecs=IPv4Network("198.51.100.0/24"),
        ecs_bits=24,
        scope=24,
        draw=7,
        pop="FRA",
        pop_region="WEU",
        country=country,
        subdivision="",
        region=region,
        asn=64496,
        decision=decision if pool else None,
        is_named=True,
    )


def minute(start_s: int, samples: Iterable[TrafficSample] = (), times: int = 1) -> MinuteCounts:
    """Return a minute's counts, `times` as many as POOLS says."""
    found = MinuteCounts(start_s)
    steered = sum(POOLS.values()) * times
    for name, count in (
        ((COVERED,), MINUTE_S * 1000),
        ((TRANSPORT, "udp"), REPLIES * times - 5),
        ((TRANSPORT, "tcp"), 5),
        ((RCODE, "NOERROR"), REPLIES * times - 10),
        ((RCODE, "NXDOMAIN"), 10),
        ((TYPE, "A"), REPLIES * times),
        ((SOURCE, "ecs"), steered),
    ):
        found.add(HistoryKind.SERVER, name, count)
    found.add(HistoryKind.LOAD_BALANCERS, (LOAD_BALANCER, "A"), steered)
    for pool, count in POOLS.items():
        found.add(HistoryKind.POOLS, (pool,), count * times)
        found.add(HistoryKind.ENDPOINTS, (pool, f"{pool}1", ENDPOINT_ADDRESS), count * times)
        found.add(HistoryKind.ROUND_TRIPS, (pool, "WEU"), 12_500, 1)
        found.add(HistoryKind.CHECKS, (pool, f"{pool}1", ENDPOINT_ADDRESS), 4, 3, 3 * 2000, 3)
    found.add(HistoryKind.RULES, (LOAD_BALANCER, "A", "night"), 6 * times)
    for one in samples:
        found.add_cell(cell_of(one), one.interval)
    return found


def batch(samples: Sequence[TrafficSample]) -> SampleBatch:
    """Return samples as the store takes them."""
    times = [one.unix_ns / 1e9 for one in samples]
    return SampleBatch(min(times), max(times), len(samples), encode_samples(samples))


def event(change: HealthChange) -> EventRow:
    """Return a change as the store takes it."""
    return EventRow(change.at_s, json.dumps(asdict(change)).encode())


def fill(state_dir: Path, until_s: int, minutes: int = 90, roll_up: bool = True) -> None:
    """Fill the history of a state directory with the minutes before `until_s` (a whole one): in each two samples of
    `eu` and one of `us`, and a change of health."""
    store = HistoryStore(state_dir)
    try:
        for start_s in range(until_s - minutes * MINUTE_S, until_s, MINUTE_S):
            samples = [
                sample(start_s + 1, "eu", "DE", number=1),
                sample(start_s + 2, "eu", "FR", number=2),
                sample(start_s + 3, "us", "US", "ENAM", number=3),
            ]
            change = HealthChange(start_s + 4, "pool", "eu", "healthy", "critical")
            following = MinuteCounts(start_s + MINUTE_S)
            store.write(
                start_s + MINUTE_S, [minute(start_s, samples), following], {}, [batch(samples)], [event(change)]
            )
        while roll_up and store.roll_up(until_s):
            pass
    finally:
        store.close()
