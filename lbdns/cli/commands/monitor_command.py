"""`lbdns monitor`: monitors and groups of them; `lbdns monitor probe` runs one once."""

from __future__ import annotations

from pathlib import Path

import click

from lbdns.base.kinds import Kind
from lbdns.base.probe_types import PROBE_TYPES, port_help, types_with
from lbdns.base.wording import printable
from lbdns.cli.commands.completion_command import names_of
from lbdns.cli.commands.probe_command import pem_file, probe
from lbdns.cli.frame.client import ApiClient, api_options, creating_api_options
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.desk import Body, Desk, make_table, print_table
from lbdns.cli.frame.verb_group import VerbGroup
from lbdns.cli.frame.verbs import add_verbs, assignments_argument, dry_run_option, from_option, json_option, new_body


@click.group(cls=VerbGroup)
def monitor() -> None:
    """Manage monitors, or run one by hand: lbdns monitor probe TYPE ADDRESS."""


@monitor.command("list")
@api_options
@json_option
def list_(client: ApiClient, as_json: bool) -> None:
    """List monitors: what they send, what they expect, how often."""
    from rich.text import Text

    monitors = Desk(client, Kind.MONITOR).list()
    if as_json:
        print_json(monitors)
        return
    table = make_table("monitor", "type", "probes", "expects", "interval", "timeout", "description")
    for body in monitors:
        times = (f"{body['interval']} s", f"{body['timeout']} s")
        table.add_row(
            Text(body["name"], "bold"), body["type"], *_probe(body), *times, Text(printable(body["description"]))
        )
    print_table(table)


def _probe(body: Body) -> tuple[str, str]:
    port = f"port {body['port']}" if body["port"] else ""
    if body["type"] not in types_with("expected_codes"):
        return port, ""
    expected = [body["expected_codes"]]
    if body["expected_body"]:
        expected.append(f'"{printable(body["expected_body"])}"')
    return f"{body['method']} {body['path']} {port}".rstrip(), " ".join(expected)


@monitor.command()
@click.argument("name")
@assignments_argument
@creating_api_options
@click.option("--type", type=click.Choice(list(PROBE_TYPES)), help="[default: http]")
@click.option("--path", help="What to ask for (http, https). [default: /]")
@click.option("--port", type=int, help=port_help())
@click.option("--interval", type=int, help="Seconds between probes. [default: 60]")
@click.option("--timeout", type=int, help="Seconds that an answer may take. [default: 5]")
@click.option("--retries", type=int, help="How often to try again at once after a time-out. [default: 2]")
@click.option("--expected-codes", help="Such as 200, 2xx, 200-299 or a list of those. [default: 200]")
@click.option("--expected-body", help="Text that the body must hold, in any case.")
@click.option("--client-certificate", type=pem_file(), help="A certificate that probes show, in PEM (https).")
@click.option("--client-key", type=pem_file(), help="Its private key. [default: in the same file]")
@from_option
@dry_run_option
@json_option
def create(
    client: ApiClient,
    name: str,
    assignments: tuple[str, ...],
    file: Path | None,
    dry_run: bool,
    as_json: bool,
    **options: str | int | None,
) -> None:
    """Create a monitor, any field of it as KEY=VALUE.

    lbdns monitor create web --type http --path /health --interval 10 consecutive_down=3
    """
    desk = Desk(client, Kind.MONITOR)
    body = new_body(Kind.MONITOR, name, file, options, assignments)
    desk.create(body, desk.collection(name), dry_run, as_json)


add_verbs(monitor, Kind.MONITOR)
monitor.add_command(probe)


@monitor.group()
def group() -> None:
    """Manage groups of monitors, which judge endpoints together."""


@group.command("list")
@api_options
@json_option
def list_groups(client: ApiClient, as_json: bool) -> None:
    """List groups with their members."""
    from rich.text import Text

    desk = Desk(client, Kind.MONITOR_GROUP)
    groups = desk.list()
    if as_json:
        print_json(groups)
        return
    table = make_table("monitor group", "members", "description")
    for body in groups:
        members = ", ".join(member["monitor"] for member in desk.named(body)["members"])
        table.add_row(Text(body["name"], "bold"), members, Text(printable(body["description"])))
    print_table(table)


@group.command("create")
@click.argument("name")
@assignments_argument
@creating_api_options
@click.option(
    "--member",
    "members",
    multiple=True,
    metavar="MONITOR",
    shell_complete=names_of(Kind.MONITOR),
    help="A monitor of the group; repeatable. Its part in it: members.MONITOR.must_be_healthy=true.",
)
@from_option
@dry_run_option
@json_option
def create_group(
    client: ApiClient,
    name: str,
    assignments: tuple[str, ...],
    members: tuple[str, ...],
    file: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Create a group of monitors.

    lbdns monitor group create app --member web --member login members.login.monitoring_only=true
    """
    desk = Desk(client, Kind.MONITOR_GROUP)
    options: Body = {"members": [{"monitor": member} for member in members] or None}
    body = new_body(Kind.MONITOR_GROUP, name, file, options, assignments)
    if "members" not in body:
        raise click.UsageError("a group needs a monitor: --member MONITOR, or --from FILE")
    desk.create(body, desk.collection(name), dry_run, as_json)


add_verbs(group, Kind.MONITOR_GROUP)
