"""`lbdns fleet`: the machines that this server shares its configuration and its health with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from lbdns.base.errors import LbdnsError
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.fleet_told import FLEET_HEADINGS, fleet_rows
from lbdns.cli.frame.running import RunningServer, running_options
from lbdns.cli.frame.verb_group import VerbGroup

if TYPE_CHECKING:
    from lbdns.cli.frame.fleet_setup import SetupPlace
    from lbdns.model.fleet_secret import FleetSecret

LOOK_AT: Final = 1
NONE: Final = 2
NO_FLEET_TEXT: Final = (
    "this server is in no fleet: `lbdns fleet init` begins one, and prints what `lbdns fleet join` takes on the next"
)


@click.group(cls=VerbGroup, invoke_without_command=True)
@running_options
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known, as JSON.")
@click.pass_context
def fleet(context: click.Context, running: RunningServer, as_json: bool) -> None:
    """Show each machine of the fleet as this one hears it: revision, lag, whom it hears, release.

    Exit status: 0 all is well, 1 somebody should look at something, 2 no server runs, or it is in no fleet.
    """
    if context.invoked_subcommand is None:
        sys.exit(_show(running, as_json))


def _show(running: RunningServer, as_json: bool) -> int:
    """Print the fleet; returns the exit status."""
    from lbdns.cli.frame.desk import make_table, print_table
    from lbdns.model.fleet_report import FleetReport
    from lbdns.processes.supervisor.control_socket import ask

    try:
        report = FleetReport.from_json(ask(running.control(), "fleet"))
    except LbdnsError as error:
        click.echo(f"lbdns: {error}", err=True)
        return NONE
    if as_json:
        print_json(report.as_json())
    elif report.machine:
        table = make_table(*FLEET_HEADINGS)
        for row in fleet_rows(report):
            table.add_row(*row)
        print_table(table)
        for problem in report.problems:
            click.echo(click.style(problem, fg="red"))
    else:
        click.echo(NO_FLEET_TEXT, err=True)
    return NONE if not report.machine else LOOK_AT if report.problems else 0


NAME_OPTION = click.option(
    "--name", metavar="NAME", help="What this machine is called; default: by its PoP, or its host."
)
CREDENTIALS_OPTION = click.option(
    "--credentials",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A NATS credentials file, for a nats-server of your own.",
)
CA_OPTION = click.option(
    "--ca",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Certificates that a nats-server of your own has its from; default: those that the system trusts.",
)


@fleet.command()
@running_options
@NAME_OPTION
@click.option(
    "--address", metavar="HOST[:PORT]", help="Where the other machines reach this one; default: its own, 4222."
)
@click.option("--leaf-port", type=click.IntRange(1, 65535), metavar="PORT", help="Take leaves too, at this port.")
@click.option(
    "--nats", multiple=True, metavar="URL", help="Use this NATS of your own in place of a hub here; repeatable."
)
@click.option("--domain", default="", metavar="NAME", help="With --nats: the JetStream domain of the fleet's stream.")
@CREDENTIALS_OPTION
@CA_OPTION
def init(
    running: RunningServer,
    name: str | None,
    address: str | None,
    leaf_port: int | None,
    nats: tuple[str, ...],
    domain: str,
    credentials: Path | None,
    ca: Path | None,
) -> None:
    """Begin a fleet with this machine as its hub, and print the line by which others join.

    Its configuration is the fleet's. Called again, it prints the line again; with --address, for another address.
    """
    from lbdns.cli.frame.fleet_setup import (
        OwnNats,
        begin_elsewhere,
        begin_hub,
        find_setup_place,
        hub_url,
        machine_name,
        own_address,
    )

    if nats and (address or leaf_port):
        raise click.UsageError("--address and --leaf-port are of a hub here, --nats is one elsewhere: leave one out")
    if (domain or credentials or ca) and not nats:
        raise click.UsageError("--domain, --credentials and --ca go with --nats")
    place = find_setup_place(running)
    if _is_begun(place, name, address):
        return
    called = machine_name(place, name)
    if nats:
        secret = begin_elsewhere(place, called, _urls(nats), OwnNats(credentials, ca), domain)
        click.echo(f"{called} began the fleet {secret.fleet_id} at {', '.join(secret.urls)}")
    else:
        secret = begin_hub(place, called, hub_url(address or own_address()), leaf_port)
        click.echo(f"{called} is the hub of the fleet {secret.fleet_id}; others reach it at {secret.urls[0]}")
    _tell_next(place)
    _print_token(secret)


@fleet.command()
@running_options
@click.argument("token", metavar="TOKEN")
@NAME_OPTION
@click.option("--leaf", "is_leaf", is_flag=True, help="Start a nats-server here that goes to the hub for this machine.")
@click.option("--replace", "replaces", is_flag=True, help="Give up the configuration that this server has of its own.")
@click.option("--offline", is_flag=True, help="Join though the fleet is not reached now.")
@CREDENTIALS_OPTION
@CA_OPTION
def join(
    running: RunningServer,
    token: str,
    name: str | None,
    is_leaf: bool,
    replaces: bool,
    offline: bool,
    credentials: Path | None,
    ca: Path | None,
) -> None:
    """Make this machine one of a fleet, by the line that `lbdns fleet init` printed; `-` reads it from standard input.

    A server that runs takes it up at once. The fleet's configuration takes the place of its own.
    """
    from lbdns.base.wording import counted
    from lbdns.cli.frame.fleet_greeting import greet_fleet
    from lbdns.cli.frame.fleet_setup import OwnNats, find_setup_place, join_fleet, machine_name, own_objects
    from lbdns.fleet.embedded.join_token import decode_join_token

    own_nats = OwnNats(credentials, ca)
    secret = decode_join_token(sys.stdin.readline() if token == "-" else token)
    place = find_setup_place(running)
    if _is_joined(place, secret, name):
        return
    called = machine_name(place, name)
    count = 0 if replaces else own_objects(place)
    if count:
        raise LbdnsError(
            f"this server has {counted(count, 'object')} of its own, in place of which come the fleet's: "
            "say --replace; a copy of the store is kept"
        )
    if not offline:
        greet_fleet(secret, called, own_nats)
    join_fleet(place, secret, called, is_leaf, own_nats, replaces)
    click.echo(f"{called} is one of the fleet {secret.fleet_id}")
    _tell_next(place)


@fleet.command()
@running_options
@click.option("--end", "ends", is_flag=True, help="On the hub: leave, though the others lose it.")
def leave(running: RunningServer, ends: bool) -> None:
    """Make this machine a server of its own again; it serves on what it has."""
    from lbdns.base.words import FLEET_DIRECTORY
    from lbdns.cli.frame.fleet_setup import find_setup_place, leave_fleet

    place = find_setup_place(running)
    if place.settings.fleet is None and not (place.state_dir / FLEET_DIRECTORY).exists():
        click.echo("this machine is in no fleet")
        return
    if place.settings.fleet is not None and place.settings.fleet.is_hub and not ends:
        raise LbdnsError(
            "this machine is the hub: without it the others serve on, but nobody can change the configuration, and "
            "they hear nothing of each other; say --end"
        )
    leave_fleet(place)
    click.echo("this machine is in no fleet any more, and serves on what it has; the others do without it")


@fleet.command()
@running_options
@click.argument("machine", metavar="MACHINE")
def forget(running: RunningServer, machine: str) -> None:
    """Take a machine that is gone for good out of the fleet: it is missed no more, and counts no more.

    Without this it is known for a day. One that comes back is known again.
    """
    from lbdns.processes.supervisor.control_socket import ask

    told = ask(running.control(), "fleet_forget", machine=machine)
    click.echo(f"{told['machine']} is forgotten, here and by all that hear this machine")


@fleet.command("token")
@running_options
def print_token(running: RunningServer) -> None:
    """Print the line by which other machines join this one's fleet."""
    from lbdns.cli.frame.fleet_setup import find_setup_place

    secret = find_setup_place(running).secret()
    if secret is None:
        raise LbdnsError(NO_FLEET_TEXT)
    _print_token(secret)


def _is_begun(place: SetupPlace, name: str | None, address: str | None) -> bool:
    """Tell whether a fleet was begun here already, and then print its line; raises LbdnsError where it was joined."""
    from lbdns.cli.frame.fleet_setup import hub_url, move_hub

    secret, settings = place.secret(), place.settings.fleet
    if secret is None and settings is None:
        return False
    if secret is None or secret.role != "hub" or settings is None:
        raise LbdnsError(_in_another(place, secret))
    if name is not None and name != settings.name:
        raise LbdnsError(
            f"this machine began the fleet {secret.fleet_id} as {settings.name}: no other name is taken up"
        )
    if address is not None and settings.is_hub and hub_url(address) not in secret.urls:
        secret = move_hub(place, secret, hub_url(address))
        click.echo(f"others reach it at {secret.urls[0]} from now on; those that joined before: set `join` there")
    click.echo(f"{settings.name} began the fleet {secret.fleet_id} already")
    _print_token(secret)
    return True


def _is_joined(place: SetupPlace, token: FleetSecret, name: str | None) -> bool:
    """Tell whether this machine is in the token's fleet already; raises LbdnsError where it is in another."""
    secret, settings = place.secret(), place.settings.fleet
    if secret is None and settings is None:
        return False
    if secret is None or settings is None or secret.fleet_id != token.fleet_id or name not in (None, settings.name):
        raise LbdnsError(_in_another(place, secret))
    click.echo(f"{settings.name} is in the fleet {secret.fleet_id} already")
    return True


def _in_another(place: SetupPlace, secret: FleetSecret | None) -> str:
    which = "a fleet" if secret is None else f"the fleet {secret.fleet_id}"
    called = f" as {place.settings.fleet.name}" if place.settings.fleet is not None else ""
    return f"this machine is in {which} already{called}: `lbdns fleet leave` first"


def _urls(said: tuple[str, ...]) -> tuple[str, ...]:
    from pydantic_core import PydanticCustomError

    from lbdns.model.fleet_settings import check_bus_url

    try:
        return tuple(map(check_bus_url, said))
    except PydanticCustomError as error:
        raise LbdnsError(f"--nats: {error.message()}") from None


def _tell_next(place: SetupPlace) -> None:
    """Say what was written, who has taken it up, and whether the bus is reached."""
    from lbdns.cli.frame.fleet_greeting import reach_bus
    from lbdns.config.readable_settings import readable_settings
    from lbdns.model.bus_access import bus_access

    click.echo(f"written: {place.settings_file}, {place.secret_file}")
    if not place.is_up:
        click.echo("no server runs here: the next `lbdns serve` takes it up")
        return
    settings = readable_settings(place.settings_file).fleet
    assert settings is not None, "it was written just now"
    problem = reach_bus(bus_access(settings, place.state_dir))
    click.echo("the running server has taken it up" + (f"; but the bus is not reached: {problem}" if problem else ""))


def _print_token(secret: FleetSecret) -> None:
    from lbdns.fleet.embedded.join_token import encode_join_token

    click.echo("on each machine that is to join (whoever has this line is in the fleet):", err=True)
    click.echo(f"lbdns fleet join {encode_join_token(secret)}")
