"""`--guard 5%`: a change that would move more of the recorded traffic is refused, with an exit status of its own."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.words import GUARDED_CODE
from lbdns.cli.frame.client import ApiRefusal

GUARDED_STATUS: Final = 3
"""The exit status of what a guard refuses."""
GUARD_VARIABLE: Final = "LBDNS_GUARD"
WAY_OUT: Final = "`lbdns whatif` shows what moves; --force changes it all the same"

Command = Callable[..., Any]


def guard_options(command: Command) -> Command:
    """Add --guard and --force; the command gets `guard`, None where nothing is to be held to one."""

    @functools.wraps(command)
    def run(*arguments: Any, guard: str | None, force: bool, **options: Any) -> Any:
        return command(*arguments, guard=None if force else guard, **options)

    click.option("--force", is_flag=True, help="Heed no guard.")(run)
    click.option(
        "--guard",
        metavar="SHARE",
        envvar=GUARD_VARIABLE,
        callback=checked_guard,
        help=f"Refuse to move more of the last hour's traffic than this, such as 5%. [env: {GUARD_VARIABLE}]",
    )(run)
    return run


def checked_guard(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Refuse a guard that is no share of clients before anything is done; click calls it."""
    from lbdns.publish.replay.guard import parse_guard

    try:
        if text is not None:
            parse_guard(text)
    except LbdnsError as error:
        raise click.BadParameter(str(error)) from error
    return text


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Tell what a guard refuses, and exit with its status."""
    try:
        yield
    except ApiRefusal as error:
        if all(one.code != GUARDED_CODE for one in error.refusals):
            raise
        refuse(str(error), WAY_OUT)


def refuse(why: str, way_out: str = "") -> None:
    """Say why a guard refuses, and what changes it all the same; exit with its status."""
    click.echo(f"lbdns: {why}", err=True)
    if way_out:
        click.echo(f"lbdns: {way_out}", err=True)
    sys.exit(GUARDED_STATUS)
