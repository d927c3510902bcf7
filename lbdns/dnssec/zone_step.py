"""A step of a zone: of its keys where it is signed, of its transfers where it has any."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Level = Literal["info", "warning", "error"]
_LOGGED: Final[Mapping[str, int]] = {"info": logging.INFO, "warning": logging.WARNING}


@dataclass(frozen=True, slots=True)
class ZoneStep:
    """What happened to a zone, when (unix seconds), and whether somebody should look at it (`warning`) or has to mend
    something (`error`)."""

    at_s: float
    zone: str
    what: str
    level: Level = "info"
    kind: str = "zone"

    @classmethod
    def told(cls, event: Mapping[str, Any]) -> ZoneStep:
        """Return the step that a child tells of."""
        return cls(event["at_s"], event["zone"], event["what"], event["level"])

    @property
    def text(self) -> str:
        """The step in one line for an operator."""
        return f"zone {self.zone}: {self.what}"

    @property
    def logged(self) -> int:
        """The level of its line in the log."""
        return _LOGGED.get(self.level, logging.ERROR)
