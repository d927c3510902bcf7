"""What-if equals what a real server then answers: 10,000 clients recorded, a change told and made, each asked again."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import time
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import dns.edns
import dns.message
import dns.name
import dns.rcode
import pytest

from lbdns.config.loading import load
from lbdns.mapped.run_directory import RunDirectory
from lbdns.places.geodata import Geodata
from lbdns.publish.replay.movement import Movement
from lbdns.publish.replay.opened import open_in_force
from lbdns.publish.replay.replayed import CameTo, Replay, Replayed
from lbdns.publish.replay.two_views import two_views
from lbdns.telemetry.recorded_queries import recorded_queries
from lbdns.telemetry.samples import SampleReader, TrafficSample
from lbdns.testing import LbdnsServer, write_files
from tests.cli.commands import run
from tests.processes.test_reload import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

CLIENTS: Final = 10_000
PER_S: Final = 550
"""Queries a second: fewer than are sampled, so that each is."""
FAR: Final = 5.0
"""Standard deviations."""
ZONE: Final = "$TTL 300\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53\nplain IN A {}\n"
POOLS: Final = {
    name: {
        "latitude": north,
        "longitude": east,
        "origins": [{"name": f"{name}-{number}", "address": f"10.{at}.0.{number}"} for number in (1, 2)],
    }
    for at, (name, north, east) in enumerate(
        [("eu", 50, 8), ("us", 40, -75), ("asia", 1, 104), ("sa", -23, -46), ("spare", 52, 4)], 1
    )
}
ALWAYS: Final = {"prefer_ecs": "always"}
RULE: Final = {"name": "office", "condition": "ip.src in {60.0.0.0/6}", "overrides": {"pools": ["asia"]}}


def balancers(**changed: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the load balancers, some of them otherwise, or not there (None)."""
    made: dict[str, dict[str, Any]] = {
        "geo": {
            "steering_policy": "geo",
            "country_pools": {"DE": ["eu"], "FR": ["eu"], "JP": ["asia"], "BR": ["sa"]},
            "default_pools": ["us"],
        },
        "near": {"steering_policy": "proximity", "default_pools": ["eu", "us", "asia"]},
        "dice": {"steering_policy": "random", "default_pools": ["eu", "us"]},
        "weighted": {
            "steering_policy": "random",
            "default_pools": ["eu", "us", "asia"],
            "random_steering": {"pool_weights": {"eu": 0.5, "us": 0.3, "asia": 0.2}},
        },
        "ruled": {"default_pools": ["us"], "rules": [RULE]},
        "failover": {"default_pools": ["spare", "eu"]},
        "sticky": {"default_pools": ["eu"], "session_affinity": "ip_cookie"},
        "shed": {"default_pools": ["sa", "us"]},
        "goes": {"default_pools": ["eu"]},
    }
    return [
        {
            "name": f"{name}.example.com",
            "fallback_pool": "us",
            "location_strategy": ALWAYS,
            **body,
            **(changed.get(name) or {}),
        }
        for name, body in made.items()
        if changed.get(name, body) is not None
    ]


def files(after: bool, folder: Path) -> dict[str, Any]:
    """Return the configuration as it is, or as it is to be."""
    pools = json.loads(json.dumps(POOLS))
    pools["sa"]["load_shedding"] = {"default_percent": 40 if after else 20, "default_policy": "random"}
    changed: dict[str, Any] = {}
    views = {"inside": {"networks": ["80.0.0.0/5"]}}
    if after:
        pools["spare"]["enabled"] = False
        views = {"inside": {"networks": ["80.0.0.0/6"]}}
        changed = {
            "geo": {"country_pools": {"DE": ["eu"], "FR": ["sa"], "JP": ["asia"], "CN": ["asia"]}},
            "near": {"default_pools": ["eu", "us", "asia", "sa"]},
            "weighted": {"random_steering": {"pool_weights": {"eu": 0.3, "us": 0.5, "asia": 0.2}}},
            "ruled": {"rules": [RULE, {**RULE, "name": "more", "condition": "ip.src in {120.0.0.0/6}"}]},
            "goes": None,
        }
    return {
        "settings": {
            "samples": {"per_second": 1000},
            "views": views,
            "trusted_resolvers": ["127.0.0.1"],
            "state": str(folder / "state"),
        },
        "zones": {"example.com": ZONE.format("192.0.2.1"), "example.com@inside": ZONE.format("192.0.2.2")},
        "pools": pools,
        "load_balancers": [
            *balancers(**changed),
            {
                "name": "near.example.com",
                "view": "inside",
                "default_pools": ["spare" if not after else "asia"],
                "fallback_pool": "us",
            },
        ],
    }


class Client(NamedTuple):
    """Who asks for what."""

    name: str
    qtype: str
    ecs: IPv4Network | IPv6Network


def clients(chance: Random) -> Iterator[Client]:
    """Yield clients anywhere, of each name in turn."""
    names = [*(one["name"] for one in balancers()), "plain.example.com", "nothing.example.com", "www.example.net"]
    for number in count():
        bits = chance.choice((24, 24, 24, 20, 16))
        if chance.randrange(8) == 0:
            high = (0x2000 + chance.randrange(0x1000)) << 112 | chance.getrandbits(40) << 72
            yield Client(names[number % len(names)], "A", ip_network((high, 48), strict=False))
        else:
            address = chance.randrange(0x01000000, 0xDF000000)
            yield Client(names[number % len(names)], "A", ip_network((address, bits), strict=False))


class Asker:
    """Asks a server by UDP, some queries under way at once."""

    def __init__(self, port: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.connect(("127.0.0.1", port))
        self._sock.settimeout(10)

    def close(self) -> None:
        self._sock.close()

    def ask(self, client: Client) -> tuple[str, list[str], int]:
        """Return the code, the addresses and the scope that a client gets."""
        option = dns.edns.ECSOption(str(client.ecs.network_address), client.ecs.prefixlen)
        asked = dns.message.make_query(client.name, client.qtype, use_edns=0, options=[option])
        self._sock.send(asked.to_wire())
        while True:
            reply = dns.message.from_wire(self._sock.recv(4096))
            if reply.id == asked.id:
                break
        addresses = [rdata.address for rrset in reply.answer for rdata in rrset]
        scopes = [one.scopelen for one in reply.options if isinstance(one, dns.edns.ECSOption)]
        return dns.rcode.to_text(reply.rcode()), addresses, scopes[0] if scopes else 0


def pool_of(addresses: list[str]) -> str:
    """Return the pool that addresses are of, "" where they are of none."""
    numbers = {int(one.split(".")[1]) for one in addresses if one.startswith("10.")}
    assert len(numbers) <= 1, addresses
    return [*POOLS][numbers.pop() - 1] if numbers else ""


def said(came: CameTo) -> str:
    """Return the one pool that a query comes to, "" where it may be several."""
    (name, share) = max(came.shares.pools.items(), key=lambda one: one[1])
    return name if share > 1 - 1e-9 else ""


@pytest.fixture(scope="module")
def server(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LbdnsServer]:
    folder = tmp_path_factory.mktemp("whatif")
    write_files(files(False, folder), folder / "config")
    write_files(files(True, folder), folder / "proposed")
    made = LbdnsServer(folder / "config", folder)
    made.start()
    yield made
    made.close()


def record(server: LbdnsServer, asker: Asker) -> list[TrafficSample]:
    """Ask for clients until so many samples are there, and return these."""
    samples: list[TrafficSample] = []
    reader = SampleReader(RunDirectory(server.state_dir), Geodata.open(None, None))
    began_s = time.monotonic()
    for number, client in enumerate(clients(Random("recorded"))):
        asker.ask(client)
        if number % 50 == 49:  # not too many at once: each is sampled, and a ring has room for some
            time.sleep(max(0.0, number / PER_S - (time.monotonic() - began_s)))
            samples += reader.read().samples
            if len(samples) >= CLIENTS:
                break
    reader.close()
    return samples[:CLIENTS]


def export(samples: list[TrafficSample], path: Path) -> Path:
    """Write samples as a file, a line each."""
    rows = (
        {
            "name": one.name,
            "type": one.type,
            "time": one.unix_ns / 1e9,
            "ecs": str(one.ecs),
            "resolver": str(one.resolver),
            "view": one.view,
            "generation": one.generation,
            "scope": one.scope,
            "interval": one.interval,
        }
        for one in samples
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.timeout(600)  # each of so many clients is asked three times
def test_what_if_equals_what_the_server_then_answers(server: LbdnsServer) -> None:
    folder, state = server.directory.parent, server.state_dir
    asker = Asker(server.port)
    with contextlib.closing(asker):
        samples = record(server, asker)
        proposed = load(folder / "proposed").configuration
        geodata = Geodata.open(proposed.settings.geodata.city, proposed.settings.geodata.asn)
        views = two_views(open_in_force(state), proposed, geodata)
        queries = recorded_queries(samples, views.before, views.after).queries
        assert len(queries) == CLIENTS
        now_s = int(time.monotonic())
        movement = Movement(Replay(views.before, 0, now_s), Replay(views.after, 1, now_s))
        told = [(asked, *movement.take(asked)) for asked in queries]
        check_recorded(samples, told)
        check_told(told, asker, before=True)

        arguments = ("whatif", str(folder / "proposed"), "--state", str(state), "--json")
        by_file = run(*arguments, "--samples", str(export(samples, folder / "samples.json")))
        assert by_file.json["samples"] == CLIENTS
        assert by_file.json["moved"]["share"] == pytest.approx(movement.share, abs=1e-6)
        assert by_file.json["moves"] and 0.05 < movement.share < 0.6
        by_history = run(*arguments, "--guard", "1%")
        assert by_history.status == 3 and by_history.json["samples"] > 0, by_history.err

        write_files(files(True, folder), server.directory)
        gone = Client("goes.example.com", "A", IPv4Network("192.0.2.0/24"))
        eventually(lambda: asker.ask(gone)[0] == "NXDOMAIN", 30)
        check_told(told, asker, before=False)


def check_recorded(samples: list[TrafficSample], told: list[tuple[Replayed, CameTo, CameTo, float]]) -> None:
    """Check that what is said of today is what was recorded: the pools, codes and scopes of the answers then."""
    for sample, (_, old, _, _) in zip(sorted(samples, key=lambda one: one.unix_ns), told, strict=True):
        assert (sample.rcode, sample.scope) == (dns.rcode.from_text(old.rcode), old.scope)
        if sample.decision is not None:
            assert old.shares.pools.get(sample.decision.pool, 0.0) > 0, (sample, old)


def check_told(told: list[tuple[Replayed, CameTo, CameTo, float]], asker: Asker, before: bool) -> None:
    """Ask for each recorded client, and compare with what was told: pools, codes and scopes exactly, where nothing is
    drawn; shares of pools where something is."""
    expected: Counter[tuple[str, str]] = Counter()
    spread: Counter[tuple[str, str]] = Counter()
    found: Counter[tuple[str, str]] = Counter()
    for asked, old, new, _ in told:
        came = old if before else new
        name = dns.name.from_wire(asked.name, 0)[0].to_text(omit_final_dot=True)
        assert asked.ecs is not None
        rcode, addresses, scope = asker.ask(Client(name, "A", asked.ecs))
        assert (rcode, scope) == (came.rcode, came.scope), (asked, came)
        pool, one = pool_of(addresses), said(came)
        if one:
            assert pool == (one if one in POOLS else ""), (asked, came, addresses)
            continue
        found[name, pool] += 1
        for other, share in came.shares.pools.items():
            expected[name, other] += share  # type: ignore[assignment]
            spread[name, other] += share * (1 - share)  # type: ignore[assignment]
    assert expected
    for key, share in expected.items():
        assert abs(found[key] - share) <= FAR * math.sqrt(spread[key]) + 1, (key, found[key], share)
