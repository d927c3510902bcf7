"""Health changes of pools and their endpoints, from the record that the monitor worker keeps on disk.

The record has one line a change. Here it is read through from its beginning, so that each event can say how the pool
and all of its endpoints stood after it:

    changes of one pool within JOIN_S  ->  one event: the pool, its endpoints, which of them changed
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator

from lbdns.base.kinds import Kind
from lbdns.base.words import Health
from lbdns.health.events import MEASURED, RECORD_MAX, HealthChange, Seen, read_events
from lbdns.health.reasons import REASONS
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import invalid
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.openapi import ID, TIME, describe, nullable
from lbdns.manage.api.frame.paging import OptionalPaging, within
from lbdns.manage.api.frame.site import CurrentSite
from lbdns.manage.store.item import Item, time_text
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import POOLS

JOIN_S: Final = 0.05  # an endpoint's change and what its pool becomes by it are written one after the other
EVENTS_MAX: Final = 1000  # where no pages are asked for
NAME_CHARS_MAX: Final = 255
UP: Final = frozenset({Health.HEALTHY, Health.DEGRADED, Health.NO_MONITOR, Health.RESOLVED})
_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_POOL: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": {**nullable(ID), "description": "null where the pool is gone"},
        "name": _TEXT,
        "healthy": _FLAG,
        "changed": _FLAG,
        "minimum_origins": {"type": "integer"},
        "reason": {**_TEXT, "description": "why it changed where no probe decided, as of a forced state; ours"},
    },
    "required": ["id", "name", "healthy", "changed", "minimum_origins"],
    "additionalProperties": False,
}
_MONITOR: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": {**nullable(ID), "description": "null where the monitor is gone"},
        "name": _TEXT,
        "healthy": _FLAG,
        "failure_reason": _TEXT,
        "response_code": {"type": "integer"},
        "must_be_healthy": _FLAG,
        "monitoring_only": _FLAG,
    },
    "required": ["id", "name", "healthy", "failure_reason", "response_code", "must_be_healthy", "monitoring_only"],
    "additionalProperties": False,
}
_ORIGIN: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "address": _TEXT,
        "ip": {**_TEXT, "description": "the address that was probed"},
        "virtual_network": {**_TEXT, "description": "the network that it stood in; ours"},
        "enabled": _FLAG,
        "healthy": _FLAG,
        "changed": _FLAG,
        "failure_reason": _TEXT,
        "response_code": {"type": "integer"},
        "monitors": {
            "type": "array",
            "description": "what each saw: those that decided, and those that only watch",
            "items": _MONITOR,
        },
    },
    "required": [
        "name",
        "address",
        "ip",
        "enabled",
        "healthy",
        "changed",
        "failure_reason",
        "response_code",
        "monitors",
    ],
    "additionalProperties": False,
}
_EVENTS: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "timestamp": TIME,
            "pool": _POOL,
            "origins": {"type": "array", "items": _ORIGIN},
        },
        "required": ["id", "timestamp", "pool", "origins"],
        "additionalProperties": False,
    },
}

router = APIRouter(tags=["events"], dependencies=[belongs_to(POOLS)])


@dataclass(slots=True)
class _Pool:
    """How a pool and its endpoints stand while the record is read; endpoints by name: the last change of each."""

    healthy: bool = False
    endpoints: dict[str, HealthChange] = field(default_factory=dict)


@dataclass(slots=True)
class Event:
    """What happened to one pool at a time: its own change, those of its endpoints, and how all stood after it."""

    at_s: float
    pool: str
    healthy: bool
    pool_changed: bool
    endpoints: dict[str, HealthChange]
    changed: frozenset[str]
    reason: str = ""
    """Why the pool changed, where no probe decided."""


def events_of(changes: Iterable[HealthChange]) -> Iterator[Event]:
    """Yield the events that a record tells of, oldest first. Changes that a forced state hid are no events."""
    pools: dict[str, _Pool] = {}
    held: dict[str, list[HealthChange]] = {}
    for change in changes:
        if change.hidden or change.kind not in ("endpoint", "pool"):
            continue
        for name in [name for name, (first, *_) in held.items() if change.at_s - first.at_s > JOIN_S]:
            yield _joined(held.pop(name), pools)
        held.setdefault(change.pool, []).append(change)
    for waiting in held.values():
        yield _joined(waiting, pools)


def _joined(changes: list[HealthChange], pools: dict[str, _Pool]) -> Event:
    """Return one pool's changes as an event, and have `pools` say what is so after it."""
    name = changes[0].pool
    pool = pools.setdefault(name, _Pool())
    own = [change for change in changes if change.kind == "pool"]
    for change in changes:
        if change.kind == "endpoint":
            pool.endpoints[change.endpoint] = change
    # A pool that has never changed since the record begins is known by its endpoints alone.
    pool.healthy = own[-1].after in UP if own else pool.healthy or any(_is_up(one) for one in pool.endpoints.values())
    changed = frozenset(change.endpoint for change in changes if change.kind == "endpoint")
    reason = own[-1].why if own and own[-1].cause != MEASURED else ""
    return Event(changes[-1].at_s, name, pool.healthy, bool(own), dict(pool.endpoints), changed, reason)


def _is_up(change: HealthChange) -> bool:
    return change.after in UP


@router.get(
    "/user/load_balancing_analytics/events",
    summary="List changes of health, the latest first",
    **describe(_EVENTS, paged=True),
)
def list_events(
    site: CurrentSite,
    paging: OptionalPaging,
    since: Annotated[str | None, Query(max_length=40, json_schema_extra={"format": "date-time"})] = None,
    until: Annotated[str | None, Query(max_length=40, json_schema_extra={"format": "date-time"})] = None,
    pool_id: Annotated[str | None, Query(max_length=NAME_CHARS_MAX)] = None,
    pool_name: Annotated[str | None, Query(max_length=NAME_CHARS_MAX)] = None,
    origin_name: Annotated[str | None, Query(max_length=NAME_CHARS_MAX)] = None,
    pool_healthy: bool | None = None,
    origin_healthy: bool | None = None,
    limit: Annotated[int | None, BeforeValidator(within("limit", 1, EVENTS_MAX, EVENTS_MAX)), Query()] = None,
    offset: Annotated[int, BeforeValidator(within("offset", 0, RECORD_MAX, 0)), Query()] = 0,
) -> Response:
    """List what changed, when, and how each pool stood then.

    Of those that fit, `offset` are left out and then `limit` shown. Without page or per_page: 1,000 at most.
    """
    state = site.state
    since_s, until_s = _seconds("since", since, 0.0), _seconds("until", until, float("inf"))
    if pool_id is not None:
        pool = state.get(Kind.POOL, pool_id)
        if pool is None or pool_name not in (None, pool.name):
            return _shown([], state, paging)
        pool_name = pool.name

    def wanted(event: Event) -> bool:
        changes = [event.endpoints[name] for name in event.changed if origin_name in (None, name)]
        return (
            since_s <= event.at_s <= until_s
            and pool_name in (None, event.pool)
            and pool_healthy in (None, event.healthy)
            and (origin_name is None or bool(changes))
            and (origin_healthy is None or any(_is_up(change) is origin_healthy for change in changes))
        )

    changes = read_events(site.settings.state_dir(), 0.0, RECORD_MAX)
    found = [event for event in events_of(changes) if wanted(event)]
    return _shown(found[::-1][offset:][:limit], state, paging)


def _shown(events: list[Event], state: State, paging: OptionalPaging) -> Response:
    if paging.is_whole:
        events = events[:EVENTS_MAX]
    page, info = paging.of(events)
    return ok([event_body(event, state) for event in page], info)


def event_body(event: Event, state: State) -> dict[str, Any]:
    """Return an event as the v4 API says it."""
    pool = state.named(Kind.POOL, event.pool)
    origins: dict[str, Mapping[str, Any]] = {}
    if pool is not None:
        origins = {origin["name"]: origin for origin in pool.body["origins"]}
    return {
        # Milliseconds and 12 bits of the pool's name: the same each time, and whole in any client's numbers.
        "id": (int(event.at_s * 1000) << 12) | (zlib.crc32(event.pool.encode()) & 0xFFF),
        "timestamp": time_text(event.at_s),
        "pool": {
            "id": pool.id if pool is not None else None,
            "name": event.pool,
            "healthy": event.healthy,
            "changed": event.pool_changed,
            "minimum_origins": pool.body.get("minimum_origins", 1) if pool is not None else 1,
            **({"reason": event.reason} if event.reason else {}),
        },
        "origins": [
            _origin(event.endpoints[name], name in event.changed, origins.get(name), state)
            for name in _in_order(event, origins)
        ],
    }


def _in_order(event: Event, origins: Iterable[str]) -> list[str]:
    """Return an event's endpoints: the pool's in their order, then those that changed and are the pool's no longer."""
    known = [name for name in origins if name in event.endpoints]
    return [*known, *(name for name in event.endpoints if name in event.changed and name not in known)]


def _origin(change: HealthChange, changed: bool, origin: Mapping[str, Any] | None, state: State) -> dict[str, Any]:
    reason = change.reason or (REASONS[0] if _is_up(change) else change.detail)
    return {
        "name": change.endpoint,
        "address": origin["address"] if origin is not None else change.address,
        "ip": change.address,
        **({"virtual_network": change.network} if change.network else {}),
        "enabled": origin.get("enabled", True) if origin is not None else False,
        "healthy": _is_up(change),
        "changed": changed,
        "failure_reason": reason,
        "response_code": change.code,
        "monitors": [_monitor(found, state.named(Kind.MONITOR, name)) for name, found in _by_monitor(change).items()],
    }


def _by_monitor(change: HealthChange) -> dict[str, list[Seen]]:
    """Return the last result of each place and address that an endpoint was probed at, by monitor, oldest first."""
    last = {(seen.monitor, seen.vantage, seen.address): seen for seen in change.probes}
    found: dict[str, list[Seen]] = {}
    if change.monitor and not last:  # no evidence is kept: the change itself says what was seen
        reason = change.reason or REASONS[0]
        at = change.vantage, change.monitor, change.address
        return {change.monitor: [Seen(change.at_s, *at, _is_up(change), reason, change.code, change.rtt_us)]}
    for seen in sorted(last.values(), key=lambda seen: seen.at_s):
        found.setdefault(seen.monitor, []).append(seen)
    return found


def _monitor(found: Sequence[Seen], monitor: Item | None) -> dict[str, Any]:
    """Return what a monitor saw: the majority of places, and the latest result that says so."""
    healthy = 2 * sum(seen.healthy for seen in found) > len(found)
    told = [seen for seen in found if seen.healthy == healthy][-1]
    return {
        "id": monitor.id if monitor is not None else None,
        "name": told.monitor,
        "healthy": healthy,
        "failure_reason": told.reason,
        "response_code": told.code,
        "must_be_healthy": told.must_be_healthy,
        "monitoring_only": told.monitoring_only,
    }


def _seconds(parameter: str, text: str | None, otherwise: float) -> float:
    """Return RFC 3339 text as unix seconds; without an offset it is UTC. Raises ApiError."""
    if not text:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        raise invalid((f'{parameter} "{text}" is no time; expected one such as 2026-11-21T10:00:00Z', None)) from None
