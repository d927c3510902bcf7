"""Samples as the history keeps them: some seconds of them in one row, a column a field, compressed.

Names of fields stand in the row, so that a release with more of them reads what one with fewer wrote as far as it can,
and the other way round.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from operator import attrgetter
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.telemetry.sampled_names import SampledBalancer
from lbdns.telemetry.samples import SampledDecision, TrafficSample

BYTES_MAX: Final = 64 << 20
"""Bounds what a damaged row can ask for."""
DECISION: Final = "decision"
_OWN: Final = tuple(field.name for field in fields(TrafficSample) if field.name != DECISION)
_OF_DECISION: Final = tuple(field.name for field in fields(SampledDecision))
_LEVEL: Final = 6


@lru_cache(65_536)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text)


# What JSON has no words for.
_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "qname": lambda text: text.encode("latin-1"),
    "resolver": lambda text: None if text is None else _network(text),
    "ecs": lambda text: None if text is None else _network(text),
    f"{DECISION}.load_balancer": lambda parts: None if parts is None else SampledBalancer(*parts),
}


def encode_samples(samples: Sequence[TrafficSample]) -> bytes:
    """Return the bytes of samples."""
    decisions = [one.decision for one in samples]
    columns = _columns("", _OWN, samples)
    columns[DECISION] = [int(one is not None) for one in decisions]
    columns |= _columns(f"{DECISION}.", _OF_DECISION, [one for one in decisions if one is not None])
    text = json.dumps(columns, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return zlib.compress(text.encode(), _LEVEL)


def _columns(prefix: str, names: Sequence[str], rows: Sequence[object]) -> dict[str, Sequence[Any]]:
    """Return the values of some fields, those of all rows together."""
    values = zip(*map(attrgetter(*names), rows), strict=True) if rows else [()] * len(names)
    return dict(zip((prefix + name for name in names), values, strict=True))


def decode_samples(data: bytes) -> list[TrafficSample]:
    """Return the samples of a row; raises LbdnsError where it is damaged, or lacks what this release needs."""
    try:
        columns = json.loads(zlib.decompressobj().decompress(data, BYTES_MAX))
        decisions = iter(_rows(columns, f"{DECISION}.", _OF_DECISION))
        steered = (SampledDecision(**next(decisions)) if is_steered else None for is_steered in columns[DECISION])
        return [
            TrafficSample(**row, decision=decision)
            for row, decision in zip(_rows(columns, "", _OWN), steered, strict=True)
        ]
    except (zlib.error, ValueError, TypeError, KeyError, StopIteration) as error:
        raise LbdnsError(f"a row of samples in the history is damaged: {error}") from error


def _rows(columns: Mapping[str, Any], prefix: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the values of some fields, a dict a sample."""
    known = [name for name in names if prefix + name in columns]
    lists = [map(_READ.get(prefix + name, _tupled), columns[prefix + name]) for name in known]
    return [dict(zip(known, row, strict=True)) for row in zip(*lists, strict=True)]


def _plain(value: bytes | IPv4Network | IPv6Network) -> str:
    """Return the text of what JSON has no words for."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _tupled(value: Any) -> Any:
    """Return a value of JSON with tuples for lists."""
    return tuple(map(_tupled, value)) if isinstance(value, list) else value
