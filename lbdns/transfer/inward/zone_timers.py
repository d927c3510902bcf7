"""When a zone's primaries are asked, and until when it is served (RFC 1035 section 3.3.13). Pure: times come in.

                   start                 refresh or NOTIFY                     a primary answered
    (nothing) ---------------> WAITING --------------------> CHECKING ----------------------------> WAITING for refresh
                                  ^                             |  none did
                                  '------------ retry ----------'
    at any time: nobody answered for `expire` seconds --> EXPIRED, until one does

All times are seconds of one clock that goes on evenly; the time of day is for what outlives a start alone.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

REFRESH_MIN_S: Final = 30.0
REFRESH_MAX_S: Final = 28 * 86_400.0
RETRY_MIN_S: Final = 15.0
RETRY_MAX_S: Final = 14 * 86_400.0
EXPIRE_MAX_S: Final = 168 * 86_400.0
"""What an SOA may ask for: a primary is not asked without a pause, nor forgotten (BIND has bounds of the same kind)."""
FIRST_RETRY_S: Final = 2.0
FIRST_RETRY_MAX_S: Final = 300.0
"""Where nothing is there yet: each time it fails, twice as long as before."""
NOTIFY_PAUSE_S: Final = 0.2
"""Between two checks that were asked for: whoever may notify may not have a primary asked without end."""
JITTER: Final = 0.1
"""By how much of itself a wait is shorter at random, so that zones of one primary do not ask together."""
_TIMES: Final = Struct("!IIII")


class SoaTimes(NamedTuple):
    """What an SOA says of secondaries, bounded, in seconds."""

    refresh_s: float
    retry_s: float
    expire_s: float

    @staticmethod
    def of(soa: bytes, refresh_s: int = 0) -> SoaTimes:
        """Return the times in the data of an SOA record; `refresh_s`: in place of its own, 0 for none."""
        refresh, retry, expire, _ = _TIMES.unpack(soa[-_TIMES.size :])
        bounded_refresh = min(max(float(refresh_s or refresh), REFRESH_MIN_S), REFRESH_MAX_S)
        bounded_retry = min(max(float(retry), RETRY_MIN_S), RETRY_MAX_S)
        return SoaTimes(
            bounded_refresh, bounded_retry, min(max(float(expire), bounded_refresh + bounded_retry), EXPIRE_MAX_S)
        )


class ZoneTimers:
    """One zone's. `next_s`: when a primary is to be asked; `checked_s`: when one last answered, None for never."""

    def __init__(self, now_s: float) -> None:
        """Begin with nothing: it is to be asked at once."""
        self.next_s = now_s
        self.checked_s: float | None = None
        self._times: SoaTimes | None = None
        self._failures = 0
        self._asked_s: float | None = None

    def hold(self, times: SoaTimes, checked_s: float) -> None:
        """Begin with a copy that is there, of which a primary said at `checked_s` that it is the newest."""
        self._times, self.checked_s = times, checked_s

    @property
    def expires_s(self) -> float | None:
        """When it expires unless a primary answers; None where nothing is there."""
        return None if self._times is None or self.checked_s is None else self.checked_s + self._times.expire_s

    def is_expired(self, now_s: float) -> bool:
        """Return whether what is there is too old to be served."""
        expires_s = self.expires_s
        return expires_s is not None and now_s >= expires_s

    def begun(self, now_s: float) -> None:
        """Say that primaries are asked now."""
        self._asked_s = now_s

    def succeeded(self, now_s: float, times: SoaTimes, draw: float) -> None:
        """Say that what is there is the newest, and what its SOA says; `draw`: from 0 to 1, at random."""
        self._times, self.checked_s, self._failures = times, now_s, 0
        self.next_s = now_s + times.refresh_s * (1 - JITTER * draw)

    def failed(self, now_s: float, draw: float) -> None:
        """Say that no primary answered, or that what came cannot be taken."""
        wait_s = min(FIRST_RETRY_S * 2**self._failures, FIRST_RETRY_MAX_S)
        self._failures = min(self._failures + 1, 16)
        if self._times is not None and not self.is_expired(now_s):
            wait_s = self._times.retry_s
        self.next_s = now_s + wait_s * (1 - JITTER * draw)

    def ask_soon(self, now_s: float) -> None:
        """Have primaries asked at once: one has said that the zone changed, or an operator wants it."""
        earliest_s = now_s if self._asked_s is None else max(now_s, self._asked_s + NOTIFY_PAUSE_S)
        self.next_s = min(self.next_s, earliest_s)

    def wakes_s(self, now_s: float) -> float:
        """Return when there is something to do next: a check is due, or the zone expires."""
        expires_s = self.expires_s
        return self.next_s if expires_s is None or now_s >= expires_s else min(self.next_s, expires_s)
