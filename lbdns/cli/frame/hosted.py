"""What the commands of zones and records share: a zone by its name, what a write did, names as people write them.

example.com             the zone that all see; where there is none, that of the only view that has one
example.com@office      the zone of a view; where there is none, what the view sees in the zone that all see
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import listed, printable
from lbdns.base.words import AUTOMATIC_TTL, AUTOMATIC_TTL_S, OWN_PATH, RECORDS_PER_PAGE_MAX, V4_PATH
from lbdns.cli.frame.client import ApiClient, Reply
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.desk import show_plan
from lbdns.model.view_names import VIEW, labelled, parted

Body = dict[str, Any]


def zone_name(text: str) -> str:
    """Return a zone's name as the API has it, as far as case and the final dot go."""
    return text.lower().removesuffix(".") or text


class HostedZone(NamedTuple):
    """A zone, and whose records in it are meant: "" of those that all its clients see, else the view's."""

    path: str
    label: str
    view: str

    @property
    def name(self) -> str:
        """The zone's name."""
        return parted(self.label)[0]

    @property
    def of_view(self) -> str | None:
        """The filter of records that are of the view; None where the zone itself is of one, and so all of them."""
        return None if parted(self.label)[1] else self.view


def find_zone(client: ApiClient, text: str, view: str | None = None) -> HostedZone:
    """Return a zone by its name, by NAME@VIEW or its id; `view` is another word for VIEW. Raises LbdnsError with those
    that may be meant, or with the nearest name where there is none."""
    ids: dict[str, str] = client.get(f"{OWN_PATH}/names", kind="zone")["zone"]
    labels = {id: label for label, id in ids.items()}
    name, said = parted(text)
    if view and said not in ("", view):
        raise LbdnsError(f'"{text}" is of the view {said}, and --view says {view}; give one of the two')
    name, view = zone_name(name), view or said
    if text in labels:
        return HostedZone(f"{V4_PATH}/zones/{text}", labels[text], view)
    whole = labelled(name, view)
    label = next((one for one in (whole, name) if one in ids), None) or _of_some_view(name, view, ids)
    if label is None:
        from lbdns.base.wording import nearest

        near = nearest(whole, ids)
        meant = f'; did you mean "{near}"?' if near else ""
        raise LbdnsError(f'there is no zone "{labelled(text, view) if view != said else text}"{meant}')
    return HostedZone(f"{V4_PATH}/zones/{ids[label]}", label, "" if label == whole else view)


def _of_some_view(name: str, view: str, labels: Iterable[str]) -> str | None:
    """Return the only zone of a name that no zone has which all see; raises LbdnsError where there are several."""
    found = [label for label in labels if parted(label)[0] == name] if not view else []
    if len(found) > 1:
        raise LbdnsError(f'"{name}" is {len(found)} zones, {listed(found)}: say which')
    return found[0] if found else None


def zone_path(client: ApiClient, name: str) -> str:
    """Return the path of a zone as `find_zone` finds it; raises LbdnsError."""
    found = find_zone(client, name)
    if found.view:
        raise LbdnsError(
            f'there is no zone "{labelled(found.label, found.view)}"; what the view sees otherwise in {found.label}, '
            f"`lbdns record list {found.label} --view {found.view}` lists"
        )
    return found.path


def records_of(client: ApiClient, zone: str, **filters: Any) -> list[Body]:
    """Return the records of the zone at a path, its own name servers among them; filters are those of the API."""
    params = {key: value for key, value in filters.items() if value is not None} | {"name_servers": True}
    return list(client.pages(f"{zone}/dns_records", RECORDS_PER_PAGE_MAX, **params))


def upload_path(name: str) -> str:
    """Return the path that takes a whole zone as a file."""
    return f"{OWN_PATH}/zones/{quote(name, safe='')}/import"


def complete_name(name: str, zone: str) -> str:
    """Return a record's name with its zone, as the API completes it."""
    bare = zone_name(name)
    if name == "@":
        return zone
    return bare if name.endswith(".") or bare == zone or bare.endswith(f".{zone}") else f"{bare}.{zone}"


def relative_name(name: str, zone: str) -> str:
    """Return a record's name without its zone; @ is the zone itself."""
    return "@" if name == zone else name.removesuffix(f".{zone}")


def data_text(record: Mapping[str, Any]) -> str:
    """Return a record's data on one line, the preference of MX before its host; texts may hold anything."""
    content = printable(record["content"])
    return f"{record['priority']} {content}" if record["type"] == "MX" else content


def record_line(record: Mapping[str, Any]) -> str:
    """Return a record on one line."""
    return f"{labelled(record['name'], record.get(VIEW, ''))} {record['type']} {data_text(record)}"


def ttl_text(record: Mapping[str, Any]) -> str:
    """Return a TTL in seconds, or that it is automatic."""
    return "auto" if record["ttl"] == AUTOMATIC_TTL else str(record["ttl"])


def ttl_s(record: Mapping[str, Any]) -> int:
    """Return a TTL in seconds."""
    return AUTOMATIC_TTL_S if record["ttl"] == AUTOMATIC_TTL else int(record["ttl"])


def tell(reply: Reply, what: str, done: str, dry_run: bool, as_json: bool, before: int | None = None) -> None:
    """Say what a write did, or would do; `before` is the object's revision before it."""
    if as_json:
        print_json(reply.result if dry_run or reply.revision is None else reply.result | {"revision": reply.revision})
    elif dry_run:
        show_plan(reply.result)
    elif before is not None and reply.revision == before:
        click.echo(f"{what}: nothing changed")
    else:
        revision = f" in revision {reply.revision}" if reply.revision is not None else ""
        click.echo(f"{what}: {done}{revision}")
