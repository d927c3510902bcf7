"""`lbdns check DIR`: every problem of a configuration directory, or one line that says what it holds."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from lbdns.base.errors import Problem
from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.wording import counted

if TYPE_CHECKING:
    from lbdns.config.loading import Examined
    from lbdns.model.configuration import Configuration

REPEATS_MAX: Final = 5
"""Warnings of one wording that are shown; a configuration of 100,000 load balancers may repeat one for each."""
_COLOURS: Final = {"error": "red", "warning": "yellow"}


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@without_cyclic_collection()
def check(directory: Path) -> None:
    """Report every problem in DIR's files, as FILE:LINE: object: what is wrong and what would be right.

    Problems and warnings go to standard error. Exit status 1 where there is any problem; else 0, and one line on
    standard output says what the directory holds.
    """
    from lbdns.cli.frame.bar import bar
    from lbdns.config.loading import examine

    with bar():
        examined = examine(directory)
    click.echo(summary(required(examined), len(examined.warnings)))


def required(examined: Examined) -> Configuration:
    """Show every problem and warning, and return the configuration; exit with status 1 where there is none."""
    for problem in examined.errors:
        _show(problem)
    _show_warnings(examined.warnings)
    if examined.configuration is None:
        click.echo(f"{counted(len(examined.errors), 'problem')}; nothing of this would be served", err=True)
        sys.exit(1)
    return examined.configuration


def summary(configuration: Configuration, warning_count: int) -> str:
    """Return what a configuration holds, in one line."""
    records = sum(len(rrset.rdatas) for zone in configuration.zones for rrset in zone.rrsets)
    endpoints = sum(len(pool.origins) for pool in configuration.pools.values())
    parts = [
        counted(len(configuration.zones), "zone"),
        counted(records, "record"),
        counted(len(configuration.load_balancers), "load balancer"),
        counted(len(configuration.pools), "pool"),
        counted(endpoints, "endpoint"),
        counted(len(configuration.monitors), "monitor"),
    ]
    return f"{', '.join(parts)}: no problems, {counted(warning_count, 'warning') if warning_count else 'no warnings'}"


def _show_warnings(warnings: Iterable[Problem]) -> None:
    """Show the first few of each wording, and how many more there are."""
    shown: Counter[str] = Counter()
    for warning in warnings:
        shown[warning.message] += 1
        if shown[warning.message] <= REPEATS_MAX:
            _show(warning)
    for message, count in shown.items():
        if count > REPEATS_MAX:
            click.echo(f"{counted(count - REPEATS_MAX, 'more warning')}: {message}", err=True)


def _show(problem: Problem) -> None:
    """Print a problem; click leaves the colours out where standard error is no terminal."""
    text = str(problem)
    if problem.severity == "warning":
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        text = f"{place}: warning{text[len(place) :]}"
    click.secho(text, fg=_COLOURS[problem.severity], err=True)
