"""The nats-server that lbdns starts: hub and leaf, their keys, and how the supervisor keeps them."""

from __future__ import annotations

import asyncio
import datetime
import os
import signal
import stat
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography import x509

from lbdns.base.errors import LbdnsError
from lbdns.fleet.bus.fleet_bus import BusUnreached
from lbdns.fleet.bus.nats_bus import NatsBus
from lbdns.fleet.embedded.fleet_keys import KeyFiles, make_ca, make_hub_certificate
from lbdns.fleet.embedded.prepared_server import configuration_of, fleet_folder, prepare_server
from lbdns.fleet.embedded.server_configuration import check_nats_server
from lbdns.model.bus_access import bus_access
from lbdns.model.fleet_secret import FleetSecret
from lbdns.model.fleet_settings import FleetSettings
from lbdns.processes.supervisor.kept import Duty
from lbdns.processes.supervisor.nats_child import NatsChild
from tests.fleet.nats_server import WAIT_S, free_port, until

pytestmark = [pytest.mark.process, pytest.mark.slow]

NOW = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)


class Machine:
    """A machine of a fleet, as far as its bus goes."""

    def __init__(self, state_dir: Path, secret: FleetSecret, **said: Any) -> None:
        self.state_dir, self.folder = state_dir, fleet_folder(state_dir)
        path = self.folder / "secret.json"
        path.write_text(secret.model_dump_json())
        path.chmod(0o600)
        self.settings: FleetSettings | None = FleetSettings.model_validate({"secret": "fleet/secret.json"} | said)
        self.child = NatsChild(state_dir)

    @property
    def duty(self) -> Duty:
        configuration = SimpleNamespace(settings=SimpleNamespace(fleet=self.settings))
        return cast(Duty, SimpleNamespace(published=SimpleNamespace(configuration=configuration), log_format="text"))

    async def bus(self) -> NatsBus:
        assert self.settings is not None
        bus = NatsBus(bus_access(self.settings, self.state_dir))
        bus.start()
        assert await bus.wait_connected(WAIT_S), bus.problem
        return bus

    @property
    def pid(self) -> int:
        return int(self.child.health()["nats"]["pid"])


def hub(state_dir: Path) -> Machine:
    """Return a machine that is a hub, and takes leaves."""
    files = KeyFiles(fleet_folder(state_dir))
    ca = make_ca(files, "f1", datetime.datetime.now(datetime.UTC))
    secret = FleetSecret(fleet_id="f1", role="hub", user="lbdns", password="p-_w", ca=ca, domain="lbdns")
    ports = {"listen": f"127.0.0.1:{free_port()}", "leaves": f"127.0.0.1:{free_port()}"}
    return Machine(state_dir, secret, name="AMS-1", embedded=True, **ports)


def leaf(state_dir: Path, of: Machine) -> Machine:
    """Return a machine whose nats-server goes to a hub."""
    assert of.settings is not None
    secret = FleetSecret.model_validate_json((of.folder / "secret.json").read_text())
    secret = secret.model_copy(update={"role": "member"})
    return Machine(state_dir, secret, name="FRA-1", embedded=True, join=f"tls://{of.settings.leaves}")


def played(*machines: Machine, scenario: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        try:
            for one in machines:
                await one.child.start(one.duty)
            await scenario()
        finally:
            for one in machines:
                await one.child.stop()

    asyncio.run(run())


def test_a_leaf_reaches_the_stream_of_its_hub_and_all_that_is_secret_is_closed(tmp_path: Path) -> None:
    one = hub(tmp_path / "ams")
    other = leaf(tmp_path / "fra", one)

    async def scenario() -> None:
        near, far = await one.bus(), await other.bus()
        await near.make_stream()
        messages = far.follow(0)
        await until_done(lambda: far.append("cfg.rev", b"by a leaf", id="a", expected=0))
        assert (await asyncio.wait_for(anext(messages), WAIT_S)).data == b"by a leaf"
        for folder in (one.folder, other.folder):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            for path in (*folder.glob("*.json"), *folder.glob("*.key"), *folder.glob("*.conf"), *folder.glob("*.pem")):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        # The leaf is there and the hub is not: nobody is to believe that the fleet is reached.
        await one.child.stop()
        await until(lambda: not far.is_connected)
        with pytest.raises(BusUnreached):
            await far.append("cfg.rev", b"lost", id="b", expected=None)
        await one.child.start(one.duty)
        await until(lambda: far.is_connected)
        await until_done(lambda: far.append("cfg.rev", b"again", id="c", expected=None))
        assert (await asyncio.wait_for(anext(messages), WAIT_S)).data == b"again"
        await messages.aclose()  # type: ignore[attr-defined]
        await near.close()
        await far.close()

    played(one, other, scenario=scenario)
    assert not list(tmp_path.glob("*/fleet/*.ports"))


async def until_done(doing: Callable[[], Awaitable[Any]]) -> None:
    """Do something until the bus is reached: a leaf takes a moment to be at its hub."""
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while True:
        try:
            await doing()
            return
        except BusUnreached:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.05)


def test_one_that_dies_is_started_again_and_one_that_need_not_change_goes_on(tmp_path: Path) -> None:
    one = hub(tmp_path)

    async def scenario() -> None:
        bus = await one.bus()
        await bus.make_stream()
        await bus.append("cfg.rev", b"kept", id="a", expected=0)
        before = one.pid
        await one.child.replace(one.duty)
        assert one.pid == before
        os.kill(before, signal.SIGKILL)
        await until(lambda: one.pid not in (0, before))
        assert await bus.wait_connected(WAIT_S)
        found = await bus.last("cfg.rev")
        assert found is not None and found.data == b"kept" and one.child.restarts == 1
        await bus.close()

    played(one, scenario=scenario)


def test_settings_that_change_are_taken_up_and_without_a_fleet_it_ends(tmp_path: Path) -> None:
    one = hub(tmp_path)

    async def scenario() -> None:
        assert one.settings is not None
        await (await one.bus()).close()
        one.settings = one.settings.model_copy(update={"listen": f"127.0.0.1:{free_port()}"})
        await one.child.replace(one.duty)
        await (await one.bus()).close()
        pid = one.pid
        one.settings = None
        await one.child.replace(one.duty)
        assert one.child.health() == {} and not Path(f"/proc/{pid}").exists()

    played(one, scenario=scenario)


def test_the_next_supervisor_ends_the_one_that_a_killed_supervisor_left(tmp_path: Path) -> None:
    one = hub(tmp_path)
    assert one.settings is not None
    prepared = prepare_server(one.settings, tmp_path, NOW)
    left = subprocess.Popen([prepared.binary, "-c", prepared.configuration])

    async def scenario() -> None:
        await (await one.bus()).close()
        assert await asyncio.to_thread(left.wait, WAIT_S) == 0
        assert one.child.restarts == 0

    try:
        while not list(one.folder.glob("*.ports")):
            assert left.poll() is None
        played(one, scenario=scenario)
    finally:
        left.kill()
        left.wait()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    one, other = hub(tmp_path / "a"), hub(tmp_path / "b")
    assert one.settings is not None
    other.settings = one.settings

    async def scenario() -> None:
        # Either may be the one that comes too late.
        await until(lambda: any("address already in use" in each.child.problem for each in (one, other)))

    played(one, other, scenario=scenario)


@pytest.mark.parametrize(
    "said, told",
    [
        ("nats-server: v2.9.10", "nats-server 2.11 or newer is needed, this is v2.9.10"),
        ("what", "newer is needed, this is what"),
    ],
)
def test_a_nats_server_that_is_too_old_is_refused(said: str, told: str, tmp_path: Path, monkeypatch: Any) -> None:
    program = tmp_path / "nats-server"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o700)
    monkeypatch.setattr("lbdns.fleet.embedded.server_configuration.find_nats_server", lambda: program)
    with pytest.raises(LbdnsError, match=told):
        check_nats_server()
    one = hub(tmp_path / "state")

    async def scenario() -> None:
        assert told in one.child.problem and one.child.health() == {}
        monkeypatch.undo()
        await one.child.replace(one.duty)
        assert one.child.problem == ""
        await (await one.bus()).close()

    played(one, scenario=scenario)


def test_no_nats_server_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lbdns.fleet.embedded.server_configuration.find_nats_server", lambda: None)
    with pytest.raises(LbdnsError, match="there is no nats-server beside this Python and none on PATH"):
        check_nats_server()


def test_the_certificate_goes_on_being_for_all_hosts_and_is_renewed_before_it_ends(tmp_path: Path) -> None:
    files = KeyFiles(tmp_path)
    text = make_ca(files, "f1", NOW)
    assert make_ca(files, "other", NOW) == text
    make_hub_certificate(files, NOW, ["hub.example", "192.0.2.1"])
    first = files.hub.read_bytes()
    make_hub_certificate(files, NOW)
    assert files.hub.read_bytes() == first
    make_hub_certificate(files, NOW + datetime.timedelta(days=9.5 * 365))
    renewed = x509.load_pem_x509_certificate(files.hub.read_bytes())
    names = renewed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"hub.example", "lbdns-fleet", "localhost"} == set(names.get_values_for_type(x509.DNSName))
    assert "192.0.2.1" in map(str, names.get_values_for_type(x509.IPAddress))
    assert files.hub.read_bytes() != first
    files.hub_key.write_text("damaged")
    make_hub_certificate(files, NOW)
    assert x509.load_pem_x509_certificate(files.hub.read_bytes()) != renewed


def test_the_configuration_says_what_the_engine_is_to_do(tmp_path: Path) -> None:
    one = hub(tmp_path)
    assert one.settings is not None
    prepare_server(one.settings, tmp_path, NOW)
    text = configuration_of(tmp_path).read_text()
    assert "sync_interval: always" in text and 'ping_interval: "1s"' in text and 'domain: "lbdns"' in text
