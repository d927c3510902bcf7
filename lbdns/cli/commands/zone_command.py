"""`lbdns zone`: zones, in the store of a running server or of none."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.base.words import OWN_PATH, V4_PATH, ZONES_PER_PAGE_MAX
from lbdns.cli.commands.apply_command import ask
from lbdns.cli.commands.completion_command import names_of
from lbdns.cli.frame.assignments import assign, parse_assignment
from lbdns.cli.frame.client import ApiClient, api_options, creating_api_options, told
from lbdns.cli.frame.common import local_time, print_json
from lbdns.cli.frame.desk import called, make_table, print_table, show_plan
from lbdns.cli.frame.dnssec_told import DS_TTL_S
from lbdns.cli.frame.hosted import Body, find_zone, records_of, tell, ttl_s, upload_path, zone_name, zone_path
from lbdns.cli.frame.running import RunningServer, running_options
from lbdns.cli.frame.transfers_told import TRANSFER_HEADINGS, transfer_lines, transfer_rows
from lbdns.cli.frame.verb_group import VerbGroup
from lbdns.cli.frame.verbs import assignments_argument, dry_run_option, json_option, view_option, zone_argument
from lbdns.dns.name import text_suffixes
from lbdns.model.view_names import VIEW, labelled, parted
from lbdns.transfer.zone_transfer_status import ZoneTransferStatus

FILE_SUFFIXES: Final = (".zone", ".txt", ".db")
TRANSFER_WAITS_S: Final = 120.0
"""So long a refresh may take: a large zone is transferred and published while it is waited for."""
_INSIDE_NETWORKS: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
"""Addresses that nobody outside reaches (RFC 1918, 3927, 4193, 4291)."""


@click.group(cls=VerbGroup)
def zone() -> None:
    """Manage zones; their records are `lbdns record`'s."""


@zone.command("list")
@api_options
@view_option("Those of a view alone; '' for those that all see.")
@json_option
def list_(client: ApiClient, view: str | None, as_json: bool) -> None:
    """List zones with their name servers and serials."""
    from rich.text import Text

    zones = list(client.pages(f"{V4_PATH}/zones", ZONES_PER_PAGE_MAX, view=view))
    if as_json:
        print_json(zones)
        return
    table = make_table("zone", "name servers", "serial", "changed")
    for one in zones:
        changed = local_time(one["modified_on"])
        table.add_row(Text(called(one), "bold"), ", ".join(one["name_servers"]), _serial(one), changed)
    print_table(table)


def _serial(zone: Body) -> str:
    """Return a zone's serial; one that comes from its primaries is `lbdns zone transfers`' matter."""
    return "from its primaries" if zone["serial"] is None else str(zone["serial"])


@zone.command()
@zone_argument
@api_options
@json_option
def show(client: ApiClient, zone: str, as_json: bool) -> None:
    """Show a zone's SOA, name servers, and how many records it has."""
    path = zone_path(client, zone)
    reply = client.fetch(path)
    shown = reply.result
    types = Counter(record["type"] for record in records_of(client, path))
    balancers = [called(one) for one in client.get(f"{path}/load_balancers")]
    if as_json:
        counts = {"records": dict(types.most_common()), "load_balancers": balancers}
        print_json(shown | {"revision": reply.revision} | counts)
        return
    click.secho(called(shown), bold=True)
    records = ", ".join(f"{count:,} {rdtype}" for rdtype, count in types.most_common())
    facts = {
        "id": shown["id"],
        "serial": _serial(shown),
        "name servers": ", ".join(shown["name_servers"]),
        **(shown["soa"] or {}),
        "records": records or "none",
        "load balancers": ", ".join(balancers) or "none",
    }
    for key, value in facts.items():
        click.echo(f"  {key:<15} {value}")


@zone.command()
@click.argument("name")
@assignments_argument
@creating_api_options
@view_option("The view that sees it: also NAME@VIEW. [default: all]")
@dry_run_option
@json_option
def create(
    client: ApiClient, name: str, assignments: tuple[str, ...], view: str | None, dry_run: bool, as_json: bool
) -> None:
    """Create a zone with an SOA, the name server ns1.NAME, and this server's addresses for it.

    KEY=VALUE sets what is to be otherwise: soa.rname=dns-admin.example.net, soa.minimum=60, serial=7.
    """
    name, said = parted(name)
    body: Body = {"name": name, VIEW: view or said} if view or said else {"name": name}
    assign(body, map(parse_assignment, assignments))
    reply = client.request("POST", f"{V4_PATH}/zones", body, params={"dry_run": dry_run or None})
    tell(reply, f"zone {labelled(zone_name(name), body.get(VIEW, ''))}", "created", dry_run, as_json)
    if not (dry_run or as_json):
        click.echo(f"`lbdns zone delegation {called(reply.result)}` prints what its parent zone needs", err=True)


@zone.command("set")
@zone_argument
@click.argument("assignments", metavar="KEY=VALUE...", nargs=-1, required=True)
@api_options
@dry_run_option
@json_option
def set_(client: ApiClient, zone: str, assignments: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Change a zone: soa.rname=..., soa.minimum=..., serial=...; its serial is raised by itself."""
    found = client.fetch(zone_path(client, zone))
    body = {"soa": found.result["soa"], "serial": found.result["serial"], "paused": found.result["paused"]}
    touched = assign(body, map(parse_assignment, assignments))
    fields = {key: body[key] for key in touched}
    path = f"{V4_PATH}/zones/{found.result['id']}"
    reply = client.request("PATCH", path, fields, found.revision, {"dry_run": dry_run or None})
    tell(reply, f"zone {called(found.result)}", "changed", dry_run, as_json, found.revision)


@zone.command()
@zone_argument
@api_options
@dry_run_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(client: ApiClient, zone: str, dry_run: bool, yes: bool) -> None:
    """Delete a zone with its records and load balancers. Asks first, on a terminal."""
    path = zone_path(client, zone)
    found = client.fetch(path)
    plan = client.request("DELETE", path, None, found.revision, {"dry_run": True}, tells=False).result
    if dry_run:
        show_plan(plan)
        return
    counts = plan["counts"]["delete"]
    inside = ", ".join(f"{count:,} {kind.replace('_', ' ')}s" for kind, count in counts.items() if kind != "zone")
    ask(f"Delete the zone {called(found.result)}{f' with {inside}' if inside else ''}?", yes)
    client.delete(path, found.revision)
    click.echo(f"zone {called(found.result)}: deleted")


@zone.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@creating_api_options
@click.option("--name", metavar="ZONE", help="The zone. [default: FILE's name without .zone]")
@view_option("Make what a view sees in the zone what the file says; without an SOA. [default: FILE's @VIEW]")
@click.option("--add", is_flag=True, help="Add the file's records to the zone; delete and change none.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@dry_run_option
@json_option
def import_(
    client: ApiClient,
    file: Path,
    name: str | None,
    view: str | None,
    add: bool,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make a zone what a master file says: all of it or nothing.

    A zone that is not there is created. In one that is, records that the file does not have are deleted; what would
    change is shown first, and asked about on a terminal. Records that stay keep their ids, comments and tags. With
    --add the zone keeps its SOA and its records.
    """
    zone, said = parted(name if name is not None else _zone_of(file))
    zone, view = zone_name(zone), view or said
    content = _read(file)
    if add:
        hosted = find_zone(client, zone, view)
        path, seen = f"{hosted.path}/dns_records/import", hosted.view or None
        if dry_run:
            _show_plan(client.upload(path, content, dry_run=True, view=seen).result, as_json)
            return
        done = client.upload(path, content, view=seen).result
        if as_json:
            print_json(done)
        else:
            click.echo(
                f"zone {labelled(zone, view)}: {done['recs_added']:,} of {done['total_records_parsed']:,} records added"
            )
        return
    path, seen = _upload_place(client, zone, view, content)
    tried = client.upload(path, content, tells=False, dry_run=True, view=seen)
    plan = tried.result
    if dry_run:
        told(tried)
        _show_plan(plan, as_json)
        return
    is_asked = bool(plan["counts"]["update"] or plan["counts"]["delete"])
    if is_asked:
        told(tried)  # before it is asked about; the same is not told once more
        from lbdns.cli.frame import difference

        if not as_json:
            difference.show(plan["differences"])
            click.echo(f"\nto do: {difference.summary(plan['counts'])}")
        ask("Apply this?", yes)
    _tell_import(client.upload(path, content, tells=not is_asked, view=seen).result, as_json)


def _upload_place(client: ApiClient, zone: str, view: str, content: bytes) -> tuple[str, str | None]:
    """Return the path that takes a file, and the view whose records in a zone it says, None for a zone of its own.

    A file without an SOA says what a view sees in the zone that all see, where the view has no zone of that name.
    """
    label = labelled(zone, view)
    labels = client.get(f"{OWN_PATH}/names", kind="zone")["zone"] if view else {}
    if not view or label in labels or zone not in labels or _has_soa(content, zone):
        return upload_path(label), None
    return upload_path(zone), view


def _has_soa(content: bytes, zone: str) -> bool:
    from lbdns.manage.store.zones.zone_bodies import import_zone

    return import_zone(content.decode(errors="replace"), zone, []).fields is not None


def _show_plan(plan: Body, as_json: bool) -> None:
    if as_json:
        print_json(plan)
    else:
        show_plan(plan)


def _tell_import(done: Body, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    records = f"{done['records']:,} records, serial {done['serial']}"
    if done["created"]:
        click.echo(f"zone {called(done)}: created, {records}")
    elif done["changes"]:
        click.echo(f"zone {called(done)}: {done['changes']:,} records changed; {records}")
    else:
        click.echo(f"zone {called(done)}: no record changed; {records}")


def _read(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise LbdnsError(f"{file}: cannot read it: {error.strerror}") from error


def _zone_of(file: Path) -> str:
    """Return the zone that a file is named after; raises LbdnsError where it is named after none."""
    stem = next((file.name.removesuffix(end) for end in FILE_SUFFIXES if file.name.endswith(end)), file.name)
    if str(file) == "-" or not stem.strip("."):
        raise LbdnsError("standard input has no name: say which zone by --name")
    return stem


@zone.command()
@zone_argument
@api_options
@view_option("What a view sees otherwise in the zone, without its SOA: also ZONE@VIEW.")
@click.option("--output", "-o", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write it there.")
def export(client: ApiClient, zone: str, view: str | None, output: Path | None) -> None:
    """Print a zone as a master file: what all its clients see."""
    hosted = find_zone(client, zone, view)
    text = client.text(f"{hosted.path}/dns_records/export", view=hosted.view or None)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text)
    except OSError as error:
        raise LbdnsError(f"{output}: cannot write it: {error.strerror}") from error


@zone.command()
@click.argument("zone", required=False, shell_complete=names_of(Kind.ZONE))
@running_options
@json_option
def transfers(running: RunningServer, zone: str | None, as_json: bool) -> None:
    """Show zones that come from a primary, or that others may transfer: role, serial, checks, the last error.

    Exit status: 0 all is good, 1 somebody has to mend something.
    """
    asked = None if zone is None else zone_name(zone)
    found = [ZoneTransferStatus.from_json(one) for one in _operate(running, "zone_transfers", zone=asked)]
    if as_json:
        print_json([one.as_json() for one in found])
    elif asked is not None:
        click.echo("\n".join(line for one in found for line in transfer_lines(one, time.time())))
    elif found:
        table = make_table(*TRANSFER_HEADINGS)
        for row in transfer_rows(found, time.time()):
            table.add_row(*row)
        print_table(table)
    else:
        click.echo("no zone is transferred, in or out: the settings `zones` and `access` say which may be", err=True)
    sys.exit(int(any(one.is_wrong for one in found)))


@zone.command()
@zone_argument
@running_options
@click.option("--force", is_flag=True, help="Transfer all of it, even where the serial is the same.")
@json_option
def refresh(running: RunningServer, zone: str, force: bool, as_json: bool) -> None:
    """Ask a secondary zone's primaries now for what is new, and say what came of it.

    Exit status: 0 it is as the primary has it, 1 it is not.
    """
    _tell_transfer(_operate(running, "zone_refresh", zone=zone_name(zone), force=force), as_json)


@zone.command()
@zone_argument
@running_options
@json_option
def notify(running: RunningServer, zone: str, as_json: bool) -> None:
    """Tell all who are notified of a zone's changes to look at it now (NOTIFY)."""
    _tell_transfer(_operate(running, "zone_notify", zone=zone_name(zone)), as_json)


def _operate(running: RunningServer, op: str, **arguments: Any) -> Any:
    from lbdns.processes.supervisor.control_socket import ask as ask_server

    return ask_server(running.control(), op, TRANSFER_WAITS_S, **arguments)


def _tell_transfer(said: Body, as_json: bool) -> None:
    status = ZoneTransferStatus.from_json(said)
    if as_json:
        print_json(status.as_json())
    else:
        click.echo("\n".join(transfer_lines(status, time.time())))
    sys.exit(int(status.is_wrong))


@zone.command()
@zone_argument
@api_options
@json_option
def delegation(client: ApiClient, zone: str, as_json: bool) -> None:
    """Print the NS, glue and DS records that the parent zone needs, in master-file form, ready to paste."""
    path = zone_path(client, zone)
    hosted = client.get(path)
    name = hosted["name"]
    seen = [one for one in records_of(client, path) if one.get(VIEW, "") == hosted.get(VIEW, "")]
    servers = [one for one in seen if (one["name"], one["type"]) == (name, "NS")]
    hosts = {zone_name(record["content"]) for record in servers}
    glue = [
        record
        for record in seen
        if record["type"] in ("A", "AAAA") and record["name"] in hosts and name in text_suffixes(record["name"])
    ]
    _share_ttls([*servers, *glue])
    wanted = _ds_wanted(client, hosted)
    if as_json:
        needed = {"ns": [_fields(one) for one in servers], "glue": [_fields(one) for one in glue], "ds": wanted}
        print_json({"zone": name, **needed})
    else:
        lines = [(f"{one['name']}.", str(one["ttl"]), one["type"], _target(one)) for one in (*servers, *glue)]
        lines += [(f"{name}.", str(DS_TTL_S), "DS", one) for one in wanted]
        widths = [max(len(line[column]) for line in lines) for column in range(3)]
        parent = name.partition(".")[2]
        click.echo(f"; {name}: for its parent zone, {parent or 'the root'}")
        for owner, ttl, rdtype, target in lines:
            click.echo(f"{owner:<{widths[0]}}  {ttl:>{widths[1]}} IN {rdtype:<{widths[2]}} {target}")
    _warn(name, hosts, glue)


def _ds_wanted(client: ApiClient, zone: Body) -> list[str]:
    """Return the DS that the parent zone is to have, as texts of their data; the running server alone knows them."""
    try:
        wanted: list[str] = client.get(f"{OWN_PATH}/dnssec/{zone['id']}")["ds"]
    except LbdnsError as error:
        click.echo(f"warning: whether {zone['name']} is to have a DS is not known: {error}", err=True)
        return []
    return wanted


def _share_ttls(records: list[Body]) -> None:
    """Give records of one name and type the lowest of their TTLs, in seconds: that is what is served."""
    lowest_s: dict[tuple[str, str], int] = {}
    for record in records:
        key = record["name"], record["type"]
        lowest_s[key] = min(ttl_s(record), lowest_s.get(key, ttl_s(record)))
    for record in records:
        record["ttl"] = lowest_s[record["name"], record["type"]]


def _target(record: Body) -> str:
    return f"{record['content'].removesuffix('.')}." if record["type"] == "NS" else str(record["content"])


def _fields(record: Body) -> dict[str, Any]:
    return {
        "name": record["name"],
        "ttl": record["ttl"],
        "type": record["type"],
        "content": record["content"].removesuffix("."),
    }


def _warn(zone: str, hosts: set[str], glue: list[Body]) -> None:
    """Say what keeps the world from reaching the name servers."""
    import ipaddress

    for record in glue:
        address = ipaddress.ip_address(record["content"])
        is_inside = any(address in ipaddress.ip_network(network) for network in _INSIDE_NETWORKS)
        if address.is_loopback or is_inside:
            reach = "this machine" if address.is_loopback else "its own network"
            click.echo(f"warning: {record['name']} has {address}, which is reached from {reach} alone", err=True)
    for host in sorted(hosts):
        if zone in text_suffixes(host) and host not in {record["name"] for record in glue}:
            click.echo(f"warning: {host} has no address record; resolvers need one as glue", err=True)
