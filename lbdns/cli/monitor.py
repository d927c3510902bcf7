"""`lbdns monitor`: what concerns monitors; `lbdns monitor probe` runs one once."""

from __future__ import annotations

import click

from lbdns.cli.probe import probe


@click.group()
def monitor() -> None:
    """Run monitors by hand."""


monitor.add_command(probe)
