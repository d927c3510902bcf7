"""`lbdns revision`: who changed the store, when and what; and going back."""

from __future__ import annotations

import click

from lbdns.base.words import OWN_PATH, REVISIONS_MAX
from lbdns.cli.commands.apply_command import StoreChange
from lbdns.cli.frame import difference
from lbdns.cli.frame.client import ApiClient, api_options
from lbdns.cli.frame.common import local_time, print_json
from lbdns.cli.frame.guarded import guard_options
from lbdns.cli.frame.verb_group import VerbGroup

LIMIT = 20


@click.group(cls=VerbGroup)
def revision() -> None:
    """Show the store's revisions, compare them, and go back to one."""


@revision.command("list")
@api_options
@click.option(
    "--limit",
    type=click.IntRange(1, REVISIONS_MAX),
    default=LIMIT,
    show_default=True,
    help="How many, the newest first.",
)
@click.option("--before", type=click.IntRange(min=1), metavar="N", help="Only those before revision N.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_(client: ApiClient, limit: int, before: int | None, as_json: bool) -> None:
    """List revisions, the newest first."""
    found = client.get(f"{OWN_PATH}/revisions", limit=limit, before=before)
    if as_json:
        print_json(found)
        return
    from rich.text import Text

    from lbdns.base.wording import printable
    from lbdns.cli.frame.desk import make_table, print_table

    table = make_table("revision", "time", "author", "message")
    table.columns[0].justify = "right"
    for one in found:
        cells = (local_time(one["time"]), printable(one["author"]), printable(one["message"]))
        table.add_row(str(one["revision"]), *map(Text, cells))
    print_table(table)


@revision.command()
@click.argument("number", metavar="N", type=click.IntRange(min=0))
@click.argument("other", metavar="[M]", required=False, type=click.IntRange(min=0))
@api_options
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def show(client: ApiClient, number: int, other: int | None, as_json: bool) -> None:
    """Show what revision N changed; with M, what leads from revision N to revision M."""
    path = f"{OWN_PATH}/revisions/{number}" if other is None else f"{OWN_PATH}/revisions/{number}/compare/{other}"
    found = client.get(path)
    if as_json:
        print_json(found)
        return
    if other is None:
        from lbdns.base.wording import printable

        click.secho(f"revision {number}  {local_time(found['time'])}  {printable(found['author'])}", bold=True)
        if found["message"]:
            click.echo(f"    {printable(found['message'])}")
        click.echo()
    difference.show(found["differences"])
    words = difference.PAST if other is None else difference.FUTURE
    click.echo(f"\n{difference.summary(found['counts'], words)}" if found["differences"] else "no difference")


@revision.command()
@click.argument("number", metavar="N", type=click.IntRange(min=0))
@api_options
@click.option("--dry-run", is_flag=True, help="Show the difference, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--message", default="", help="Why, for the audit trail. [default: restore revision N]")
@guard_options
@click.option("--json", "as_json", is_flag=True, help="Print the difference as JSON.")
def restore(
    client: ApiClient, number: int, dry_run: bool, yes: bool, message: str, guard: str | None, as_json: bool
) -> None:
    """Make the objects as they were at revision N, as a new revision. Ids stay; SOA serials go on."""
    path = f"{OWN_PATH}/revisions/{number}/restore"
    body = {"message": message} if message else {}
    change = StoreChange(client, path, body, path, {"dry_run": True})
    change.carry_out(dry_run=dry_run, yes=yes, guard=guard, as_json=as_json)
