"""`lbdns apply --guard` and `whatif` over a store that is served: by what a real server recorded."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import dns.edns
import dns.message
import dns.query
import pytest

from tests.cli.commands import Outcome, run
from tests.store.served import StoreServer

pytestmark = [pytest.mark.process, pytest.mark.slow]

ZONE = "$TTL 300\n@ SOA ns1 h 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"
OBJECTS = """\
pools:
  eu: {origins: [{name: e1, address: 192.0.2.1}]}
  us: {origins: [{name: u1, address: 192.0.2.2}]}
load_balancers:
  - {name: www.example.com, default_pools: [POOL], fallback_pool: eu, location_strategy: {prefer_ecs: always}RULES}
"""
RULE = ", rules: [{name: some, condition: 'ip.src in {198.51.100.0/24}', overrides: {pools: [us]}}]"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StoreServer]:
    with contextlib.closing(StoreServer(tmp_path)) as made:
        made.start()
        made.wait_for_api()
        yield made


def files(folder: Path, pool: str, rules: str = "") -> str:
    folder.mkdir(exist_ok=True)
    (folder / "example.com.zone").write_text(ZONE)
    (folder / "objects.yaml").write_text(OBJECTS.replace("POOL", pool).replace("RULES", rules))
    return str(folder)


def test_a_change_that_moves_more_than_its_guard_allows_is_not_applied(server: StoreServer, tmp_path: Path) -> None:
    state = ("--state", str(server.state_dir))

    def applied(directory: str, *more: str) -> Outcome:
        return run("apply", directory, "--yes", *state, *more)

    assert applied(files(tmp_path / "first", "eu")).status == 0
    moving, some = files(tmp_path / "moving", "us"), files(tmp_path / "some", "eu", RULE)
    unseen = applied(moving, "--guard", "5%")
    assert unseen.status == 3 and "cannot be told: no traffic is recorded since" in unseen.err

    for number in range(40):
        network = "198.51.100.0" if number % 10 == 0 else f"203.0.{number}.0"
        asked = dns.message.make_query("www.example.com", "A", use_edns=0, options=[dns.edns.ECSOption(network, 24)])
        dns.query.udp(asked, server.host, port=server.port, timeout=10)
        time.sleep(0.01)  # slow enough for each to be sampled

    told = run("whatif", some, *state, "--json")
    assert told.status == 0, told.err
    assert told.json["samples"] >= 30
    assert told.json["moved"]["share"] == pytest.approx(0.1, abs=0.06)
    assert [(one["before"], one["after"]) for one in told.json["moves"]] == [("eu", "us")]

    held = applied(moving, "--guard", "5%")
    assert held.status == 3
    assert "moves 100.0% of the recorded clients, and the guard allows 5.0%" in held.err
    assert held.err.splitlines()[-1].endswith("--force changes it all the same")
    assert server.addresses("www.example.com") == ["192.0.2.1"]
    assert run("revision", "list", *state, "--json").json[0]["revision"] == 1

    assert applied(some, "--guard", "25%").status == 0
    assert applied(moving, "--guard", "5%", "--force").status == 0
    assert server.addresses("www.example.com") == ["192.0.2.2"]
    back = run("whatif", "--revision", "1", *state, "--json")
    assert back.status == 0 and back.json["moved"]["share"] == pytest.approx(1.0, abs=0.2)
    restored = run("revision", "restore", "1", "--yes", "--guard", "1%", *state)
    assert restored.status == 3 and server.addresses("www.example.com") == ["192.0.2.2"]
