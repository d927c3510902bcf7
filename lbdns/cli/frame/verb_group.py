"""The group of commands below one word, such as `lbdns pool`, as `--help` lists it."""

from __future__ import annotations

import sys

import click


class VerbGroup(click.Group):
    """A group whose list says each command's first sentence whole: click cuts what does not fit a line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with what they are for."""
        named = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, one.get_short_help_str(sys.maxsize)) for name, one in named if one is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
