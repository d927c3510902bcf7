"""`lbdns dashboard`: the dashboard in a browser, signed in by a link that is good once."""

from __future__ import annotations

import os
import webbrowser

import click

from lbdns.base.words import OWN_PATH
from lbdns.cli.frame.client import ApiClient, api_options


@click.command()
@api_options
@click.option(
    "--open/--no-open", "opens", default=True, help="Open the link in this machine's browser, where it has one."
)
def dashboard(client: ApiClient, opens: bool) -> None:
    """Print a link that signs one browser in to the dashboard, within a minute, and open it.

    Whoever opens it may do all that this user of the server's machine may. People elsewhere sign in by their token, at
    the address of the management API.
    """
    url = client.post(f"{OWN_PATH}/dashboard_links")["url"]
    click.echo(url)
    click.echo("this link signs one browser in, within a minute", err=True)
    if opens and _has_browser():
        webbrowser.open(url)


def _has_browser() -> bool:
    """Tell whether there is a screen for a browser; one of text would take the terminal over."""
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
