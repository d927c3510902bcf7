"""`lbdns override`, and private load balancers by `lbdns lb`, over a store with no server running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import done, refused, run

SETTINGS = """\
state: {state}
views:
  office: {{networks: [10.1.0.0/16], private: true}}
  plant: {{networks: [10.2.0.0/16]}}
"""


@pytest.fixture(autouse=True)
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store with a pool; LBDNS_SETTINGS says where it is."""
    settings = tmp_path / "lbdns.yaml"
    settings.write_text(SETTINGS.format(state=tmp_path / "state"))
    monkeypatch.setenv("LBDNS_SETTINGS", str(settings))
    done("pool", "create", "dc-1", "--origin", "one=192.0.2.1")


def test_without_a_name_it_is_given_an_address() -> None:
    made = run("lb", "create", "--pools", "dc-1", "description=the app")
    assert made.out.startswith("load balancer 100.112.0.0: created in revision ")
    assert "description: the app" in done("lb", "show", "100.112.0.0")
    done("lb", "create", "--account", "--pools", "dc-1", "--on-ramp", "plant", "--on-ramp", "office")
    assert "on_ramps: [plant, office]" in done("lb", "show", "100.112.0.1")
    done("lb", "set", "100.112.0.1", "on_ramps=office")
    assert "on_ramps: [office]" in done("lb", "show", "100.112.0.1")


def test_names_of_private_ones() -> None:
    done("lb", "create", "10.0.0.9", "--pools", "dc-1")
    done("lb", "create", "app.internal", "--pools", "dc-1", "--on-ramp", "plant")
    done("lb", "create", "db.internal", "--pools", "dc-1", "--account")
    assert "on_ramps: []" in done("lb", "show", "db.internal")
    (told,) = refused("lb", "create", "www.internal", "--pools", "dc-1")
    assert "no zone here holds" in told and told.endswith("or make it private by --on-ramp")
    said = refused("lb", "create", "203.0.113.1", "--pools", "dc-1")
    assert "is no address of a private load balancer" in said[0]
    assert 'there is no view "plnt"; did you mean "plant"?' in refused("lb", "set", "10.0.0.9", "on_ramps=plnt")[0]


def test_overrides_are_set_listed_and_deleted(tmp_path: Path) -> None:
    done("lb", "create", "--pools", "dc-1")
    done("lb", "create", "--pools", "dc-1")
    assert done("override", "set", "App.corp.", "100.112.0.0").startswith("override app.corp: created in revision ")
    changed = done("override", "set", "app.corp", "100.112.0.1")
    assert "load_balancer: 100.112.0.0 -> 100.112.0.1" in changed
    assert "nothing changed" in done("override", "set", "app.corp", "100.112.0.1")
    assert ["app.corp", "100.112.0.1"] in [line.split() for line in done("override", "list").splitlines()]
    assert [one["name"] for one in json.loads(done("override", "list", "--json"))] == ["app.corp"]
    assert 'unknown load balancer "100.112.0.9"' in refused("override", "set", "b.corp", "100.112.0.9")[0]
    assert "app.corp" in refused("lb", "delete", "100.112.0.1", "--yes")[0]
    done("export", str(tmp_path / "out"))
    assert "overrides:\n  app.corp: 100.112.0.1\n" in (tmp_path / "out" / "load_balancers.yaml").read_text()
    (tmp_path / "out" / "example.com.zone").write_text(
        "@ 60 SOA ns h 1 7200 900 1209600 60\n@ 60 NS ns\nns 60 A 192.0.2.1\n"
    )
    assert "1 to create" in (planned := done("apply", str(tmp_path / "out"), "--dry-run")) or "example.com" in planned
    assert "override" not in planned and "100.112" not in planned
    done("override", "delete", "app.corp", "--yes")
    assert 'there is no override "app.corp"' in refused("override", "delete", "app.corp", "--yes")[0]
    done("apply", str(tmp_path / "out"), "--yes")
    assert "app.corp" in done("override", "list")
