"""Every node of the schema, its fields, their types and where their values come from: schema, filters, orders, grouping
and rows are made from this table alone.

A field is made from *words* of what is kept (traffic_rows.py): a sample of traffic, a cell of the history, or a change
of health. Most are one word as it is; others are looked up by words in what is configured (node_facts.py), and `make`
says how. A node of rows shows its fields; of one that groups (`...Groups`), rows are counted by those fields that are
asked for among `dimensions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from lbdns.manage.api.graphql.node_facts import NodeFacts
from lbdns.manage.api.graphql.scalars import (
    DATE,
    DAY_S,
    FLOAT64,
    STRING,
    TIME,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    Scalar,
)
from lbdns.manage.store.token_scopes import LOAD_BALANCERS, POOLS, ZONES

Make = Callable[..., Any]
Shown = Literal["rows", "groups", "both"]
Data = Literal["steered", "health", "answered"]
"""What a node is about: queries that a load balancer answered, health, or all queries."""
STEPS: Final = {
    "Minute": 60,
    "FiveMinutes": 300,
    "TenMinutes": 600,
    "FifteenMinutes": 900,
    "HalfOfHour": 1800,
    "Hour": 3600,
    "SixHours": 21_600,
    "Day": DAY_S,
}
"""Times that are cut: the field's ending, and to how many seconds."""
PAGE_MAX: Final = 10_000
"""Rows of one node."""
FIELDS_MAX: Final = 60
"""Fields that may be asked of one node."""


def _as_it_is(facts: NodeFacts, value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class NodeField:
    """One scalar, or a list of them: its type, the words that it is made from, and how where it is not one as it is.

    `make` is called with what is configured (node_facts.py) and the words' values.
    """

    name: str
    type: Scalar
    words: tuple[str, ...]
    description: str
    make: Make = _as_it_is
    shown: Shown = "both"
    is_list: bool = False
    step_s: int = 1
    """Of a time: to how many seconds it is cut."""

    @property
    def is_plain(self) -> bool:
        """Whether it is a word as it is, so that whoever keeps that can filter by it."""
        return self.make is _as_it_is and not self.is_list


@dataclass(frozen=True, slots=True)
class Nested:
    """A list of objects within a row; `make` returns a mapping by field's name for each."""

    name: str
    words: tuple[str, ...]
    fields: tuple[tuple[str, Scalar], ...]
    make: Make
    description: str


@dataclass(frozen=True, slots=True)
class Measure:
    """What is told of a group beside its count, as `GROUP { NAME }`: made of the count and of sums of words."""

    group: str
    name: str
    type: Scalar
    words: tuple[str, ...]
    make: Callable[..., Any]
    description: str
    by_rule: bool = False
    """Whether it is about rules: its words are told of each rule alone."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node: what is kept that it shows, in which area of scopes, and its fields."""

    name: str
    data: Data
    area: str
    description: str
    fields: tuple[NodeField, ...]
    nested: tuple[Nested, ...] = ()
    measures: tuple[Measure, ...] = ()

    @property
    def groups(self) -> bool:
        """Whether it counts rows instead of showing them."""
        return bool(self.measures)

    def field(self, name: str) -> NodeField:
        """Return a field by its name, which it has."""
        return next(field for field in self.fields if field.name == name)


def _cut(step_s: int) -> Make:
    return lambda facts, seconds: int(seconds) // step_s * step_s


def _times() -> Iterator[NodeField]:
    yield NodeField("date", DATE, ("time",), "the day, in UTC", _cut(DAY_S), step_s=DAY_S)
    yield NodeField("datetime", TIME, ("time",), "when; of a group to the minute", _cut(1))
    for ending, step_s in STEPS.items():
        description = f"when, cut to {step_s} s"
        yield NodeField(f"datetime{ending}", TIME, ("time",), description, _cut(step_s), step_s=step_s)


_TIMES: Final = tuple(_times())
_INTERVAL: Final = NodeField("sampleInterval", UINT32, ("interval",), "of how many this one was kept", shown="rows")
_ZONE: Final = NodeField("zoneTag", STRING, ("zone",), "the zone's id")


def _average(count: float, total: float) -> float:
    return total / count if count else 0.0


_AVERAGE_INTERVAL: Final = Measure(
    "avg",
    "sampleInterval",
    FLOAT64,
    ("samples",),
    lambda count, samples: count / samples if samples else 1.0,
    "how many are counted for each that was kept",
)

_STEERED: Final = (
    *_TIMES,
    _ZONE,
    NodeField("lbName", STRING, ("load_balancer",), "the load balancer"),
    NodeField("region", STRING, ("region",), "the region that the client was taken to be in, such as WEU"),
    NodeField("coloCode", STRING, ("pop",), "the PoP that answered"),
    NodeField("proxied", UINT8, (), "0: answers are the endpoints' addresses", lambda facts: 0),
    NodeField(
        "steeringPolicy", STRING, ("load_balancer", "view"), "how its pools are chosen", NodeFacts.steering_policy
    ),
    NodeField(
        "sessionAffinity", STRING, ("load_balancer", "view"), "as configured", NodeFacts.session_affinity, "rows"
    ),
    NodeField("sessionAffinityStatus", STRING, (), "none: DNS has no sessions", lambda facts: "none", "rows"),
    NodeField("selectedPoolId", STRING, ("pool",), "the id of the pool, empty where it is gone", NodeFacts.pool_id),
    NodeField("selectedPoolName", STRING, ("pool",), "the pool that the answer is from"),
    NodeField(
        "selectedPoolIndex", UINT64, ("pool_position",), "its place among the pools of the load balancer", shown="rows"
    ),
    NodeField("selectedPoolHealthy", UINT8, ("pool_up",), "whether it was healthy then"),
    NodeField(
        "selectedPoolHealthChecksEnabled", UINT8, ("pool",), "whether it has a monitor", NodeFacts.pool_is_checked
    ),
    NodeField(
        "selectedPoolAvgRttMs",
        UINT64,
        ("pool_rtt_ms",),
        "its round-trip time as steering had it, in whole ms",
    ),
    NodeField(
        "selectedOriginIndex", UINT64, ("pool", "endpoints"), "place in its pool", NodeFacts.endpoint_index, "rows"
    ),
    NodeField("selectedOriginName", STRING, ("endpoint",), "the first endpoint of the answer"),
    NodeField("selectedOriginNames", STRING, ("endpoints",), "the endpoints of the answer", is_list=True),
    NodeField("numberOriginsSelected", UINT64, ("endpoint_count",), "how many endpoints are in the answer"),
    NodeField(
        "multipleOriginsSelected", UINT8, ("endpoint_count",), "whether several", lambda facts, count: int(count > 1)
    ),
    NodeField("errorType", STRING, ("error",), "why no healthy pool answered; empty where one did"),
)

_HEALTH: Final = (
    *_TIMES,
    NodeField("healthCheckId", STRING, ("check_id",), "the id of the health check, or of the pool"),
    NodeField("healthCheckName", STRING, ("check",), "the health check, or the pool and its endpoint"),
    NodeField("healthStatus", STRING, ("status",), "Healthy or Unhealthy"),
    NodeField("healthChanged", UINT8, ("changed",), "whether the state changed by it"),
    NodeField("failureReason", STRING, ("reason",), "what failed"),
    NodeField("fqdn", STRING, ("fqdn",), "the endpoint's name, or its address"),
    NodeField("originIP", STRING, ("address",), "the address that was probed"),
    NodeField("originResponseStatus", UINT16, ("code",), "the status that it answered with, 0 where none came"),
    NodeField("expectedResponseCodes", STRING, ("check_monitor",), "as configured", NodeFacts.expected_codes),
    NodeField("region", STRING, ("vantage",), "where it was probed from"),
    NodeField("scope", STRING, (), "what was probed", lambda facts: "endpoint"),
    NodeField("rttMs", UINT64, ("rtt_ms",), "how long it took, in whole ms"),
    NodeField("timeToFirstByteMs", UINT64, ("rtt_ms",), "the same: phases are not told apart"),
    NodeField("tcpConnMs", UINT64, ("no_ms",), "0: phases are not told apart"),
    NodeField("tlsHandshakeMs", UINT64, ("no_ms",), "0: phases are not told apart"),
)

_ANSWERED: Final = (
    *_TIMES,
    _ZONE,
    NodeField("queryName", STRING, ("qname",), "the name that was asked for, without its final dot"),
    NodeField("queryType", STRING, ("qtype",), "the type that was asked for, such as AAAA"),
    NodeField("responseCode", STRING, ("rcode",), "the reply's code, such as NXDOMAIN"),
    NodeField("responseCached", UINT8, (), "0: this server is authoritative", lambda facts: 0),
    NodeField("coloName", STRING, ("pop",), "the PoP that answered"),
    NodeField("protocol", STRING, ("transport",), "how it came: udp, tcp, ..."),
    NodeField("ipVersion", UINT8, ("ip_version",), "of the client that sent it: 4 or 6"),
    NodeField("sourceIP", STRING, ("resolver_network",), "the network that it came from, cut to /24 or /56"),
)


def _node(name: str, data: Data, area: str, what: str, fields: Sequence[NodeField], nested: tuple[Nested, ...]) -> Node:
    rows = tuple(field for field in (*fields, _INTERVAL) if field.shown != "groups")
    return Node(name, data, area, what, rows, nested)


def _groups(
    name: str, data: Data, area: str, what: str, fields: Sequence[NodeField], measures: tuple[Measure, ...] = ()
) -> Node:
    dimensions = tuple(field for field in fields if field.shown != "rows")
    return Node(f"{name}Groups", data, area, what, dimensions, (), (_AVERAGE_INTERVAL, *measures))


_RULE: Final = NodeField("ruleName", STRING, ("rule",), "the rule that it matched", shown="groups")
_BY_RULE: Final = (
    Measure(
        "sum",
        "ruleMatches",
        UINT64,
        ("matched",),
        lambda count, matched: round(matched),
        "requests that matched the rule, or of all rules together",
        by_rule=True,
    ),
    Measure(
        "sum",
        "totalRequestsWithRule",
        UINT64,
        ("with_rule",),
        lambda count, with_rule: round(with_rule),
        "requests to load balancers that have the rule",
        by_rule=True,
    ),
    Measure(
        "ratio",
        "ruleMatchPercentage",
        FLOAT64,
        ("matched", "with_rule"),
        lambda count, matched, with_rule: 100.0 * matched / with_rule if with_rule else 0.0,
        "of these, how many matched: 0 to 100",
        by_rule=True,
    ),
)
_POOLS: Final = Nested(
    "pools",
    ("load_balancer", "view", "time"),
    (("id", STRING), ("poolName", STRING), ("healthy", UINT8), ("healthCheckEnabled", UINT8), ("avgRttMs", UINT64)),
    NodeFacts.pools,
    "the load balancer's pools, as they stood then",
)
_ORIGINS: Final = Nested(
    "origins",
    ("pool", "endpoints", "time"),
    (
        ("originName", STRING),
        ("originAddress", STRING),
        ("ipv4", STRING),
        ("ipv6", STRING),
        ("fqdn", STRING),
        ("health", UINT8),
        ("healthy", UINT8),
        ("weight", FLOAT64),
        ("selected", UINT8),
    ),
    NodeFacts.origins,
    "the endpoints of the pool that was chosen, as they stood then",
)
_HEALTH_AVERAGES: Final = tuple(
    Measure("avg", name, FLOAT64, (word,), _average, "mean, in ms")
    for name, word in (
        ("rttMs", "rtt_ms"),
        ("timeToFirstByteMs", "rtt_ms"),
        ("tcpConnMs", "no_ms"),
        ("tlsHandshakeMs", "no_ms"),
    )
)

NODES: Final = (
    _node(
        "loadBalancingRequestsAdaptive",
        "steered",
        LOAD_BALANCERS,
        "Queries that load balancers answered, one in so many",
        _STEERED,
        (_POOLS, _ORIGINS),
    ),
    _groups(
        "loadBalancingRequestsAdaptive",
        "steered",
        LOAD_BALANCERS,
        "Queries that load balancers answered, counted",
        (*_STEERED, _RULE),
        _BY_RULE,
    ),
    _node("healthCheckEventsAdaptive", "health", POOLS, "Changes of health", _HEALTH, ()),
    _groups("healthCheckEventsAdaptive", "health", POOLS, "Changes of health, counted", _HEALTH, _HEALTH_AVERAGES),
    _node("dnsAnalyticsAdaptive", "answered", ZONES, "Queries, one in so many", _ANSWERED, ()),
    _groups("dnsAnalyticsAdaptive", "answered", ZONES, "Queries, counted", _ANSWERED),
)
"""All nodes: a zone has them, and an account."""
NODE_BY_NAME: Final = {node.name: node for node in NODES}
