"""What several commands share: finding the running server, and printing JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import moment

UNITS_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_LARGEST_FIRST = ("d", "h", "min", "s")
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(s|m|min|h|d)")

PIPE_COLUMNS = 140
"""How wide a table is where the output goes into a file or another program."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def config_option(text: str) -> Callable[[Decorated], Decorated]:
    """Add `--config DIR`, explained by `text`."""
    return click.option("--config", type=click.Path(path_type=Path, exists=True, file_okay=False), help=text)


def print_json(value: Any) -> None:
    """Print a value as JSON, indented, with keys in the order in which they were made."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def parse_duration_s(text: str) -> float:
    """Return seconds; raises LbdnsError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise LbdnsError(f'"{text}" is no duration; expected one such as 90s, 15min, 2h or 3d')
    return float(found[1]) * UNITS_S[found[2]]


def in_largest_unit(seconds: float) -> str:
    """Return a time in its largest unit: `90 s` is `2 min`."""
    unit = next((unit for unit in _LARGEST_FIRST if seconds >= UNITS_S[unit]), None)
    return f"{seconds / UNITS_S[unit]:.0f} {unit}" if unit is not None else "0 s"


def local_time(text: str) -> str:
    """Return a time of the API, RFC 3339 in UTC, in this machine's time zone, as the log has it."""
    return moment(datetime.fromisoformat(text).timestamp())


def files_place(directory: Path) -> str:
    """Return what a directory of files is called where a server says what it serves; the path is absolute."""
    return f"the files in {directory}"
