"""The log: one line per event on standard error, as text for people or as JSON for collectors.

Where standard error is systemd's journal a text line carries the journal's priority instead of time and level. Lines
that repeat are folded (folding.py), whoever says them.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal, TextIO

from lbdns.base.folding import FOLD_S, Folded, Folding, Line

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


class _Folding(logging.StreamHandler[TextIO]):
    """Writes lines, and what repeats of them as a count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(sys.stderr)
        self._clock = clock
        self._lines = Folding()
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, unless it is one too many of its kind. Called under the handler's lock."""
        now_s = self._clock()
        self._tell(self._lines.due(now_s))
        template = record.msg if isinstance(record.msg, str) else repr(type(record.msg))
        try:
            line = Line(record.name, record.levelno, template, record.getMessage())
        except Exception:  # what is logged wrongly is for logging to complain about
            super().emit(record)
            return
        if self._lines.take(line, now_s):
            super().emit(record)
        elif self._timer is None:
            self._wait()

    def close(self) -> None:
        """Tell what was held back, and stop."""
        with self._locked():
            if self._timer is not None:
                self._timer.cancel()
            self._tell(self._lines.end(self._clock()))
        super().close()

    def _wait(self) -> None:
        """Tell in a while, though nothing else may be said until then."""
        self._timer = threading.Timer(FOLD_S, self._turn)
        self._timer.daemon = True
        try:
            self._timer.start()
        except RuntimeError:  # no thread to be had: then with the next line
            self._timer = None

    def _turn(self) -> None:
        with self._locked():
            self._timer = None
            self._tell(self._lines.due(self._clock()))
            if self._lines.holds:
                self._wait()

    def _tell(self, found: Iterable[Folded]) -> None:
        for one in found:
            record = logging.LogRecord(one.line.name, one.line.level, "", 0, "%s", (one.text,), None)
            super().emit(record)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def start_log(process: str, form: LogFormat) -> None:
    """Send this process's log lines to standard error in the given form: ours, and warnings of libraries."""
    handler = _Folding()
    if form == "json":
        handler.setFormatter(_Json(process))
    else:
        handler.setFormatter(_Journal(process) if _writes_to_journal() else _Text(process))
    for name, level in (("lbdns", logging.INFO), ("", logging.WARNING)):
        log = logging.getLogger(name)
        former, log.handlers[:] = log.handlers[:], [handler]
        for one in former:
            if isinstance(one, _Folding):
                one.close()
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
