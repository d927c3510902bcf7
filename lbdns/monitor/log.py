"""The worker's log: one line per event on standard error, as text or as JSON."""

from __future__ import annotations

import json
import logging
import sys
import time


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z"
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        fields = {"time": moment, "level": record.levelname.lower(), "process": "monitor", "pid": record.process}
        return json.dumps({**fields, "message": text}, ensure_ascii=False)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        text = record.getMessage().replace("\n", " ")
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{moment} {record.levelname.lower():7} monitor: {text}"


def start_log(form: str) -> None:
    """Send this process's log lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.raiseExceptions = False  # a reader of standard error that goes away must not turn lines into tracebacks
