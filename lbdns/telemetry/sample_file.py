"""Samples that were exported: JSON objects, one a line or all in a list, with or without the envelope of the API.

`name` and `time` (RFC 3339 or unix seconds) are needed; `type`, `resolver`, `ecs`, `interval`, `country`, `view`,
`known_view`, `generation` and `scope` are taken where they are there; what else there is does not matter to who asks
again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import dns.exception
import dns.name
import dns.rdatatype

from lbdns.base.errors import LbdnsError
from lbdns.places.place import Network
from lbdns.telemetry.recorded_traffic import RecordedTraffic
from lbdns.telemetry.samples import TrafficSample

TOLD_MAX: Final = 20
_ASKED: Final = "asked"
"""The kind of a sample of which it is not told: a zone was asked."""


def traffic_in(path: Path) -> RecordedTraffic:
    """Return the samples of a file; raises LbdnsError with every mistake, up to TOLD_MAX."""
    samples, problems = [], []
    for line, row in _rows(path):
        try:
            samples.append(_sample(row))
        except (KeyError, TypeError, ValueError, dns.exception.DNSException) as error:
            told = f"the sample lacks {error}" if isinstance(error, KeyError) else str(error)
            problems.append(f"{path}:{line}: {told}")
            if len(problems) == TOLD_MAX:
                break
    if problems:
        raise LbdnsError("\n".join(problems))
    return RecordedTraffic(samples, is_elsewhere=True)


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield what the file has, with the line that it stands in or begins in."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise LbdnsError(f"{path}: cannot read it: {error.strerror}") from error
    except UnicodeDecodeError:
        raise LbdnsError(f"{path}: not a text in UTF-8") from None
    try:
        whole = json.loads(text)
    except ValueError:
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except ValueError as error:
                    raise LbdnsError(f"{path}:{number}: no JSON: {error}") from None
        return
    if isinstance(whole, Mapping) and "result" in whole:
        whole = whole["result"]
    if isinstance(whole, Mapping) and "samples" in whole:
        whole = whole["samples"]
    yield from ((1, one) for one in (whole if isinstance(whole, list) else [whole]))


def _sample(row: Any) -> TrafficSample:
    if not isinstance(row, Mapping):
        raise ValueError("expected an object for each sample")
    name = dns.name.from_text(str(row["name"])).canonicalize().to_wire() or b""
    ecs, resolver = _network(row.get("ecs")), _network(row.get("resolver"))
    return TrafficSample(
        writer="",
        number=0,
        unix_ns=int(_unix_s(row["time"]) * 1e9),
        interval=max(1, int(row.get("interval") or 1)),
        generation=int(row.get("generation") or 0),
        transport=str(row.get("transport") or "udp"),
        qname=name,
        qtype=int(dns.rdatatype.from_text(str(row.get("type") or "A"))),
        rcode=0,
        kind=_ASKED,
        view=str(row.get("view") or ""),
        known_view=str(row.get("known_view") or ""),
        resolver=resolver,
        ecs=ecs,
        ecs_bits=0 if ecs is None else ecs.prefixlen,
        scope=int(row.get("scope") or 0),
        draw=0,
        pop="",
        pop_region="",
        country=str(row.get("country") or ""),
        subdivision="",
        region="",
        asn=0,
        decision=None,
        is_named=True,
    )


def _network(given: Any) -> Network | None:
    return None if given in (None, "") else ip_network(str(given), strict=False)


def _unix_s(given: Any) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    return datetime.fromisoformat(str(given)).timestamp()
