"""`lbdns token`: who may use the management API over the network."""

from __future__ import annotations

from urllib.parse import quote

import click

from lbdns.base.words import OWN_PATH
from lbdns.cli.frame.client import ApiClient, api_options, creating_api_options
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.desk import make_table, print_table

SCOPES = ("read", "write")


@click.group()
def token() -> None:
    """Make and revoke tokens of the management API; on the server's own machine alone."""


@token.command()
@click.argument("name")
@creating_api_options
@click.option("--scope", type=click.Choice(SCOPES), default="write", show_default=True, help="read: change nothing.")
def create(client: ApiClient, name: str, scope: str) -> None:
    """Make a token and print it, this once: only its hash is kept.

    lbdns token create ci --scope write > token
    """
    made = client.post(f"{OWN_PATH}/tokens", {"name": name, "scope": scope})
    click.echo(made["value"])
    click.echo(f"token {name}, scope {scope}: keep it, it is not shown again", err=True)


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
    table = make_table("token", "scope", "made", "id")
    for one in tokens:
        made = one["created_on"][:19].replace("T", " ")
        table.add_row(Text(one["name"], "bold"), one["scope"], f"{made} UTC", one["id"])
    print_table(table)


@token.command()
@click.argument("name")
@api_options
def revoke(client: ApiClient, name: str) -> None:
    """Revoke a token by its name or id: it is refused from now on."""
    revoked = client.delete(f"{OWN_PATH}/tokens/{quote(name, safe='')}")
    click.echo(f"token {revoked['name']}: revoked")
