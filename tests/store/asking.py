"""What a server shows of itself: its objects as a naive world, and its answers, asked for without a pause."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import httpx

from tests.store.naive_answers import Reply, replies
from tests.store.naive_changes import ASKED, TYPES, paths
from tests.store.naive_store import Body, World

REPLY_S = 5.0
PAUSE_S = 0.002
SOCKETS = 8  # several source ports, so that every responder gets its part


def account_of(client: httpx.Client) -> str:
    return str(client.get("/client/v4/accounts").json()["result"][0]["id"])


def records_shown(client: httpx.Client, zone: str) -> list[Body]:
    """Return all records of a zone, those of its own name servers among them."""
    return listed(client, f"/client/v4/zones/{zone}/dns_records", name_servers=True)


def listed(client: httpx.Client, path: str, **filters: Any) -> list[Body]:
    """Return everything of a list, by pages."""
    found: list[Body] = []
    page = 1
    while (
        items := client.get(path, params={"page": page, "per_page": 50, **filters}).raise_for_status().json()["result"]
    ):
        found += items
        page += 1
    return found


def shown_world(client: httpx.Client) -> World:
    """Return the objects that a server shows."""
    path = paths(account_of(client))
    seen = World()
    for kind in ("monitors", "groups", "pools", "zones"):
        seen.table(kind).update((one["id"], shown(kind, one)) for one in listed(client, path[kind]("")))
    for zone in seen.zones:
        seen.records.update((one["id"], shown("records", one, zone)) for one in records_shown(client, zone))
    for one in listed(client, "/lbdns/v1/load_balancers"):
        seen.balancers[one["id"]] = shown("balancers", one, one["zone_id"] or "")
    return seen


def shown(kind: str, one: Body, zone: str = "") -> Body:
    """Return an object that a server shows, with the fields of the naive world alone."""
    if kind == "zones":
        first = int(one["created_on"][:10].replace("-", "")) * 100 + 1
        return {"name": one["name"], "refresh": one["soa"]["refresh"], "edits": one["serial"] - first}
    fields = FIELDS[kind]
    body: Body = {key: one.get(key) for key in fields}
    if kind == "records":
        body["made"] = "auto_added" in one["meta"]
    if kind == "pools":
        body["origins"] = [
            {key: origin[key] for key in ("name", "address", "enabled", "weight")} for origin in body["origins"]
        ]
    elif kind == "groups":
        body["members"] = [{"monitor_id": member["monitor_id"]} for member in body["members"]]
    if kind in ("records", "balancers"):
        body["zone"] = zone
    return body


FIELDS: dict[str, tuple[str, ...]] = {
    "monitors": ("name", "type", "port", "description", "interval"),
    "groups": ("name", "description", "members"),
    "pools": ("name", "origins", "enabled", "description", "monitor", "monitor_group"),
    "balancers": ("name", "default_pools", "fallback_pool", "enabled", "description", "ttl", "steering_policy"),
    "records": ("name", "type", "content", "ttl", "comment", "priority"),
}


def identified(world: World, seen: World) -> World | None:
    """Return a world with the ids that its new objects have in another one; None where they are not all there."""
    ids: dict[str, str] = {}
    for kind in ("zones", "monitors", "groups", "pools", "balancers", "records"):
        free = {id: body for id, body in seen.table(kind).items() if id not in world.table(kind)}
        for new, body in world.table(kind).items():
            if new.startswith("?"):
                body = with_ids(body, ids)
                found = next((id for id, other in free.items() if other == body), None)
                if found is None:
                    return None
                ids[new] = found
                del free[found]
    return renamed(world, ids)


def with_ids(body: Body, ids: dict[str, str]) -> Body:
    return {**body, "zone": ids.get(body["zone"], body["zone"])} if "zone" in body else body


def renamed(world: World, ids: dict[str, str]) -> World:
    """Return a world whose new objects have their ids."""
    return World(
        **{
            kind: {ids.get(id, id): with_ids(body, ids) for id, body in world.table(kind).items()}
            for kind in ("zones", "monitors", "groups", "pools", "balancers", "records")
        }
    )


def reply_of(wire: bytes, name: str, rdtype: str) -> Reply:
    """Return a reply as the naive world says it."""
    message = dns.message.from_wire(wire)
    here = [rrset for rrset in message.answer if rrset.name.to_text(omit_final_dot=True) == name]
    alias = [rrset for rrset in here if rrset.rdtype == dns.rdatatype.CNAME]
    rcode = None if alias and rdtype != "CNAME" else dns.rcode.to_text(message.rcode())
    ttl = here[0].ttl if here else None
    return rcode, ttl, frozenset(str(rdata) for rrset in here for rdata in rrset)


class Asker:
    """Asks one question after another, in a thread; every reply must be right in a world of its time.

    `now` says which worlds may be served from now on; a reply is right when it is in any that could have been served
    between its question and itself. What is wrong is in `wrong`, questions without a reply in `lost`, but for those
    asked while `is_down`.
    """

    def __init__(self, host: str, port: int, seed: int) -> None:
        self._address = host, port
        self._random = random.Random(seed)
        self._worlds: list[tuple[World, ...]] = []
        self._doing = ""
        self._right: dict[tuple[int, str, str], set[Reply]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.count = 0
        self.wrong: list[str] = []
        self.lost: list[str] = []
        self.outages = 0
        self.is_down = False

    def now(self, *worlds: World, why: object = None) -> None:
        """Say which worlds may be served from now on, and what is being done."""
        if why is not None:
            self._doing = f"{time.monotonic():.2f} {why}"
        self._worlds.append(worlds)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.ExitStack() as opened:
            sockets = [opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(SOCKETS)]
            for sock in sockets:
                sock.settimeout(REPLY_S)
                sock.connect(self._address)
            while not self._stop.wait(PAUSE_S):
                self._ask(self._random.choice(sockets), self._random.choice(ASKED), self._random.choice(TYPES))

    def _ask(self, sock: socket.socket, name: str, rdtype: str) -> None:
        first, outages = len(self._worlds) - 1, self.outages
        was_down = self.is_down
        query = dns.message.make_query(name, rdtype).to_wire()
        try:
            sock.send(query)
            while (wire := sock.recv(4096))[:2] != query[:2]:
                pass
        except OSError as error:
            if not was_down and not self.is_down and outages == self.outages:
                self.lost.append(f"{time.monotonic():.2f} {name} {rdtype}: {error!r}")
            time.sleep(0.05)
            return
        reply = reply_of(wire, name, rdtype)
        self.count += 1
        worlds = [world for moment in self._worlds[first : len(self._worlds)] for world in moment]
        if not any(reply in self._right_in(world, name, rdtype) for world in worlds):
            right = [self._right_in(world, name, rdtype) for world in worlds]
            self.wrong.append(
                f"{time.monotonic():.2f} {name} {rdtype}: {reply}, but right are {right}; last done: {self._doing}"
            )

    def _right_in(self, world: World, name: str, rdtype: str) -> set[Reply]:
        key = id(world), name, rdtype  # worlds are kept, so that an id stays one's own
        if key not in self._right:
            self._right[key] = replies(world, name, rdtype)
        return self._right[key]


def wrong_answers(world: World, ask: Callable[[str, str], Any]) -> list[str]:
    """Ask for every name and type once; return what is wrong."""
    found = []
    for name in ASKED:
        for rdtype in sorted(set(TYPES)):
            reply = reply_of(ask(name, rdtype).to_wire(), name, rdtype)
            if reply not in (right := replies(world, name, rdtype)):
                found.append(f"{name} {rdtype}: {reply}, but right are {right}")
    return found
