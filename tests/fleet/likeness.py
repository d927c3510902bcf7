"""For how long machines answer otherwise than each other after a mending."""

from __future__ import annotations

from typing import Final

ALIKE_S: Final = 5.0
"""After all is mended, all machines answer alike in this time."""
APART_S: Final = 1.0
"""How long machines may differ while a change of health is on its way."""


class Likeness:
    """For how long machines differ after a mending: what begins soon after it is of it; what begins later is a change
    of health on its way, which takes less than APART_S."""

    def __init__(self, mended_s: float) -> None:
        """Begin at the mending."""
        self.alike_s = 0.0
        self.apart_later_s = 0.0
        self._mended_s = mended_s
        self._apart_since_s: float | None = mended_s

    @property
    def is_settled(self) -> bool:
        """Whether they are alike now."""
        return self._apart_since_s is None

    def see(self, now_s: float, are_alike: bool) -> None:
        """Take in whether they are alike at a moment."""
        if self._apart_since_s is None:
            if are_alike:
                return
            self._apart_since_s = now_s
        if self._apart_since_s <= self._mended_s + ALIKE_S:
            self.alike_s = now_s - self._mended_s
        else:
            self.apart_later_s = max(self.apart_later_s, now_s - self._apart_since_s)
        if are_alike:
            self._apart_since_s = None
