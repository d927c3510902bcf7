"""What the tests of what-if have in common: a state directory in which something is served, and samples."""

from __future__ import annotations

import time
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import dns.name
import dns.rdatatype

from lbdns.config.loading import parse
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.configuration import Configuration
from lbdns.publish.publisher import Published, Publisher
from lbdns.telemetry.samples import TrafficSample

ZONE: Final = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\nplain A 192.0.2.7\n"
POOLS: Final = {
    name: {"origins": [{"name": "one", "address": f"192.0.2.{number}"}]}
    for number, name in enumerate(("eu", "us", "tv"), 1)
}
NOW_S: Final = time.time()


def tree(*balancers: Mapping[str, Any], pools: Mapping[str, Any] = POOLS, **more: Any) -> dict[str, Any]:
    """Return a configuration with these load balancers, each of the pool eu where it says nothing else."""
    made = [{"default_pools": ["eu"], "fallback_pool": "eu", **one} for one in balancers]
    return {"settings": {}, "zones": {"example.com": ZONE}, "pools": dict(pools), "load_balancers": made, **more}


def configured(given: Mapping[str, Any], folder: Path) -> Configuration:
    """Return a configuration as files would say it."""
    return parse(dict(given), folder).configuration


def serve(state_dir: Path, configuration: Configuration) -> Published:
    """Put a configuration in force in a state directory, as a server does, without any process."""
    state_dir.mkdir(exist_ok=True)
    run = RunDirectory(state_dir)
    publisher = Publisher(Control.create(run.control), run)
    prepared = publisher.prepare(configuration)
    publisher.publish(prepared)
    return prepared


def sample(
    name: str = "www.example.com",
    ecs: str | None = "198.51.100.0/24",
    *,
    resolver: str | None = "203.0.113.0/24",
    qtype: str = "A",
    ago_s: float = 60.0,
    **more: Any,
) -> TrafficSample:
    """Return a sample of a query."""
    network = None if ecs is None else ip_network(ecs)
    values: dict[str, Any] = {
        "writer": "0-1",
        "number": 1,
        "unix_ns": int((NOW_S - ago_s) * 1e9),
        "interval": 1,
        "generation": 1,
        "transport": "udp",
        "qname": dns.name.from_text(name).to_wire(),
        "qtype": int(dns.rdatatype.from_text(qtype)),
        "rcode": 0,
        "kind": "STEERED",
        "view": "public",
        "known_view": "public",
        "resolver": None if resolver is None else ip_network(resolver),
        "ecs": network,
        "ecs_bits": 0 if network is None else network.prefixlen,
        "scope": 0,
        "draw": 0,
        "pop": "",
        "pop_region": "",
        "country": "",
        "subdivision": "",
        "region": "",
        "asn": 0,
        "decision": None,
        "is_named": True,
    }
    return TrafficSample(**{**values, **more})
