"""Commands against a running server, and what they say where something is wrong."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from lbdns.cli.commands.health_command import age, render, result_text
from lbdns.cli.main import COMMANDS, cli
from lbdns.processes.supervisor.child_process import package_environment
from lbdns.testing import LbdnsServer, running_server
from tests.processes.load import NAME, ZONE

pytestmark = pytest.mark.process

SHOWN = {
    "zones": {"example.com": ZONE},
    "monitors": {"web": {"type": "http", "interval": 5, "timeout": 1}},
    "pools": {
        "primary": {"monitor": "web", "origins": [{"name": "p", "address": "127.0.0.21"}]},
        "plain": {"origins": [{"name": "x", "address": "192.0.2.1"}, {"name": "y", "address": "192.0.2.2"}]},
    },
    "load_balancers": [{"name": NAME, "default_pools": ["primary"], "fallback_pool": "plain", "ttl": 17}],
}


def lbdns(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "lbdns", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        env=package_environment() | environment,
        check=False,
    )


@pytest.fixture(scope="module")
def server(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LbdnsServer]:
    """One server for all tests here."""
    with running_server(SHOWN, tmp_path_factory.mktemp("server")) as running:
        yield running


def test_health_shows_states_at_a_glance(server: LbdnsServer) -> None:
    said = lbdns("health", "--control", server.control)
    assert said.returncode == 0, said.stderr
    rows = {line.split()[0]: line.split()[1:] for line in said.stdout.splitlines() if line.split()}
    assert rows["primary"][0] == "healthy"
    assert rows["p"][:2] == ["127.0.0.21", "healthy"] and "100.0 %" in " ".join(rows["p"])
    assert rows["x"] == ["192.0.2.1", "no", "monitor"]
    assert rows[NAME] == ["healthy", "primary;", "fallback", "plain"]


def test_health_as_json_holds_the_evidence(server: LbdnsServer) -> None:
    report = json.loads(lbdns("health", "--json", LBDNS_CONTROL=str(server.control)).stdout)
    endpoint = report["pools"][0]["origins"][0]
    assert (endpoint["state"], endpoint["reason"], endpoint["code"]) == ("healthy", "No failures", 200)
    assert endpoint["checks"] == endpoint["passed"] >= 1 and endpoint["rtt_ms"] > 0 and endpoint["since"] > 0
    assert report["load_balancers"][0]["state"] == "healthy"


def test_explain_asks_the_running_server(server: LbdnsServer) -> None:
    answer = json.loads(lbdns("explain", NAME, "--server", server.control, "--json").stdout)
    assert answer["answer"] == [f"{NAME}. 17 IN A 127.0.0.21"]
    assert (answer["rcode"], answer["ttl"], answer["scope"]) == ("NOERROR", 17, 0)
    supposed = lbdns("explain", NAME, "--control", server.control, "--down", "primary/p", "--draw", "0.5")
    assert "primary: passed over, critical, forced" in supposed.stdout
    assert "plain: the fallback pool" in supposed.stdout
    assert server.addresses(NAME) == ["127.0.0.21"]


def test_explain_needs_no_server_where_it_is_given_a_directory(server: LbdnsServer) -> None:
    answer = json.loads(lbdns("explain", NAME, "AAAA", "--config", server.directory, "--pop", "SIN", "--json").stdout)
    assert (answer["rcode"], answer["answer"]) == ("NOERROR", [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--resolver", "resolver.example"], "resolver: 'resolver.example' is not an IPv4 or IPv6 address"),
        (["--ecs", "192.0.2.0/99"], "ecs: '192.0.2.0/99' is not an IPv4 or IPv6 network, such as"),
        (["--down", "nowhere/x"], 'no endpoint matches "nowhere/x"'),
        (["--pop", "QQQQ"], "QQQQ is not an IATA airport code"),
        (["--pop", "QQQ"], "no airport has the IATA code QQQ"),
        (["NONSENSE"], "no such name or type can be asked for"),
    ],
)
def test_explain_says_in_one_line_what_it_cannot_do(server: LbdnsServer, arguments: list[str], words: str) -> None:
    for where in (["--config", server.directory], ["--server", server.control]):
        said = lbdns("explain", NAME, *arguments, *where)
        assert said.returncode == 1
        assert words in said.stderr and said.stderr.count("\n") == 1


def test_where_no_server_runs_it_says_so(tmp_path: Path) -> None:
    said = lbdns("health", "--control", tmp_path / "none.sock")
    assert said.returncode == 1
    assert said.stderr == (
        f"lbdns: no server answers at {tmp_path}/none.sock; is `lbdns serve` running? "
        "(--settings, --state or --control say where)\n"
    )
    (tmp_path / "lbdns.yaml").write_text("state: here\n")
    assert f"no server answers at {tmp_path}/here/control.sock" in lbdns("health", "--config", tmp_path).stderr


def test_usage_errors_have_status_2(tmp_path: Path) -> None:
    assert lbdns("serve", tmp_path / "none").returncode == 2
    assert lbdns("nonsense").returncode == 2
    assert lbdns("explain").returncode == 2
    assert lbdns("--version").stdout.startswith("lbdns 0.1")


def test_every_command_has_help() -> None:
    overview = lbdns("--help").stdout
    for name in COMMANDS:
        assert f"  {name} " in overview
        assert lbdns(name, "--help").stdout.startswith(f"Usage: lbdns {name}")


def test_serve_prints_every_mistake_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("pools:\n  one: {origins: [{name: x, address: nonsense_}]}\n  two: {orgins: []}\n")
    said = lbdns("serve", tmp_path, "--listen", "127.0.0.1:0", "--state", tmp_path / "state")
    assert said.returncode == 1
    assert "a.yaml:2: pools.one.origins[0].address: " in said.stderr
    assert "a.yaml:3: pools.two.origins: " in said.stderr
    assert "Traceback" not in said.stderr


def test_an_address_to_listen_on_that_is_none_is_named(server: LbdnsServer, tmp_path: Path) -> None:
    wrong = ("--listen", "127.0.0.1:99999", "--listen", "localhost")
    said = lbdns("serve", server.directory, "--state", tmp_path / "state", *wrong)
    assert said.returncode == 1
    assert '--listen: "127.0.0.1:99999": "99999" is no port; expected a number from 0 to 65535' in said.stderr
    assert '--listen: "localhost" is not an IP address' in said.stderr
    assert "Traceback" not in said.stderr


def test_health_lines_for_every_state() -> None:
    endpoint = {
        "name": "e",
        "address": "192.0.2.1",
        "state": "unhealthy",
        "measured": "healthy",
        "forced": True,
        "since": 100.0,
        "reason": "Response code mismatch error",
        "code": 503,
        "rtt_ms": None,
        "checks": 3,
        "passed": 1,
    }
    assert result_text(endpoint) == "Response code mismatch error (503)"
    assert [age({**endpoint, "since": since}, 100_000.0) for since in (None, 99_999.9, 99_970.0, 90_000.0, 1.0)] == [
        "",
        "now",
        "30 s",
        "3 h",
        "1 d",
    ]
    report = {
        "monitor": {"silent_s": 9.0},
        "pools": [{"name": "p", "state": "critical", "forced": False, "since": 1.0, "origins": [endpoint]}],
        "load_balancers": [],
    }
    shown = io.StringIO()
    Console(width=140, file=shown).print(render(report, 100.0))
    text = shown.getvalue()
    assert "unhealthy (forced; measured healthy)" in text and "33.3 %" in text
    assert "The monitor worker has been silent for 9 s" in text


def test_load_balancers_are_shown_in_columns() -> None:
    balancers = [
        {"name": "a.example.com", "state": "healthy", "pools": ["eu", "us"], "fallback": "us"},
        {"name": "[b]ern.longer.example.com", "state": "critical", "pools": ["eu"], "fallback": "eu"},
    ]
    report = {"pools": [], "load_balancers": balancers, "monitor": {"silent_s": 0}}
    shown = io.StringIO()
    Console(width=140, file=shown).print(render(report, 100.0))
    lines = [line.rstrip() for line in shown.getvalue().splitlines() if "fallback" in line]
    assert lines == [
        "a.example.com              healthy   eu, us; fallback us",
        "[b]ern.longer.example.com  critical  eu; fallback eu",
    ]


@pytest.mark.parametrize("group", ["health", "lb", "monitor", "pool", "record", "revision", "store", "token", "zone"])
def test_what_a_command_is_for_is_listed_whole(group: str) -> None:
    said = CliRunner().invoke(cli, [group, "--help"]).output
    assert "..." not in said.partition("Commands:")[2].replace("soa.rname=..., soa.minimum=..., serial=...;", "")
