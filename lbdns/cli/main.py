"""`lbdns`: finds the command, runs it, and turns every refusal into one line on standard error.

Exit status: 0 done, 1 refused or failed, 2 usage.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import sys

import click

from lbdns import __version__
from lbdns.base.errors import ConfigError, LbdnsError

# Command -> what it is for, in the order in which a newcomer needs them. Each lives in
# lbdns.cli.commands.NAME_command as NAME: a module is imported when its command runs, so that each starts at once.
COMMANDS = {
    "serve": "Answer queries as a directory's files, or the store, say.",
    "check": "Report every problem in a directory's files.",
    "explain": "Show an answer and every step to it.",
    "dashboard": "Open the dashboard in a browser, signed in.",
    "status": "Show on one screen how the running server stands; exit status 0, 1 or 2.",
    "fleet": "Show the machines of the fleet; begin one, join one, leave.",
    "health": "Show pools and endpoints of the running server.",
    "top": "Show rates, busiest names and shares, live.",
    "events": "Show what changed, when and why.",
    "locate": "Show where an address is.",
    "whatif": "Show what a change would move of the recorded traffic, before it is made.",
    "apply": "Make the store what a directory's files say, after showing the difference.",
    "export": "Write the store as a directory of files.",
    "store": "Check the store, mend what in it cannot be read, make it anew.",
    "revision": "Show what changed in the store, when and by whom; go back.",
    "zone": "Manage zones; import and export master files; print what the parent zone needs.",
    "dnssec": "Sign zones: keys, their rolls, the DS for the parent zone.",
    "record": "Manage the records of a zone.",
    "lb": "Manage load balancers.",
    "override": "Manage names that private load balancers answer for.",
    "vnet": "Manage virtual networks, and the routes to them.",
    "rule": "Check a rule's condition, or try it on a query.",
    "pool": "Manage pools and their endpoints.",
    "key": "Manage TSIG keys, which transfers and updates are signed with.",
    "monitor": "Manage monitors, or run one by hand: lbdns monitor probe TYPE ADDRESS.",
    "token": "Make and revoke tokens of the management API.",
    "completion": "Print the script that makes a shell complete all this.",
}


class Commands(click.Group):
    """The commands by name; `--help` needs none of their modules."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in their order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"lbdns.cli.commands.{cmd_name}_command"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with what they are for."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lbdns", message="%(prog)s %(version)s")
def cli() -> None:
    """An authoritative DNS server whose answers are load-balancing decisions."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    # What is still there when the process ends is given back whole: to walk and free it piece by piece takes a sixth of
    # a short command's time, and of a large configuration's check seconds.
    atexit.register(gc.freeze)
    try:
        cli.main(arguments, prog_name="lbdns", standalone_mode=True)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(1)
    except LbdnsError as error:
        for line in str(error).splitlines():
            click.echo(f"lbdns: {line}", err=True)
        sys.exit(1)
