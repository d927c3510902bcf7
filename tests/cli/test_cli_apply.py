"""`lbdns apply`, `export` and `revision`, over the store of a state directory with no server running."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lbdns.cli.frame import difference
from lbdns.cli.frame.api_place import Local
from lbdns.cli.frame.client import ApiClient, ApiProblem, ApiRefusal, Reply
from lbdns.cli.main import main

ZONE = "$TTL 300\n@ SOA ns1 h 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"
OBJECTS = """\
pools:
  eu:
    origins:
      - {name: e1, address: 192.0.2.1}
      - {name: e2, address: 192.0.2.2}
load_balancers:
  - {name: www.example.com, default_pools: [eu], fallback_pool: eu, steering_policy: "off"}
"""


class Ran(NamedTuple):
    """What a command left."""

    status: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def run(state: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command over the state directory, in this process."""

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments), "--state", str(state)])
        out, err = capsys.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "files"
    path.mkdir()
    (path / "example.com.zone").write_text(ZONE)
    (path / "objects.yaml").write_text(OBJECTS)
    return path


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.slow
def test_the_road_from_files_and_back(run: Run, directory: Path, tmp_path: Path) -> None:
    planned = run("apply", directory, "--dry-run")
    assert planned.status == 0 and planned.out.startswith("+ pool eu\n    origins:\n")
    assert planned.out.endswith("to do: create 1 pool, 1 load balancer, 1 zone, 2 records\n")
    made = run("apply", directory, "--yes")
    assert made.out.endswith("revision 1: created 1 pool, 1 load balancer, 1 zone, 2 records\n") and made.err == ""
    assert run("apply", directory) == (0, "no difference to revision 1\n", "")

    out = tmp_path / "out"
    assert run("export", out) == (0, f"{out}: 3 files, revision 1\n", "")
    assert sorted(path.name for path in out.iterdir()) == ["example.com.zone", "load_balancers.yaml", "pools.yaml"]
    assert 'steering_policy: "off"' in (out / "load_balancers.yaml").read_text()
    assert run("apply", out, "--prune") == (0, "no difference to revision 1\n", "")
    assert (tmp_path / "out").stat().st_mode & 0o777 == directory.stat().st_mode & 0o777
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
def test_a_change_is_shown_field_by_field(run: Run, directory: Path) -> None:
    run("apply", directory, "--yes")
    replace(directory / "objects.yaml", '"off"', "geo, region_pools: {ENAM: [eu]}")
    replace(directory / "objects.yaml", "      - {name: e2, address: 192.0.2.2}\n", "")
    replace(directory / "example.com.zone", "ns1 A 192.0.2.53", "ns1 A 192.0.2.54\nnew 60 TXT hello")
    shown = run("apply", directory, "--yes", "--message", "move").out.splitlines()
    assert shown[:5] == [
        "~ pool eu",
        "    - origins.e2: {address: 192.0.2.2}",
        "~ load balancer www.example.com",
        "    steering_policy: off -> geo",
        "    + region_pools.ENAM: [eu]",
    ]
    assert shown[7:] == [
        '+ record new.example.com TXT "hello"  ttl 60',
        "~ record ns1.example.com A",
        "    content: 192.0.2.53 -> 192.0.2.54",
        "",
        "to do: create 1 record; change 1 pool, 1 load balancer, 1 zone, 1 record",
        "revision 2: created 1 record; changed 1 pool, 1 load balancer, 1 zone, 1 record",
    ]
    listed = json.loads(run("revision", "list", "--json").out)
    assert [(one["revision"], one["message"]) for one in listed] == [(2, "move"), (1, "apply files")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "status", "answered"),
    [
        (["--yes"], 0, "apply"),
        pytest.param(["--yes", "--guard", "5%"], 3, "plan", marks=pytest.mark.process),
        (["--dry-run"], 0, "plan"),
    ],
)
def test_what_nobody_is_asked_of_is_one_request(
    run: Run, directory: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], status: int, answered: str
) -> None:
    asked, request = [], ApiClient.request

    def noted(self: ApiClient, method: str, path: str, *rest: Any, **more: Any) -> Reply:
        reply = request(self, method, path, *rest, **more)
        asked.append((path.rpartition("/")[2], len(reply.result["differences"])))
        return reply

    monkeypatch.setattr(ApiClient, "request", noted)
    monkeypatch.setattr(difference, "SHOWN_MAX", 2)
    shown = run("apply", directory, *options)
    # Nothing is recorded yet, so that the guard refuses, once the plan is shown.
    assert (shown.status, asked) == (status, [(answered, 2)])
    assert "\n... and 3 more; --json says them all\n\nto do: create 1 pool, 1 load balancer," in shown.out
    assert ("\nrevision 1: created 1 pool," in shown.out) is (options == ["--yes"])


def test_nothing_is_applied_of_files_with_mistakes(run: Run, directory: Path) -> None:
    replace(directory / "objects.yaml", "[eu]", "[us]")
    refused = run("apply", directory, "--yes")
    assert refused.status == 1 and refused.out == ""
    assert (
        f'{directory}/objects.yaml:7: load_balancers[www.example.com].default_pools[0]: unknown pool "us"'
        in refused.err
    )
    assert refused.err.endswith("1 problem; nothing of this would be served\n")
    assert run("revision", "list", "--json").err.startswith("lbdns: no server answers at ")  # no store was begun


@pytest.mark.slow
def test_a_server_checks_what_it_is_sent_and_mistakes_are_told_by_their_lines(
    run: Run, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Local, "has_server", lambda _: True)
    (directory / "more.yaml").write_text("pools:\n  us: {origins: [{name: u1, address: 192.0.2.3}]}\n")
    made = run("apply", directory, "--yes")
    assert made.out.endswith("revision 1: created 2 pools, 1 load balancer, 1 zone, 2 records\n") and made.err == ""
    monkeypatch.setattr(Local, "has_server", lambda _: False)
    assert run("apply", directory) == (0, "no difference to revision 1\n", "")  # nor where the files are checked here

    monkeypatch.setattr(Local, "has_server", lambda _: True)
    replace(directory / "objects.yaml", "[eu]", "[gone]")
    refused = run("apply", directory, "--yes")
    assert (refused.status, refused.out) == (1, "")
    where = f'{directory}/objects.yaml:7: load_balancers[www.example.com].default_pools[0]: unknown pool "gone"'
    assert where in refused.err and refused.err.endswith("1 problem; nothing of this would be served\n")
    replace(directory / "objects.yaml", "[gone]", "[eu]")
    replace(directory / "example.com.zone", "ns1 A 192.0.2.53\n", "ns1 A 192.0.2.53\n$INCLUDE hosts\n")
    (directory / "hosts").write_text("www2 A 192.0.2.54\n")
    assert "created 1 record" in run("apply", directory, "--yes").out


def test_what_the_store_alone_refuses_is_told_as_it_says(
    run: Run, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> Reply:
        raise ApiRefusal(409, (ApiProblem(1, "the store says no"),))

    monkeypatch.setattr(Local, "has_server", lambda _: True)
    monkeypatch.setattr(ApiClient, "request", refuse)
    assert run("apply", directory, "--yes") == (1, "", "lbdns: the store says no\n")


def test_without_a_terminal_nothing_is_asked_and_nothing_changed(run: Run, directory: Path) -> None:
    refused = run("apply", directory)
    assert refused.status == 1
    assert refused.err == "lbdns: nothing is changed: there is no terminal to ask at, and --yes is not given\n"
    assert json.loads(run("revision", "list", "--json").out) == []


@pytest.mark.process
@pytest.mark.parametrize(("answer", "revision"), [("y\n", 1), ("n\n", 0)])
def test_on_a_terminal_it_asks(directory: Path, state: Path, answer: str, revision: int) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "lbdns", "apply", str(directory), "--state", str(state)]
    try:
        process = subprocess.Popen(command, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True)
        os.write(ours, answer.encode())
        out, _ = process.communicate(timeout=30)
        assert "Apply this? [y/N]: " in os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == (0 if revision else 1)
    assert ("revision 1: created" in out) is bool(revision)


@pytest.mark.slow
def test_prune_is_offered_and_done(run: Run, directory: Path) -> None:
    run("apply", directory, "--yes")
    (directory / "objects.yaml").unlink()
    kept = run("apply", directory)
    assert kept.out == "no difference to revision 1\n"
    pruned = run("apply", directory, "--prune", "--yes")
    assert pruned.out.startswith("- pool eu\n- load balancer www.example.com\n")
    assert pruned.out.endswith("revision 2: deleted 1 pool, 1 load balancer\n")


def test_what_stays_is_said_beside_other_changes(run: Run, directory: Path) -> None:
    run("apply", directory, "--yes")
    (directory / "objects.yaml").unlink()
    replace(directory / "example.com.zone", "192.0.2.53", "192.0.2.54")
    assert "2 objects of the store not in the files: kept; --prune would delete them\n" in run("apply", directory).err


@pytest.mark.slow
def test_settings_are_not_applied(run: Run, directory: Path) -> None:
    (directory / "lbdns.yaml").write_text("workers: 2\n")
    said = run("apply", directory, "--dry-run").err
    assert said == f"{directory}/lbdns.yaml is not applied: it is not the settings file of this server\n"
    assert run("apply", directory, "--dry-run", "--config", directory).err == ""


def test_included_files_go_with_their_zone(run: Run, directory: Path) -> None:
    (directory / "hosts").write_text("a A 192.0.2.7\n")
    replace(directory / "example.com.zone", "ns1 A", "$INCLUDE hosts\nns1 A")
    assert "+ record a.example.com A 192.0.2.7  ttl 300\n" in run("apply", directory, "--dry-run").out


@pytest.mark.slow
def test_export_writes_into_an_empty_place_only(run: Run, directory: Path, tmp_path: Path) -> None:
    run("apply", directory, "--yes")
    refused = run("export", directory)
    assert refused == (1, "", f"lbdns: {directory} is not empty; --force replaces what is in it\n")
    assert (directory / "objects.yaml").exists()
    (directory / "lbdns.yaml").write_text("workers: 2\n")
    (directory / "notes.txt").write_text("mine")
    forced = run("export", directory, "--force")
    assert forced.err == f"{directory}/objects.yaml is removed: the export does not hold it\n"
    names = ["example.com.zone", "lbdns.yaml", "load_balancers.yaml", "notes.txt", "pools.yaml"]
    assert sorted(path.name for path in directory.iterdir()) == names
    assert run("apply", directory).out == "no difference to revision 1\n"
    (tmp_path / "file").write_text("")
    assert run("export", tmp_path / "file").err == f"lbdns: {tmp_path}/file is a file; give a directory\n"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("export", empty, "--json").status == 0 and len(list(empty.iterdir())) == 3


def test_an_export_that_fails_leaves_nothing(run: Run, directory: Path, tmp_path: Path) -> None:
    run("apply", directory, "--yes")
    (tmp_path / "blocked").write_text("")
    refused = run("export", tmp_path / "blocked" / "out")
    assert refused.status == 1 and "cannot write there" in refused.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocked", "files", "state"]


@pytest.mark.slow
def test_revisions_are_shown_compared_and_restored(run: Run, directory: Path) -> None:
    run("apply", directory, "--yes")
    replace(directory / "objects.yaml", "192.0.2.2", "192.0.2.3")
    run("apply", directory, "--yes")
    listed = run("revision", "list").out
    assert listed.split("\n")[1].split() == ["revision", "time", "author", "message"]
    assert "local user" in listed and listed.count("apply files") == 2
    change = "~ pool eu\n    origins.e2.address: {} -> {}\n"
    shown = run("revision", "show", 2).out
    assert shown.startswith("revision 2  ") and shown.endswith(
        change.format("192.0.2.2", "192.0.2.3") + "\nchanged 1 pool\n"
    )
    assert run("revision", "show", 2, 1).out == change.format("192.0.2.3", "192.0.2.2") + "\nchange 1 pool\n"
    assert run("revision", "show", 1, 1).out == "no difference\n"
    planned = run("revision", "restore", 1, "--dry-run").out
    assert planned == change.format("192.0.2.3", "192.0.2.2") + "\nto do: change 1 pool\n"
    assert run("revision", "restore", 1).status == 1
    assert run("revision", "restore", 1, "--yes").out.endswith("\nrevision 3: changed 1 pool\n")
    assert run("revision", "restore", 3, "--yes").out == "no difference to revision 3\n"
    assert run("revision", "show", 9).err == "lbdns: there is no revision 9, or no longer; the newest is 3\n"


@pytest.mark.slow
def test_json_is_what_the_api_gives(run: Run, directory: Path) -> None:
    planned: Any = json.loads(run("apply", directory, "--dry-run", "--json").out)
    made = json.loads(run("apply", directory, "--yes", "--json").out)
    assert (planned["revision"], made["revision"]) == (0, 1)
    assert set(made) == {"revision", "differences", "counts", "unnamed"} and made["counts"] == planned["counts"]
    shown = json.loads(run("revision", "show", 1, "--json").out)
    assert shown["differences"] == made["differences"]
    assert json.loads(run("apply", directory, "--json").out)["differences"] == []
