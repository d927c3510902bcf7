"""`lbdns check DIR`: every problem of a configuration directory, or one line that says what it holds."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from lbdns.base.errors import Problem
from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.repeats import REPEATS_MAX, kind_of
from lbdns.base.wording import counted

if TYPE_CHECKING:
    from lbdns.config.loading import Examined
    from lbdns.model.configuration import Configuration

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
    from lbdns.config.checks.name_servers import check_name_servers
    from lbdns.config.loading import examine

    with bar():
        examined = examine(directory)
    if examined.configuration is not None:
        found = (*examined.warnings, *check_name_servers(examined.configuration))
        examined = dataclasses.replace(examined, warnings=tuple(sorted(found)))
    click.echo(summary(required(examined), len(examined.warnings)))


def required(examined: Examined) -> Configuration:
    """Show every problem and warning, and return the configuration; exit with status 1 where there is none."""
    _show_all(examined.errors, "more problem")
    _show_all(examined.warnings, "more warning")
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


def _show_all(problems: Iterable[Problem], noun: str) -> None:
    """Show the first few of each kind, and how many more there are."""
    kinds: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        found = kinds.setdefault(kind_of(problem), [])
        found.append(problem)
        if len(found) <= REPEATS_MAX:
            _show(problem)
    for found in kinds.values():
        more = found[REPEATS_MAX:]
        if more:
            are_same = all(problem.message == found[0].message for problem in more)
            told = found[0].message if are_same else f"such as: {found[0].message}"
            click.echo(f"{counted(len(more), noun)}{': ' if are_same else ' '}{told}", err=True)


def _show(problem: Problem) -> None:
    """Print a problem; click leaves the colours out where standard error is no terminal."""
    text = str(problem)
    if problem.severity == "warning":
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        text = f"{place}: warning{text[len(place) :]}"
    click.secho(text, fg=_COLOURS[problem.severity], err=True)
