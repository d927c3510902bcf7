"""`lbdns apply DIR`: make the store what a directory's files say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.words import OWN_PATH, SETTINGS_FILE
from lbdns.cli.frame import difference
from lbdns.cli.frame.api_place import Local
from lbdns.cli.frame.client import ApiClient, creating_api_options
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.guarded import guard_options, guarded

if TYPE_CHECKING:
    from lbdns.model.configuration import Configuration


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@creating_api_options
@click.option("--dry-run", is_flag=True, help="Show the difference, and change nothing.")
@click.option("--prune", is_flag=True, help="Delete the objects that the files do not name.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--message", default="", help="Why, for the audit trail. [default: apply and the directory's name]")
@guard_options
@click.option("--json", "as_json", is_flag=True, help="Print the difference as JSON.")
def apply(
    client: ApiClient,
    directory: Path,
    dry_run: bool,
    prune: bool,
    yes: bool,
    message: str,
    guard: str | None,
    as_json: bool,
) -> None:
    """Show how DIR's files differ from the store, ask, and apply the difference in one transaction.

    An object in the files is made or changed; one in the store alone stays, unless --prune is given. Within a zone
    that the files hold, they say which records there are: others are deleted. What files cannot say is kept: ids,
    records' comments and tags, that a zone is paused. An SOA serial alone is no difference. DIR/lbdns.yaml is not
    applied: it is the server's.

    With --guard nothing is changed, and the exit status is 3, where more of the last hour's recorded traffic would
    change pool than it allows, or where nothing is recorded to tell by; `lbdns whatif DIR` says what would move.
    """
    configuration = checked(directory)
    _say_settings_stay(directory, client)
    body: dict[str, Any] = {"configuration": tree(configuration), "prune": prune}
    plan = client.post(f"{OWN_PATH}/plan", body)
    if plan["unnamed"] and not prune:
        count = f"{plan['unnamed']:,} object{'' if plan['unnamed'] == 1 else 's'}"
        click.echo(f"{count} of the store not in the files: kept; --prune would delete them", err=True)
    body["message"] = message or f"apply {directory.resolve().name}"
    carry_out(client, f"{OWN_PATH}/apply", plan, body, dry_run=dry_run, yes=yes, guard=guard, as_json=as_json)


def carry_out(
    client: ApiClient,
    path: str,
    plan: dict[str, Any],
    body: dict[str, Any],
    *,
    dry_run: bool,
    yes: bool,
    guard: str | None,
    as_json: bool,
) -> None:
    """Show what a plan changes, ask, and have it done by a request to `path`, unless the store changed meanwhile, or it
    moves more clients than the guard allows."""
    if not plan["differences"] or dry_run:
        if as_json:
            print_json(plan)
        elif not plan["differences"]:
            click.echo(f"no difference to revision {plan['revision']}")
        else:
            _show(plan)
        return
    if not as_json:
        _show(plan)
    ask("Apply this?", yes)
    with guarded():
        body = {**body, "based_on": plan["revision"]}
        done = client.request("POST", path, body, tells=False, guard=guard).result
    if as_json:
        print_json(done)
    else:
        click.echo(f"revision {done['revision']}: {difference.summary(done['counts'], difference.PAST)}")


def _show(plan: dict[str, Any]) -> None:
    difference.show(plan["differences"])
    click.echo(f"\nto do: {difference.summary(plan['counts'])}")


def ask(question: str, yes: bool) -> None:
    """Ask on a terminal, unless `yes`; raises LbdnsError where there is none, click.Abort at a no."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise LbdnsError("nothing is changed: there is no terminal to ask at, and --yes is not given")
    click.confirm(question, abort=True, err=True)


def checked(directory: Path) -> Configuration:
    """Return a directory's configuration; where it has a mistake, say every one and exit with status 1.

    Warnings are the server's to give: some depend on its settings.
    """
    import dataclasses

    from lbdns.cli.commands.check_command import required
    from lbdns.cli.frame.bar import bar
    from lbdns.config.loading import examine

    with bar():
        examined = examine(directory, knows_settings=False)
    return required(dataclasses.replace(examined, warnings=()))


def _say_settings_stay(directory: Path, client: ApiClient) -> None:
    """Say that a directory's settings are not applied, unless they are the server's own."""
    settings = directory / SETTINGS_FILE
    own = client.place.settings_path if isinstance(client.place, Local) else None
    if settings.exists() and (own is None or own.resolve() not in (settings.resolve(), directory.resolve())):
        click.echo(f"{settings} is not applied: it is not the settings file of this server", err=True)


def tree(configuration: Configuration) -> dict[str, Any]:
    """Return a configuration as the API takes it; files that others include are part of their zone's text there."""
    from lbdns.manage.store.revisions.from_files import state_of
    from lbdns.manage.store.revisions.to_files import tree_of

    return tree_of(state_of(configuration, 0), has_private_views=True)
