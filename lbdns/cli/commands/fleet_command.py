"""`lbdns fleet`: the machines that this server shares its configuration and its health with."""

from __future__ import annotations

import sys
from typing import Final

import click

from lbdns.base.errors import LbdnsError
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.fleet_told import FLEET_HEADINGS, fleet_rows
from lbdns.cli.frame.running import RunningServer, running_options

LOOK_AT: Final = 1
NONE: Final = 2
NO_FLEET_TEXT: Final = (
    "this server is in no fleet: `lbdns fleet init` begins one, and prints what `lbdns fleet join` takes on the next"
)


@click.group(invoke_without_command=True)
@running_options
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known, as JSON.")
@click.pass_context
def fleet(context: click.Context, running: RunningServer, as_json: bool) -> None:
    """Show each machine of the fleet as this one hears it: revision, lag, whom it hears, release.

    Exit status: 0 all is well, 1 somebody should look at something, 2 no server runs, or it is in no fleet.
    """
    if context.invoked_subcommand is None:
        sys.exit(_show(running, as_json))


def _show(running: RunningServer, as_json: bool) -> int:
    """Print the fleet; returns the exit status."""
    from lbdns.cli.frame.desk import make_table, print_table
    from lbdns.fleet.fleet_report import FleetReport
    from lbdns.processes.supervisor.control_socket import ask

    try:
        report = FleetReport.from_json(ask(running.control(), "fleet"))
    except LbdnsError as error:
        click.echo(f"lbdns: {error}", err=True)
        return NONE
    if as_json:
        print_json(report.as_json())
    elif report.machine:
        table = make_table(*FLEET_HEADINGS)
        for row in fleet_rows(report):
            table.add_row(*row)
        print_table(table)
        for problem in report.problems:
            click.echo(click.style(problem, fg="red"))
    else:
        click.echo(NO_FLEET_TEXT, err=True)
    return NONE if not report.machine else LOOK_AT if report.problems else 0
