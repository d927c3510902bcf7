"""Commands that speak to the running server: how they are told which, before a subcommand and behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.testing import LbdnsServer, running_server
from tests.cli.commands import done, run
from tests.processes.load import NAME, configuration

pytestmark = pytest.mark.process

ASKING = [
    ("status", "--json"),
    ("health", "--json"),
    ("top", "--once", "--json"),
    ("explain", NAME, "--json"),
    ("events", "--json"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LbdnsServer]:
    """Return a running server."""
    with running_server(configuration(), tmp_path_factory.mktemp("running")) as server:
        yield server


@pytest.fixture
def settings(server: LbdnsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of settings that leads to the server; nothing else does."""
    monkeypatch.delenv("LBDNS_CONTROL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nowhere"))
    (tmp_path / "conf").mkdir()
    found = tmp_path / "conf" / "lbdns.yaml"
    found.write_text(f"state: {server.state_dir}\n")
    return found


def ways(server: LbdnsServer, settings: Path) -> dict[str, list[str]]:
    return {
        "settings": ["--settings", str(settings)],
        "config": ["--config", str(settings.parent)],
        "state": ["--state", str(server.state_dir)],
        "control": ["--control", str(server.control)],
    }


WAYS = ("settings", "config", "state", "control")
# --config asks explain of files; events reads a file, to which no control socket leads.
NO_WAYS = {("explain", "config"), ("events", "control")}


@pytest.mark.parametrize(
    ("command", "way"),
    [(command, way) for command in ASKING for way in WAYS if (command[0], way) not in NO_WAYS],
    ids=str,
)
def test_a_server_is_found_in_every_way(
    server: LbdnsServer, settings: Path, command: tuple[str, ...], way: str
) -> None:
    assert run(*command, *ways(server, settings)[way]).status == 0


@pytest.mark.parametrize("command", ASKING, ids=lambda one: one[0])
def test_settings_here_and_in_the_environment_are_found(
    server: LbdnsServer, settings: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(settings.parent)
    assert run(*command).status == 0
    monkeypatch.chdir(tmp_path)
    assert run(*command).status != 0 or command[0] == "events"
    monkeypatch.setenv("LBDNS_SETTINGS", str(settings))
    assert run(*command).status == 0


def test_settings_with_a_mistake_lead_to_the_server_all_the_same(server: LbdnsServer, settings: Path) -> None:
    settings.write_text(f"state: {server.state_dir}\nworkers: [1\n")
    for command in ASKING:
        assert run(*command, "--settings", str(settings)).status == 0
    assert run("pool", "list", "--settings", str(settings)).status == 0


@pytest.mark.parametrize("way", WAYS)
def test_options_stand_before_a_subcommand_or_behind_it(server: LbdnsServer, settings: Path, way: str) -> None:
    options = ways(server, settings)[way]
    assert done("health", *options, "set", "main/e0", "down") == "main/e0: down\n"
    assert done("health", "set", "main/e0", "auto", *options) == "main/e0: as measured\n"
    assert done("health", "set", *options, "main/e0", "up") == "main/e0: up\n"
    elsewhere = ["--control", "/nowhere/control.sock"]
    assert done("health", *elsewhere, "set", "main/e0", "auto", *options) == "main/e0: as measured\n"
    assert run("health", *options, "set", "main/e0", "auto", *elsewhere).status == 1


def test_the_command_line_wins_over_the_environment(
    server: LbdnsServer, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LBDNS_CONTROL", "/nowhere/control.sock")
    assert run("status").status == 2
    assert run("status", "--settings", str(settings)).status == 0
    assert run("health", "--control", str(server.control), "set", "main/e0", "auto").status == 0


def test_two_places_of_settings_are_one_too_many(settings: Path) -> None:
    said = run("health", "--settings", str(settings), "--config", str(settings.parent))
    assert said.status == 2 and "leave one out" in said.err


def test_status_of_no_server(settings: Path) -> None:
    settings.write_text("state: nowhere\n")
    said: Any = run("status", "--settings", str(settings))
    assert (said.status, said.out) == (2, "")
    assert "no server answers" in said.err


def test_serve_takes_its_settings_from_the_environment_where_no_directory_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere.yaml").write_text("strict: true\nworkers: 0\n")
    served = tmp_path / "served"
    served.mkdir()
    (served / "lbdns.yaml").write_text("strict: true\nworkers: -1\n")
    monkeypatch.setenv("LBDNS_SETTINGS", str(tmp_path / "elsewhere.yaml"))
    monkeypatch.chdir(tmp_path)
    state = str(tmp_path / "state")
    for arguments, read in ((), "elsewhere.yaml"), ((str(served),), "served/lbdns.yaml"):
        refused = run("serve", *arguments, "--state", state)
        assert (refused.status, f"{read}:2" in refused.err) == (1, True), refused.err
    assert run("serve", str(served), "--settings", str(tmp_path / "elsewhere.yaml")).status == 2
