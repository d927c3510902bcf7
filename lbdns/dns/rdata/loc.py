"""LOC (RFC 1876): its parts as the API names them, and its text `51 30 12.748 N 0 7 39.611 W 12m 1m 10000m 10m`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lbdns.base.json_values import Report, number_in_text
from lbdns.dns.rdata.data_parts import Complete, check_known

_DIRECTIONS: Final = {"lat": "NS", "long": "EW"}
_MOST: Final = {
    "lat_degrees": 90,
    "lat_minutes": 59,
    "lat_seconds": 59.999,
    "long_degrees": 180,
    "long_minutes": 59,
    "long_seconds": 59.999,
    "altitude": 42_849_672.95,
    "size": 90_000_000,
    "precision_horz": 90_000_000,
    "precision_vert": 90_000_000,
}
_LEAST: Final = {"altitude": -100_000.0}
_WHOLE: Final = frozenset({"lat_degrees", "lat_minutes", "long_degrees", "long_minutes"})
_DEFAULTS: Final = {
    "lat_minutes": 0,
    "lat_seconds": 0,
    "long_minutes": 0,
    "long_seconds": 0,
    "altitude": 0,
    "size": 1,
    "precision_horz": 10_000,
    "precision_vert": 10,
}
"""RFC 1876 section 3; metres, minutes and seconds of arc."""
LOC_KEYS: Final = (*_MOST, "lat_direction", "long_direction")
_LENGTHS: Final = ("altitude", "size", "precision_horz", "precision_vert")


class LocForm:
    """LOC's parts: degrees, minutes and seconds of arc, and lengths in metres."""

    keys = LOC_KEYS

    def of(self, parsed: Any) -> dict[str, Any]:
        """Return the parts of dnspython's LOC data, whose lengths are centimetres."""
        made: dict[str, Any] = {}
        for axis, value in (("lat", parsed.latitude), ("long", parsed.longitude)):
            degrees, minutes, seconds, milliseconds, sign = value
            made[f"{axis}_degrees"] = degrees
            made[f"{axis}_minutes"] = minutes
            made[f"{axis}_seconds"] = _number(seconds + milliseconds / 1000)
            made[f"{axis}_direction"] = _DIRECTIONS[axis][sign < 0]
        lengths_cm = (parsed.altitude, parsed.size, parsed.horizontal_precision, parsed.vertical_precision)
        for key, length_cm in zip(_LENGTHS, lengths_cm, strict=True):
            made[key] = _number(length_cm / 100)
        return made

    def content(self, data: Mapping[str, Any]) -> str:
        """Return the text that says the same as data from `of`."""
        words: list[str] = []
        for axis in _DIRECTIONS:
            words += [_shown(data, f"{axis}_{unit}") for unit in ("degrees", "minutes", "seconds")]
            words.append(str(data[f"{axis}_direction"]))
        words += [f"{_shown(data, key)}m" for key in _LENGTHS]
        return " ".join(words)

    def sent(self, content: str) -> dict[str, str]:
        """Return nothing: numbers are shown in one spelling."""
        return {}

    def spelled(self, data: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
        """Return the data as they are."""
        return dict(data)

    def text(self, data: Mapping[str, Any], priority: Any, complete: Complete, report: Report) -> str | None:
        """Return the text of what a client gave; None where a part was reported as wrong."""
        check_known(data, LOC_KEYS, report)
        data = {key: number_in_text(value) for key, value in data.items()}
        is_right = True
        for key in LOC_KEYS:
            value = data.get(key)
            expected = _expected(key, _DEFAULTS.get(key) if value is None else value)
            if expected:
                report(key, expected)
                is_right = False
        return self.content(data) if is_right else None


def _expected(key: str, value: Any) -> str:
    """Return what would be right in place of a value; nothing where it is right."""
    if key.endswith("_direction"):
        directions = _DIRECTIONS[key.removesuffix("_direction")]
        is_right = isinstance(value, str) and len(value) == 1 and value in directions
        return "" if is_right else f"expected {' or '.join(directions)}"
    least, most = _LEAST.get(key, 0), _MOST[key]
    kind = "a whole number" if key in _WHOLE else "a number"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        return f"expected {kind} from {least:g} to {most:.10g}"
    return f"expected {kind}" if key in _WHOLE and value != value // 1 else ""


def _shown(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    number = _number(_DEFAULTS.get(key, 0) if value is None else value)
    return f"{number:.3f}".rstrip("0").rstrip(".") if isinstance(number, float) else str(number)


def _number(value: float) -> float | int:
    return int(value) if value == value // 1 else value
