"""From one server to two by two commands, and back: real servers over stores, real nats-servers, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbdns.base.words import FLEET_REPLACE_FILE
from lbdns.processes.supervisor.nats_child import running_by
from tests.cli.commands import Outcome, done, refused, run
from tests.fleet.nats_server import free_port
from tests.store.served import StoreServer, wait_until

pytestmark = [pytest.mark.process, pytest.mark.slow]


class Here:
    """A server on this machine, and `lbdns fleet` that sets it up."""

    def __init__(self, work: Path, starts: bool = True) -> None:
        work.mkdir()
        self.server = StoreServer(work, "# kept\npop: {code: AMS}\n")
        self.text = self.server.settings_file.read_text()
        if starts:
            self.server.start()
            self.server.wait_for_api()

    @property
    def place(self) -> list[str]:
        return ["--settings", str(self.server.settings_file), "--state", str(self.server.state_dir)]

    @property
    def folder(self) -> Path:
        return self.server.state_dir / "fleet"

    @property
    def settings(self) -> str:
        return self.server.settings_file.read_text()

    @property
    def nats_pids(self) -> list[int]:
        return running_by(self.folder / "nats-server.conf")

    def fleet(self, *arguments: str) -> Outcome:
        return run("fleet", *arguments, *self.place)

    def begun(self, *arguments: str) -> list[str]:
        """Begin a fleet, and return what is to be run on the next machine."""
        outcome = self.fleet("init", *arguments)
        assert outcome.status == 0, outcome
        *_, line = outcome.out.splitlines()
        assert line.startswith("lbdns fleet join lbdns-fleet-1-")
        return line.split()[2:]

    def close(self) -> None:
        self.server.close()
        for pid in self.nats_pids:
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def two(tmp_path: Path, starts_processes: None) -> Iterator[tuple[Here, Here]]:
    """Two servers that run, each alone."""
    with contextlib.ExitStack() as cleanup:
        yield tuple(cleanup.enter_context(contextlib.closing(Here(tmp_path / name))) for name in ("a", "b"))  # type: ignore[misc]


def test_from_one_to_two_and_back(two: tuple[Here, Here]) -> None:
    ams, fra = two
    port, leaf_port = free_port(), free_port()
    joining = ams.begun("--address", f"127.0.0.1:{port}", "--leaf-port", str(leaf_port))
    assert ams.settings.startswith(ams.text) and 'listen: "0.0.0.0:' in ams.settings
    assert len(ams.nats_pids) == 1 and ams.server.status()["nats"]["restarts"] == 0
    assert all(
        stat.S_IMODE(one.stat().st_mode) == 0o600 for one in (*ams.folder.glob("*.json"), *ams.folder.glob("*.key"))
    )
    assert ams.begun() == joining
    pid = ams.nats_pids[0]

    told = fra.fleet(*joining, "--name", "FRA-1", "--leaf")
    assert told.status == 0 and "the running server has taken it up" in told.out and "not reached" not in told.out
    secret = json.loads((fra.folder / "secret.json").read_text())
    assert secret["role"] == "member" and "password" not in fra.settings
    assert len(fra.nats_pids) == 1, "a leaf of its own"
    assert "FRA-1 is in the fleet" in fra.fleet(*joining).out
    assert refused("fleet", "init", *fra.place) == [
        f"lbdns: this machine is in the fleet {secret['fleet_id']} already as FRA-1: `lbdns fleet leave` first"
    ]
    assert "began the fleet" in ams.fleet("init").out and ams.nats_pids == [pid]

    done("fleet", "leave", *fra.place)
    assert fra.settings == fra.text and not fra.folder.exists()
    assert done("fleet", "leave", *fra.place) == "this machine is in no fleet\n"
    assert "say --end" in refused("fleet", "leave", *ams.place)[0]
    done("fleet", "leave", "--end", *ams.place)
    assert ams.settings == ams.text and not ams.folder.exists() and not Path(f"/proc/{pid}").exists()
    assert ams.server.status()["ready"] and ams.server.status()["pid"] == ams.server.pid


@pytest.fixture
def ams(tmp_path: Path, starts_processes: None) -> Iterator[Here]:
    """A server that runs."""
    with contextlib.closing(Here(tmp_path / "a")) as here:
        yield here


def test_what_the_running_server_refuses_is_undone(ams: Here) -> None:
    ams.server.settings_file.write_text(ams.text + "workers: 0\n")
    why = refused("fleet", "init", "--address", f"127.0.0.1:{free_port()}", *ams.place)
    assert (
        "the running server refuses it, and nothing was changed" in why[0] and "workers: 0 is out of bounds" in why[0]
    )
    assert ams.settings == ams.text + "workers: 0\n" and not ams.folder.exists()


def test_a_supervisor_that_is_killed_leaves_the_hub_to_the_next(ams: Here) -> None:
    ams.begun("--address", f"127.0.0.1:{free_port()}")
    (left,) = ams.nats_pids
    assert ams.server.process is not None
    ams.server.process.kill()
    ams.server.process.wait()
    assert ams.nats_pids == [left]
    ams.server.start()
    wait_until(lambda: ams.nats_pids not in ([], [left]), lambda: ams.server.log)
    ams.server.wait_for_api()
    assert ams.server.stop() == 0
    assert ams.nats_pids == []


@pytest.fixture
def alone(tmp_path: Path, starts_processes: None) -> Iterator[Here]:
    """A server that does not run."""
    with contextlib.closing(Here(tmp_path / "a", starts=False)) as here:
        yield here


def test_without_a_server_it_is_written_for_the_next_start(alone: Here, tmp_path: Path) -> None:
    alone.begun("--address", f"hub.example:{free_port()}", "--name", "HUB-1")
    assert "no server runs here" in alone.fleet("init").err or "name: HUB-1" in alone.settings
    token = alone.fleet("token").out.split()[-1]
    other = Here(tmp_path / "b", starts=False)
    assert "the fleet is not reached: tls://hub.example" in refused("fleet", "join", token, *other.place)[0]
    assert other.settings == other.text and not other.folder.exists()
    outcome = other.fleet("join", token, "--offline")
    assert "AMS-1 is one of the fleet" in outcome.out and "the next `lbdns serve` takes it up" in outcome.out
    assert f'join: "{json.loads((alone.folder / "secret.json").read_text())["urls"][0]}"' in other.settings
    assert "is called" not in outcome.err


def test_a_configuration_of_its_own_is_not_lost_by_joining(alone: Here, tmp_path: Path) -> None:
    alone.begun("--address", f"127.0.0.1:{free_port()}")
    token = alone.fleet("token").out.split()[-1]
    other = Here(tmp_path / "b", starts=False)
    done("zone", "create", "example.com", *other.place)
    why = refused("fleet", "join", token, "--offline", *other.place)[0]
    assert "objects of its own, in place of which come the fleet's: say --replace" in why
    assert other.fleet("join", token, "--offline", "--replace").status == 0
    assert (other.folder / FLEET_REPLACE_FILE).exists()  # which the store's replica asks for
    assert "the store is a fleet's" in refused("zone", "create", "example.net", *other.place)[0]


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["join", "hello"], "this is no token"),
        (["init", "--address", "a b"], '"a b" is no address'),
        (["init", "--name", "a.b", "--address", "127.0.0.1"], '"a.b" is no name of a machine'),
        (["init", "--nats", "http://a"], '--nats: "http://a" is no address of a nats-server'),
        (["token"], "this server is in no fleet"),
    ],
)
def test_mistakes_change_nothing(arguments: list[str], why: str, alone: Here) -> None:
    assert why in refused("fleet", *arguments, *alone.place)[0]
    assert alone.settings == alone.text and not alone.folder.exists()


def test_a_nats_of_an_operator_s_own(alone: Here) -> None:
    told = alone.fleet("init", "--nats", "nats://127.0.0.1:4222", "--domain", "hub")
    assert told.status == 0 and 'join: "nats://127.0.0.1:4222"' in alone.settings and "embedded" not in alone.settings
    assert alone.nats_pids == []
