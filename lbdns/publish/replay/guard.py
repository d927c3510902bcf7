"""How much a change may move: a share of what was recorded, beyond which it is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from lbdns.base.errors import LbdnsError

_PERCENT: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")


class Guarded(LbdnsError):
    """A change moves more clients than it may, or nobody can tell how many it does; nothing is changed.

    `told`: what it would move, as what-if tells it.
    """

    def __init__(self, message: str, told: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.told = told


def parse_guard(text: str) -> float:
    """Return the share that a guard such as `5%` or `0.5%` allows; raises LbdnsError."""
    found = _PERCENT.fullmatch(text.strip())
    share = float(found[1]) / 100.0 if found else 2.0
    if share > 1.0:
        raise LbdnsError(f'"{text}" is no share of clients; expected one such as 5% or 0.5%')
    return share


def check_guard(told: Mapping[str, Any], most: float) -> None:
    """Raise Guarded where a change moves a greater share than `most`, or where there is nothing to say it by."""
    share = told["moved"]["share"]
    if share is None:
        raise Guarded(f"how many clients this moves cannot be told: {told['caveats'][0]}; nothing is changed", told)
    if share <= most:
        return
    most_of_it = told["moves"][0]
    where = most_of_it["load_balancer"] or "names without a load balancer"
    raise Guarded(
        f"this moves {percent(share)} of the recorded clients, and the guard allows {percent(most)}; most of it "
        f"({percent(most_of_it['share'])}) at {where}, from {most_of_it['before']} to {most_of_it['after']}; "
        f"nothing is changed; a guard of {_allowing(share)} allows it",
        told,
    )


def percent(share: float) -> str:
    """Return a share as people read it."""
    value = 100.0 * share
    return f"{value:.1f}%" if value >= 0.1 or not value else f"{value:.2g}%"


def _allowing(share: float) -> str:
    return f"{min(100, math.ceil(100.0 * share))}%"
