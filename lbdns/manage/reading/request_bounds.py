"""How much one request may say, looked at before what it says; whoever has more sends several requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lbdns.base.kinds import Kind
from lbdns.model import bounds
from lbdns.model.bounds import MAX_ALERTING_OBJECTS, MAX_ROUTES, MAX_SILENCES, MAX_VIRTUAL_NETWORKS

MIB: Final = 1 << 20
BODY_BYTES_MAX: Final = MIB
"""Of a request that is about single objects."""
LARGE_BODY_BYTES_MAX: Final = 64 * MIB
"""Of one that takes a whole zone, or a whole configuration."""

SHORT_BYTES_MAX: Final = 256 * 1024
"""Of a body that a thread reads; a process of its own reads a longer one."""

DEPTH_MAX: Final = 32
VALUES_MAX: Final = 5_000_000
"""Values of one body, by the commas and opening brackets in it."""
OPENING_BYTES: Final = 72
"""What an empty list or object takes, once it is parsed."""
KEY_CHARS_MAX: Final = 1024
"""A key is repeated in whatever is told of what stands below it; the longest that means something is a zone's name."""
FIELDS_MAX: Final = 20_000
"""Fields of one object within a body; a load balancer's pool weights are 10,000 at most."""

OBJECTS_MAX: Final[Mapping[str, int]] = {
    Kind.VIRTUAL_NETWORK.section: MAX_VIRTUAL_NETWORKS,
    Kind.ROUTE.section: MAX_ROUTES,
    Kind.MONITOR.section: 25_000,
    Kind.MONITOR_GROUP.section: 25_000,
    Kind.POOL.section: 25_000,
    Kind.LOAD_BALANCER.section: 100_000,
    Kind.ZONE.section: 10_000,
    Kind.WEBHOOK.section: MAX_ALERTING_OBJECTS,
    Kind.PAGERDUTY.section: MAX_ALERTING_OBJECTS,
    Kind.POLICY.section: MAX_ALERTING_OBJECTS,
    Kind.SILENCE.section: MAX_SILENCES,
    Kind.TSIG.section: bounds.MAX_TSIGS,
    Kind.PEER.section: bounds.MAX_PEERS,
    Kind.ACL.section: bounds.MAX_ACLS,
    Kind.INCOMING.section: bounds.MAX_TRANSFERRED_ZONES,
    Kind.OUTGOING.section: bounds.MAX_TRANSFERRED_ZONES,
}
"""Objects of each section of one configuration."""
ENDPOINTS_MAX: Final = 100_000
"""Endpoints of all pools of one configuration."""
RECORDS_MAX: Final = 250_000
"""Records of one master file, or of all zones of one configuration; those that $GENERATE makes are counted as well."""
FORM_PARTS_MAX: Final = 10

MEMORY_PER_BYTE: Final = 12
MEMORY_LEAST: Final = 192 * MIB
"""What reading a body may take: so many times the body, and this beside it for what is told and for short bodies. A
configuration of 100,000 load balancers takes a little over 10 times its 23 MB beside that."""
TOO_HEAVY: Final = 3
"""The exit status of a reader's process that got no more memory."""
CPU_S: Final = 10
"""How long reading one body may compute."""
READING_S: Final = 30.0
"""How long it may take by the clock, beside others' work."""
SPOOLED_BYTES_MAX: Final = 4 * LARGE_BODY_BYTES_MAX
"""Of all large bodies that are on their way in, or being read, at one time."""
READERS_MAX: Final = 2
"""Bodies that are read at one time; others wait."""
