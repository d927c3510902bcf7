"""Times as query parameters say them: how long ago, unix seconds, or RFC 3339."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Final

MOMENT_FORMS: Final = "-1h or -15min (ago), unix seconds, or a time such as 2026-01-31T12:00:00Z"
"""What `moment_s` takes, in words."""
_UNITS_S: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_AGO: Final = re.compile(rf"-([0-9]{{1,9}})({'|'.join(_UNITS_S)})", re.ASCII)
_LATEST_S: Final = 1 << 40


def moment_s(text: str, now_s: float) -> float | None:
    """Return the unix seconds that a text says, UTC where it names no offset; None where it says none."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return max(now_s - int(ago[1]) * _UNITS_S[ago[2]], 0.0)
    try:
        found = float(text)
    except ValueError:
        found = _written_s(text)
    return found if math.isfinite(found) and 0 <= found <= _LATEST_S else None


def _written_s(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan
