"""What was served last is served on, over a restart too, where what lies there cannot be; and it is said aloud."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lbdns.base.words import LAST_SERVED
from lbdns.processes.supervisor.binding import choose_ports
from lbdns.processes.supervisor.child_process import package_environment
from lbdns.testing import LbdnsServer, ServerError, write_files
from tests.processes.load import NAME, ZONE
from tests.processes.test_reload import NEW, NEW_FILES, OLD, OLD_FILES, eventually

pytestmark = pytest.mark.process

Spoil = Callable[[Path], None]
SETTINGS = "lbdns.yaml"


def lbdns(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of lbdns."""
    command = [sys.executable, "-P", "-m", "lbdns", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=package_environment(), check=False)


@contextlib.contextmanager
def made(tmp_path: Path) -> Iterator[LbdnsServer]:
    """Yield a server of OLD_FILES that listens, counts and keeps its state where its settings say; not started."""
    (listen,) = choose_ports(("127.0.0.1:0",))
    settings = {"listen": [listen], "metrics": "127.0.0.1:0", "state": str(tmp_path / "state")}
    write_files({**OLD_FILES, "settings": settings}, tmp_path / "config")
    server = LbdnsServer(tmp_path / "config", tmp_path, override=False)
    server.source = lambda: [str(server.directory)]  # type: ignore[method-assign]
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LbdnsServer]:
    """Return a server that has not started yet."""
    with made(tmp_path) as server:
        yield server


def kept(server: LbdnsServer) -> Path:
    """Return the directory of what is kept."""
    return server.state_dir / LAST_SERVED


def served_once(server: LbdnsServer) -> None:
    """Serve the configuration until it is kept, and stop."""
    server.start()
    eventually((kept(server) / "current.json").exists)
    assert server.addresses(NAME) == sorted(OLD[1])
    assert server.stop() == 0


def row(server: LbdnsServer, name: str) -> dict[str, Any]:
    """Return a row of the server's standing."""
    rows: list[dict[str, Any]] = server.status()["standing"]["rows"]
    return next(one for one in rows if one["name"] == name)


def metric(server: LbdnsServer, name: str) -> float:
    """Return the value of a metric."""
    with urllib.request.urlopen(f"http://{server.status()['metrics']}/metrics", timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"lbdns_{name} ")).split()[1])


def settings_of(config: Path, **changed: Any) -> None:
    path = config / SETTINGS
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changed}))


def spoil_a_zone(config: Path) -> None:
    (config / "example.com.zone").write_text(f"{ZONE}www IN A not-an-address\n")


def lose_the_zones(config: Path) -> None:
    (config / "example.com.zone").unlink()


def spoil_objects(config: Path) -> None:
    path = config / "objects.yaml"
    path.write_text(path.read_text().replace("fallback_pool", "fallbak_pool"))


def break_objects(config: Path) -> None:
    (config / "objects.yaml").write_text("pools: [\n")


def spoil_settings(config: Path) -> None:
    settings_of(config, workers="many")


def break_settings(config: Path) -> None:
    with (config / SETTINGS).open("a") as file:
        file.write("workers: [1\n")


def lose_the_database(config: Path) -> None:
    settings_of(config, geodata={"city": str(config / "missing.mmdb")})


def spoil_the_database(config: Path) -> None:
    (config / "spoilt.mmdb").write_bytes(b"no database")
    settings_of(config, geodata={"city": str(config / "spoilt.mmdb")})


def listen_elsewhere(config: Path) -> None:
    settings_of(config, listen=["192.0.2.1:53"])


@pytest.fixture(scope="module")
def stopped(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LbdnsServer]:
    """Return a server that has served its configuration, keeps it, and is stopped."""
    with made(tmp_path_factory.mktemp("stopped")) as server:
        served_once(server)
        yield server


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_a_zone,
        lose_the_zones,
        spoil_objects,
        break_objects,
        spoil_settings,
        break_settings,
        lose_the_database,
        spoil_the_database,
        listen_elsewhere,
    ],
)
def test_a_mistake_is_survived_over_a_restart(stopped: LbdnsServer, spoil: Spoil) -> None:
    server = stopped
    good = {path.name: path.read_text() for path in server.directory.iterdir()}
    spoil(server.directory)
    said = len(server.log)
    try:
        server.start()
        assert server.addresses(NAME) == sorted(OLD[1])
        assert server.query(NAME).answer[0].ttl == OLD[0]
        assert "cannot be served" in server.log[said:] and "what was served last" in server.log[said:]
        standing = server.status()["standing"]
        assert standing["state"] == "degraded"
        (first, *_) = row(server, "configuration")["problems"]
        assert first == standing["configuration"]["not_served"]["problems"][0]
        assert server.health()["configuration"] == standing["configuration"]
        assert metric(server, "configuration_refused") == 1
        served_at = standing["configuration"]["served_at"]
        assert metric(server, "configuration_timestamp_seconds") == pytest.approx(served_at)
    finally:
        for name, text in good.items():
            (server.directory / name).write_text(text)
    eventually(lambda: server.status()["standing"]["configuration"]["not_served"] is None)
    assert server.addresses(NAME) == sorted(OLD[1])
    assert metric(server, "configuration_refused") == 0
    assert server.stop() == 0


def test_the_commands_say_so(server: LbdnsServer) -> None:
    config = str(server.directory)
    assert lbdns("status", "--config", config).returncode == 2
    served_once(server)
    spoil_a_zone(server.directory)
    checked = lbdns("check", config)
    assert checked.returncode == 1
    assert "what was served last, as of" in checked.stderr and str(kept(server)) in checked.stderr
    assert "would be served on" in checked.stderr
    settings = server.directory / "lbdns.yaml"
    good = settings.read_text()
    settings.write_text(f"{good}\nuser: nobody-of-this-name\n")
    assert "nothing would be served: whom it would run as is not known" in lbdns("check", config).stderr
    settings.write_text(good)
    server.start()
    assert "is served on, over restarts too" in lbdns("check", config).stderr
    shown = lbdns("status", "--config", config)
    assert shown.returncode == 1
    assert f"{config}/example.com.zone:" in shown.stdout and "what was served last, as of" in shown.stdout
    assert json.loads(lbdns("status", "--config", config, "--json").stdout)["standing"]["state"] == "degraded"
    assert "Served is what was served last" in lbdns("health", "--config", config).stdout
    (server.directory / "example.com.zone").write_text(ZONE)
    eventually(lambda: server.status()["standing"]["state"] == "good")
    shown = lbdns("status", "--config", config)
    assert (shown.returncode, shown.stdout.partition("\n")[0].endswith("good")) == (0, True)


def test_a_refused_reload_is_degraded_until_it_is_mended(server: LbdnsServer) -> None:
    server.start()
    assert server.status()["standing"]["state"] == "good"
    spoil_a_zone(server.directory)
    eventually(lambda: server.status()["standing"]["state"] == "degraded")
    assert metric(server, "configuration_refused") == 1
    (server.directory / "example.com.zone").write_text(ZONE)
    eventually(lambda: server.status()["standing"]["state"] == "good")


def test_the_newest_that_was_served_is_kept_and_its_texts(server: LbdnsServer) -> None:
    server.start()
    (server.directory / "sub").mkdir()
    (server.directory / "sub" / "more.inc").write_text("more IN A 192.0.2.77\n")
    (server.directory / "example.com.zone").write_text(f"{ZONE}$INCLUDE sub/more.inc\n")
    server.reload({"objects.yaml": yaml.safe_dump({key: NEW_FILES[key] for key in ("pools", "load_balancers")})})
    assert server.stop() == 0  # which waits until it is kept
    (copy,) = [path for path in kept(server).iterdir() if path.is_dir()]
    files = copy / "files"
    assert {str(path.relative_to(files)) for path in files.rglob("*") if path.is_file()} == {
        SETTINGS,
        "example.com.zone",
        "objects.yaml",
        "sub/more.inc",
    }
    for path in files.rglob("*"):
        assert path.is_dir() or path.read_text() == (server.directory / path.relative_to(files)).read_text()
    shutil.rmtree(server.directory / "sub")
    server.start()
    assert server.addresses(NAME) == sorted(NEW[1])
    assert server.addresses("more.example.com") == ["192.0.2.77"]


def test_a_server_that_was_killed_is_taken_over_with_a_mistake_on_disk(server: LbdnsServer) -> None:
    server.start()
    eventually((kept(server) / "current.json").exists)
    spoil_objects(server.directory)
    os.kill(server.pid, signal.SIGKILL)
    assert server.process is not None
    server.process.wait()
    server.start()
    eventually(lambda: "took over from" in server.log)  # told once it is ready
    assert server.addresses(NAME) == sorted(OLD[1])
    assert server.status()["standing"]["state"] == "degraded"


def of_another_release(copy: Path) -> None:
    current = copy.parent / "current.json"
    current.write_text(json.dumps({**json.loads(current.read_text()), "format": "0.0.9 of another release"}))


def with_a_damaged_snapshot(copy: Path) -> None:
    (copy / "snapshot").write_bytes(b"nothing")


def without_tries(copy: Path) -> None:
    (copy / "tries").unlink()


def with_a_damaged_configuration(copy: Path) -> None:
    (copy / "configuration.json").write_bytes(b"{}")


@pytest.mark.parametrize(
    "damage", [of_another_release, with_a_damaged_snapshot, without_tries, with_a_damaged_configuration]
)
def test_the_texts_serve_where_the_compiled_parts_do_not(server: LbdnsServer, damage: Callable[[Path], None]) -> None:
    served_once(server)
    (copy,) = [path for path in kept(server).iterdir() if path.is_dir()]
    damage(copy)
    break_settings(server.directory)
    server.start()
    assert server.addresses(NAME) == sorted(OLD[1])
    served_at = server.status()["standing"]["configuration"]["served_at"]
    assert server.stop() == 0
    # It is kept anew, for what it is: compiled by this release, and as old as it is.
    again = json.loads((kept(server) / "current.json").read_text())
    assert again["path"] != copy.name
    assert again["served_at"] == served_at


@pytest.mark.parametrize("is_relative", [False, True])
def test_lists_that_lie_elsewhere_are_kept_with_the_texts(
    server: LbdnsServer, tmp_path: Path, is_relative: bool
) -> None:
    listed = tmp_path / "elsewhere" / "office.txt"
    listed.parent.mkdir()
    listed.write_text("127.0.0.0/8\n")
    office = "../elsewhere/office.txt" if is_relative else str(listed)
    settings_of(server.directory, lists={"office": office, "home": "home.txt"})
    (server.directory / "home.txt").write_text("192.0.2.0/24\n")
    objects = server.directory / "objects.yaml"
    tree = yaml.safe_load(objects.read_text())
    rule = {"condition": "ip.src in $office and not ip.src in $home", "overrides": {"ttl": 7}}
    tree["load_balancers"][0]["rules"] = [rule]
    objects.write_text(yaml.safe_dump(tree))
    served_once(server)
    (copy,) = [path for path in kept(server).iterdir() if path.is_dir()]
    of_another_release(copy)
    listed.unlink()
    (server.directory / "home.txt").unlink()
    server.start()
    assert server.query(NAME).answer[0].ttl == 7
    assert server.status()["standing"]["state"] == "degraded"
    assert server.stop() == 0
    (copy,) = [path for path in kept(server).iterdir() if path.is_dir()]
    assert sorted(path.name for path in copy.iterdir() if path.is_dir()) == ["files"]
    assert (copy / "files" / "home.txt").read_text() == "192.0.2.0/24\n"


def damage_all(server: LbdnsServer) -> None:
    for path in kept(server).rglob("*"):
        if path.is_file() and path.name != "current.json":
            path.write_bytes(b"x")


def damage_the_head(server: LbdnsServer) -> None:
    (kept(server) / "current.json").write_text("{")


def lose_it(server: LbdnsServer) -> None:
    shutil.rmtree(kept(server))


def make_it_anothers(server: LbdnsServer) -> None:
    current = kept(server) / "current.json"
    current.write_text(json.dumps({**json.loads(current.read_text()), "source": "the files in /elsewhere"}))


def be_strict(server: LbdnsServer) -> None:
    settings_of(server.directory, strict=True)


@pytest.mark.parametrize("spoil", [damage_all, damage_the_head, lose_it, make_it_anothers, be_strict])
def test_without_anything_to_serve_a_start_fails_for_the_first_reason(
    server: LbdnsServer, spoil: Callable[[LbdnsServer], None]
) -> None:
    served_once(server)
    spoil(server)
    spoil_objects(server.directory)
    with pytest.raises(ServerError, match="fallbak_pool"):
        server.start()
    assert server.process is not None and server.process.returncode == 1


def test_where_nothing_can_be_kept_it_is_said_and_tried_again(server: LbdnsServer) -> None:
    server.state_dir.mkdir()
    kept(server).write_text("in the way")
    server.start()
    eventually(lambda: bool(row(server, "kept")["problems"]))
    assert metric(server, "configuration_kept") == 0
    assert server.addresses(NAME) == sorted(OLD[1])
    kept(server).unlink()
    server.reload({"objects.yaml": yaml.safe_dump({key: NEW_FILES[key] for key in ("pools", "load_balancers")})})
    assert server.addresses(NAME) == sorted(NEW[1])
    assert server.stop() == 0
    assert (kept(server) / "current.json").exists()


def test_a_state_directory_that_is_removed_is_made_anew(server: LbdnsServer) -> None:
    server.start()
    eventually((kept(server) / "current.json").exists)
    shutil.rmtree(kept(server))
    os.kill(server.pid, signal.SIGHUP)
    eventually((kept(server) / "current.json").exists)
