"""The targets document: what the supervisor tells the monitor worker to probe, as frozen nouns.

The supervisor writes one per generation. Keys that a later supervisor adds are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_address
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.health.identity import identity
from lbdns.model.monitors import Monitor
from lbdns.model.notification import Notification
from lbdns.model.pool import NotificationFilter


@dataclass(frozen=True, slots=True)
class Vantage:
    """Where probes are sent from: a name, the region it speaks for ("": unknown), and a local address ("": any)."""

    name: str = "local"
    region: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A monitor's part in judging a pool's endpoints; a pool with a single monitor has one member."""

    name: str
    monitor: Monitor
    votes: bool = True
    must_be_healthy: bool = False

    def __hash__(self) -> int:
        return hash((self.name, self.votes, self.must_be_healthy))


@dataclass(frozen=True, slots=True)
class EndpointSpec:
    """One endpoint as configured: `host` is its own Host header ("": none); `is_name`: the address is a hostname.

    `must_resolve`: somebody needs the addresses of a hostname, to probe or to answer them.
    """

    pool: str
    name: str
    slot: int
    address: str
    is_name: bool
    enabled: bool
    port: int
    host: str
    identity: int
    must_resolve: bool = True


NOT_ON_WIRE: Final = frozenset({"pool", "name", "slot", "is_name", "enabled", "identity", "must_resolve"})
"""Fields of an endpoint that no probe of it follows from: a change of any other one begins its probes anew."""

on_wire: Final = attrgetter(*(field.name for field in fields(EndpointSpec) if field.name not in NOT_ON_WIRE))
"""Returns what of an endpoint reaches its probes, as a tuple."""


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """One pool as configured; `members` judge its endpoints, and nobody does where it has no monitor."""

    name: str
    slot: int
    enabled: bool
    minimum_origins: int
    monitored: bool
    members: tuple[Member, ...]
    check_regions: tuple[str, ...]
    endpoints: tuple[EndpointSpec, ...]
    notification_filter: NotificationFilter | None = None


@dataclass(frozen=True, slots=True)
class BalancerSpec:
    """A load balancer's name, the pools that its policy may choose among, and the last resort."""

    name: str
    pools: tuple[str, ...]
    fallback: str


@dataclass(frozen=True, slots=True)
class Targets:
    """One generation's work."""

    generation: int
    table: Path
    resolvers: tuple[str, ...]
    pools: tuple[PoolSpec, ...]
    balancers: tuple[BalancerSpec, ...]
    vantages: tuple[Vantage, ...]
    notifications: tuple[Notification, ...] = ()


def load_targets(path: Path) -> Targets:
    """Read a document; raises LbdnsError saying what is wrong with it."""
    try:
        return parse_targets(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise LbdnsError(f"{path}: cannot read what to probe: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LbdnsError(f"{path}: not a targets document of this release: {error!r}") from error


def parse_targets(document: Mapping[str, Any]) -> Targets:
    """Return a document's content; raises ValueError, KeyError or TypeError where it is malformed."""
    monitors = {name: Monitor.model_validate(value) for name, value in document["monitors"].items()}
    pools = tuple(_pool(value, monitors, document.get("monitor_groups") or {}) for value in document["pools"])
    region = (document.get("pop") or {}).get("region") or ""
    vantages = tuple(
        Vantage(value["name"], value.get("region") or region, value.get("source") or "")
        for value in document.get("vantage_points") or ()
    )
    return Targets(
        generation=int(document["generation"]),
        table=Path(document["table"]),
        resolvers=tuple(document.get("resolvers") or ()),
        pools=pools,
        balancers=tuple(
            BalancerSpec(value["name"], tuple(value.get("candidates", value["pools"])), value["fallback"])
            for value in document["load_balancers"]
        ),
        vantages=vantages or (Vantage(region=region),),
        notifications=tuple(Notification.model_validate(value) for value in document.get("notifications") or ()),
    )


def _pool(value: Mapping[str, Any], monitors: Mapping[str, Monitor], groups: Mapping[str, Any]) -> PoolSpec:
    name, told = value["name"], value.get("notification_filter")
    return PoolSpec(
        name=name,
        slot=int(value["slot"]),
        enabled=bool(value["enabled"]),
        minimum_origins=int(value["minimum_origins"]),
        monitored=bool(value.get("monitor") or value.get("monitor_group")),
        members=_members(value, monitors, groups),
        check_regions=tuple(value.get("check_regions") or ()),
        endpoints=tuple(_endpoint(name, endpoint) for endpoint in value["origins"]),
        notification_filter=None if told is None else NotificationFilter.model_validate(told),
    )


def _members(
    value: Mapping[str, Any], monitors: Mapping[str, Monitor], groups: Mapping[str, Any]
) -> tuple[Member, ...]:
    if value.get("monitor"):
        return (Member(value["monitor"], monitors[value["monitor"]]),)
    if not value.get("monitor_group"):
        return ()
    return tuple(
        Member(
            member["monitor"],
            monitors[member["monitor"]],
            votes=not member.get("monitoring_only"),
            must_be_healthy=bool(member.get("must_be_healthy")),
        )
        for member in groups[value["monitor_group"]]["members"]
        if member.get("enabled", True)
    )


def _endpoint(pool: str, value: Mapping[str, Any]) -> EndpointSpec:
    address = value["address"]
    hosts = (value.get("header") or {}).get("Host") or [""]
    return EndpointSpec(
        pool=pool,
        name=value["name"],
        slot=int(value["slot"]),
        address=address,
        is_name=is_name(address),
        enabled=bool(value["enabled"]),
        port=int(value.get("port") or 0),
        host=hosts[0],
        identity=identity(pool, value["name"], address),
        must_resolve=bool(value.get("must_resolve", True)),
    )


def is_name(address: str) -> bool:
    """Whether an endpoint's address is a hostname."""
    try:
        ip_address(address)
    except ValueError:
        return True
    return False
