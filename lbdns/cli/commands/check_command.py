"""`lbdns check DIR`: every problem of a configuration directory, or one line that says what it holds."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from lbdns.base.errors import LbdnsError, Problem, in_order
from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.repeats import REPEATS_MAX, kind_of
from lbdns.base.wording import counted, listed, moment
from lbdns.base.words import PLACE_POLICIES
from lbdns.cli.frame.common import files_place
from lbdns.dns.name import show_name
from lbdns.model.view_names import labelled

if TYPE_CHECKING:
    from lbdns.config.examined import Examined
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
    from lbdns.config.loading import examine

    with bar():
        examined = _checked_further(examine(directory))
    _show_notices(examined)
    click.echo(summary(required(examined, lambda: served_instead(directory, examined.errors)), len(examined.warnings)))


def _checked_further(examined: Examined) -> Examined:
    """Return what else can be said of a configuration, which a server that loads it need not ask each time."""
    from lbdns.config.checks.databases import check_databases
    from lbdns.config.checks.name_servers import check_name_servers

    found = [*examined.errors, *examined.warnings]
    if examined.configuration is not None:
        found += check_name_servers(examined.configuration)
        found += _check_hostnames(examined)
    if examined.settings is not None and examined.settings.knows("geodata"):
        found += check_databases(examined.settings)
    errors = tuple(in_order(one for one in found if one.severity == "error"))
    return dataclasses.replace(
        examined,
        configuration=None if errors else examined.configuration,
        errors=errors,
        warnings=tuple(in_order(one for one in found if one.severity == "warning")),
    )


def _show_notices(examined: Examined) -> None:
    """Show what is meant to be so, and worth knowing; it counts as no warning."""
    from lbdns.config.checks.view_notices import refusal_notice, view_notices

    placed = examined.settings
    if placed is None or not placed.knows("views"):
        return
    notices = [*view_notices(placed)]
    if examined.configuration is not None:
        notices += refusal_notice(placed, examined.configuration)
    for notice in notices:
        click.echo(_worded(notice, "note"), err=True)


def _check_hostnames(examined: Examined) -> Iterator[Problem]:
    """Yield a warning for each hostname of an endpoint that leads nowhere; looks them up, for a few seconds at most."""
    from lbdns.model.needed_names import needed_hostnames

    configuration = examined.configuration
    if configuration is None or next(needed_hostnames(configuration), None) is None:
        return
    # Needed by who has hostnames alone.
    import asyncio

    from lbdns.manage.name_lookups import tell_of_pool, unresolved_names

    for name, problems in asyncio.run(unresolved_names(configuration)).items():
        placed = examined.pools[name]
        for where, text in tell_of_pool(placed.item, problems):
            yield placed.source.warning(where, text)


def served_instead(directory: Path, errors: Iterable[Problem]) -> str:
    """Return what a server of the directory serves, or would, in place of files with a mistake, "" where nothing."""
    from lbdns.cli.frame.api_place import answers
    from lbdns.config.readable_settings import readable_settings
    from lbdns.mapped.run_directory import RunDirectory
    from lbdns.publish.last_served import find_last_served

    settings = readable_settings(directory)
    try:
        kept = find_last_served(settings.state_dir(), files_place(directory.resolve()))
        is_running = answers(RunDirectory.socket_in_use(settings.control_path(), settings.state_dir()))
    except LbdnsError as error:
        return f"what was served last cannot be told: {error}"
    if kept is None:
        return "" if settings.strict else _without_unready(directory)
    fails = "strict is true" if settings.strict else ""
    if any(problem.at[:1] == ("user",) for problem in errors):
        fails = "whom it would run as is not known"
    if fails and not is_running:
        return f"nothing would be served: {fails}"
    over_restarts = f"until a restart, which fails: {fails}" if fails else "over restarts too"
    parts = [f"what was served last, as of {moment(kept.served_at)}, {'is' if is_running else 'would be'} served on"]
    if kept.unready:
        parts.append(f"SERVFAIL for {listed([show_name(bytes.fromhex(apex)) for apex in kept.unready])}")
    if is_running:
        parts.append(over_restarts)
    return f"{', '.join(parts)}; its files: {kept.text_directory}"


def _without_unready(directory: Path) -> str:
    """Return what a server that never served anything would serve of files with mistakes, "" where it would not."""
    from lbdns.config.loading import examine

    found = examine(directory, tolerates=lambda *_: True).configuration
    if found is None or not found.zones:
        return ""
    names = listed([labelled(show_name(one.zone.apex), one.zone.view) for one in found.unready])
    return f"a first start would answer {names} with SERVFAIL and serve the rest; a running server keeps what it has"


def required(examined: Examined, instead: Callable[[], str] = str) -> Configuration:
    """Show every problem and warning, and return the configuration; exit with status 1 where there is none, after
    saying what `instead` returns."""
    _show_all(examined.errors, "more problem")
    _show_all(examined.warnings, "more warning")
    if examined.configuration is None:
        click.echo(
            f"{counted(len(examined.errors), 'problem')}; {instead() or 'nothing of this would be served'}", err=True
        )
        sys.exit(1)
    return examined.configuration


def summary(configuration: Configuration, warning_count: int) -> str:
    """Return what a configuration holds, in one line."""
    zones = (*configuration.zones, *configuration.overlays)
    records = sum(len(rrset.rdatas) for zone in zones for rrset in zone.rrsets)
    endpoints = sum(len(pool.origins) for pool in configuration.pools.values())
    parts = [
        counted(len(configuration.zones), "zone"),
        counted(records, "record"),
        counted(len(configuration.load_balancers), "load balancer"),
        counted(len(configuration.pools), "pool"),
        counted(endpoints, "endpoint"),
        counted(len(configuration.monitors), "monitor"),
        *_views(configuration),
        *_places(configuration),
    ]
    return f"{', '.join(parts)}: no problems, {counted(warning_count, 'warning') if warning_count else 'no warnings'}"


def _views(configuration: Configuration) -> Iterator[str]:
    """Yield how many views there are, and what is of one; records of views count among the records."""
    if not configuration.settings.views:
        return
    views = counted(len(configuration.settings.views), "view")
    counts = ", ".join(counted(count, noun) for noun, count in configuration.of_views().items())
    yield f"{views} ({counts})" if counts else views


def _places(configuration: Configuration) -> Iterator[str]:
    """Yield how clients are located, where anything goes by that: by which databases, and whether to coordinates."""
    if not any(one.enabled and one.effective_policy in PLACE_POLICIES for one in configuration.load_balancers):
        return
    from lbdns.places.database_files import knows_coordinates
    from lbdns.places.shipped import country_database

    geodata = configuration.settings.geodata
    named = [path.name for key, path in geodata.databases() if key == "city"] or [country_database().name]
    kind = "coordinates" if knows_coordinates(geodata.city) else "country and its centroid"
    yield f"clients located by {kind} ({' and '.join(named)})"


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
    text = _worded(problem, "warning") if problem.severity == "warning" else str(problem)
    click.secho(text, fg=_COLOURS[problem.severity], err=True)


def _worded(problem: Problem, word: str) -> str:
    """Return a problem as a line, with a word behind its place that says how grave it is."""
    text, place = str(problem), f"{problem.file}:{problem.line}" if problem.line else problem.file
    return f"{place}: {word}{text[len(place) :]}"
