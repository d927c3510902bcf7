"""A naive store: plain dicts, and every rule in the most obvious words. It imports nothing of lbdns.

A World has objects by id, each a dict with all of its fields. `apply` returns the world after a change, or raises
Refused. Nothing is ever changed in place, so that old worlds stay.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, fields
from typing import Any

Body = dict[str, Any]
Table = dict[str, Body]

DEFAULTS: dict[str, Body] = {
    "monitors": {"type": "http", "port": 0, "description": "", "interval": 60},
    "groups": {"description": ""},
    "pools": {"enabled": True, "description": "", "monitor": None, "monitor_group": None},
    "balancers": {"enabled": True, "description": "", "ttl": 30, "steering_policy": ""},
    "records": {"ttl": 1, "comment": None, "priority": None, "made": False},
    "zones": {"refresh": 7200},
}
REQUIRED = {
    "monitors": ("name",),
    "groups": ("name", "members"),
    "pools": ("name", "origins"),
    "balancers": ("name", "default_pools", "fallback_pool"),
    "records": ("name", "type", "content"),
    "zones": ("name",),
}
ORIGIN = {"enabled": True, "weight": 1}
RECORD_TYPES = ("A", "AAAA", "TXT", "CNAME", "MX", "NS")
OBJECT_NAME = re.compile(r"[-_a-zA-Z0-9]+")
AUTOMATIC_TTL_S = 300


class Refused(Exception):
    """The change is not made; `status` is that of HTTP."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(f"{status} {why}")
        self.status = status


@dataclass(frozen=True)
class Step:
    """One thing done to one object: `verb` is post, put, patch or delete; `owner` the zone of a record or balancer."""

    verb: str
    kind: str
    id: str = ""
    body: Body = field(default_factory=dict)
    owner: str = ""


@dataclass(frozen=True)
class World:
    """All objects by id. A zone counts in `edits` how often it or its records changed; records and balancers know
    their zone as `zone`, "" for a balancer of the account."""

    monitors: Table = field(default_factory=dict)
    groups: Table = field(default_factory=dict)
    pools: Table = field(default_factory=dict)
    balancers: Table = field(default_factory=dict)
    zones: Table = field(default_factory=dict)
    records: Table = field(default_factory=dict)

    def table(self, kind: str) -> Table:
        found: Table = getattr(self, kind)
        return found

    def copy(self) -> World:
        return World(**{one.name: dict(self.table(one.name)) for one in fields(self)})

    def zone_id(self, name: str) -> str | None:
        """Return the id of the longest zone that a name is in."""
        found = [(len(zone["name"]), id) for id, zone in self.zones.items() if is_in(name, zone["name"])]
        return max(found)[1] if found else None


def is_in(name: str, zone: str) -> bool:
    return name == zone or name.endswith("." + zone)


def apply(world: World, steps: list[Step], fresh: Callable[[], str]) -> World:
    """Return the world after some steps, all of them or none; `fresh` names new objects. Raises Refused."""
    after = world.copy()
    wrong: list[str] = []
    for step in steps:
        if step.owner and step.owner not in after.zones:
            raise Refused(404, "no such zone")
        if step.verb != "post":
            there = after.table(step.kind).get(step.id)
            if there is None or (step.kind in ("records", "balancers") and there["zone"] != step.owner):
                raise Refused(404, "no such object")
        if step.verb == "delete":
            delete(after, step.kind, step.id)
        else:
            write(after, step, fresh, wrong)
    if wrong:
        raise Refused(400, "; ".join(wrong))
    used = [text for kind in ("monitors", "groups", "pools") for text in dangling(world, after, kind)]
    if used:
        raise Refused(412, "; ".join(used))
    wrong = list(mistakes(after))
    if wrong:
        raise Refused(400, "; ".join(wrong))
    for id, zone in after.zones.items():
        if (id in world.zones and records_of(world, id) != records_of(after, id)) or world.zones.get(id, zone) != zone:
            after.zones[id] = {**zone, "edits": zone["edits"] + 1}
    return after


def records_of(world: World, zone: str) -> Table:
    return {id: record for id, record in world.records.items() if record["zone"] == zone}


def delete(world: World, kind: str, id: str) -> None:
    del world.table(kind)[id]
    if kind == "zones":
        for inside in ("records", "balancers"):
            for one, body in list(world.table(inside).items()):
                if body["zone"] == id:
                    del world.table(inside)[one]


def write(world: World, step: Step, fresh: Callable[[], str], wrong: list[str]) -> None:
    """Put one object into the world, whole; what is wrong with it goes into `wrong`."""
    kind = step.kind
    body = deepcopy(step.body)
    before = world.table(kind).get(step.id, {})
    if step.verb == "patch":
        body = {**before, **body}
    elif step.verb == "put" and kind in ("monitors", "groups"):
        body = {"name": before["name"], **body}
    body = {**DEFAULTS[kind], **{key: value for key, value in body.items() if value is not None}}
    known = {*DEFAULTS[kind], *REQUIRED[kind], "zone", "edits"}
    if kind == "records":
        body = {key: value for key, value in body.items() if key in known} | {"made": False}
    wrong += [f"unknown field {key}" for key in body if key not in known]
    lacking = [key for key in REQUIRED[kind] if key not in body]
    wrong += [f"{key} is missing" for key in lacking]
    if lacking:
        return
    if kind == "pools":
        body["origins"] = [{**ORIGIN, **origin} for origin in body["origins"]]
    if kind in ("records", "balancers"):
        body["zone"] = step.owner
    if kind == "zones":
        body["edits"] = before.get("edits", 0)
    is_the_accounts = kind == "balancers" and step.verb == "post" and not step.owner
    if is_the_accounts and not any(is_in(body["name"], zone["name"]) for zone in world.zones.values()):
        wrong.append("outside of all zones it is private, and no view is")
    wrong += value_mistakes(kind, body)
    id = step.id or fresh()
    if kind == "records" and step.verb == "post":
        id = beside_made(world, id, body)
    world.table(kind)[id] = body
    if kind == "zones" and step.verb == "post":
        name = body["name"]
        for record in ({"name": name, "type": "NS", "content": f"ns1.{name}"},):
            world.records[fresh()] = {**DEFAULTS["records"], **record, "ttl": 3600, "zone": id, "made": True}
        host = {"name": f"ns1.{name}", "type": "A", "content": "127.0.0.1"}
        world.records[fresh()] = {**DEFAULTS["records"], **host, "ttl": 3600, "zone": id, "made": True}


def beside_made(world: World, id: str, body: Body) -> str:
    """Return the id of a new record: that of the same one which came with the zone, whose other addresses give way."""
    for other, one in records_of(world, body["zone"]).items():
        if one["made"] and one["name"] == body["name"]:
            if (one["type"], one["content"], one["priority"]) == (body["type"], body["content"], body["priority"]):
                id = other
            elif one["type"] in ("A", "AAAA") and body["type"] in ("A", "AAAA"):
                del world.records[other]
    return id


def value_mistakes(kind: str, body: Body) -> Iterator[str]:
    """Say what is wrong with an object by itself."""
    if kind in ("monitors", "groups", "pools") and not OBJECT_NAME.fullmatch(body["name"]):
        yield "bad name"
    if not isinstance(body.get("description", ""), str):
        yield "description is no text"
    if not isinstance(body.get("enabled", True), bool):
        yield "enabled is neither true nor false"
    if kind == "monitors":
        if body["type"] == "tcp" and not (isinstance(body["port"], int) and 0 < body["port"] < 65536):
            yield "tcp needs a port"
        if body["type"] not in ("http", "tcp"):
            yield "unknown type"
        if not (isinstance(body["interval"], int) and 5 <= body["interval"] <= 3600):
            yield "bad interval"
    elif kind == "groups" and not body["members"]:
        yield "no members"
    elif kind == "pools":
        yield from pool_mistakes(body)
    elif kind == "balancers":
        if not is_ttl(body["ttl"]):
            yield "bad ttl"
        if not body["default_pools"]:
            yield "no pools"
        if body["steering_policy"] not in ("", "off", "random"):
            yield "unknown policy"
    elif kind == "records":
        if not is_ttl(body["ttl"]):
            yield "bad ttl"
        if body["name"].endswith("."):
            yield "outside the zone"  # the one name that changes are made with that ends so
        if body["type"] not in RECORD_TYPES or not is_content(body):
            yield "bad type or content"
    elif kind == "zones" and not (isinstance(body["refresh"], int) and body["refresh"] >= 0):
        yield "bad refresh"


def pool_mistakes(body: Body) -> Iterator[str]:
    if not body["origins"]:
        yield "no origins"
    addresses = [origin["address"] for origin in body["origins"]]
    if len(set(addresses)) < len(addresses):
        yield "an address twice"
    if not all(map(is_ip, addresses)):
        yield "bad address"
    if not all(0 <= origin["weight"] <= 1 for origin in body["origins"]):
        yield "bad weight"
    if body["monitor"] and body["monitor_group"]:
        yield "monitor and group"


def is_ttl(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 2**31


def is_ip(text: str, version: int | None = None) -> bool:
    try:
        return ipaddress.ip_address(text).version in (version or 4, version or 6)
    except ValueError:
        return False


def is_content(body: Body) -> bool:
    kind, content = body["type"], body["content"]
    if kind in ("A", "AAAA"):
        return is_ip(content, 4 if kind == "A" else 6)
    if kind == "MX" and not (isinstance(body["priority"], int) and 0 <= body["priority"] < 65536):
        return False
    return ".." not in content


def dangling(before: World, after: World, kind: str) -> Iterator[str]:
    """Say which deleted objects of a kind are used by others."""
    gone = before.table(kind).keys() - after.table(kind).keys()
    for id in gone & used(after, kind):
        yield f"{id} is in use"


def used(world: World, kind: str) -> set[str]:
    """Return the ids of a kind that other objects refer to."""
    if kind == "monitors":
        of_groups = {id for group in world.groups.values() for id in members(group)}
        return of_groups | {pool["monitor"] for pool in world.pools.values()}
    if kind == "groups":
        return {pool["monitor_group"] for pool in world.pools.values()}
    return {id for balancer in world.balancers.values() for id in pools_of(balancer)}


def members(group: Body) -> list[str]:
    return [member["monitor_id"] for member in group["members"]]


def pools_of(balancer: Body) -> list[str]:
    return [*balancer["default_pools"], balancer["fallback_pool"]]


def mistakes(world: World) -> Iterator[str]:
    """Say what is wrong with a whole world."""
    for kind in ("monitors", "groups", "pools", "zones", "balancers"):
        names = [body["name"] for body in world.table(kind).values()]
        if len(set(names)) < len(names):
            yield f"two {kind} of one name"
    for group in world.groups.values():
        if not set(members(group)) <= world.monitors.keys():
            yield "unknown monitor"
    for pool in world.pools.values():
        if pool["monitor"] and pool["monitor"] not in world.monitors:
            yield "unknown monitor"
        if pool["monitor_group"] and pool["monitor_group"] not in world.groups:
            yield "unknown group"
    for balancer in world.balancers.values():
        if not set(pools_of(balancer)) <= world.pools.keys():
            yield "unknown pool"
        if balancer["zone"] and not is_in(balancer["name"], world.zones[balancer["zone"]]["name"]):
            yield "outside the zone"
    for id, zone in world.zones.items():
        yield from zone_mistakes(world, zone["name"], list(records_of(world, id).values()))


def zone_mistakes(world: World, apex: str, records: list[Body]) -> Iterator[str]:
    keys = [(record["name"], record["type"], record["content"], record["priority"]) for record in records]
    if len(set(keys)) < len(keys):
        yield "a record twice"
    for record in records:
        beside = [one for one in records if one["name"] == record["name"] and one is not record]
        if record["type"] == "CNAME" and (beside or record["name"] == apex):
            yield "a CNAME is not alone"
    servers = [record["content"] for record in records if record["type"] == "NS"]
    if not servers:
        yield "no name server"
    for host in servers:
        if is_in(host, apex):
            found = node_at(host, apex, nodes(world, records))
            if found is None or not found & {"A", "AAAA", "CNAME", "balancer"}:
                yield "a name server without an address"


def nodes(world: World, records: list[Body]) -> dict[str, set[str]]:
    """Return every name with the types that stand there."""
    found: dict[str, set[str]] = {}
    for record in records:
        found.setdefault(record["name"], set()).add(record["type"])
    for balancer in world.balancers.values():
        if balancer["enabled"]:
            found.setdefault(balancer["name"], set()).add("balancer")
    return found


def node_at(name: str, apex: str, found: dict[str, set[str]]) -> set[str] | None:
    """Return what stands at a name: its own, a wildcard's (RFC 4592), an empty set where only longer names exist."""
    where = owner_at(name, apex, found)
    return None if where is None else found.get(where, set())


def owner_at(name: str, apex: str, found: dict[str, Any]) -> str | None:
    """Return the name whose records answer for a name; None where it does not exist."""

    def exists(name: str) -> bool:
        return name == apex or any(is_in(one, name) for one in found)

    if exists(name):
        return name
    above = name
    while not exists(above):
        above = above.partition(".")[2]
    return f"*.{above}" if f"*.{above}" in found else None
