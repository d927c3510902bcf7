"""What the commands of zones and records share: a zone by its name, what a write did, names as people write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import printable
from lbdns.base.words import AUTOMATIC_TTL, AUTOMATIC_TTL_S, OWN_PATH, RECORDS_PER_PAGE_MAX, V4_PATH
from lbdns.cli.frame.client import ApiClient, Reply
from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.desk import show_plan

Body = dict[str, Any]


def zone_name(text: str) -> str:
    """Return a zone's name as the API has it, as far as case and the final dot go."""
    return text.lower().removesuffix(".") or text


def zone_path(client: ApiClient, name: str) -> str:
    """Return the path of a zone by its name or id; raises LbdnsError with the nearest name where there is none."""
    ids: dict[str, str] = client.get(f"{OWN_PATH}/names", kind="zone")["zone"]
    id = ids.get(zone_name(name)) or (name if name in ids.values() else None)
    if id is None:
        from lbdns.base.wording import nearest

        near = nearest(zone_name(name), ids)
        meant = f'; did you mean "{near}"?' if near else ""
        raise LbdnsError(f'there is no zone "{name}"{meant}')
    return f"{V4_PATH}/zones/{id}"


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
    return f"{record['name']} {record['type']} {data_text(record)}"


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
