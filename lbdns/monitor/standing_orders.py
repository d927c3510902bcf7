"""The operators' orders that stand: read from their file when it changed, applied, and again when one expires."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from lbdns.base.clocks import elapsed_s, wall_offset_s
from lbdns.base.errors import LbdnsError
from lbdns.base.words import FORCED_FILE
from lbdns.health import forced
from lbdns.health.forced import Forced
from lbdns.mapped.control import Control

log = logging.getLogger("lbdns.monitor")


class StandingOrders:
    """Follows the file of forced states in the state directory; `on_read` hears what it says, ends in unix seconds."""

    def __init__(self, state_dir: Path | None, control: Control, force: Callable[[tuple[Forced, ...]], None]) -> None:
        """`control` says that the file has changed, `force` applies the orders, which end by `elapsed_s`; no
        `state_dir`, no orders."""
        self._state_dir = state_dir
        self._control = control
        self._force = force
        self.on_read: Callable[[tuple[Forced, ...]], None] = lambda orders: None
        self._orders: tuple[Forced, ...] = ()
        self._expiry_s = float("inf")  # elapsed_s
        self._seen_version = -1
        self._seen_file_s = 0.0

    def follow(self) -> None:
        """Apply what the control file says is new, or what has changed by time."""
        if self._control.get("forced_version") != self._seen_version:
            self._read()
        elif elapsed_s() >= self._expiry_s:
            self._apply()

    def look(self) -> None:
        """Apply what somebody wrote into the file by hand."""
        if self._file_s() != self._seen_file_s:
            self._read()

    def _file_s(self) -> float:
        if self._state_dir is None:
            return 0.0
        try:
            return (self._state_dir / FORCED_FILE).stat().st_mtime
        except OSError:
            return 0.0

    def _read(self) -> None:
        self._seen_version, self._seen_file_s = self._control.get("forced_version"), self._file_s()
        if self._state_dir is None:
            return
        try:
            found = forced.load(self._state_dir)
            self._orders = forced.moved(found, -wall_offset_s())
        except LbdnsError as error:
            log.error("%s; the forced states stay as they were", error)
            return
        self._apply()
        self.on_read(found)

    def read(self) -> None:
        """Apply what the file says now."""
        self._read()

    def _apply(self) -> None:
        self._expiry_s = forced.next_expiry_s(self._orders, elapsed_s())
        self._force(self._orders)
