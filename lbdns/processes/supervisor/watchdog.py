"""Has the supervisor look at the beats of its children, over and over, whatever goes wrong on the way."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lbdns.processes.beats import at_each_beat
from lbdns.processes.supervisor.kept import Kept
from lbdns.processes.supervisor.pulse import LOOK_S

log = logging.getLogger("lbdns.processes")


async def watch_over(children: Sequence[Kept]) -> None:
    """Look every LOOK_S, until cancelled; a failure is told once, until it is over."""
    failing: set[str] = set()

    def look() -> None:
        for child in children:
            try:
                child.look()
                failing.discard(child.kind)
            except Exception:
                if child.kind not in failing:
                    log.exception("lbdns failed to look after the %s", child.kind)
                failing.add(child.kind)

    await at_each_beat(LOOK_S, look)
