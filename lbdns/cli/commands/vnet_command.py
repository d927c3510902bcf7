"""`lbdns vnet`: virtual networks and the routes to them, in the store of a running server or of none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.base.wording import printable
from lbdns.cli.commands.apply_command import ask
from lbdns.cli.commands.completion_command import names_of
from lbdns.cli.frame.client import ApiClient, api_options, creating_api_options
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.desk import Body, Desk, FoundObject, make_table, print_table
from lbdns.cli.frame.verb_group import VerbGroup
from lbdns.cli.frame.verbs import add_verbs, assignments_argument, dry_run_option, from_option, json_option, new_body


@click.group(cls=VerbGroup)
def vnet() -> None:
    """Manage virtual networks, which endpoints stand in, and routes to them: lbdns vnet route."""


@vnet.command("list")
@api_options
@json_option
def list_(client: ApiClient, as_json: bool) -> None:
    """List virtual networks: how each is reached, and the routes to it."""
    from rich.text import Text

    networks = Desk(client, Kind.VIRTUAL_NETWORK).list()
    if as_json:
        print_json(networks)
        return
    routes = Desk(client, Kind.ROUTE).list()
    table = make_table("virtual network", "via", "routes", "comment")
    for body in networks:
        name = f"{body['name']} (default)" if body["is_default_network"] else body["name"]
        to_it = [route["network"] for route in routes if route["virtual_network_id"] == body["id"]]
        table.add_row(Text(name, "bold"), _way(body), Text("\n".join(to_it)), Text(printable(body["comment"])))
    print_table(table)


def _way(body: Body) -> Any:
    from rich.text import Text

    from lbdns.model.virtual_network import Via

    via = body.get("via")
    return Text("this machine's routing", "dim") if via is None else Text(str(Via.model_validate(via)))


@vnet.command()
@click.argument("name")
@assignments_argument
@creating_api_options
@click.option("--device", metavar="NAME", help="It is reached by an interface, or a VRF: wg0, gre1.")
@click.option("--namespace", metavar="NAME", help="In a network namespace: its name, or the path of its file.")
@click.option("--proxy", metavar="URL", help="By a proxy: socks5://HOST:PORT or http://HOST:PORT.")
@click.option("--source", metavar="IP", help="From this address of the machine; alone, or beside --device.")
@click.option("--route", "routes", multiple=True, metavar="NETWORK", help="Addresses in it: 10.1.0.0/16; repeatable.")
@click.option("--comment", metavar="TEXT", help="A remark for people.")
@click.option("--default", "is_default", is_flag=True, help="Have the private addresses that name no network in it.")
@from_option
@dry_run_option
@json_option
def create(
    client: ApiClient,
    name: str,
    assignments: tuple[str, ...],
    routes: tuple[str, ...],
    comment: str | None,
    is_default: bool,
    file: Path | None,
    dry_run: bool,
    as_json: bool,
    **ways: str | None,
) -> None:
    """Create a virtual network: how it is reached, and the addresses in it.

    lbdns vnet create site-a --device wg0 --route 10.1.0.0/16
    """
    if routes and dry_run:
        raise click.UsageError("--route needs the network to be there; leave it out of a --dry-run")
    via = {key: value for key, value in ways.items() if value is not None}
    options: Body = {"comment": comment, "via": via or None, "is_default_network": is_default or None}
    body = new_body(Kind.VIRTUAL_NETWORK, name, file, options, assignments)
    desk = Desk(client, Kind.VIRTUAL_NETWORK)
    desk.create(body, desk.collection(name), dry_run, as_json)
    for network in routes:
        _add(client, network, name, "", False, False)


add_verbs(vnet, Kind.VIRTUAL_NETWORK)


@vnet.group(cls=VerbGroup)
def route() -> None:
    """Manage routes: which addresses stand in which virtual network."""


_network_argument = click.argument("network", metavar="NETWORK")


@route.command("list")
@api_options
@json_option
def list_routes(client: ApiClient, as_json: bool) -> None:
    """List the routes with their networks."""
    from rich.text import Text

    routes = Desk(client, Kind.ROUTE).list()
    if as_json:
        print_json(routes)
        return
    table = make_table("route", "virtual network", "comment")
    for body in routes:
        table.add_row(Text(body["network"], "bold"), body["virtual_network_name"], Text(printable(body["comment"])))
    print_table(table)


@route.command("add")
@_network_argument
@click.argument("name", metavar="[VNET]", required=False, shell_complete=names_of(Kind.VIRTUAL_NETWORK))
@click.option("--comment", metavar="TEXT", default="", help="A remark for people.")
@creating_api_options
@dry_run_option
@json_option
def add_route(client: ApiClient, network: str, name: str | None, comment: str, dry_run: bool, as_json: bool) -> None:
    """Have the addresses of NETWORK stand in VNET, or in the default network.

    lbdns vnet route add 10.1.0.0/16 site-a
    """
    _add(client, network, name, comment, dry_run, as_json)


def _add(client: ApiClient, network: str, name: str | None, comment: str, dry_run: bool, as_json: bool) -> None:
    body: Body = {"network": network} | ({"comment": comment} if comment else {})
    if name is not None:
        body["virtual_network"] = name
    desk = Desk(client, Kind.ROUTE)
    desk.create(body, desk.collection(network), dry_run, as_json)


@route.command("delete")
@_network_argument
@click.argument("name", metavar="[VNET]", required=False, shell_complete=names_of(Kind.VIRTUAL_NETWORK))
@api_options
@dry_run_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_route(client: ApiClient, network: str, name: str | None, dry_run: bool, yes: bool) -> None:
    """Delete the route of NETWORK; VNET says which, where several networks have one."""
    from lbdns.model.virtual_network import parse_network

    try:
        prefix = str(parse_network(network))
    except ValueError as error:
        raise LbdnsError(str(error)) from None
    desk = Desk(client, Kind.ROUTE)
    found = [one for one in desk.list() if one["network"] == prefix and name in (None, one["virtual_network_name"])]
    if not found:
        raise LbdnsError(f"there is no route {prefix}" + (f" to {name}" if name is not None else ""))
    if len(found) > 1:
        names = ", ".join(str(one["virtual_network_name"]) for one in found)
        raise LbdnsError(f"there are {len(found)} routes {prefix}, to {names}: say which")
    (body,) = found
    if not dry_run:
        ask(f"Delete the route {prefix} to {body['virtual_network_name']}?", yes)
    desk.delete(FoundObject(client.objects(Kind.ROUTE, body["id"]), body, None), dry_run)
