"""`lbdns token`: who may use the management API over the network."""

from __future__ import annotations

from urllib.parse import quote

import click

from lbdns.base.words import OWN_PATH
from lbdns.cli.frame.client import ApiClient, api_options, creating_api_options
from lbdns.cli.frame.common import local_time, print_json
from lbdns.cli.frame.desk import make_table, print_table
from lbdns.cli.frame.verb_group import VerbGroup


@click.group(cls=VerbGroup)
def token() -> None:
    """Make and revoke tokens of the management API; on the server's own machine alone."""


@token.command()
@click.argument("name")
@creating_api_options
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=("write",),
    show_default=True,
    help="What it may do; may be given several times.",
)
def create(client: ApiClient, name: str, scopes: tuple[str, ...]) -> None:
    """Make a token and print it, this once: only its hash is kept.

    Its scopes are of everything (read, write), of an area (load_balancers:read, pools:write, zones:write), or of a zone
    (load_balancers:write:ZONE, zones:read:ZONE). Who may write may read as well.

    lbdns token create ci --scope pools:write --scope zones:write:example.com > token
    """
    made = client.post(f"{OWN_PATH}/tokens", {"name": name, "scope": list(scopes)})
    click.echo(made["value"])
    words = "scope" if len(made["scopes"]) == 1 else "scopes"
    click.echo(f"token {name}, {words} {', '.join(made['scopes'])}: keep it, it is not shown again", err=True)


@token.command("list")
@api_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(client: ApiClient, as_json: bool) -> None:
    """List tokens by name; nobody can list their texts."""
    from rich.text import Text

    tokens = client.get(f"{OWN_PATH}/tokens")
    if as_json:
        print_json(tokens)
        return
    table = make_table("token", "scopes", "made", "id")
    for one in tokens:
        table.add_row(Text(one["name"], "bold"), ", ".join(one["scopes"]), local_time(one["created_on"]), one["id"])
    print_table(table)


@token.command()
@click.argument("name")
@api_options
def revoke(client: ApiClient, name: str) -> None:
    """Revoke a token by its name or id: it is refused from now on."""
    revoked = client.delete(f"{OWN_PATH}/tokens/{quote(name, safe='')}")
    click.echo(f"token {revoked['name']}: revoked")
