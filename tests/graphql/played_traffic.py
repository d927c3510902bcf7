"""Traffic and health that are made up, in memory: rows of words, as the history gives them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lbdns.base.kinds import Kind
from lbdns.manage.api.graphql.node_facts import NodeFacts
from lbdns.manage.api.graphql.node_rows import RowReading
from lbdns.manage.api.graphql.query_bounds import Work
from lbdns.manage.api.graphql.query_execution import GraphqlRequest, QueryContext, answer
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import TokenScopes

NOW_S = 1_800_000_000.0 - 1_800_000_000.0 % 3600
"""The beginning of an hour: 2027-01-15T07:00:00Z."""
KEPT_S = 90 * 86_400.0
ACCOUNT = "a" * 32
ZONE, OTHER_ZONE = "1" * 32, "2" * 32
POOLS = {"eu": "3" * 32, "us": "4" * 32}
MONITOR = "5" * 32

Row = dict[str, Any]


def steered(before_s: float, pool: str = "eu", **words: Any) -> Row:
    """Return a query that a load balancer answered some seconds ago."""
    endpoints = words.pop("endpoints", (f"{pool}-1",))
    return {
        "time": NOW_S - before_s,
        "zone": ZONE,
        "load_balancer": "lb.example.com",
        "view": "",
        "pool": pool,
        "pool_up": 1,
        "pool_rtt_ms": {"eu": 12, "us": 95}[pool],
        "pool_position": list(POOLS).index(pool),
        "endpoints": endpoints,
        "endpoint": endpoints[0] if endpoints else "",
        "endpoint_count": len(endpoints),
        "region": "WEU",
        "pop": "AMS",
        "error": "",
        "rules": (),
        "interval": 1,
        "inexact": 0,
        **words,
    }


def answered(before_s: float, qname: str = "www.example.com", **words: Any) -> Row:
    """Return any query, some seconds ago."""
    return {
        "time": NOW_S - before_s,
        "zone": ZONE,
        "qname": qname,
        "qtype": "A",
        "rcode": "NOERROR",
        "pop": "AMS",
        "transport": "udp",
        "ip_version": 4,
        "resolver_network": "192.0.2.0/24",
        "interval": 1,
        "inexact": 0,
        **words,
    }


def changed(before_s: float, status: str, **words: Any) -> Row:
    """Return a change of health, some seconds ago."""
    return {
        "time": NOW_S - before_s,
        "zone": ZONE,
        "check_id": POOLS["eu"],
        "check": "eu/eu-1",
        "check_monitor": "http",
        "status": status,
        "changed": 1,
        "reason": "No failures" if status == "Healthy" else "HTTP timeout occurred",
        "fqdn": "192.0.2.1",
        "address": "192.0.2.1",
        "code": 200 if status == "Healthy" else 0,
        "vantage": "ams",
        "rtt_ms": 12 if status == "Healthy" else 2000,
        "no_ms": 0,
        "interval": 1,
        "inexact": 0,
        **words,
    }


@dataclass
class PlayedTraffic:
    """Rows of each kind of data. `read` notes what was asked for."""

    rows_of: Mapping[str, Sequence[Row]]
    with_rules: Mapping[str, Sequence[str]] = field(default_factory=dict)
    read: list[RowReading] = field(default_factory=list)

    def _within(self, reading: RowReading, step_s: int) -> Iterator[Row]:
        self.read.append(reading)
        for row in self.rows_of.get(reading.data, ()):
            at_s = row["time"] // step_s * step_s
            if reading.zone_id in ("", row["zone"]) and reading.since_s - step_s < at_s < reading.until_s:
                yield row if step_s == 1 else {**row, "time": at_s}

    def rows(self, reading: RowReading, newest_first: bool) -> Iterable[Row]:
        """Yield rows in the order of time."""
        found = [row for row in self._within(reading, 1) if reading.since_s <= row["time"]]
        yield from sorted(found, key=lambda row: row["time"], reverse=newest_first)

    def step_s(self, reading: RowReading) -> int:
        """Return that traffic is counted by the minute."""
        return 1 if reading.data == "health" else 60

    def counts(self, reading: RowReading, step_s: int) -> Iterable[Row]:
        """Yield what each row stands for."""
        return self._counted(reading, step_s)

    def _counted(self, reading: RowReading, step_s: int) -> Iterator[Row]:
        for row in self._within(reading, step_s):
            counted = {**row, "count": row["interval"], "samples": 1}
            if "rule" not in reading.words:
                yield counted
                continue
            for rule in self.with_rules.get(row["load_balancer"], ()):
                matched = row["interval"] if rule in row["rules"] else 0
                yield {**counted, "rule": rule, "count": matched, "matched": matched, "with_rule": row["interval"]}


class PlayedHealth:
    """How everything stood: `us` was down, and what is asked of the rest is known to be up."""

    def pool_is_up(self, pool: str, at_s: float) -> bool | None:
        """Tell whether a pool was up."""
        return pool != "us"

    def endpoint_is_up(self, pool: str, endpoint: str, at_s: float) -> bool | None:
        """Tell whether an endpoint was."""
        return pool != "us"

    def rtt_ms(self, pool: str, at_s: float) -> float | None:
        """Return a pool's round-trip time."""
        return {"eu": 12.4, "us": 95.0}.get(pool)


def played_state() -> State:
    """Return a state with two zones and a load balancer over two pools."""
    balancer = {
        "name": "lb.example.com",
        "steering_policy": "geo",
        "default_pools": [POOLS["eu"], POOLS["us"]],
        "fallback_pool": POOLS["us"],
    }
    pools = [
        Item(
            Kind.POOL,
            id,
            {
                "name": name,
                "monitor": MONITOR,
                "origins": [
                    {"name": f"{name}-1", "address": f"192.0.2.{at}", "weight": 1.0},
                    {"name": f"{name}-2", "address": f"2001:db8::{at}", "weight": 0.5},
                ],
            },
        )
        for at, (name, id) in enumerate(POOLS.items(), 1)
    ]
    zones = [Item(Kind.ZONE, ZONE, {"name": "example.com"}), Item(Kind.ZONE, OTHER_ZONE, {"name": "example.net"})]
    monitor = Item(Kind.MONITOR, MONITOR, {"name": "http", "expected_codes": "2xx"})
    return State.of([monitor, *pools, *zones, Item(Kind.LOAD_BALANCER, "6" * 32, balancer, ZONE)], 1)


def context(traffic: PlayedTraffic, scopes: str = "read", **changes: Any) -> QueryContext:
    """Return what queries are answered from."""
    state = played_state()
    facts = NodeFacts(state, PlayedHealth())
    parsed = TokenScopes.parse(scopes.split())
    given: dict[str, Any] = {"now_s": NOW_S, "work": Work(lambda: 0.0), **changes}
    return QueryContext(parsed, ACCOUNT, state, facts, traffic, KEPT_S, **given)


def ask(
    traffic: PlayedTraffic,
    query: str,
    variables: Mapping[str, Any] | None = None,
    operation_name: str | None = None,
    scopes: str = "read",
    **changes: Any,
) -> dict[str, Any]:
    """Return the answer to a query."""
    request = GraphqlRequest(query, variables or {}, operation_name)
    return answer(request, lambda: context(traffic, scopes, **changes))
