"""`lbdns override`: names that private load balancers answer for, beside their own."""

from __future__ import annotations

import click

from lbdns.base.kinds import Kind
from lbdns.cli.commands.apply_command import ask
from lbdns.cli.commands.completion_command import names_of
from lbdns.cli.frame.client import ApiClient, api_options, creating_api_options
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.desk import Desk, make_table, owner_name, print_table
from lbdns.cli.frame.verb_group import VerbGroup
from lbdns.cli.frame.verbs import dry_run_option, json_option, name_argument


@click.group(cls=VerbGroup)
def override() -> None:
    """Manage overrides: names that private load balancers answer for."""


@override.command("list")
@api_options
@json_option
def list_(client: ApiClient, as_json: bool) -> None:
    """List the names with their load balancers."""
    from rich.text import Text

    desk = Desk(client, Kind.OVERRIDE)
    overrides = desk.list()
    if as_json:
        print_json(overrides)
        return
    table = make_table("override", "load balancer")
    for body in overrides:
        table.add_row(Text(body["name"], "bold"), desk.named(body)["load_balancer"])
    print_table(table)


@override.command("set")
@name_argument(Kind.OVERRIDE)
@click.argument("load_balancer", shell_complete=names_of(Kind.LOAD_BALANCER))
@creating_api_options
@dry_run_option
@json_option
def set_(client: ApiClient, name: str, load_balancer: str, dry_run: bool, as_json: bool) -> None:
    """Have a private load balancer answer for a name: a new one, or one that another answered for.

    lbdns override set app.corp 100.112.0.0
    """
    desk = Desk(client, Kind.OVERRIDE)
    fields = {"load_balancer": owner_name(load_balancer)}
    if desk.is_there(owner_name(name)):
        desk.change(desk.find(owner_name(name)), fields, dry_run, as_json)
    else:
        desk.create({"name": name, **fields}, desk.collection(name), dry_run, as_json)


@override.command()
@name_argument(Kind.OVERRIDE)
@api_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@dry_run_option
def delete(client: ApiClient, name: str, yes: bool, dry_run: bool) -> None:
    """Delete an override; its name is answered as without."""
    desk = Desk(client, Kind.OVERRIDE)
    found = desk.find(owner_name(name))
    if not dry_run:
        ask(f"Delete the override {found.body['name']}?", yes)
    desk.delete(found, dry_run)
