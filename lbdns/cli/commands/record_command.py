"""`lbdns record`: the records of a zone, in the store of a running server or of none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import listed
from lbdns.base.words import AUTOMATIC_TTL
from lbdns.cli.commands.apply_command import ask
from lbdns.cli.frame.client import ApiClient, api_options
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.desk import make_table, print_table, show_plan
from lbdns.cli.frame.hosted import (
    Body,
    HostedZone,
    complete_name,
    data_text,
    find_zone,
    record_line,
    records_of,
    relative_name,
    tell,
    ttl_text,
)
from lbdns.cli.frame.verb_group import VerbGroup
from lbdns.cli.frame.verbs import Command, dry_run_option, json_option, view_option, zone_argument
from lbdns.model.view_names import VIEW, labelled

SHOWN_MAX: Final = 10
AUTOMATIC: Final = "auto"


def _ttl(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Return the `ttl` of the API; raises click.BadParameter."""
    if value is None or value == AUTOMATIC:
        return None if value is None else AUTOMATIC_TTL
    from lbdns.dns.master.ttl import parse_ttl

    try:
        return parse_ttl(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def fields_options(command: Command) -> Command:
    """Add the options of a record's fields."""
    for option in (
        click.option("--tag", "tags", metavar="NAME:VALUE", multiple=True, help="A tag; give it once for each."),
        click.option("--comment", metavar="TEXT", help="A note, never in an answer."),
        click.option("--ttl", callback=_ttl, metavar="SECONDS", help="Or 5m, 1h, auto. [default: auto, 300 s]"),
    ):
        command = option(command)
    return command


def _fields(ttl: int | None, comment: str | None, tags: tuple[str, ...]) -> Body:
    given = {"ttl": ttl, "comment": comment, "tags": list(tags) or None}
    return {key: value for key, value in given.items() if value is not None}


@click.group(cls=VerbGroup)
def record() -> None:
    """Manage the records of a zone: names are complete, or relative to it; @ is the zone itself."""


@record.command("list")
@zone_argument
@click.argument("name", required=False)
@api_options
@click.option("--type", "rdtype", metavar="TYPE", help="Records of this type alone.")
@click.option("--search", metavar="TEXT", help="Records with this in name, content, comment or tags.")
@view_option("Records of a view alone; '' for those that all see.")
@json_option
def list_(
    client: ApiClient,
    zone: str,
    name: str | None,
    rdtype: str | None,
    search: str | None,
    view: str | None,
    as_json: bool,
) -> None:
    """List a zone's records, or those of one name."""
    from rich.text import Text

    hosted = find_zone(client, zone, view)
    path, origin = hosted.path, hosted.name
    wanted = complete_name(name, origin) if name is not None else None
    of_view = hosted.of_view if hosted.view or view is not None else None
    found = records_of(client, path, name=wanted, type=rdtype, search=search, view=of_view)
    if as_json:
        print_json(found)
        return
    found.sort(key=lambda one: (_order(one["name"], origin), one["type"] != "NS", one["type"]))
    views = {one.get(VIEW, "") for one in found}
    has_views = len(views) > 1 or hosted.view in views - {""}
    table = make_table("name", *(["view"] if has_views else []), "type", "ttl", "content", "comment")
    for one in found:
        shown = Text(relative_name(one["name"], origin), "bold")
        seen = [one.get(VIEW, "")] if has_views else []
        content, comment = Text(data_text(one)), Text(one["comment"] or "", "dim")
        table.add_row(shown, *seen, one["type"], ttl_text(one), content, comment)
    print_table(table)


def _order(name: str, origin: str) -> list[str]:
    return relative_name(name, origin).split(".")[::-1] if name != origin else []


@record.command()
@zone_argument
@click.argument("name")
@click.argument("rdtype", metavar="TYPE")
@click.argument("content", nargs=-1, required=True)
@api_options
@fields_options
@view_option("The view that sees the record. [default: all]")
@dry_run_option
@json_option
def add(
    client: ApiClient,
    zone: str,
    name: str,
    rdtype: str,
    content: tuple[str, ...],
    ttl: int | None,
    comment: str | None,
    tags: tuple[str, ...],
    view: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Add a record. CONTENT is what a master file has behind the type.

    \b
    lbdns record add example.com www A 192.0.2.1
    lbdns record add example.com @ MX 10 mail --ttl 1h
    lbdns record add example.com @ TXT "v=spf1 -all"
    """
    hosted = find_zone(client, zone, view)
    path = hosted.path
    body = {"name": name, "type": rdtype, "content": " ".join(content), **_fields(ttl, comment, tags), **_seen(hosted)}
    reply = client.request("POST", f"{path}/dns_records", body, params={"dry_run": dry_run or None})
    tell(reply, "record" if dry_run else record_line(reply.result), "added", dry_run, as_json)


@record.command("set")
@zone_argument
@click.argument("name")
@click.argument("rdtype", metavar="TYPE")
@click.argument("content", nargs=-1)
@api_options
@click.option("--was", metavar="CONTENT", help="Which record, where there are several of the name and type.")
@fields_options
@view_option("The view that sees the record. [default: all]")
@dry_run_option
@json_option
def set_(
    client: ApiClient,
    zone: str,
    name: str,
    rdtype: str,
    content: tuple[str, ...],
    was: str | None,
    ttl: int | None,
    comment: str | None,
    tags: tuple[str, ...],
    view: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Change the record of a name and type, or add it where there is none. What is not given stays."""
    hosted = find_zone(client, zone, view)
    path, origin = hosted.path, hosted.name
    fields = _fields(ttl, comment, tags)
    if content:
        fields["content"] = " ".join(content)
    if not fields:
        raise click.UsageError("nothing to set: give CONTENT, --ttl, --comment or --tag")
    owner = complete_name(name, origin)
    found = _chosen(records_of(client, path, name=owner, type=rdtype, view=hosted.of_view), was)
    params = {"dry_run": dry_run or None}
    if not found and was is None:
        if not content:
            raise _none(client, hosted, owner, rdtype, "; give its content")
        body = {"name": name, "type": rdtype, **fields, **_seen(hosted)}
        reply = client.request("POST", f"{path}/dns_records", body, params=params)
        tell(reply, "record" if dry_run else record_line(reply.result), "added", dry_run, as_json)
        return
    if not found:
        raise _none(client, hosted, owner, rdtype, _with(was))
    one = _one_of(found, owner, rdtype)
    current = client.fetch(f"{path}/dns_records/{one['id']}")
    if rdtype.upper() == "MX" and len(content) == 2:
        fields |= {"priority": None}  # the preference stands in the content
    reply = client.request("PATCH", f"{path}/dns_records/{one['id']}", fields, current.revision, params)
    tell(reply, "record" if dry_run else record_line(reply.result), "changed", dry_run, as_json, current.revision)


@record.command()
@zone_argument
@click.argument("name")
@click.argument("rdtype", metavar="[TYPE]", required=False)
@click.argument("content", nargs=-1)
@api_options
@view_option("The view that sees the records. [default: all]")
@dry_run_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(
    client: ApiClient,
    zone: str,
    name: str,
    rdtype: str | None,
    content: tuple[str, ...],
    view: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete the records of a name, of a type there, or the one with CONTENT. Asks first, on a terminal."""
    hosted = find_zone(client, zone, view)
    path, origin = hosted.path, hosted.name
    owner = complete_name(name, origin)
    was = " ".join(content) or None
    found = _chosen(records_of(client, path, name=owner, type=rdtype, view=hosted.of_view), was)
    if not found:
        raise _none(client, hosted, owner, rdtype, _with(was))
    body = {"deletes": [{"id": one["id"]} for one in found]}
    if dry_run:
        plan = client.post(f"{path}/dns_records/batch", body, dry_run=True)
        if as_json:
            print_json(plan)
        else:
            show_plan(plan)
        return
    for line in _lines(found):
        click.echo(line, err=True)
    ask(f"Delete {'this record' if len(found) == 1 else f'these {len(found)} records'}?", yes)
    done = client.post(f"{path}/dns_records/batch", body)["deletes"]
    if as_json:
        print_json(done)
    else:
        click.echo(f"{labelled(owner, hosted.view)}: {len(done)} record{'' if len(done) == 1 else 's'} deleted")


def _seen(hosted: HostedZone) -> Body:
    """Return the field that says which view a record is of, nothing where its zone says it."""
    return {VIEW: hosted.view} if hosted.view else {}


def _none(client: ApiClient, hosted: HostedZone, owner: str, rdtype: str | None, rest: str) -> LbdnsError:
    """Return what to say where there is no such record; the views that have some are named."""
    kind = f"{rdtype.upper()} " if rdtype else ""
    elsewhere = {one.get(VIEW, "") for one in records_of(client, hosted.path, name=owner, type=rdtype)} - {hosted.view}
    seen = "" if hosted.of_view is None else f" of the view {hosted.view}" if hosted.view else " that all see"
    views = sorted(elsewhere - {""}) if hosted.of_view is not None else []
    if not views:
        seen = seen if hosted.view else ""
    told = f"; there is one of {'the view ' if len(views) == 1 else 'the views '}{listed(views)}: say so by --view"
    return LbdnsError(f"there is no {kind}record{seen} at {owner}{rest}{told if views else ''}")


def _chosen(found: list[Body], was: str | None) -> list[Body]:
    """Return the records whose content is what somebody wrote, all where nothing was."""
    if was is None:
        return found
    wanted = was.casefold()
    return [one for one in found if wanted in _spellings(one)]


def _spellings(record: Body) -> Iterable[str]:
    """Return the ways in which a record's content may be written."""
    content = str(record["content"]).casefold()
    yield from (content, f"{content}.", data_text(record).casefold(), f"{data_text(record)}.".casefold())
    if content.startswith('"') and content.count('"') == 2:
        yield content.strip('"')
    elif '"' not in content:
        yield f'"{content}"'


def _one_of(found: list[Body], owner: str, rdtype: str) -> Body:
    if len(found) == 1:
        return found[0]
    lines = "\n".join(f"  {line}" for line in _lines(found))
    raise LbdnsError(
        f"there are {len(found)} {rdtype.upper()} records at {owner}; say which by --was CONTENT:\n{lines}"
    )


def _with(content: str | None) -> str:
    return "" if content is None else f' with the content "{content}"'


def _lines(found: list[Body]) -> Iterable[str]:
    yield from map(record_line, found[:SHOWN_MAX])
    if len(found) > SHOWN_MAX:
        yield f"and {len(found) - SHOWN_MAX} more"
