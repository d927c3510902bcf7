"""`lbdns lb`: load balancers, in the store of a running server or of none."""

from __future__ import annotations

from pathlib import Path

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.base.words import BALANCER_TYPES, PLACE_MAPS, STEERING_POLICIES, Health, effective_policy
from lbdns.cli.commands.completion_command import views_of
from lbdns.cli.frame.assignments import value_of
from lbdns.cli.frame.client import ApiClient, api_options, creating_api_options
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.desk import Body, Desk, called, make_table, print_table, state_cell
from lbdns.cli.frame.verb_group import VerbGroup
from lbdns.cli.frame.verbs import (
    add_verbs,
    assignments_argument,
    dry_run_option,
    from_option,
    json_option,
    new_body,
    view_option,
)
from lbdns.model.view_names import VIEW, parted


@click.group(cls=VerbGroup)
def lb() -> None:
    """Manage load balancers: names whose answers are chosen among pools."""


@lb.command("list")
@api_options
@view_option("Those of a view alone; '' for those that all see.")
@json_option
def list_(client: ApiClient, view: str | None, as_json: bool) -> None:
    """List load balancers with their pools, and their health where a server runs."""
    from rich.text import Text

    desk = Desk(client, Kind.LOAD_BALANCER)
    balancers = desk.list(view)
    if as_json:
        print_json(balancers)
        return
    health = desk.health()
    table = make_table("load balancer", "type", "health", "steering", "pools", "fallback", "ttl")
    for body in balancers:
        named = desk.named(body)
        state = state_cell(health.get(called(body))) if body["enabled"] else Text(Health.DISABLED, "dim")
        policy = effective_policy(body["steering_policy"], any(body[key] for key in PLACE_MAPS))
        pools = ", ".join(named["default_pools"])
        table.add_row(
            Text(called(body), "bold"), body["type"], state, policy, pools, named["fallback_pool"], str(body["ttl"])
        )
    print_table(table)


MAPS = {"regions": "region_pools", "countries": "country_pools", "pops": "pop_pools"}


@lb.command()
@click.argument("name", required=False)
@assignments_argument
@creating_api_options
@click.option("--pools", metavar="POOL,...", help="The pools to choose among, in order.")
@click.option("--fallback", metavar="POOL", help="The pool that serves when none is up. [default: the last of --pools]")
@click.option(
    "--steering",
    type=click.Choice(list(STEERING_POLICIES)),
    help="How a pool is chosen. [default: off, geo with places]",
)
@click.option("--region", "regions", multiple=True, metavar="CODE=POOL,...", help="Pools of a region: ENAM=us,eu.")
@click.option("--country", "countries", multiple=True, metavar="CODE=POOL,...", help="Pools of a country: DE=eu.")
@click.option("--pop", "pops", multiple=True, metavar="CODE=POOL,...", help="Pools of an airport's PoP: AMS=eu.")
@click.option("--type", type=click.Choice(BALANCER_TYPES), help="MX or SRV: mail or services. [default: addresses]")
@view_option("The view that is served by it. [default: all]")
@click.option(
    "--account",
    "in_account",
    is_flag=True,
    help="Keep it beside the zones, not in the zone of its name: a private one, where a view is private.",
)
@click.option(
    "--on-ramp",
    "on_ramps",
    multiple=True,
    metavar="VIEW",
    shell_complete=views_of,
    help="Make it private, for this view; repeatable.",
)
@from_option
@dry_run_option
@json_option
def create(
    client: ApiClient,
    name: str | None,
    assignments: tuple[str, ...],
    pools: str | None,
    fallback: str | None,
    steering: str | None,
    type: str | None,
    view: str | None,
    in_account: bool,
    on_ramps: tuple[str, ...],
    file: Path | None,
    dry_run: bool,
    as_json: bool,
    **places: tuple[str, ...],
) -> None:
    """Create a load balancer: its pools, how one is chosen, and any field as KEY=VALUE.

    lbdns lb create www.example.com --pools eu,us --fallback us --steering geo --region ENAM=us,eu ttl=60

    A private one is for clients of private views alone; without a name it is given an address:

    lbdns lb create --pools dc-1,dc-2 --on-ramp office
    """
    if name is not None and "=" in name:
        assignments, name = (name, *assignments), None
    name, said = parted(name) if name is not None else (None, "")
    listed = value_of(("default_pools",), pools) if pools else None
    options: Body = {"default_pools": listed, "fallback_pool": fallback, "steering_policy": steering, "type": type}
    options |= {"on_ramps": [*on_ramps] or None, VIEW: view or said or None}
    for option, field in MAPS.items():
        options[field] = dict(_place(option, field, text) for text in places[option]) or None
    body = new_body(Kind.LOAD_BALANCER, name, file, options, assignments)
    if "default_pools" not in body:
        raise click.UsageError("a load balancer needs a pool: --pools POOL,..., or --from FILE")
    if body["default_pools"]:
        body.setdefault("fallback_pool", body["default_pools"][-1])
    desk = Desk(client, Kind.LOAD_BALANCER)
    from lbdns.model.private_names import as_address

    is_private = name is None or body.get("on_ramps") is not None or as_address(name) is not None
    path = desk.collection(name or "", in_account or is_private, body.get(VIEW) or "")
    desk.create(body, path, dry_run, as_json)


def _place(option: str, field: str, text: str) -> tuple[str, list[str]]:
    code, equals, pools = text.partition("=")
    names: list[str] = value_of((field, code), pools)
    if not (equals and code and names):
        raise LbdnsError(f'"{text}" is no CODE=POOL,... of {option}, such as ENAM=us,eu')
    return code, names


add_verbs(lb, Kind.LOAD_BALANCER)
