"""What every message about alerts says alike: how many are told of at once, when things were, many in one line.

A *summary* stands for many alerts at once: the counts, and the alerts themselves, at most CHANGES_MAX of them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

from lbdns.base.wording import counted
from lbdns.monitor.notify.alerts import Alert

CHANGES_MAX: Final = 100
BALANCERS_MAX: Final = 10  # load balancers named in an alert


def summary_text(alerts: Sequence[Alert], unheard: int) -> str:
    """Return many alerts in one line: how many, of what, where."""
    counts = Counter((alert.source, alert.new_health) for alert in alerts)
    nouns = {"pool": "pool", "origin": "endpoint", "virtual_network": "virtual network"}
    told = [f"{counted(count, nouns[source])} {health}" for (source, health), count in counts.most_common()]
    if unheard:
        told.append(f"{unheard} more")
    return f"{len(alerts) + unheard} changes: {', '.join(told)}"


def moment(at_s: float) -> str:
    """Return unix seconds as RFC 3339, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))
