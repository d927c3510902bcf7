"""Views on the command line: zones, records and load balancers of one, over a store with no server running."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lbdns.cli.main import main
from tests.cli.test_cli_zone import FILE, Ran

Run = Callable[..., Ran]
SETTINGS = """
listen: ["203.0.113.53:53"]
views:
  office: {networks: [10.0.0.0/8]}
  lab: {networks: [10.9.0.0/16]}
"""


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command over a state directory, in this process; its settings name two views."""
    settings = tmp_path / "lbdns.yaml"
    settings.write_text(f"{SETTINGS}\nstate: {tmp_path / 'state'}\n")

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments), "--settings", str(settings)])
        out, err = capsys.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return run


def done(run: Run, *arguments: object) -> str:
    """Run a command that succeeds, and return its output."""
    ran = run(*arguments)
    assert ran.status == 0, ran
    return ran.out


def refused(run: Run, *arguments: object) -> str:
    """Run a command that is refused, and return why."""
    ran = run(*arguments)
    assert (ran.status, ran.out) == (1, ""), ran
    return ran.err


def listed(run: Run, *arguments: str) -> list[tuple[str, str]]:
    """Return content and view of listed records."""
    found = json.loads(done(run, "record", "list", *arguments, "--json"))
    return sorted((one["content"], one.get("view", "")) for one in found if one["type"] != "NS")


@pytest.fixture
def zones(run: Run) -> None:
    """A zone that all see, one of two views each that none else sees, and one of a view alone."""
    for arguments in (
        ["example.com"],
        ["example.com", "--view", "office"],
        ["corp.example@office"],
        ["corp.example", "--view", "lab"],
        ["only.example@lab"],
    ):
        done(run, "zone", "create", *arguments)


def test_a_zone_of_a_view_is_called_so(run: Run, zones: None) -> None:
    names = [(one["name"], one.get("view", "")) for one in json.loads(done(run, "zone", "list", "--json"))]
    assert names == [
        ("example.com", ""),
        ("example.com", "office"),
        ("corp.example", "office"),
        ("corp.example", "lab"),
        ("only.example", "lab"),
    ]
    assert "corp.example@lab" in done(run, "zone", "list", "--view", "lab")
    assert "example.com" not in done(run, "zone", "list", "--view", "lab")
    assert done(run, "zone", "show", "example.com@office").startswith("example.com@office\n")
    assert done(run, "zone", "set", "example.com@office", "serial=7").startswith("zone example.com@office: changed")
    assert json.loads(done(run, "zone", "show", "example.com@office", "--json"))["serial"] == 7
    assert json.loads(done(run, "zone", "show", "example.com", "--json"))["serial"] != 7


def test_a_name_alone_is_the_zone_that_all_see_or_the_only_one(run: Run, zones: None) -> None:
    assert "view" not in json.loads(done(run, "zone", "show", "example.com", "--json"))
    assert json.loads(done(run, "zone", "show", "only.example", "--json"))["view"] == "lab"
    ambiguous = '"corp.example" is 2 zones, "corp.example@office", "corp.example@lab": say which'
    assert ambiguous in refused(run, "zone", "show", "corp.example")
    assert ambiguous in refused(run, "zone", "delete", "corp.example", "--yes")
    assert 'did you mean "corp.example@lab"?' in refused(run, "zone", "show", "corp.example@lap")
    assert "there is no zone" in refused(run, "zone", "show", "only.example@office")
    assert done(run, "zone", "delete", "corp.example@lab", "--yes") == "zone corp.example@lab: deleted\n"
    assert json.loads(done(run, "zone", "show", "corp.example", "--json"))["view"] == "office"


def test_records_of_a_view(run: Run, zones: None) -> None:
    for arguments in (["192.0.2.1"], ["10.9.0.1", "--view", "lab"], ["192.0.2.9", "--view", "public"]):
        done(run, "record", "add", "example.com", "www", "A", *arguments)
    told = done(run, "record", "add", "example.com", "www", "A", "10.0.0.1", "--view", "office")  # into the zone of it
    assert told.startswith("www.example.com@office A 10.0.0.1: added")
    assert ("10.0.0.1", "office") in listed(run, "example.com@office")
    assert listed(run, "example.com", "www") == [("10.9.0.1", "lab"), ("192.0.2.1", ""), ("192.0.2.9", "public")]
    assert listed(run, "example.com", "www", "--view", "lab") == [("10.9.0.1", "lab")]
    assert listed(run, "example.com@lab", "www") == [("10.9.0.1", "lab")]
    assert listed(run, "example.com", "www", "--view", "") == [("192.0.2.1", "")]
    assert " lab " in done(run, "record", "list", "example.com", "www")
    done(run, "record", "set", "example.com", "www", "A", "10.9.0.2", "--view", "lab")
    done(run, "record", "set", "example.com", "www", "A", "192.0.2.2")
    assert listed(run, "example.com", "www") == [("10.9.0.2", "lab"), ("192.0.2.2", ""), ("192.0.2.9", "public")]
    done(run, "record", "set", "example.com@lab", "new", "A", "10.9.0.3")
    assert listed(run, "example.com", "new") == [("10.9.0.3", "lab")]
    told = refused(run, "record", "delete", "example.com", "new", "--yes")
    assert "that all see" in told and "lab" in told and "--view" in told
    assert done(run, "record", "delete", "example.com", "www", "--view", "lab", "--yes") == (
        "www.example.com@lab: 1 record deleted\n"
    )
    assert listed(run, "example.com", "www") == [("192.0.2.2", ""), ("192.0.2.9", "public")]
    assert "give one of the two" in refused(run, "record", "list", "example.com@lab", "--view", "office")


def test_a_plan_names_views(run: Run, zones: None) -> None:
    told = done(run, "record", "add", "example.com", "www", "A", "10.9.0.1", "--view", "lab", "--dry-run")
    assert "+ record www.example.com@lab A 10.9.0.1" in told
    assert "+ zone new.example@lab" in done(run, "zone", "create", "new.example@lab", "--dry-run")
    told = done(run, "record", "add", "only.example", "www", "A", "10.9.0.1", "--dry-run")
    assert "+ record www.only.example@lab A 10.9.0.1" in told  # of its zone's view


def test_load_balancers_of_views(run: Run, zones: None) -> None:
    for name in ("eu", "us"):
        done(run, "pool", "create", name, "--origin", "a=192.0.2.1")
    done(run, "lb", "create", "www.example.com", "--pools", "eu")
    told = done(run, "lb", "create", "www.example.com", "--pools", "us", "--view", "lab")
    assert told.startswith("load balancer www.example.com@lab: created")
    done(run, "lb", "create", "www.example.com@office", "--pools", "us")  # in the zone of the view
    assert "zone_name" in json.loads(done(run, "lb", "show", "www.example.com@office", "--json"))
    done(run, "lb", "create", "a.only.example", "--pools", "us")  # its only zone is of a view, and so it is
    for view in ("office", "lab"):
        done(run, "lb", "create", f"b.corp.example@{view}", "--pools", "us")
    labels = [(one["name"], one.get("view", "")) for one in json.loads(done(run, "lb", "list", "--json"))]
    assert labels == [
        ("www.example.com", ""),
        ("www.example.com", "lab"),
        ("www.example.com", "office"),
        ("a.only.example", "lab"),
        ("b.corp.example", "office"),
        ("b.corp.example", "lab"),
    ]
    assert "www.example.com@lab" in done(run, "lb", "list", "--view", "lab")
    assert "www.example.com@office" not in done(run, "lb", "list", "--view", "lab")
    assert done(run, "lb", "set", "www.example.com@lab", "ttl=7").startswith(
        "load balancer www.example.com@lab: changed"
    )
    done(run, "lb", "set", "www.example.com", "ttl=8")
    done(run, "lb", "set", "www.example.com", "ttl=9", "--view", "office")
    shown = {
        view: json.loads(done(run, "lb", "show", "www.example.com", "--view", view, "--json")) for view in ("lab", "")
    }
    assert (shown["lab"]["ttl"], shown[""]["ttl"]) == (7, 8)
    assert "view: lab" in done(run, "lb", "show", "www.example.com@lab")
    told = refused(run, "lb", "show", "b.corp.example")
    assert '"b.corp.example" is 2 load balancers, "b.corp.example@office", "b.corp.example@lab"' in told
    assert "b.corp.example" in refused(run, "lb", "create", "c.b.corp.example", "--pools", "us")
    assert done(run, "lb", "delete", "b.corp.example@lab", "--yes") == "load balancer b.corp.example@lab: deleted\n"
    assert done(run, "lb", "show", "b.corp.example").startswith("# id ")


def test_master_files_of_views(run: Run, zones: None, tmp_path: Path) -> None:
    overlay, whole = tmp_path / "example.com@lab.zone", tmp_path / "new.example@lab.zone"
    overlay.write_text("$TTL 60\nwww A 10.9.0.1\n")
    whole.write_text(FILE)
    assert "example.com@lab: 1 records changed" in done(run, "zone", "import", overlay, "--yes")
    assert listed(run, "example.com", "www") == [("10.9.0.1", "lab")]
    assert "new.example@lab: created" in done(run, "zone", "import", whole)
    told = done(run, "zone", "import", overlay, "--name", "example.com", "--view", "public", "--add")
    assert told == "zone example.com@public: 1 of 1 records added\n"
    text = done(run, "zone", "export", "example.com@lab")
    assert "SOA" not in text and "10.9.0.1" in text
    assert text == done(run, "zone", "export", "example.com", "--view", "lab")
    assert "10.9.0.1" not in done(run, "zone", "export", "example.com")
    overlay.write_text("web A 10.9.0.2\n")
    assert "2 records changed" in done(run, "zone", "import", overlay, "--yes")
    assert listed(run, "example.com", "web") == [("10.9.0.2", "lab")]


def test_exported_and_applied_without_loss(run: Run, zones: None, tmp_path: Path) -> None:
    done(run, "pool", "create", "eu", "--origin", "a=192.0.2.1")
    for arguments in (["192.0.2.1"], ["10.9.0.1", "--view", "lab"], ["192.0.2.9", "--view", "public"]):
        done(run, "record", "add", "example.com", "web", "A", *arguments)
    for name in ("www.example.com", "www.example.com@lab", "www.example.com@office"):
        done(run, "lb", "create", name, "--pools", "eu")
    out = tmp_path / "out"
    done(run, "export", out)
    assert sorted(path.name for path in out.iterdir()) == [
        "corp.example@lab.zone",
        "corp.example@office.zone",
        "example.com.zone",
        "example.com@lab.zone",
        "example.com@office.zone",
        "example.com@public.zone",
        "load_balancers.yaml",
        "only.example@lab.zone",
        "pools.yaml",
    ]
    assert "no difference" in done(run, "apply", out, "--dry-run", "--prune")
    (out / "example.com@lab.zone").write_text("web 300 A 10.9.0.2\n")
    (out / "corp.example@lab.zone").unlink()
    (out / "example.com@public.zone").unlink()
    plan = json.loads(done(run, "apply", out, "--dry-run", "--prune", "--json"))
    changes = {change(one) for one in plan["differences"]}
    assert changes >= {
        ("delete", "zone", "corp.example", "lab"),
        ("update", "record", "web.example.com", "lab"),
        ("delete", "record", "web.example.com", "public"),
    }
    assert not {one for one in changes if one[2:] == ("web.example.com", "") or one[3] == "office"}
    done(run, "apply", out, "--prune", "--yes")
    assert listed(run, "example.com", "web") == [("10.9.0.2", "lab"), ("192.0.2.1", "")]
    assert "no difference" in done(run, "apply", out, "--dry-run", "--prune")
    first = done(run, "revision", "list", "--json")
    number = json.loads(first)[1]["revision"]
    done(run, "revision", "restore", number, "--yes")
    assert listed(run, "example.com", "web") == [("10.9.0.1", "lab"), ("192.0.2.1", ""), ("192.0.2.9", "public")]
    assert "corp.example@lab" in done(run, "zone", "list")


def change(one: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return what an entry of a plan is about."""
    return one["action"], one["kind"], one["name"], one.get("view", "")


def test_lists_of_a_view_that_there_is_not_say_so(run: Run, zones: None) -> None:
    for command in (["zone", "list"], ["record", "list", "example.com"], ["lb", "list"]):
        told = run(*command, "--view", "ofice")
        assert told.err == 'warning: query parameter view: unknown view "ofice"; did you mean "office"?\n'
        for view in ("office", "public", ""):
            assert run(*command, "--view", view).err == ""
