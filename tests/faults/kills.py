"""How late the latest answer is when a responder is killed, over many kills of one server under load.

A quiet machine is needed for a figure: what it adds to answers when nobody is killed stands beside each.
"""

from __future__ import annotations

import os
import signal
import statistics
from pathlib import Path
from random import Random
from typing import Final

from tests.faults.kinds.processes import BETWEEN_S
from tests.faults.rig import FILES, rig_of, slowest, until
from tests.strain.endpoints import PlayedElsewhere
from tests.strain.subject import LoadPlan, send
from tests.strain.truth import TCP

LATE_S: Final = 0.025
"""What an answer may take when a responder is killed."""
SEEN_S: Final = 0.5
WHOLE_S: Final = 10.0


def measure_kills(count: int, work: Path, played: PlayedElsewhere, load: LoadPlan, seed: int) -> bool:
    """Kill a responder so many times, each when a spare waits, and print the slowest answer of each time; returns
    whether nothing was lost, and no answer later than LATE_S."""
    random = Random(seed)
    times: list[float] = []
    with rig_of(FILES, work, played, load, random, {}) as rig:
        for number in range(1, count + 1):
            until(lambda: not rig.why_not_whole(), WHOLE_S)
            until(lambda: False, BETWEEN_S)
            slowest(rig)
            until(lambda: False, SEEN_S)
            quiet_s = slowest(rig)
            pid = random.choice(rig.responders())
            send(pid, signal.SIGKILL)
            until(lambda: pid not in (now := rig.responders()) and 0 not in now, WHOLE_S)  # noqa: B023
            until(lambda: False, SEEN_S)
            times.append(slowest(rig))
            print(f"kill {number:3}: slowest {times[-1] * 1000:6.1f} ms; before it {quiet_s * 1000:.1f} ms", flush=True)
        rig.subject.asker.stop()
        slowest(rig)
        lost = sum(road != TCP for _, road, _ in rig.tally.lost)
    late = sum(one > LATE_S for one in times)
    median_ms = statistics.median(times) * 1000
    print(
        f"{count} kills: slowest {max(times) * 1000:.1f} ms, median of the slowest {median_ms:.1f} ms, {late} later "
        f"than {LATE_S * 1000:.0f} ms, {lost} lost; load average {os.getloadavg()[0]:.1f}"
    )
    return not lost and not late
