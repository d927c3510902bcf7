"""Samples as the API and `lbdns` show them: the last ones, as JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import RCODE_NAMES
from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.configuration import Configuration
from lbdns.places.geodata import Geodata
from lbdns.telemetry.samples import SampleReader, TrafficSample

SHOWN_MAX: Final = 1000
SHOWN: Final = 100


def recent_samples(run: RunDirectory, configuration: Configuration, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the newest samples that the rings still hold, newest first: `since` unix seconds, at most `limit`; and
    how they are taken. Raises LbdnsError for a request that makes no sense."""
    try:
        since_s = float(request.get("since") or 0.0)
        limit = int(request.get("limit") or SHOWN)
    except (TypeError, ValueError) as error:
        raise LbdnsError(f"since is unix seconds, limit a number: {error}") from error
    geodata = configuration.settings.geodata
    reader = SampleReader(run, Geodata.open(geodata.city, geodata.asn, lookups_only=True), int(since_s * 1e9))
    try:
        samples = reader.read().samples
    finally:
        reader.close()
    settings = configuration.settings.samples
    return {
        "per_second": settings.per_second,
        "privacy": settings.privacy,
        "time": time.time(),
        "samples": [shown_sample(sample) for sample in samples[::-1][: max(0, min(limit, SHOWN_MAX))]],
    }


def shown_sample(sample: TrafficSample) -> dict[str, Any]:
    """Return a sample as JSON has it: names, networks as text, `time` in unix seconds."""
    row = {
        "time": sample.unix_ns / 1e9,
        "interval": sample.interval,
        "generation": sample.generation,
        "transport": sample.transport,
        "name": sample.name,
        "type": sample.type,
        "rcode": RCODE_NAMES.get(sample.rcode, f"RCODE{sample.rcode}"),
        "kind": sample.kind,
        "view": sample.view,
        "resolver": _text(sample.resolver),
        "ecs": _text(sample.ecs),
        "ecs_bits": sample.ecs_bits,
        "scope": sample.scope,
        "pop": sample.pop,
        "country": sample.country,
        "subdivision": sample.subdivision,
        "region": sample.region,
        "asn": sample.asn,
        "decision": None,
    }
    if sample.decision is not None:
        decision = asdict(sample.decision)
        balancer = sample.decision.load_balancer
        decision["load_balancer"] = None if balancer is None else balancer._asdict()
        decision["passed"] = [{"pool": pool, "reason": reason} for pool, reason in sample.decision.passed]
        decision["endpoints"] = [
            dict(zip(("pool", "name", "address", "virtual_network"), key, strict=False))
            for key in sample.decision.endpoints
        ]
        row["decision"] = decision
    return row


def _text(network: object) -> str | None:
    return None if network is None else str(network)
