"""Random changes, good and bad, against a naive store, under queries, with `kill -9` at random moments.

Afterwards what the API shows, the store's file, the files exported from it and the answers agree with the naive store;
nothing acknowledged is lost, nothing refused is served, no query goes without its reply while responders live.

    LBDNS_CHANGES=1000 LBDNS_SEED=7 scripts/test tests/store/test_random_changes.py     (in full, about two minutes)
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import httpx
import pytest

from lbdns.config.loading import load
from lbdns.dns.name import show_name
from lbdns.model.configuration import Configuration
from lbdns.processes.supervisor.child_process import package_environment
from lbdns.testing import ServerError
from tests.store.asking import (
    Asker,
    account_of,
    identified,
    records_shown,
    renamed,
    shown,
    shown_world,
    wrong_answers,
)
from tests.store.naive_answers import data_text
from tests.store.naive_changes import Chance, call
from tests.store.naive_store import AUTOMATIC_TTL_S, DEFAULTS, ORIGIN, Body, Refused, Step, World, apply, records_of
from tests.store.served import StoreServer

pytestmark = pytest.mark.process

CHANGES = int(os.environ.get("LBDNS_CHANGES", "150"))
SEED = int(os.environ.get("LBDNS_SEED", "5"))
CHANGES_PER_KILL = 50 if CHANGES < 500 else 80
LOOK_EVERY = 25
SETTINGS = "workers: 2\n"


class Story:
    """One server, the naive world that it should be in, and what happens to them."""

    def __init__(self, server: StoreServer, seed: int) -> None:
        self.server = server
        self.random = random.Random(seed)
        self.chance = Chance(seed)
        self.world = World()
        self.revision = 0
        self.fresh = itertools.count()
        self.took_s: list[float] = []  # by each change that was taken
        self.begun: list[dict[str, Any]] = []  # the records that the newest zone began with
        self.done = {"taken": 0, "refused": 0, "nothing new": 0, "kills": 0, "cut off": 0, "cut off and taken": 0}
        server.start()
        server.wait_for_api()
        self.asker = Asker(server.host, server.port, seed)
        self.asker.now(self.world)
        self.client = server.local
        self.account = account_of(self.client)

    def begin(self) -> None:
        """Make the first changes, which are good."""
        for step in self.chance.beginning(self.world):
            self.change(steps=[step])

    def change(self, kill: str = "", steps: list[Step] | None = None) -> None:
        """Make a change, a random one if none is given; with `kill`, something is killed while it is made."""
        steps = steps or self.chance.steps(self.world)
        after, refusal = self.foreseen(steps)
        self.asker.now(self.world, *([after] if after is not None else []), why=(kill, steps))
        killer = self.killing(kill) if kill else None
        try:
            reply = self.send(steps)
        except httpx.TransportError:
            assert kill, f"{steps} was not answered:\n{self.server.log}"
            reply = None
        if killer is not None:
            killer.join()
        if reply is not None:
            self.learn(steps, reply, after, refusal)
        if kill:
            self.recover(after if reply is None else None)
        self.asker.now(self.world)

    def foreseen(self, steps: list[Step]) -> tuple[World | None, Refused | None]:
        """Return the world that a change leads to, or why it is refused."""
        try:
            return apply(self.world, steps, lambda: f"?{next(self.fresh)}"), None
        except Refused as refusal:
            return None, refusal

    def send(self, steps: list[Step]) -> httpx.Response:
        is_batch = len(steps) > 1 or (steps[0].kind == "records" and self.random.random() < 0.1)
        method, path, body = call(self.account, steps, is_batch)
        began = time.monotonic()
        reply = self.client.request(method, path, json=body)
        if reply.is_success:
            self.took_s.append(time.monotonic() - began)
            if (steps[0].kind, steps[0].verb) == ("zones", "post"):
                self.begun = records_shown(self.client, reply.json()["result"]["id"])
        return reply

    def learn(self, steps: list[Step], reply: httpx.Response, after: World | None, refusal: Refused | None) -> None:
        """Hold a reply against what was foreseen, and take over the ids of what is new."""
        told = f"{steps}\n{reply.status_code} {reply.text}\nforeseen: {refusal or 'success'}\n{self.world}"
        if refusal is not None or after is None:
            self.done["refused"] += 1
            assert refusal is not None and reply.status_code == refusal.status, told
            assert reply.json()["success"] is False and reply.json()["errors"], told
            return
        assert reply.status_code == 200, told
        is_new = after != self.world
        self.done["taken" if is_new else "nothing new"] += 1
        self.revision += is_new
        result = reply.json()["result"]
        if any(step.verb == "post" for step in steps):
            new = [
                id
                for kind in ("records", "balancers", "pools", "monitors", "groups", "zones")
                for id in after.table(kind)
            ]
            new = sorted((id for id in new if id.startswith("?")), key=lambda id: int(id[1:]))
            posts = [one for one in result.get("posts", [result]) if one["id"] not in self.world.records]
            ids = {id: one["id"] for id, one in zip(new, posts, strict=False)}
            if steps[0].kind == "zones":
                ids |= {new[1 + (one["type"] == "A")]: one["id"] for one in self.begun}
            after = renamed(after, ids)
        self.world = after
        if len(steps) == 1 and steps[0].verb != "delete" and "id" in result:
            (step,) = steps
            assert shown(step.kind, result, step.owner) == after.table(step.kind)[result["id"]], told

    def killing(self, kill: str) -> threading.Thread:
        """Kill the supervisor, or all processes, some moments from now."""
        status = self.server.status()
        pids = [self.server.pid]
        if kill == "all":
            self.asker.is_down = True
            pids += [status["monitor"]["pid"], *(one["pid"] for one in status["responders"])]
        delay_s = self.random.uniform(0, 1.2) * statistics.median(self.took_s)

        def run() -> None:
            time.sleep(delay_s)
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def recover(self, other: World | None) -> None:
        """Start again what was killed, and see which world it is in: ours, or `other` where a change was cut off."""
        self.done["kills"] += 1
        assert self.server.process is not None
        self.server.process.wait()
        self.client.close()
        if self.random.random() < 0.4:
            self.fail_to_start()
        self.server.start()
        self.server.wait_for_api()
        self.asker.outages += self.asker.is_down
        self.asker.is_down = False
        self.client = self.server.local
        seen = shown_world(self.client)
        if other is not None:
            self.done["cut off"] += 1
        if other is not None and seen != self.world:
            self.done["cut off and taken"] += 1
            self.revision += 1
            self.world = identified(other, seen) or other
        assert seen == self.world, differences(seen, self.world)

    def fail_to_start(self) -> None:
        """Start the server and kill its supervisor before it is ready, or soon after."""
        command = [sys.executable, "-P", "-m", "lbdns", "serve", *self.server.source()]
        command += ["--state", str(self.server.state_dir), "--listen", f"{self.server.host}:{self.server.port}"]
        with self.server._log_path.open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=package_environment())
        time.sleep(self.random.uniform(0.2, 2.0))
        process.kill()
        process.wait()

    def look(self) -> None:
        """Hold what the API shows against the world."""
        seen = shown_world(self.client)
        assert seen == self.world, differences(seen, self.world)
        (newest,) = self.client.get("/lbdns/v1/revisions", params={"limit": 1}).json()["result"] or [{"revision": 0}]
        assert newest["revision"] == self.revision
        assert not self.asker.wrong and not self.asker.lost, "\n".join(self.asker.wrong + self.asker.lost)


def differences(seen: World, world: World) -> str:
    """Say how two worlds differ."""
    lines = []
    for kind in DEFAULTS:
        for id in {**seen.table(kind), **world.table(kind)}:
            there, wanted = seen.table(kind).get(id), world.table(kind).get(id)
            if there != wanted:
                lines.append(f"{kind} {id}: is {there}, should be {wanted}")
    return "\n".join(lines)


@pytest.fixture
def story(starts_processes: None, tmp_path: Path) -> Iterator[Story]:
    server = StoreServer(tmp_path, SETTINGS)
    with contextlib.closing(server):
        story = Story(server, SEED)
        try:
            yield story
        finally:
            story.client.close()


@pytest.mark.timeout(120 + CHANGES)
def test_store_files_and_answers_agree_whatever_happens(story: Story, tmp_path: Path) -> None:
    server, asker = story.server, story.asker
    kills = {at: story.random.choice(("supervisor", "supervisor", "all")) for at in kill_moments(story.random)}
    asker.start()
    try:
        story.begin()
        for number in range(CHANGES):
            story.change(kills.get(number, ""))
            if number % LOOK_EVERY == 0:
                story.look()
        story.look()
    finally:
        asker.stop()
    took_ms = 1000 * statistics.median(story.took_s)
    print(f"seed {SEED}: {story.done}, {asker.count} queries; a change took {took_ms:.0f} ms")
    assert not asker.wrong and not asker.lost, "\n".join(asker.wrong + asker.lost)
    assert asker.count > CHANGES
    assert wrong_answers(story.world, server.query) == []
    assert min(story.done["taken"], story.done["refused"]) > CHANGES / 6
    story.client.close()
    assert server.stop() == 0
    assert "Traceback" not in server.log
    assert_stored(server.state_dir / "store.sqlite", story)
    files = tmp_path / "files"
    lbdns("export", "--state", str(server.state_dir), str(files))
    if story.world.zones:
        lbdns("check", str(files))
        assert loaded(load(files).configuration) == as_files(story.world)
        said = lbdns("apply", "--dry-run", "--prune", "--state", str(server.state_dir), str(files))
        assert "no difference" in said.lower(), said


def kill_moments(chance: random.Random) -> list[int]:
    """Return when something is killed."""
    return [chance.randrange(at, at + CHANGES_PER_KILL) for at in range(10, CHANGES, CHANGES_PER_KILL)]


def lbdns(*arguments: str) -> str:
    """Run a command, which must succeed; returns what it printed."""
    command = [sys.executable, "-P", "-m", "lbdns", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=package_environment(), check=False)
    if done.returncode != 0:
        raise ServerError(f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def assert_stored(path: Path, story: Story) -> None:
    """Read the store's tables as they are, and hold them against the world."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        numbers = [row[0] for row in database.execute("SELECT number FROM revisions ORDER BY number")]
        assert numbers == list(range(1, story.revision + 1))
        rows = database.execute("SELECT kind, id, zone_id, body, created_on FROM objects").fetchall()
    stored = World()
    for kind, id, zone, text, created_on in rows:
        kind = {"monitor_group": "groups", "load_balancer": "balancers"}.get(kind, f"{kind}s")
        body: Body = {**DEFAULTS[kind], **json.loads(text), "created_on": created_on}
        if kind == "pools":
            body["origins"] = [{**ORIGIN, **origin} for origin in body["origins"]]
        elif kind == "records":
            body["meta"] = {"auto_added": True} if body.get("name_server") == "made" else {}
        stored.table(kind)[id] = shown(kind, body, zone)
    assert stored == story.world, differences(stored, story.world)


def loaded(configuration: Configuration) -> dict[str, Any]:
    """Return a configuration of files as plain names, numbers and texts."""
    records = [
        (show_name(rrset.owner), rrset.type, rrset.ttl, text_of(rrset.type, rdata))
        for zone in configuration.zones
        for rrset in zone.rrsets
        if rrset.type != dns.rdatatype.SOA
        for rdata in rrset.rdatas
    ]
    return {
        "monitors": {name: (one.type, one.port, one.description) for name, one in configuration.monitors.items()},
        "groups": {name: [m.monitor for m in one.members] for name, one in configuration.monitor_groups.items()},
        "pools": {
            name: (
                pool.enabled,
                pool.monitor,
                pool.monitor_group,
                [(o.address, o.weight, o.enabled) for o in pool.origins],
            )
            for name, pool in configuration.pools.items()
        },
        "balancers": {
            one.name: (one.enabled, one.ttl, one.steering_policy, list(one.default_pools), one.fallback_pool)
            for one in configuration.load_balancers
        },
        "zones": sorted(show_name(zone.apex) for zone in configuration.zones),
        "records": sorted(records),
    }


def text_of(rdtype: int, rdata: bytes) -> str:
    return str(dns.rdata.from_wire("IN", dns.rdatatype.to_text(dns.rdatatype.RdataType(rdtype)), rdata, 0, len(rdata)))


def as_files(world: World) -> dict[str, Any]:
    """Return a world in the same shape; a balancer in no zone has no place in files."""
    named = {id: body["name"] for kind in DEFAULTS for id, body in world.table(kind).items()}
    records = []
    for id in world.zones:
        of_zone = records_of(world, id).values()
        for record in of_zone:
            rrset = [one for one in of_zone if (one["name"], one["type"]) == (record["name"], record["type"])]
            ttl = min(AUTOMATIC_TTL_S if one["ttl"] == 1 else one["ttl"] for one in rrset)
            rdtype = int(dns.rdatatype.from_text(record["type"]))
            records.append((record["name"], rdtype, ttl, data_text(record)))
    return {
        "monitors": {one["name"]: (one["type"], one["port"], one["description"]) for one in world.monitors.values()},
        "groups": {
            one["name"]: [named[member["monitor_id"]] for member in one["members"]] for one in world.groups.values()
        },
        "pools": {
            one["name"]: (
                one["enabled"],
                named.get(one["monitor"]),
                named.get(one["monitor_group"]),
                [(origin["address"], origin["weight"], origin["enabled"]) for origin in one["origins"]],
            )
            for one in world.pools.values()
        },
        "balancers": {
            one["name"]: (
                one["enabled"],
                one["ttl"],
                one["steering_policy"],
                [named[id] for id in one["default_pools"]],
                named[one["fallback_pool"]],
            )
            for one in world.balancers.values()
            if world.zone_id(one["name"]) is not None
        },
        "zones": sorted(zone["name"] for zone in world.zones.values()),
        "records": sorted(records),
    }
