"""What happened to zones, on disk: to the keys of those that are signed, and to those that are transferred.

One writer, the supervisor, who hears it of the signer and of the transfer worker. Transfers have files of their own:
they may be many, and leave those of keys, which are few, where they are.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.words import (
    DNSSEC_STEPS_FILE,
    OLDER_DNSSEC_STEPS_FILE,
    OLDER_TRANSFER_STEPS_FILE,
    TRANSFER_STEPS_FILE,
)
from lbdns.dnssec.zone_step import ZoneStep

FILE_BYTES_MAX: Final = 1 << 20
"""Of each of two files: thousands of steps."""


class StepFiles(NamedTuple):
    """Two files that take turns, the one that is written and the one before it, and what they are about."""

    current: str
    older: str
    about: str


KEYS: Final = StepFiles(DNSSEC_STEPS_FILE, OLDER_DNSSEC_STEPS_FILE, "keys")
TRANSFERS: Final = StepFiles(TRANSFER_STEPS_FILE, OLDER_TRANSFER_STEPS_FILE, "transfers")

log = logging.getLogger("lbdns.processes")


class StepRecord:
    """The record on disk, for its one writer."""

    def __init__(self, directory: Path, files: StepFiles = KEYS) -> None:
        """Append to the record in `directory`."""
        self._path = directory / files.current
        self._older = directory / files.older
        self._about = files.about

    def add(self, step: ZoneStep) -> None:
        """Add a step. Where the disk refuses, the log alone has it."""
        line = json.dumps(asdict(step), ensure_ascii=False).encode() + b"\n"
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                os.write(handle, line)
                is_full = os.fstat(handle).st_size >= FILE_BYTES_MAX
            finally:
                os.close(handle)
            if is_full:
                os.replace(self._path, self._older)
        except OSError as error:
            log.error("%s: cannot note what happens to %s: %s", self._path, self._about, error.strerror)


def read_steps(directory: Path, since_s: float = 0.0) -> list[ZoneStep]:
    """Return the steps kept in `directory` at or after `since_s`, oldest first; raises LbdnsError where they cannot be
    read."""
    found = [
        step
        for files in (KEYS, TRANSFERS)
        for name in (files.older, files.current)
        for step in _read(directory / name, files.about)
        if step.at_s >= since_s
    ]
    return sorted(found, key=lambda step: step.at_s)


def _read(path: Path, about: str) -> Iterator[ZoneStep]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise LbdnsError(f"{path}: cannot read what happened to {about}: {error.strerror}") from error
    for line in lines:
        try:
            yield ZoneStep(**json.loads(line))
        except (ValueError, TypeError):
            continue  # a crash cut the line short
