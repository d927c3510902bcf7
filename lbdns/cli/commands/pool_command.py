"""`lbdns pool`: pools and their endpoints, in the store of a running server or of none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lbdns.base.kinds import Kind
from lbdns.base.words import Health
from lbdns.cli.commands.completion_command import names_of
from lbdns.cli.frame.assignments import parse_origin
from lbdns.cli.frame.client import ApiClient, api_options, creating_api_options
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.desk import Body, Desk, make_table, print_table, state_cell
from lbdns.cli.frame.verb_group import VerbGroup
from lbdns.cli.frame.verbs import add_verbs, assignments_argument, dry_run_option, from_option, json_option, new_body

ENDPOINTS_SHOWN = 4
UNREMARKABLE = ("", Health.HEALTHY, Health.NO_MONITOR)


@click.group(cls=VerbGroup)
def pool() -> None:
    """Manage pools: endpoints that share a monitor, a place and a fate."""


@pool.command("list")
@api_options
@json_option
def list_(client: ApiClient, as_json: bool) -> None:
    """List pools with their endpoints, and their health where a server runs."""
    from rich.text import Text

    desk = Desk(client, Kind.POOL)
    pools = desk.list()
    if as_json:
        print_json(pools)
        return
    health = desk.health()
    table = make_table("pool", "health", "endpoints", "monitor", "place")
    for body in pools:
        named = desk.named(body)
        monitor = named["monitor"] or named["monitor_group"] or ""
        place = "" if body["latitude"] is None else f"{body['latitude']:g}, {body['longitude']:g}"
        state = state_cell(health.get(body["name"])) if body["enabled"] else Text(Health.DISABLED, "dim")
        table.add_row(Text(body["name"], "bold"), state, _endpoints(named, health), monitor, place)
    print_table(table)


def _endpoints(body: Body, health: dict[str, Body]) -> Any:
    """Return the first few endpoints in one cell, each in the colour of its health."""
    from rich.text import Text

    from lbdns.cli.commands.health_command import STYLES

    states = {one["name"]: one["state"] for one in health.get(body["name"], {}).get("origins", ())}
    parts = []
    for one in body["origins"][:ENDPOINTS_SHOWN]:
        state = states.get(one["name"], "")
        told = f" {state}" if state not in UNREMARKABLE else ""
        network = f" in {one['virtual_network']}" if one.get("virtual_network") else ""
        parts.append(Text(f"{one['name']} {one['address']}{network}{told}", STYLES.get(state, "")))
    if len(body["origins"]) > ENDPOINTS_SHOWN:
        parts.append(Text(f"and {len(body['origins']) - ENDPOINTS_SHOWN} more", "dim"))
    return Text("\n").join(parts)


@pool.command()
@click.argument("name")
@assignments_argument
@creating_api_options
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="NAME=ADDRESS[,KEY=VALUE]...",
    help="An endpoint: eu-1=192.0.2.10 or eu-2=192.0.2.11,weight=0.5,port=8080,host=www.example.com; repeatable.",
)
@click.option("--monitor", shell_complete=names_of(Kind.MONITOR), help="The monitor that probes the endpoints.")
@click.option("--monitor-group", shell_complete=names_of(Kind.MONITOR_GROUP), help="The group that does.")
@from_option
@dry_run_option
@json_option
def create(
    client: ApiClient,
    name: str,
    assignments: tuple[str, ...],
    origins: tuple[str, ...],
    monitor: str | None,
    monitor_group: str | None,
    file: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Create a pool: its endpoints, its monitor, and any field as KEY=VALUE.

    lbdns pool create eu --monitor web --origin eu-1=192.0.2.10 --origin eu-2=192.0.2.11,weight=0.5 latitude=52.4
    longitude=4.9
    """
    options: Body = {"monitor": monitor, "monitor_group": monitor_group}
    options["origins"] = [parse_origin(text) for text in origins] or None
    body = new_body(Kind.POOL, name, file, options, assignments)
    if "origins" not in body:
        raise click.UsageError("a pool needs an endpoint: --origin NAME=ADDRESS, or --from FILE")
    desk = Desk(client, Kind.POOL)
    desk.create(body, desk.collection(name), dry_run, as_json)


add_verbs(pool, Kind.POOL)
