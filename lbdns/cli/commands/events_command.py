"""`lbdns events`: what changed, when and why, from the record that the monitor worker keeps."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from lbdns.cli.frame.common import parse_duration_s, print_json
from lbdns.cli.frame.running import RunningServer, running_options

if TYPE_CHECKING:
    from lbdns.dnssec.zone_step import ZoneStep
    from lbdns.health.events import HealthChange, Seen

LIMIT = 100


@click.command()
@running_options
@click.option("--since", help="How far back to look, such as 90s, 15min, 2h, 3d.")
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="How many, the latest.")
@click.option("--pool", "pool", help="Only this pool and its endpoints.")
@click.option("--zone", "zone", help="Only this zone: its keys where it is signed, and its transfers.")
@click.option("--probes", is_flag=True, help="Show below each change the probes that decided it.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known, as JSON.")
def events(
    running: RunningServer,
    since: str | None,
    limit: int,
    pool: str | None,
    zone: str | None,
    probes: bool,
    as_json: bool,
) -> None:
    """Show what changed, when and why: endpoints, pools, load balancers, zones' keys and transfers; the oldest
    first."""
    from lbdns.dnssec.step_record import read_steps
    from lbdns.health.events import RECORD_MAX, HealthChange, read_events

    since_s = time.time() - parse_duration_s(since) if since else 0.0
    place = running.state_dir()
    changes = read_events(place, since_s, RECORD_MAX) if zone is None else []
    found: list[HealthChange | ZoneStep] = [change for change in changes if pool in (None, change.pool)]
    wanted = None if zone is None else zone.lower().removesuffix(".")
    found += [step for step in read_steps(place, since_s) if pool is None and wanted in (None, step.zone)]
    chosen = sorted(found, key=lambda one: one.at_s)[-limit:]
    if as_json:
        print_json([asdict(change) for change in chosen])
        return
    if not chosen:
        about = f' of pool "{pool}"' if pool else f" of the zone {zone}" if zone else ""
        click.echo(f"no change{about} is recorded in {place}{f' for the last {since}' if since else ''}", err=True)
    for change in chosen:
        click.echo(as_line(change))
        for seen in change.probes if probes and isinstance(change, HealthChange) else ():
            click.echo(f"    {as_evidence(seen)}")


def as_line(change: HealthChange | ZoneStep) -> str:
    """Return a change with its local time, as the log says it."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(change.at_s))}  {change.text}"


def as_evidence(seen: Seen) -> str:
    """Return one probe in a line: when, from where, what it was, what it found, how long it took."""
    moment = time.strftime("%H:%M:%S", time.localtime(seen.at_s)) + f".{int(seen.at_s % 1 * 1000):03}"
    found = "passed" if seen.healthy else seen.reason
    code = f" ({seen.code})" if seen.code else ""
    monitor = f"{seen.monitor} (monitoring only)" if seen.monitoring_only else seen.monitor
    return f"{moment}  {seen.vantage}  {monitor}  {seen.address}  {found}{code}  {seen.rtt_us / 1000:.1f} ms"
