"""What is asked of recorded traffic, and by which process: named here, so that whoever asks loads nothing of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

SINCE_S: Final = 3600.0
MODULE: Final = "lbdns.telemetry.what_if_process"
CPU_S: Final = 120
"""How long one question may be computed."""


@dataclass(frozen=True, slots=True)
class WhatIfQuestion:
    """Which traffic to ask again: of a span (unix seconds), with the health of now, or with every endpoint up."""

    since_s: float
    until_s: float
    all_up: bool = False

    @staticmethod
    def of_last(seconds: float = SINCE_S, all_up: bool = False) -> WhatIfQuestion:
        """Return the question of the last so many seconds."""
        now_s = time.time()
        return WhatIfQuestion(now_s - seconds, now_s, all_up)
