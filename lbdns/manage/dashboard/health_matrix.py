"""What the Health page shows: pools x places, who forced what, lines of round-trip times; plain values in and out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from lbdns.base.words import Health

SPARK_WIDTH, SPARK_HEIGHT = 96, 26
"""Of a line of round-trip times, in px."""
_WORST_FIRST: Final = (
    Health.CRITICAL,
    Health.UNRESOLVED,
    Health.UNHEALTHY,
    Health.DEGRADED,
    Health.UNKNOWN,
    Health.NO_HEALTH,
    Health.HEALTHY,
    Health.NO_MONITOR,
    Health.DISABLED,
)
_POOR: Final = frozenset(_WORST_FIRST[:5])
SHOWN: Final = (("", "All"), ("poor", "Not healthy"), ("forced", "Forced"))
"""Which pools are listed: value of `show`, and its words."""
FOR_S: Final = (
    ("900", "15 minutes"),
    ("3600", "1 hour"),
    ("14400", "4 hours"),
    ("86400", "1 day"),
    ("604800", "1 week"),
    ("", "until it is taken back"),
)
"""For how long a state is forced."""


def listed(pools: Iterable[Mapping[str, Any]], show: str = "", search: str = "") -> list[Mapping[str, Any]]:
    """Return the pools that are to be shown, the worst first, then by name. `search`: part of the name of a pool or
    endpoint, or of an address."""
    text = search.lower()
    found = [one for one in pools if _is_shown(one, show) and (not text or _has(one, text))]
    return sorted(found, key=lambda one: (_rank(one["state"]), one["name"]))


def _rank(state: str) -> int:
    return _WORST_FIRST.index(state) if state in _WORST_FIRST else 0


def _is_shown(pool: Mapping[str, Any], show: str) -> bool:
    if show == "poor":
        return pool["state"] in _POOR or any(one["state"] in _POOR for one in pool["origins"])
    if show == "forced":
        return bool(pool["order"]) or any(one["order"] for one in pool["origins"])
    return True


def _has(pool: Mapping[str, Any], text: str) -> bool:
    words = [pool["name"], *(word for one in pool["origins"] for word in (one["name"], one["address"]))]
    return any(text in word.lower() for word in words)


def counts(pools: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Return how many pools are in each state that there is, the worst first."""
    found = Counter(one["state"] for one in pools)
    return sorted(found.items(), key=lambda one: _rank(one[0]))


def row_of(
    pool: Mapping[str, Any], seen: Mapping[str, Any], lines: Mapping[str, Sequence[float | None]]
) -> dict[str, Any]:
    """Return a row of the matrix: a pool of the report, how places see it, its lines of round-trip times by region."""
    used = [one for one in pool["origins"] if one["state"] != Health.DISABLED]
    up = sum(1 for one in used if one["state"] in (Health.HEALTHY, Health.NO_MONITOR))
    reasons = Counter(
        one["reason"] for one in used if one["reason"] and one["state"] in (Health.UNHEALTHY, Health.UNRESOLVED)
    )
    first = next(iter(lines), "")
    return {
        **pool,
        "up": up,
        "used": len(used),
        "places": seen.get("places", {}) if pool["monitor"] else {},
        "reasons": [reason for reason, _ in reasons.most_common()],
        "orders": orders_of(pool),
        "spark": sparkline(lines[first]) if first else "",
        "spark_region": first,
        "rtt_ms": last_of(lines[first]) if first else next(iter(seen.get("regions_rtt_ms", {}).values()), None),
    }


def orders_of(pool: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is forced of a pool and of its endpoints: each order with what it is about."""
    about = [
        (pool["name"], pool["order"]),
        *((f"{pool['name']}/{one['name']}", one["order"]) for one in pool["origins"]),
    ]
    return [{"what": what, **order} for what, order in about if order]


def places_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the columns of the matrix: every place that sees one of the pools."""
    return list(dict.fromkeys(place for row in rows for place in row["places"]))


def lines_by_pool(series: Mapping[str, Any] | None) -> dict[str, dict[str, list[float | None]]]:
    """Return the lines of /lbdns/v1/history/series?what=rtt by pool and region; a line is called "POOL REGION"."""
    found: dict[str, dict[str, list[float | None]]] = {}
    for line in series["series"] if series else ():
        pool, _, region = line["name"].rpartition(" ")
        found.setdefault(pool, {})[region] = line["values"]
    return found


def last_of(values: Sequence[float | None]) -> float | None:
    """Return the last value that is known."""
    return next((one for one in reversed(values) if one is not None), None)


def sparkline(values: Sequence[float | None], width: int = SPARK_WIDTH, height: int = SPARK_HEIGHT) -> str:
    """Return values as a path from 0 at the bottom to their greatest at the top; gaps where nothing is known. A line of
    less than two values is none."""
    known = [one for one in values if one is not None]
    if len(known) < 2:
        return ""
    top = max(known) or 1.0
    step = (width - 2) / (len(values) - 1)
    parts, is_on = [], False
    for index, value in enumerate(values):
        if value is None:
            is_on = False
            continue
        y = height - 2 - value / top * (height - 4)
        parts.append(f"{'L' if is_on else 'M'}{1 + index * step:.1f} {y:.1f}")
        is_on = True
    return "".join(parts)


def orders_in_force(orders: Iterable[Mapping[str, Any]], now_s: float | None = None) -> list[Mapping[str, Any]]:
    """Return the orders that hold, the newest first; what a later one of the same pattern replaced or took back is left
    out."""
    at_s = time.time() if now_s is None else now_s
    last = {one["pattern"]: one for one in orders}
    held = [
        one for one in last.values() if one["state"] != "auto" and (one["until"] is None or _s(one["until"]) > at_s)
    ]
    return sorted(held, key=lambda one: str(one["set_on"]), reverse=True)


def _s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def force_body(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return what the API is sent by the form: {"pattern", "state"} and, where given, "for_s" and "why"."""
    body: dict[str, Any] = {"pattern": fields.get("pattern", "").strip(), "state": fields.get("state", "")}
    for_s = fields.get("for_s", "").strip()
    if for_s:
        body["for_s"] = int(for_s) if for_s.isascii() and for_s.isdigit() else for_s
    if why := fields.get("why", "").strip():
        body["why"] = why
    return body


def force_errors(errors: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the API's errors by the field that they are about, "" where it is none."""
    found: dict[str, list[str]] = {}
    for error in errors:
        pointer = str((error.get("source") or {}).get("pointer", "")).strip("/")
        told = str(error["message"]).removesuffix(": validation failed")
        found.setdefault(pointer or ("pattern" if "matches" in told else ""), []).append(told)
    return found
