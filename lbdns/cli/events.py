"""`lbdns events`: what changed, when and why, from the record that the monitor worker keeps."""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lbdns.cli.common import config_option, print_json
from lbdns.errors import LbdnsError

if TYPE_CHECKING:
    from lbdns.health.events import Change

LIMIT = 100
UNITS_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(s|m|min|h|d)")


@click.command()
@config_option("The directory that the server serves: its settings say where the record is.")
@click.option("--state", type=click.Path(path_type=Path), help="The state directory, where it is not the settings'.")
@click.option("--since", help="How far back to look, such as 90s, 15min, 2h, 3d.")
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="How many, the latest.")
@click.option("--pool", "pool", help="Only this pool and its endpoints.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known, as JSON.")
def events(
    config: Path | None, state: Path | None, since: str | None, limit: int, pool: str | None, as_json: bool
) -> None:
    """Show what changed, when and why: endpoints, pools, load balancers; the oldest first."""
    from lbdns.health.events import RECORD_MAX, read_events

    since_s = time.time() - parse_duration_s(since) if since else 0.0
    found = read_events(state or state_directory(config), since_s, RECORD_MAX)
    chosen = [change for change in found if pool in (None, change.pool)][-limit:]
    if as_json:
        print_json([asdict(change) for change in chosen])
        return
    for change in chosen:
        click.echo(as_line(change))


def as_line(change: Change) -> str:
    """Return a change with its local time, as the log says it."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(change.at_s))}  {change.text}"


def state_directory(config: Path | None) -> Path:
    """Return the state directory by a served directory's settings, or the default one."""
    from lbdns.config import load_settings
    from lbdns.model import Settings

    return (load_settings(config) if config else Settings()).state_dir()


def parse_duration_s(text: str) -> float:
    """Return seconds; raises LbdnsError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise LbdnsError(f'"{text}" is no duration; expected one such as 90s, 15min, 2h or 3d')
    return float(found[1]) * UNITS_S[found[2]]
