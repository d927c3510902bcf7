"""Random changes of a naive world, about a third of them wrong; and how the management API is asked for each."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.store.naive_store import Body, Step, World, is_in

NOBODY = "f" * 32
ZONES = ("one.test", "two.test", "sub.one.test")
LABELS = ("", "www", "a", "b", "x.a", "*", "ns1")
NAMES = tuple(f"{label}.{zone}".lstrip(".") for zone in ZONES for label in LABELS)
ASKED = (*NAMES, *(f"nobody.{zone}" for zone in ZONES), "y.a.one.test", "elsewhere.test")
TYPES = ("A", "A", "A", "AAAA", "TXT", "CNAME", "MX")
KINDS = ("monitors", "groups", "pools", "balancers", "zones", "records")
WEIGHTS = (2, 1, 6, 7, 2, 9)
PROBED_V4, PROBED_V6 = "127.9.8.", "::1"  # of endpoints: what is probed stays on this machine
V4, V6 = "192.0.2.", "2001:db8::"  # of records

Call = tuple[str, str, Any]
"""A request: method, path, and body as JSON."""


class Chance:
    """A source of random changes."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def steps(self, world: World) -> list[Step]:
        """Return a random change of a world; one with several steps is a batch of a zone's records."""
        (kind,) = self.random.choices(KINDS, WEIGHTS)
        if kind == "records" and world.zones and self.random.random() < 0.25:
            return self.batch(world)
        return [self.step(world, kind)]

    def step(self, world: World, kind: str, owner: str | None = None, verbs: tuple[str, ...] = ()) -> Step:
        there = [id for id, body in world.table(kind).items() if owner is None or body.get("zone") == owner]
        few = 3 if kind in ("monitors", "groups", "zones") else 8
        shares = (7 if len(there) < few else 3, 3, 3, 1 if kind == "zones" else 2)
        (verb,) = self.random.choices(("post", "put", "patch", "delete"), shares)
        verb = self.random.choice(verbs) if verbs else verb
        if kind == "zones" and verb == "put":
            verb = "patch"  # zones have no PUT
        if verb == "post":
            zone = owner if owner is not None else self.owner(world, kind)
            return Step(verb, kind, "", self.spoiled(kind, self.body(world, kind, zone), verb), zone)
        id = self.random.choice(there) if there and self.random.random() < 0.96 else NOBODY
        before = world.table(kind).get(id, {})
        zone = before.get("zone", owner or (self.zone(world) if kind == "records" else ""))
        if verb == "delete":
            return Step(verb, kind, id, {}, zone)
        body = self.body(world, kind, zone)
        if self.random.random() < 0.5 and "name" in before and body.get("type") != "NS":
            body["name"] = before["name"]  # else most changes would fail for the name
        if kind == "zones":
            body = {"refresh": self.random.choice((600, 7200, 8000))}
        if verb == "patch":
            keys = [key for key in body if not (kind == "records" and key in ("type", "content", "priority"))]
            if before.get("type") == "NS":  # elsewhere it would delegate
                body, keys = {"ttl": 60, "comment": "a comment"}, ["ttl", "comment"]
            body = {key: body[key] for key in self.random.sample(keys, self.random.randint(1, min(2, len(keys))))}
            if self.random.random() < 0.1 and kind != "zones":
                body[self.random.choice(("description", "enabled")) if kind != "records" else "comment"] = None
            if "enabled" in body and kind in ("monitors", "groups"):
                del body["enabled"]
        return Step(verb, kind, id, self.spoiled(kind, body, verb), zone)

    def beginning(self, world: World) -> list[Step]:
        """Return good changes for an empty store to begin with, each by itself."""
        bodies: list[tuple[str, Body]] = [("zones", {"name": name}) for name in ZONES[:2]]
        bodies += [("monitors", {"name": "web", "type": "tcp", "port": 9})]
        bodies += [("pools", {**self.pool(world), "name": f"start{number}"}) for number in range(4)]
        return [Step("post", kind, "", body) for kind, body in bodies]

    def owner(self, world: World, kind: str) -> str:
        """Return the zone of a new object; one balancer in ten is the account's."""
        has_zone = kind == "records" or (kind == "balancers" and self.random.random() < 0.9)
        return self.zone(world) if has_zone else ""

    def zone(self, world: World) -> str:
        return self.random.choice([*world.zones]) if world.zones and self.random.random() < 0.97 else NOBODY

    def batch(self, world: World) -> list[Step]:
        """Return changes of one zone's records, each of another record, in the order in which they are done."""
        zone = self.zone(world)
        order = ("delete", "patch", "put", "post")
        steps = [self.step(world, "records", zone, order) for _ in range(self.random.randint(1, 4))]
        ids = [step.id for step in steps]
        steps = [step for at, step in enumerate(steps) if step.id not in ids[:at] or step.verb == "post"]
        return sorted(steps, key=lambda step: order.index(step.verb))

    def body(self, world: World, kind: str, zone: str) -> Body:
        """Return a whole object, good by itself."""
        pick = self.random.choice
        description = {"description": pick(("", "one", "größer"))} if self.random.random() < 0.3 else {}
        if kind == "monitors":
            return {"name": pick(("web", "db", "mail")), "type": "tcp", "port": pick((9, 19)), **description}
        if kind == "groups":
            ids = self.some([*world.monitors], 2)
            return {"name": pick(("all", "some")), "members": [{"monitor_id": id} for id in ids], **description}
        if kind == "pools":
            return self.pool(world) | description
        if kind == "balancers":
            return self.balancer(world, zone) | description
        if kind == "records":
            return self.record(world, zone)
        return {"name": pick([name for name in ZONES if self.random.random() < 0.2 or not named(world, name)] or ZONES)}

    def some(self, ids: list[str], most: int) -> list[str]:
        return self.random.sample(ids, min(len(ids), self.random.randint(1, most))) if ids else [NOBODY]

    def pool(self, world: World) -> Body:
        hosts = self.random.sample(range(1, 30), self.random.randint(1, 3))
        origins: list[Body] = [
            {"name": f"e{host}", "address": PROBED_V6 if host < 8 and host == hosts[0] else f"{PROBED_V4}{host}"}
            for host in hosts
        ]
        made: Body = {"name": f"p{self.random.randint(1, 60)}", "origins": origins}
        for origin in origins:
            if self.random.random() < 0.2:
                origin["weight"] = self.random.choice((0, 0.25, 0.5))
            if self.random.random() < 0.15:
                origin["enabled"] = False
        if self.random.random() < 0.15:
            made["enabled"] = False
        if self.random.random() < 0.2 and world.monitors:
            made["monitor"] = self.random.choice([*world.monitors])
        if self.random.random() < 0.1 and world.groups:
            made["monitor_group"] = self.random.choice([*world.groups])
        return made

    def balancer(self, world: World, zone: str) -> Body:
        taken = [one["name"] for one in world.balancers.values() if self.random.random() < 0.9]
        inside = [name for name in NAMES if zone in world.zones and is_in(name, world.zones[zone]["name"])]
        made: Body = {
            "name": self.random.choice([name for name in inside if name not in taken] or inside or NAMES),
            "default_pools": self.some([*world.pools], 3),
            "fallback_pool": self.some([*world.pools], 1)[0],
        }
        if self.random.random() < 0.4:
            made["ttl"] = self.random.choice((5, 30, 60, 3600))
        if self.random.random() < 0.3:
            made["steering_policy"] = self.random.choice(("random", "off", ""))
        if self.random.random() < 0.15:
            made["enabled"] = False
        return made

    def record(self, world: World, zone: str) -> Body:
        apex = world.zones[zone]["name"] if zone in world.zones else ZONES[0]
        (kind,) = self.random.choices(("A", "AAAA", "TXT", "CNAME", "MX", "NS"), (8, 3, 4, 3, 2, 1))
        name = apex if kind == "NS" else self.random.choice([name for name in NAMES if is_in(name, apex)])
        number = self.random.randint(1, 9)
        content = {
            "A": f"{V4}{100 + number}",
            "AAAA": f"{V6}{number}",
            "TXT": f'"text {number}"',
            "CNAME": f"www.{apex}",
            "MX": f"ns1.{apex}",
            "NS": self.random.choice((f"ns1.{apex}", f"ns{number}.elsewhere.test")),
        }[kind]
        made: Body = {"name": name, "type": kind, "content": content}
        if kind == "MX":
            made["priority"] = number
        if self.random.random() < 0.4:
            made["ttl"] = self.random.choice((1, 60, 120, 3600))
        if self.random.random() < 0.1:
            made["comment"] = "a comment"
        return made

    def spoiled(self, kind: str, body: Body, verb: str) -> Body:
        """Return a body as it is, or, one time in eight, with a mistake in it."""
        if self.random.random() > 0.12:
            return body
        wrong: list[Body] = [{"colour": "red"}]
        if kind == "monitors":
            wrong += [{"port": 70000}, {"type": "carrier-pigeon"}, {"interval": 1}, {"name": "no spaces"}]
        elif kind == "groups":
            wrong += [{"members": []}, {"members": [{"monitor_id": NOBODY}]}, {"name": "tab\t"}]
        elif kind == "pools":
            twice: list[Body] = [{"name": name, "address": "192.0.2.1"} for name in ("e", "f")]
            wrong += [{"origins": origins} for origins in ([], twice, [{"name": "e", "address": "192.0.2.256"}])]
            wrong += [{"origins": [{**twice[0], "weight": 1.5}]}, {"name": "no/slash"}, {"enabled": "perhaps"}]
            wrong += [{"monitor": NOBODY}, {"monitor_group": NOBODY}]
        elif kind == "balancers":
            wrong += [{"ttl": -1}, {"ttl": "soon"}, {"default_pools": []}, {"default_pools": [NOBODY]}]
            wrong += [{"fallback_pool": NOBODY}, {"steering_policy": "best"}]
        elif kind == "records":
            wrong += [{"ttl": -1}, {"ttl": "soon"}, {"name": "www.elsewhere.test."}, {"type": "BANANA"}]
            if verb != "patch":
                wrong += [{"type": "A", "content": "300.1.1.1"}, {"type": "CNAME", "content": "a..b"}]
        else:
            wrong += [{"refresh": "soon"}, {"refresh": -1}]
        return {**body, **self.random.choice(wrong)}


def named(world: World, zone: str) -> bool:
    return any(one["name"] == zone for one in world.zones.values())


def call(account: str, steps: list[Step], is_batch: bool) -> Call:
    """Return the request that makes a change."""
    if is_batch:
        body: dict[str, list[Body]] = {}
        for step in steps:
            entry = step.body if step.verb == "post" else {"id": step.id, **step.body}
            body.setdefault(BATCH[step.verb], []).append(entry)
        return "POST", f"/client/v4/zones/{steps[0].owner}/dns_records/batch", body
    (step,) = steps
    path = paths(account)[step.kind](step.owner) + (f"/{step.id}" if step.id else "")
    sent: Any = step.body
    if step.kind == "zones" and "refresh" in sent:
        sent = {key: value for key, value in sent.items() if key != "refresh"} | {"soa": {"refresh": sent["refresh"]}}
    return step.verb.upper(), path, None if step.verb == "delete" else sent


BATCH = {"delete": "deletes", "patch": "patches", "put": "puts", "post": "posts"}


def paths(account: str) -> dict[str, Callable[[str], str]]:
    """Return the path of each kind's list, given its zone."""
    of_account = f"/client/v4/accounts/{account}/load_balancers"
    return {
        "monitors": lambda _: f"{of_account}/monitors",
        "groups": lambda _: f"{of_account}/monitor_groups",
        "pools": lambda _: f"{of_account}/pools",
        "balancers": lambda zone: f"/client/v4/zones/{zone}/load_balancers" if zone else of_account,
        "zones": lambda _: "/client/v4/zones",
        "records": lambda zone: f"/client/v4/zones/{zone}/dns_records",
    }
