"""The last good copies of secondary zones on disk: one writer, the transfer worker, and readers at any time.

    secondaries/NAME.copy      the zone, whole (dns/zone_copy.py), put in place of the one before at once
    secondaries/NAME.checked   when a primary said last that it is the newest: JSON, unix seconds

A kill at any moment leaves each file as it was or as it is to be. What is damaged counts as not there, and is told.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.whole_file import write_whole
from lbdns.base.words import SECONDARIES
from lbdns.dns.name import show_name
from lbdns.dns.zone_copy import BadCopy, ZoneCopy, copy_path, decode_copy, encode_copy

_COPY: Final = ".copy"
_CHECKED: Final = ".checked"
KEPT_S: Final = 7 * 86_400.0
"""How long the copy of a zone is kept that is no longer to come from others: a mistake in the settings loses none."""

log = logging.getLogger("lbdns.transfer")


class HeldCopy(NamedTuple):
    """A copy, and when a primary said last that it is the newest (unix seconds)."""

    copy: ZoneCopy
    checked_s: float


class CopyShelf:
    """The copies in one state directory."""

    def __init__(self, state_dir: Path) -> None:
        """Describe the place; nothing is made before something is written."""
        self._state_dir = state_dir
        self._directory = state_dir / SECONDARIES

    def path(self, apex: bytes) -> Path:
        """Return where the copy of a zone is, or would be."""
        return copy_path(self._state_dir, apex)

    def read(self, apex: bytes) -> HeldCopy | None:
        """Return the copy of a zone, None where there is none that can be read; says why."""
        path = self.path(apex)
        try:
            copy = decode_copy(path.read_bytes())
            if copy.apex != apex:
                raise BadCopy(f"it is a copy of {show_name(copy.apex)}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            log.error("%s: cannot be read, so the zone is transferred anew: %s", path, error.strerror)
            return None
        except BadCopy as error:
            log.error("%s: %s; the zone is transferred anew", path, error)
            return None
        return HeldCopy(copy, max(self._checked_s(path), copy.received_s))

    def _checked_s(self, path: Path) -> float:
        try:
            return float(json.loads(path.with_suffix(_CHECKED).read_bytes())["checked_s"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0  # then the copy's own time counts

    def write(self, copy: ZoneCopy) -> None:
        """Put a copy in place of the one before; it is on the disk when this returns. Raises LbdnsError with that as it
        was."""
        self._make()
        path = self.path(copy.apex)
        write_whole(path, encode_copy(copy), f"the zone {show_name(copy.apex)}", is_lasting=True)
        with contextlib.suppress(OSError):
            handle = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)

    def note_checked(self, apex: bytes, checked_s: float) -> None:
        """Note that a primary said at a time (unix seconds) that the copy is the newest; raises LbdnsError."""
        self._make()
        path = self.path(apex).with_suffix(_CHECKED)
        write_whole(path, json.dumps({"checked_s": checked_s}) + "\n", "when a zone was checked")

    def remove_but(self, apexes: Iterable[bytes], now_s: float) -> None:
        """Remove what was left, and not looked at for KEPT_S, of zones that no longer come from others."""
        kept = {self.path(apex).name for apex in apexes}
        with contextlib.suppress(OSError):
            for path in self._directory.iterdir():
                if path.with_suffix(_COPY).name not in kept and now_s - path.stat().st_mtime > KEPT_S:
                    path.unlink(missing_ok=True)

    def _make(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise LbdnsError(f"{self._directory}: cannot be made: {error.strerror}") from error
