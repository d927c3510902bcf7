"""`lbdns store`: whether the store can be read, what in it cannot, and the way back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import counted, printable
from lbdns.base.words import OWN_PATH
from lbdns.cli.frame.api_place import Local, answers
from lbdns.cli.frame.client import ApiClient, api_options
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.verb_group import VerbGroup

PATH = f"{OWN_PATH}/store"


@click.group(cls=VerbGroup)
def store() -> None:
    """Look after the store: check it, mend what in it cannot be read, make it anew."""


@store.command()
@api_options
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known, as JSON.")
def check(client: ApiClient, as_json: bool) -> None:
    """Say whether the store can be read and written as a whole, and name every object that cannot be read.

    Exit status 1 where anything is wrong with it.
    """
    found = _look(client)
    wrong = [*filter(None, [found["problem"]]), *found["damage"], *found["mistakes"]]
    if as_json:
        print_json(found)
    else:
        for text in wrong:
            click.secho(printable(text), fg="red", err=True)
        for one in found["unreadable"]:
            click.secho(f"{_called(one)}: {printable('; '.join(one['why']))}", fg="red", err=True)
        if found["unreadable"]:
            count = counted(len(found["unreadable"]), "object")
            click.echo(f"{count} cannot be read: lbdns store show ID, repair ID, delete ID", err=True)
        if not wrong and not found["unreadable"]:
            click.echo(f"{found['place']}: no problems, revision {found['revision']}")
    sys.exit(1 if wrong or found["unreadable"] else 0)


@store.command()
@click.argument("id", metavar="ID")
@api_options
@click.option("--json", "as_json", is_flag=True, help="Print all that its row says, as JSON.")
def show(client: ApiClient, id: str, as_json: bool) -> None:
    """Print an object that cannot be read as it is stored."""
    one = _one(client, id)
    if as_json:
        print_json(one)
    else:
        click.echo(one["text"])


@store.command()
@click.argument("id", metavar="ID")
@click.argument("file", metavar="FILE", type=click.File(encoding="utf-8"))
@api_options
def repair(client: ApiClient, id: str, file: IO[str]) -> None:
    """Give an object that cannot be read another body: FILE holds it as JSON, `-` is standard input."""
    try:
        body = json.load(file)
    except (ValueError, RecursionError) as error:
        raise LbdnsError(f"{file.name}: no JSON: {error}") from error
    one = _one(client, id)
    _tell(client.put(f"{PATH}/unreadable/{quote(id, safe='')}", body), _called(one), "repaired")


@store.command()
@click.argument("id", metavar="ID")
@api_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(client: ApiClient, id: str, yes: bool) -> None:
    """Delete an object that cannot be read."""
    one = _one(client, id)
    if not yes:
        click.echo(printable(one["text"]), err=True)
        click.confirm(f"Delete the {_called(one)}?", abort=True, err=True)
    _tell(client.delete(f"{PATH}/unreadable/{quote(id, safe='')}"), _called(one), "deleted")


@store.command()
@api_options
@click.option(
    "--from",
    "copy",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="A copy of a store. [default: what was served last]",
)
def restore(client: ApiClient, copy: Path | None) -> None:
    """Make a store that is gone or cannot be read anew; what was there is kept beside it.

    Of what was served last, that is what files can say: no revisions, comments and tags. A running server serves it
    within five seconds.
    """
    place = client.place
    if not isinstance(place, Local):
        raise LbdnsError("a store is made anew on the server's own machine; leave --api out")
    from lbdns.mapped.run_directory import RunDirectory, StateLock

    if answers(RunDirectory.socket_in_use(place.socket_path(), place.state_dir())):
        click.echo(client.post(f"{PATH}/restore", {"from": None if copy is None else str(copy)})["done"])
        return
    from lbdns.manage.store.restoring import restore_store

    lock = StateLock(place.state_dir())
    try:
        click.echo(restore_store(place.state_dir(), copy))
    finally:
        lock.release()


def _look(client: ApiClient) -> dict[str, Any]:
    found: dict[str, Any] = client.request("GET", PATH, tells=False).result
    return found


def _one(client: ApiClient, id: str) -> dict[str, Any]:
    """Return one of the objects that cannot be read; raises LbdnsError where there is no such."""
    found = next((one for one in _look(client)["unreadable"] if one["id"] == id), None)
    if found is None:
        raise LbdnsError(f"no stored object {id} is unreadable; `lbdns store check` names those that are")
    return dict(found)


def _called(one: dict[str, Any]) -> str:
    name = f' "{printable(one["name"])}"' if one["name"] else ""
    return f"{printable(one['kind'].replace('_', ' '))}{name} ({printable(one['id'])})"


def _tell(done: dict[str, Any], what: str, how: str) -> None:
    left = f"; {counted(done['left'], 'object')} cannot be read yet" if done["left"] else ""
    click.echo(f"{what}: {how} in revision {done['revision']}{left}")
