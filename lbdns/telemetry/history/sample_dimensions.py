"""What samples are told apart by, in words: the dimensions of cells, and those that only samples have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.health.verdict import pool_word
from lbdns.telemetry.history.history_words import CELL_DIMENSIONS, LISTED
from lbdns.telemetry.history.minute_counts import CellKey
from lbdns.telemetry.samples import SampledDecision, TrafficSample
from lbdns.telemetry.tally import rcode_name

Words = tuple[str, ...]
"""The values of a dimension; () where it has none."""


def _of_decision(value: Callable[[SampledDecision], object]) -> Callable[[TrafficSample], Words]:
    return lambda sample: () if sample.decision is None else _words(value(sample.decision))


def _words(value: object) -> Words:
    if isinstance(value, tuple):
        return tuple(map(str, value))
    return () if value is None or value == "" else (str(value),)


def _balancer(place: int) -> Callable[[TrafficSample], Words]:
    return _of_decision(lambda one: None if one.load_balancer is None else one.load_balancer[place])


def _reason(sample: TrafficSample) -> Words:
    return _words(sample.kind if sample.decision is None else sample.decision.outcome)


SAMPLE_DIMENSIONS: Final[Mapping[str, Callable[[TrafficSample], Words]]] = {
    "load_balancer": _balancer(0),
    "type": _balancer(1),
    "view": _balancer(2),
    "pool": _of_decision(lambda one: one.pool),
    "endpoints": _of_decision(lambda one: tuple(key[1] for key in one.endpoints)),
    "pop": lambda sample: _words(sample.pop),
    "country": lambda sample: _words(sample.country),
    "subdivision": lambda sample: _words(sample.subdivision),
    "region": lambda sample: _words(sample.region),
    "rules": _of_decision(lambda one: one.rules),
    "location_source": _of_decision(lambda one: one.location_source),
    "rcode": lambda sample: _words(rcode_name(sample.rcode)),
    "qtype": lambda sample: _words(sample.type),
    "reason": _reason,
    "pool_state": _of_decision(lambda one: pool_word(one.pool_state) if one.pool else None),
    # Samples alone have these: there are too many of them for cells.
    "resolver_network": lambda sample: _words(sample.resolver),
    "ecs_network": lambda sample: _words(sample.ecs),
    "asn": lambda sample: _words(sample.asn or None),
    "name": lambda sample: _words(sample.name),
    "transport": lambda sample: _words(sample.transport),
    "policy": _of_decision(lambda one: one.policy),
    "pool_position": _of_decision(lambda one: one.pool_position),
}


def cell_of(sample: TrafficSample) -> CellKey:
    """Return the cell that a sample is in."""
    return tuple([SAMPLE_DIMENSIONS[name](sample) for name in CELL_DIMENSIONS])


def sample_values(sample: TrafficSample, dimension: str) -> Sequence[str]:
    """Return what a sample has of a dimension; raises LbdnsError where there is no such one."""
    of = SAMPLE_DIMENSIONS.get(LISTED.get(dimension, dimension))
    if of is None or dimension in LISTED.values():
        raise LbdnsError(f'by: "{dimension}" is no dimension of the history; expected some of {", ".join(KNOWN)}')
    return of(sample)


KNOWN: Final = ("time", *LISTED, *(name for name in SAMPLE_DIMENSIONS if name not in LISTED.values()))
"""The dimensions of queries."""
