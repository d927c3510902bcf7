"""The log: one line per event on standard error, as text for people or as JSON for collectors.

Where standard error is systemd's journal a text line carries the journal's priority instead of time and level.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from types import TracebackType

LogFormat = Literal["text", "json"]

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _Text(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        text = _text(record).replace("\n", "\n    ")
        return f"{moment} {record.levelname.lower():7} {self._process}: {text}"


class _Journal(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        priority = _PRIORITIES.get(record.levelno, 6)
        return "\n".join(f"<{priority}>{self._process}: {line}" for line in _text(record).split("\n"))


class _Json(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z"
        fields = {
            "time": moment,
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": record.process,
            "message": _text(record),
        }
        return json.dumps(fields, ensure_ascii=False)


def _text(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.exc_info:
        text += "\n" + logging.Formatter().formatException(record.exc_info)
    return text


def start_log(process: str, form: LogFormat) -> None:
    """Send this process's log lines to standard error in the given form: ours, and warnings of libraries."""
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(_Json(process))
    else:
        handler.setFormatter(_Journal(process) if _writes_to_journal() else _Text(process))
    for name, level in (("lbdns", logging.INFO), ("", logging.WARNING)):
        log = logging.getLogger(name)
        log.handlers[:] = [handler]
        log.setLevel(level)
        log.propagate = False
    # A reader of our standard error that goes away must not turn each line into a traceback.
    logging.raiseExceptions = False


def log_uncaught() -> None:
    """Have what nothing catches, in a thread or in none, be a line of the log: it would have no priority otherwise."""
    log = logging.getLogger("lbdns")

    def of_process(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            log.critical("failed: this process ends", exc_info=(kind, error, trace))

    def of_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
            told = (failed.exc_type, failed.exc_value, failed.exc_traceback)
            log.critical("failed: a thread of this process ends", exc_info=told)

    def of_nobody(failed: sys.UnraisableHookArgs) -> None:
        error = failed.exc_value
        log.error("%s: %r", failed.err_msg or "ignored", failed.object, exc_info=error)

    sys.excepthook, threading.excepthook, sys.unraisablehook = of_process, of_thread, of_nobody


def _writes_to_journal() -> bool:
    """Whether standard error is the stream that systemd says is the journal's (device and inode, systemd.exec(5))."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
