"""`lbdns apply DIR`: make the store what a directory's files say."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.words import OWN_PATH, SETTINGS_FILE
from lbdns.cli.frame import difference
from lbdns.cli.frame.api_place import Local
from lbdns.cli.frame.client import ApiClient, ApiRefusal, creating_api_options
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.guarded import guard_options, guarded
from lbdns.config.unchecked_tree import unchecked_tree

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
    """Show how DIR's files differ from the store, ask, and apply the difference in one transaction. With --yes it is
    applied at once, and then shown.

    An object in the files is made or changed; one in the store alone stays, unless --prune is given. Within a zone
    that the files hold, they say which records there are: others are deleted. What files cannot say is kept: ids,
    records' comments and tags, that a zone is paused. An SOA serial alone is no difference. DIR/lbdns.yaml is not
    applied: it is the server's.

    With --guard nothing is changed, and the exit status is 3, where more of the last hour's recorded traffic would
    change pool than it allows, or where nothing is recorded to tell by; `lbdns whatif DIR` says what would move.
    """
    unchecked = unchecked_tree(directory) if client.place.has_server() else None
    body = {
        "configuration": _checked_tree(directory) if unchecked is None else unchecked,
        "prune": prune,
        "message": message or f"apply {directory.resolve().name}",
    }
    _say_settings_stay(directory, client)
    change = StoreChange(client, f"{OWN_PATH}/apply", body, f"{OWN_PATH}/plan", body)
    try:
        change.carry_out(dry_run=dry_run, yes=yes, guard=guard, as_json=as_json, counts_unnamed=not prune)
    except ApiRefusal:
        if unchecked is not None:
            checked(directory)  # what is wrong with files is told by their lines
        raise


def _checked_tree(directory: Path) -> dict[str, Any]:
    """Return what a directory says, as `checked` does, as it is sent."""
    from lbdns.manage.store.revisions.sent_tree import sent_tree

    return sent_tree(checked(directory))


@dataclass(frozen=True, slots=True)
class StoreChange:
    """A change of the whole store: the request that makes it, and the one that says what it would change."""

    client: ApiClient
    path: str
    body: Mapping[str, Any]
    plan_path: str
    plan_body: Mapping[str, Any]

    def carry_out(
        self, *, dry_run: bool, yes: bool, guard: str | None, as_json: bool, counts_unnamed: bool = False
    ) -> None:
        """Show what it changes, ask, and have it done, unless the store changed meanwhile, or it moves more clients
        than the guard allows. Where nobody is asked and nothing guards, it is done at once, and shown as it was done.
        """
        tell_max = None if as_json else difference.SHOWN_MAX
        if yes and guard is None and not dry_run:
            done = self.client.post(self.path, self.body, tell_max=tell_max)
            _say_unnamed(done, counts_unnamed)
            _show(done, as_json, is_done=True)
            return
        plan = self.client.post(self.plan_path, self.plan_body, tell_max=tell_max)
        _say_unnamed(plan, counts_unnamed)
        is_all = dry_run or not difference.total(plan["counts"])
        if is_all or not as_json:
            _show(plan, as_json)
        if is_all:
            return
        ask("Apply this?", yes)
        with guarded():
            body = {**self.body, "based_on": plan["revision"]}
            params = {"tell_max": tell_max if as_json else 0}
            done = self.client.request("POST", self.path, body, params=params, tells=False, guard=guard).result
        if as_json:
            print_json(done)
        else:
            _say_done(done)


def _say_unnamed(told: Mapping[str, Any], counts_unnamed: bool) -> None:
    """Say how many objects of the store the files do not name, where these are kept."""
    if counts_unnamed and told["unnamed"]:
        count = f"{told['unnamed']:,} object{'' if told['unnamed'] == 1 else 's'}"
        click.echo(f"{count} of the store not in the files: kept; --prune would delete them", err=True)


def _show(told: Mapping[str, Any], as_json: bool, is_done: bool = False) -> None:
    """Show what is to be changed; `is_done`: and is."""
    count = difference.total(told["counts"])
    if as_json:
        print_json(told)
    elif not count:
        click.echo(f"no difference to revision {told['revision']}")
    else:
        difference.show(told["differences"], count)
        click.echo(f"\nto do: {difference.summary(told['counts'])}")
        if is_done:
            _say_done(told)


def _say_done(done: Mapping[str, Any]) -> None:
    click.echo(f"revision {done['revision']}: {difference.summary(done['counts'], difference.PAST)}")


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
