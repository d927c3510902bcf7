"""`show`, `set` and `delete` of one kind of balancing objects: the same for all kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click

from lbdns.base.kinds import Kind
from lbdns.base.words import BALANCER_TYPES, Health
from lbdns.cli.commands.apply_command import ask
from lbdns.cli.commands.completion_command import names_of, views_of
from lbdns.cli.frame.assignments import assign, parse_assignment
from lbdns.cli.frame.client import ApiClient, api_options
from lbdns.cli.frame.common import local_time, print_json
from lbdns.cli.frame.desk import Body, Desk, FoundObject, Moves, called, file_text, read_body
from lbdns.cli.frame.moves import networks_in

Command = Callable[..., Any]

HEALTH_KINDS: Final = (Kind.POOL, Kind.LOAD_BALANCER)


def name_argument(kind: Kind) -> Callable[[Command], Command]:
    """Add the argument NAME, which the shell completes."""
    return click.argument("name", shell_complete=names_of(kind))


def zone_argument(command: Command) -> Command:
    """Add the argument ZONE, likewise."""
    return click.argument("zone", shell_complete=names_of(Kind.ZONE))(command)


def view_option(help: str) -> Callable[[Command], Command]:
    """Add `--view VIEW`."""
    return click.option("--view", metavar="VIEW", shell_complete=views_of, help=help)


def json_option(command: Command) -> Command:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, as the API says it.")(command)


def dry_run_option(command: Command) -> Command:
    """Add `--dry-run`."""
    return click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")(command)


def from_option(command: Command) -> Command:
    """Add `--from FILE`."""
    return click.option(
        "--from",
        "file",
        metavar="FILE",
        type=click.Path(path_type=Path, allow_dash=True),
        help="Take the object from a file: YAML or JSON, as the configuration has it; - is standard input.",
    )(command)


def assignments_argument(command: Command) -> Command:
    """Add `[KEY=VALUE]...`."""
    return click.argument("assignments", metavar="[KEY=VALUE]...", nargs=-1)(command)


def type_option(kind: Kind) -> Callable[[Command], Command]:
    """Add `--type` to commands of load balancers: it tells those of one name apart."""
    if kind is not Kind.LOAD_BALANCER:
        return lambda command: command
    return click.option("--type", type=click.Choice(BALANCER_TYPES), help="Which one, where several have the name.")


def which_view_option(kind: Kind) -> Callable[[Command], Command]:
    """Add `--view` to commands of load balancers, likewise."""
    if kind is not Kind.LOAD_BALANCER:
        return lambda command: command
    return view_option("Which one, where views see others of the name: also NAME@VIEW.")


def networks_option(kind: Kind) -> Callable[[Command], Command]:
    """Add `--networks FILE` to `lb set`."""
    if kind is not Kind.LOAD_BALANCER:
        return lambda command: command
    return click.option(
        "--networks",
        metavar="FILE",
        type=click.Path(path_type=Path, allow_dash=True),
        help="With --dry-run, of a running server: which of these, one a line, would change pool.",
    )


def new_body(kind: Kind, name: str | None, file: Path | None, options: Body, assignments: tuple[str, ...]) -> Body:
    """Return the body of an object to be made: the file's, then what options say, then KEY=VALUE. Raises LbdnsError.

    The name is the one given: a file that describes another object makes a copy of that. None: one is given out.
    """
    body = read_body(kind, file, name) if file is not None else {}
    body |= ({} if name is None else {"name": name}) | {
        key: value for key, value in options.items() if value is not None
    }
    assign(body, map(parse_assignment, assignments))
    return body


def add_verbs(group: click.Group, kind: Kind) -> None:
    """Add the commands to a group."""
    words = kind.words

    known = "id, revision and health" if kind in HEALTH_KINDS else "id and revision"

    @group.command("show", help=f"Show a {words} as the files have it, with its {known}.")
    @name_argument(kind)
    @api_options
    @type_option(kind)
    @which_view_option(kind)
    @json_option
    def show(client: ApiClient, name: str, as_json: bool, type: str | None = None, view: str | None = None) -> None:
        desk = Desk(client, kind)
        found = desk.find(name, type, view)
        health = desk.health().get(called(found.body)) if kind in HEALTH_KINDS else None
        if as_json:
            shown = {**found.body, "revision": found.revision}
            print_json(shown | {"health": health} if kind in HEALTH_KINDS else shown)
            return
        for line in _remarks(kind, found, health):
            click.secho(f"# {line}", dim=True)
        click.echo(file_text(kind, desk.named(found.body)), nl=False)

    @group.command(
        "set",
        help=f"Change fields of a {words}: KEY=VALUE, dotted to reach inside, null for the default. With --from, the "
        "file says what the whole object is. Refused where somebody else changed it in between.",
    )
    @name_argument(kind)
    @assignments_argument
    @api_options
    @type_option(kind)
    @which_view_option(kind)
    @from_option
    @dry_run_option
    @networks_option(kind)
    @json_option
    def set_(
        client: ApiClient,
        name: str,
        assignments: tuple[str, ...],
        file: Path | None,
        dry_run: bool,
        as_json: bool,
        type: str | None = None,
        view: str | None = None,
        networks: Path | None = None,
    ) -> None:
        if networks is not None and not dry_run:
            raise click.UsageError("--networks says what a --dry-run would change; give both")
        asked_of = networks_in(networks) if networks is not None else []
        parsed = [parse_assignment(text) for text in assignments]
        if not parsed and file is None:
            raise click.UsageError("nothing to set: give KEY=VALUE, or --from FILE")
        desk = Desk(client, kind)
        found = desk.find(name, type, view)
        if file is not None:
            body = read_body(kind, file, found.body["name"]) | {"name": found.body["name"]}
            assign(body, parsed)
            desk.replace(found, body, dry_run, as_json, _moves(desk, body, asked_of))
            return
        body = desk.named(found.body)
        touched = assign(body, parsed)
        desk.change(found, {key: body[key] for key in touched}, dry_run, as_json, _moves(desk, body, asked_of))

    @group.command("delete", help=f"Delete a {words} that nothing uses. Asks first, on a terminal.")
    @name_argument(kind)
    @api_options
    @type_option(kind)
    @which_view_option(kind)
    @dry_run_option
    @click.option("--yes", is_flag=True, help="Do not ask.")
    def delete(
        client: ApiClient, name: str, dry_run: bool, yes: bool, type: str | None = None, view: str | None = None
    ) -> None:
        desk = Desk(client, kind)
        found = desk.find(name, type, view)
        if not dry_run:
            ask(f"Delete the {words} {called(found.body, kind)}?", yes)
        desk.delete(found, dry_run)


def _moves(desk: Desk, body: Body, networks: list[str]) -> Moves | None:
    """Return what says which of the networks would move, None where there are none."""
    return (lambda: desk.would_move(body, networks)) if networks else None


def _remarks(kind: Kind, found: FoundObject, health: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what is known of an object beside its fields."""
    revision = "" if found.revision is None else f", revision {found.revision}"
    modified = found.body.get("modified_on")
    yield f"id {found.body['id']}{revision}" + (f", changed {local_time(modified)}" if modified else "")
    if zone := found.body.get("zone_name"):
        yield f"in the zone {zone}"
    if health is not None:
        yield f"health: {health['state']}"
        for endpoint in health.get("origins", ()):
            is_down = endpoint["state"] in (Health.UNHEALTHY, Health.UNRESOLVED)
            reason = f": {endpoint['reason']}" if is_down and endpoint["reason"] else ""
            yield f"  {endpoint['name']} {endpoint['state']}{reason}"
