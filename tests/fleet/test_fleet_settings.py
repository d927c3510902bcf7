"""The setting `fleet`: what it says, what it leads to, and what is told of mistakes in files that it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lbdns.base.errors import LbdnsError
from lbdns.config.settings_loading import load_settings
from lbdns.model.bus_access import bus_access
from lbdns.model.fleet_secret import read_fleet_secret
from lbdns.model.fleet_settings import FleetSettings
from lbdns.model.settings import Settings

SECRET = {"v": 1, "fleet_id": "f1", "role": "hub", "user": "u", "password": "p", "ca": "", "domain": "lbdns"}


def fleet(**said: Any) -> FleetSettings:
    return FleetSettings.model_validate({"name": "AMS-1"} | said)


def secret_file(folder: Path, mode: int = 0o600, **others: Any) -> Path:
    path = folder / "fleet" / "secret.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(SECRET | others))
    path.chmod(mode)
    return path


def test_without_it_a_server_is_alone() -> None:
    assert Settings().fleet is None


@pytest.mark.parametrize(
    "said, urls",
    [
        ({"join": "nats://hub.example"}, ("nats://hub.example:4222",)),
        ({"join": ["tls://HUB.example:5222/", "nats://[2001:DB8::1]"]}, ("tls://hub.example:5222", "nats://[2001:db8::1]:4222")),
        ({"embedded": True, "secret": "s"}, ("tls://127.0.0.1:4222",)),
        ({"embedded": True, "secret": "s", "listen": "[::]:5000"}, ("tls://[::1]:5000",)),
        ({"embedded": True, "secret": "s", "listen": "192.0.2.1"}, ("tls://192.0.2.1:4222",)),
        ({"embedded": True, "secret": "s", "join": "tls://hub.example"}, ()),
    ],
)  # fmt: skip
def test_where_the_bus_is(said: dict[str, Any], urls: tuple[str, ...], tmp_path: Path) -> None:
    settings = fleet(**said)
    if settings.secret is not None:
        secret_file(tmp_path).rename(tmp_path / "s")
    access = bus_access(settings, tmp_path)
    assert access.urls == urls and access.machine == "AMS-1"
    assert bool(access.ports_file) == settings.is_leaf
    assert (access.fleet_id, access.domain) == (("f1", "lbdns") if settings.secret else ("lbdns", ""))


@pytest.mark.parametrize(
    "said, told",
    [
        ({}, "no way to the others"),
        ({"embedded": True}, "needs keys"),
        ({"embedded": True, "secret": "s", "listen": "0.0.0.0:0"}, "a port that is free is known to no other machine"),
        ({"join": "nats://a", "listen": "0.0.0.0"}, "listen is where the hub listens"),
        ({"join": "nats://a", "leaves": "0.0.0.0"}, "leaves is where the hub listens"),
        (
            {"embedded": True, "join": "tls://a", "secret": "s", "domain": "d"},
            "domain is for a nats-server of your own",
        ),
        ({"join": "nats://a@b"}, "no user and no password"),
        ({"join": "nats://a", "probe_from": True}, 'expected "all" or a number of machines'),
    ],
)
def test_what_does_not_go_together_is_told(said: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        fleet(**said)
    assert told in str(caught.value)


def test_settings_are_the_same_when_they_are_read_from_what_they_say() -> None:
    settings = fleet(join=["nats://a:1", "tls://b"], probe_from="all", tls={"ca": "x"})
    assert FleetSettings.model_validate(settings.model_dump(exclude_unset=True)) == settings
    assert settings.probe_from is None and fleet(join="nats://a").probe_from == 3


@pytest.mark.parametrize(
    "text, told",
    [
        ("embedded: true, secret: fleet/secret.json", "secret: {state}/fleet/secret.json: there is no such file"),
        ("join: 'nats://a', credentials: no.creds", 'credentials: there is no file "{base}/no.creds"'),
        ("join: 'nats://a', tls: {ca: no.pem}", 'tls.ca: there is no file "{base}/no.pem"'),
    ],
)  # fmt: skip
def test_files_that_are_not_there(text: str, told: str, tmp_path: Path) -> None:
    settings = tmp_path / "lbdns.yaml"
    settings.write_text(f"state: {tmp_path}/state\nfleet: {{name: A, {text}}}\n")
    with pytest.raises(LbdnsError) as caught:
        load_settings(settings)
    assert told.format(state=tmp_path / "state", base=tmp_path) in str(caught.value)


def test_a_hub_needs_the_secret_of_a_hub_and_others_may_not_read_it(tmp_path: Path) -> None:
    settings = tmp_path / "lbdns.yaml"
    settings.write_text(f"state: {tmp_path}\nfleet: {{name: A, embedded: true, secret: fleet/secret.json}}\n")
    secret_file(tmp_path)
    assert load_settings(settings).fleet is not None
    secret_file(tmp_path, role="member")
    with pytest.raises(LbdnsError, match="is of a machine that joined"):
        load_settings(settings)
    path = secret_file(tmp_path, mode=0o640)
    with pytest.raises(LbdnsError, match=rf'say "chmod 600 {path}"'):
        load_settings(settings)
    secret_file(tmp_path, password=["not", "a", "text: word"])
    with pytest.raises(LbdnsError, match="no secret file of a fleet") as caught:
        read_fleet_secret(path)
    assert "word" not in str(caught.value)


def test_what_has_to_be_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "lbdns.yaml"
    settings.write_text(f"state: {tmp_path}\nfleet: {{name: A, embedded: true, secret: fleet/secret.json}}\n")
    secret_file(tmp_path)
    monkeypatch.setattr("lbdns.config.checks.fleet_checks.has_nats_client", lambda: False)
    monkeypatch.setattr("lbdns.config.checks.fleet_checks.find_nats_server", lambda: None)
    with pytest.raises(LbdnsError) as caught:
        load_settings(settings)
    assert "fleet: a fleet needs the Python package nats-py; pip install 'lbdns[fleet]' brings it" in str(caught.value)
    assert "fleet.embedded: there is no nats-server beside this Python" in str(caught.value)
