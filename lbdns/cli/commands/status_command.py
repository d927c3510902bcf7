"""`lbdns status`: how the running server stands, on one screen and as an exit status."""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from lbdns.base.errors import LbdnsError
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.running import AT_OPTION, RunningServer, ask_at, running_options

DEGRADED: Final = 1
NOT_SERVING: Final = 2
NAME_WIDTH: Final = 14


@click.command()
@running_options
@AT_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known, as JSON.")
def status(running: RunningServer, machine: str | None, as_json: bool) -> None:
    """Show how the running server stands: processes, what is served and since when, what is degraded.

    Exit status: 0 all is good, 1 something is degraded, 2 no server runs, or it does not serve.
    """
    try:
        report = ask_at(running.control(), machine, "status")
    except LbdnsError as error:
        click.echo(f"lbdns: {error}", err=True)
        left = running.left_serving() if machine is None else ()
        if left:
            click.echo(f"lbdns: responders of an earlier start serve on: {', '.join(map(str, left))}", err=True)
        sys.exit(NOT_SERVING)
    if as_json:
        print_json(report)
    else:
        click.echo("\n".join(render(report)))
    sys.exit(exit_status(report))


def exit_status(report: dict[str, Any]) -> int:
    """Return 0, DEGRADED or NOT_SERVING."""
    if not report["ready"] or not any(one["pid"] for one in report["responders"]):
        return NOT_SERVING
    return DEGRADED if report["standing"]["state"] != "good" else 0


def render(report: dict[str, Any]) -> list[str]:
    """Return the lines to print: a row a matter, below each what is wrong with it."""
    standing = report["standing"]
    word = ("good", "degraded", "not serving")[exit_status(report)]
    colour = "green" if word == "good" else "red"
    head = f"lbdns {report['version']}, pid {report['pid']}, on {', '.join(report['listen'])}: "
    lines = [head + click.style(word, fg=colour, bold=True)]
    width = max(NAME_WIDTH, *(len(row["name"]) for row in standing["rows"]))
    for row in standing["rows"]:
        lines.append(f"{row['name']:{width}} {row['text']}")
        lines += [f"{'':{width}} {click.style(text, fg='red')}" for text in row["problems"]]
    return lines
