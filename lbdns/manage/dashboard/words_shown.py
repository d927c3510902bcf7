"""Numbers, times and states as pages show them: with units, relative and absolute, never by colour alone."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request

from lbdns.base.wording import counted
from lbdns.base.words import Health
from lbdns.dnssec.zone_status import SigningState
from lbdns.manage.dashboard.page_calls import as_text, path_with
from lbdns.transfer.zone_transfer_status import TransferState

NOTHING: Final = "-"
"""Stands where there is no value."""
STEPS: Final = (
    (60.0, 1.0, "second"),
    (3600.0, 60.0, "minute"),
    (86400.0, 3600.0, "hour"),
    (math.inf, 86400.0, "day"),
)
"""Below how many seconds -> the unit, in seconds, and its name."""
PREFIXES: Final = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e5, 1e3, "k"))
"""From how much on a number is told in how much larger a unit; below that it stands in full."""
GOOD, POOR, BAD, UNKNOWN, IDLE = "good", "poor", "bad", "unknown", "idle"
STATE_SHAPES: Final = {
    Health.HEALTHY: GOOD,
    Health.ENABLED: GOOD,
    Health.UP: GOOD,
    Health.RESOLVED: GOOD,
    Health.DEGRADED: POOR,
    Health.UNHEALTHY: BAD,
    Health.CRITICAL: BAD,
    Health.DOWN: BAD,
    Health.UNRESOLVED: BAD,
    Health.UNKNOWN: UNKNOWN,
    Health.NO_MONITOR: IDLE,
    Health.NO_HEALTH: IDLE,
    Health.DISABLED: IDLE,
    SigningState.ACTIVE: GOOD,
    SigningState.PENDING: POOR,
    SigningState.PENDING_DISABLED: POOR,
    SigningState.ERROR: BAD,
    TransferState.CURRENT: GOOD,
    TransferState.PENDING: POOR,
    TransferState.FAILING: POOR,
    TransferState.EXPIRED: BAD,
}
"""The shape, and with it the colour, that goes with each word for a state."""

Time = float | int | str | None
"""Unix seconds, or RFC 3339 as the API has it."""


def unix_s(value: Time) -> float | None:
    """Return a time in unix seconds; None where there is none, or it cannot be read."""
    if value is None or isinstance(value, int | float):
        return value
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        return None


def iso_time(value: Time) -> str:
    """Return a time as <time datetime> has it; "" where there is none."""
    at_s = unix_s(value)
    return (
        "" if at_s is None else datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    )


def absolute(value: Time) -> str:
    """Return a time as people read it, in UTC."""
    at_s = unix_s(value)
    return NOTHING if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%a %d %b %Y, %H:%M:%S UTC")


def ago(value: Time, now_s: float | None = None) -> str:
    """Return how long ago a time was, or in how long it will be."""
    at_s = unix_s(value)
    if at_s is None:
        return NOTHING
    passed_s = (time.time() if now_s is None else now_s) - at_s
    if abs(passed_s) < 1.0:
        return "now"
    told = duration(abs(passed_s))
    return f"{told} ago" if passed_s > 0 else f"in {told}"


def age(value: Time, now_s: float | None = None) -> str:
    """Return for how long something has been so, since a time."""
    at_s = unix_s(value)
    return NOTHING if at_s is None else duration(max(0.0, (time.time() if now_s is None else now_s) - at_s))


def duration(seconds: float | None) -> str:
    """Return a length of time in its largest unit."""
    if seconds is None:
        return NOTHING
    _, unit_s, name = next(step for step in STEPS if seconds < step[0])
    return counted(int(seconds // unit_s), name)


def number(value: float | None, unit: str = "") -> str:
    """Return a number with the digits that count and its unit: 0.25, 12.3, 1,234, 123 k, 1.2 M."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size, mark = next(((size, mark) for least, size, mark in PREFIXES if abs(value) >= least), (1.0, ""))
    scaled = value / size
    digits = 0 if abs(scaled) >= 100 or scaled == int(scaled) else 1 if abs(scaled) >= 10 else 2
    return " ".join(filter(None, (f"{scaled:,.{digits}f}", mark, unit)))


def rate(value: float | None) -> str:
    """Return a second's rate of queries."""
    return number(value, "q/s")


def share(part: float | None, whole: float | None = 1.0) -> str:
    """Return a part of a whole in percent."""
    if part is None or not whole:
        return NOTHING
    percent = 100.0 * part / whole
    return f"{percent:.0f} %" if percent in (0.0, 100.0) or percent >= 99.95 else f"{percent:.1f} %"


def milliseconds(value: float | str | None) -> str:
    """Return a round-trip time, of milliseconds or of what the v4 API calls them: "12.3ms"."""
    if value is None or value == "":
        return NOTHING
    ms = float(value.removesuffix("ms")) if isinstance(value, str) else value
    return f"{ms:.1f} ms" if ms < 100 else f"{ms:.0f} ms"


def counted_words(count: int, name: str, plural: str = "") -> str:
    """Return a count with its noun: "1 pool", "3 pools", "2 entries"."""
    return counted(count, name, plural)


def pretty(value: Any) -> str:
    """Return JSON for people to read."""
    return as_text(value)


def shown_value(value: Any) -> str:
    """Return a field's value as it stands in a list of differences: text as it is, anything else as JSON."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def field_id(pointer: str) -> str:
    """Return the id of the field for the value that a JSON pointer leads to."""
    return "field" + pointer.replace("/", "-")


def with_query(request: Request, **changed: Any) -> str:
    """Return the path of a request with parts of its query string changed; None takes a part out."""
    kept = {key: request.query_params.getlist(key) for key in request.query_params}
    return path_with(request.url.path, {**kept, **changed})


def state_shape(state: str) -> str:
    """Return the shape of a state: good, poor, bad, unknown or idle."""
    return STATE_SHAPES.get(state, UNKNOWN)


def curl(method: str, address: str, body: Any = None) -> str:
    """Return the command that sends the same to the API."""
    parts: Iterable[str] = (
        f"curl -X {method} '{address}'",
        '-H "Authorization: Bearer $LBDNS_TOKEN"',
        *([f"-d '{as_text(body)}'"] if body is not None else []),
    )
    return " \\\n  ".join(parts)
