"""Saying when the monitor worker is silent, and when it is back."""

from __future__ import annotations

import logging

from lbdns.telemetry.thresholds import STALE_S

log = logging.getLogger("lbdns.processes")


class MonitorSilence:
    """Tells of a silence once, and of its end."""

    def __init__(self) -> None:
        """Begin with a worker that is not missed."""
        self._is_stale = False

    def look(self, silence_s: float | None) -> None:
        """Take for how long it has given no sign of life; None: it never has."""
        was_stale, self._is_stale = self._is_stale, silence_s is not None and silence_s > STALE_S
        if self._is_stale and not was_stale:
            log.error("the monitor worker has been silent for %.0f s: the last known health stands", silence_s)
        elif was_stale and not self._is_stale:
            log.info("the monitor worker is back")
