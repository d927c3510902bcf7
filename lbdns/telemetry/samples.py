"""START HERE for samples: what was answered, one reply in so many, read from the rings of all threads that answer.

    samples-*.bin (mapped/sample_ring.py) -> records -> names of their generation, places of their networks

`interval` replies stand behind a sample: their sum over samples of any kind is an unbiased estimate of its replies.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lbdns.base.words import STEERING_POLICIES
from lbdns.dns.name import show_absolute
from lbdns.dns.rdata.record_types import type_text
from lbdns.mapped import sample_words as at
from lbdns.mapped.fence import read_fence
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.sample_room import open_samples
from lbdns.model.bounds import SAMPLED_BITS_4, SAMPLED_BITS_6
from lbdns.places.geodata import Geodata
from lbdns.places.place import Network, Place
from lbdns.places.regions import region_of
from lbdns.snapshot.lookup.name_rows import KIND_NAMES
from lbdns.steering.kernel.numbers import (
    FAMILY_A,
    FAMILY_AAAA,
    FAMILY_NAMED,
    OUTCOME_ANSWER,
    OUTCOME_FIXED,
    OUTCOME_NO_ENDPOINT,
    OUTCOME_NO_POOL,
    PASSED_DISABLED,
    PASSED_DOWN,
    PASSED_SHED,
    PASSED_UNRESOLVED,
    PASSED_WEIGHT_ZERO,
)
from lbdns.telemetry.sampled_names import NO_NAMES, NamesByGeneration, SampledBalancer, SampledNames
from lbdns.telemetry.tally import SOURCE_NAMES

if TYPE_CHECKING:
    from lbdns.model.pool import EndpointKey

_POLICIES: Final = tuple(STEERING_POLICIES)
TRANSPORT_NAMES: Final = {at.TRANSPORT_UDP: "udp", at.TRANSPORT_TCP: "tcp"}
FAMILY_NAMES: Final = {FAMILY_A: "A", FAMILY_AAAA: "AAAA", FAMILY_NAMED: "named"}
OUTCOME_NAMES: Final = {
    OUTCOME_ANSWER: "answer",
    OUTCOME_NO_POOL: "no pool",
    OUTCOME_NO_ENDPOINT: "no endpoint",
    OUTCOME_FIXED: "fixed response",
}
PASSED_NAMES: Final = {
    PASSED_DISABLED: "disabled",
    PASSED_DOWN: "down",
    PASSED_SHED: "shed",
    PASSED_WEIGHT_ZERO: "weight zero",
    PASSED_UNRESOLVED: "unresolved",
}
KEPT: Final = {4: SAMPLED_BITS_4, 6: SAMPLED_BITS_6}
PLACES_KEPT: Final = 65_536  # networks whose places a reader remembers


class SampleRecord(NamedTuple):
    """A copy of a record, in the units that sample_words.py counts in."""

    words: memoryview[int]
    halves: memoryview[int]
    floats: memoryview[float]
    octets: memoryview[int]

    @classmethod
    def of(cls, octets: bytes) -> SampleRecord:
        """Return the record that some octets are."""
        whole = memoryview(octets)
        return cls(whole.cast("Q"), whole.cast("I"), whole.cast("f"), whole)


@dataclass(frozen=True, slots=True)
class SampledDecision:
    """What a load balancer decided, by name; a name that is known no more is "".

    `load_balancer`: None where its name is known no more; `policy`: its steering policy, or what a rule made of it;
    `outcome`: a value of OUTCOME_NAMES; `location_source`: "ecs", "resolver", "pop", "none"; `place_class`: the class
    of places that the list of pools was looked up by. `pool`: "" where none took the query; `pool_position`: among the
    candidates, from 0, None where it is not among them; `pool_state`: its byte of the health table; `rtt_ms`: of the
    pool from the PoP's region, None where there is no figure. `endpoints`: keys of the first eight, in the order of the
    answer. `rules`: the first eight rules and pool sets that matched. `passed`: the first four pools that were passed
    over, and why (a value of PASSED_NAMES). `ttl_s`: of the decision.
    """

    load_balancer: SampledBalancer | None
    policy: str
    is_sticky: bool
    family: str
    outcome: str
    location_source: str
    place_class: int
    ttl_s: int
    pool: str
    pool_position: int | None
    is_fallback: bool
    pool_state: int
    rtt_ms: float | None
    endpoints: tuple[EndpointKey, ...]
    endpoint_count: int
    is_alias: bool
    rules: tuple[str, ...]
    rule_count: int
    passed: tuple[tuple[str, str], ...]
    passed_count: int


@dataclass(frozen=True, slots=True)
class TrafficSample:
    """One reply of `interval`, and what led to it.

    `writer`: the thread, "RESPONDER-PART", part 0 its slow path; `number`: of the writer's record, rising. `unix_ns`:
    when, to some ms. `qname`: lower-case wire form, b"" where the reply has no question. `rcode`: of the header;
    `kind`: what the first look-up came to (KIND_NAMES), "" where no zone was asked. `view`: that of the answer;
    `known_view`: that of key or listener, "" for none. `resolver`, `ecs`: networks, cut, None where there is none or it
    is left out; `ecs_bits`: SOURCE PREFIX-LENGTH as it was told. `draw`: the 64 random bits that all draws followed
    from. `country`, `subdivision`, `region`, `asn`: of the client's network where one was told, else of the resolver's.
    `decision`: None where no load balancer decided. `is_named`: whether the names of its generation were there.
    """

    writer: str
    number: int
    unix_ns: int
    interval: int
    generation: int
    transport: str
    qname: bytes
    qtype: int
    rcode: int
    kind: str
    view: str
    known_view: str
    resolver: Network | None
    ecs: Network | None
    ecs_bits: int
    scope: int
    draw: int
    pop: str
    pop_region: str
    country: str
    subdivision: str
    region: str
    asn: int
    decision: SampledDecision | None
    is_named: bool

    @property
    def name(self) -> str:
        """The name asked for, with the final dot; "" where there is none."""
        return show_absolute(self.qname) if self.qname else ""

    @property
    def type(self) -> str:
        """The type asked for; "" where there is none."""
        return type_text(self.qtype) if self.qname else ""


class SampleReading(NamedTuple):
    """What a reader found: samples by time, and how many were lost since it read before: overwritten, or half so."""

    samples: list[TrafficSample]
    lost: int


class SampleReader:
    """Reads the samples of all threads, each once; any number of readers, each with its own place, hinder nobody.

    `lost`: by writer, how many were overwritten before this reader came to them; `unnamed`: how many samples named
    somebody of whom nothing is known any more.
    """

    def __init__(self, run: RunDirectory, geodata: Geodata | None = None, since_unix_ns: int = 0) -> None:
        """Begin with what the rings hold that is newer than a time; without databases networks have no places."""
        self._run = run
        self._since_unix_ns = since_unix_ns
        self._rings: dict[Path, _RingReader] = {}
        self._names = NamesByGeneration(run)
        self.lost: dict[str, int] = {}
        self.unnamed = 0
        self.locate_by(geodata)

    def locate_by(self, geodata: Geodata | None) -> None:
        """Take other databases from now on."""
        self._geodata = geodata
        self._located = lru_cache(PLACES_KEPT)(self._locate)

    def read(self) -> SampleReading:
        """Return what was written since the last call, or since the reader's beginning."""
        self._names.look()
        samples: list[TrafficSample] = []
        lost = 0
        for ring in self._followed():
            records, missed = ring.read()
            self.lost[ring.writer] = self.lost.get(ring.writer, 0) + missed
            lost += missed
            for record in records:
                if record.words[at.SAMPLE_UNIX_NS] > self._since_unix_ns:
                    samples.append(self._sample(ring.writer, record))
        samples.sort(key=lambda one: one.unix_ns)
        return SampleReading(samples, lost)

    def _followed(self) -> list[_RingReader]:
        found = {}
        for path in self._run.all_samples():
            # One that is just being made is there in the next read.
            with contextlib.suppress(OSError, ValueError):
                inode = path.stat().st_ino
                before = self._rings.get(path)
                found[path] = before if before and before.inode == inode else _RingReader(path, inode)
        self._rings = found
        return list(found.values())

    def _locate(self, network: Network) -> tuple[Place, int]:
        if self._geodata is None:
            return Place(), 0
        located = self._geodata.locate(network.network_address)
        return located.place, located.asn

    def _sample(self, writer: str, record: SampleRecord) -> TrafficSample:
        words, halves, octets = record.words, record.halves, record.octets
        generation = halves[at.SAMPLE_GENERATION]
        names = self._names.of(generation)
        resolver = network_of(octets[at.SAMPLE_RESOLVER_VERSION], words[at.SAMPLE_RESOLVER])
        ecs_bits = octets[at.SAMPLE_ECS_BITS]
        ecs = network_of(octets[at.SAMPLE_ECS_VERSION], words[at.SAMPLE_ECS], ecs_bits)
        client = ecs or resolver
        place, asn = self._located(client) if client else (Place(), 0)
        kind = octets[at.SAMPLE_KIND]
        decision = None
        if octets[at.SAMPLE_FLAGS] & at.SAMPLE_FLAG_STEERED:
            decision = decision_of(record, names)
            self.unnamed += decision.load_balancer is None
        return TrafficSample(
            writer=writer,
            number=words[at.SAMPLE_NUMBER],
            unix_ns=words[at.SAMPLE_UNIX_NS],
            interval=halves[at.SAMPLE_INTERVAL],
            generation=generation,
            transport=TRANSPORT_NAMES[octets[at.SAMPLE_TRANSPORT]],
            qname=octets[at.SAMPLE_NAME : at.SAMPLE_NAME + octets[at.SAMPLE_NAME_BYTES]].tobytes(),
            qtype=octets[at.SAMPLE_QTYPE] << 8 | octets[at.SAMPLE_QTYPE + 1],
            rcode=octets[at.SAMPLE_RCODE],
            kind=KIND_NAMES[kind - 1] if kind else "",
            view=names.view(octets[at.SAMPLE_VIEW]),
            known_view=names.view(known) if (known := octets[at.SAMPLE_KNOWN_VIEW]) else "",
            resolver=resolver,
            ecs=ecs,
            ecs_bits=ecs_bits,
            scope=octets[at.SAMPLE_SCOPE],
            draw=words[at.SAMPLE_DRAW],
            pop=names.pop,
            pop_region=names.pop_region,
            country=place.country,
            subdivision=place.subdivision,
            region=region_of(place.country, place.subdivision) if place.country else "",
            asn=asn,
            decision=decision,
            is_named=names is not NO_NAMES,
        )

    def close(self) -> None:
        """Let go of what is held open."""
        self._rings.clear()
        self._names.close()


class _RingReader:
    """One reader's place in one ring."""

    def __init__(self, path: Path, inode: int) -> None:
        room = open_samples(path)
        self.writer = path.stem.removeprefix("samples-")
        self.inode = inode
        self._room = room
        self._words = room.cast("Q")
        self._capacity = self._words[at.HEAD_CAPACITY]
        self._place = max(self._words[at.HEAD_WRITTEN] - self._capacity, 0)

    def read(self) -> tuple[list[SampleRecord], int]:
        """Return copies of the records that came since, and how many of them were overwritten meanwhile."""
        last = self._words[at.HEAD_WRITTEN]
        read_fence()
        first = max(self._place, last - self._capacity) + 1
        lost = first - 1 - self._place if first <= last else 0
        found = []
        for number in range(first, last + 1):
            row = 1 + number % self._capacity
            word, octet = row * at.SAMPLE_WORDS + at.SAMPLE_NUMBER, row * at.SAMPLE_BYTES
            before = self._words[word]
            read_fence()
            record = bytes(self._room[octet : octet + at.SAMPLE_BYTES])
            read_fence()
            after = self._words[word]
            if before == number == after:
                found.append(SampleRecord.of(record))
            elif before > number or after != before:
                lost += 1  # and an earlier number is of a record that was left out (sample_ring.py)
        self._place = max(self._place, last)
        return found, lost


@lru_cache(PLACES_KEPT)
def network_of(version: int, high: int, told_bits: int | None = None) -> Network | None:
    """Return a network as a record has it; `told_bits`: its SOURCE PREFIX-LENGTH, where that is shorter."""
    if version == 0:
        return None
    bits = KEPT[version] if told_bits is None else min(KEPT[version], told_bits)
    return IPv4Network((high >> 32, bits)) if version == 4 else IPv6Network((high << 64, bits))


def decision_of(record: SampleRecord, names: SampledNames) -> SampledDecision:
    """Return what a record of a load balancer's reply says."""
    halves, octets = record.halves, record.octets
    flags = octets[at.SAMPLE_FLAGS]
    has_pool = bool(flags & at.SAMPLE_FLAG_POOL)
    position, endpoint_count = octets[at.SAMPLE_POSITION], octets[at.SAMPLE_ENDPOINT_COUNT]
    rtt_ms = record.floats[at.SAMPLE_RTT]
    return SampledDecision(
        load_balancer=names.load_balancers.get(halves[at.SAMPLE_LOAD_BALANCER]),
        policy=_POLICIES[octets[at.SAMPLE_POLICY]],
        is_sticky=bool(flags & at.SAMPLE_FLAG_STICKY),
        family=FAMILY_NAMES[octets[at.SAMPLE_FAMILY]],
        outcome=OUTCOME_NAMES[octets[at.SAMPLE_OUTCOME]],
        location_source=SOURCE_NAMES[octets[at.SAMPLE_SOURCE]],
        place_class=halves[at.SAMPLE_PLACE],
        ttl_s=halves[at.SAMPLE_TTL],
        pool=names.pools.get(halves[at.SAMPLE_POOL], "") if has_pool else "",
        pool_position=position - 1 if position else None,
        is_fallback=bool(flags & at.SAMPLE_FLAG_FALLBACK),
        pool_state=octets[at.SAMPLE_POOL_STATE],
        rtt_ms=rtt_ms if rtt_ms > 0 else None,
        endpoints=_known(names.endpoints, halves[at.SAMPLE_ENDPOINTS :][: min(endpoint_count, at.SAMPLED_ENDPOINTS)]),
        endpoint_count=endpoint_count,
        is_alias=bool(flags & at.SAMPLE_FLAG_ALIAS),
        rules=_known(names.rules, halves[at.SAMPLE_RULES :][: min(octets[at.SAMPLE_RULE_COUNT], at.SAMPLED_RULES)]),
        rule_count=octets[at.SAMPLE_RULE_COUNT],
        passed=tuple(
            (names.pools.get(slot, ""), PASSED_NAMES[reason])
            for slot, reason in zip(
                halves[at.SAMPLE_PASSED :][: min(octets[at.SAMPLE_PASSED_COUNT], at.SAMPLED_PASSED)],
                octets[at.SAMPLE_REASONS :],
                strict=False,
            )
        ),
        passed_count=octets[at.SAMPLE_PASSED_COUNT],
    )


def _known(names: Mapping[int, Any], slots: memoryview) -> tuple[Any, ...]:
    return tuple([names[slot] for slot in slots if slot in names])
