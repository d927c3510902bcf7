"""`lbdns whatif`: what files would move of what was recorded, as people read it; its guard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.cli.frame.movement_told import render
from lbdns.mapped.run_directory import RunDirectory
from lbdns.publish.last_served import LastServedWriter
from lbdns.publish.replay.what_if_question import WhatIfQuestion
from lbdns.telemetry.recorded_traffic import RecordedTraffic
from lbdns.telemetry.recorded_what_if import recorded_what_if
from lbdns.testing import write_files
from tests.cli.commands import refused, run
from tests.whatif.recorded import NOW_S, configured, sample, serve, tree

WWW = {"name": "www.example.com"}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory from which files were served."""
    found = tmp_path / "state"
    published = serve(found, configured(tree(WWW), tmp_path))
    LastServedWriter(found).keep(published, "the files in /etc/lbdns", {}, NOW_S)
    yield found
    RunDirectory(found).remove()


def exported(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_files_are_compared_by_exported_samples(state: Path, tmp_path: Path) -> None:
    write_files(tree({**WWW, "default_pools": ["us"]}), tmp_path / "new")
    rows = [
        {"time": NOW_S - 20 + number, "name": "www.example.com.", "type": "A", "resolver": "203.0.113.0/24", "ecs": ecs}
        for number, ecs in enumerate(["198.51.100.0/24", "192.0.2.0/24", None])
    ]
    samples = exported(tmp_path / "samples.json", *rows)
    arguments = ("whatif", str(tmp_path / "new"), "--state", str(state), "--samples", str(samples))
    told = run(*arguments, "--json").json
    assert (told["samples"], told["moved"]["share"]) == (3, 1.0)
    shown = run(*arguments).out.splitlines()
    assert shown[0] == "100.0% of the recorded queries would come from another pool"
    assert "  www.example.com A: eu -> us  100.0%" in "\n".join(shown)
    held = run(*arguments, "--guard", "5%")
    assert held.status == 3
    assert held.err.splitlines()[-1].endswith("a guard of 100% allows it"), "whatif changes nothing, and has no --force"
    assert run(*arguments, "--guard", "100%").status == 0
    wrong = run(*arguments, "--guard", "500%")
    assert wrong.status == 2 and '"500%" is no share of clients' in wrong.err
    assert not wrong.out, "it is refused before anything is asked"


def test_without_samples_it_says_so_and_the_guard_refuses(state: Path, tmp_path: Path) -> None:
    write_files(tree(WWW), tmp_path / "new")
    shown = run("whatif", str(tmp_path / "new"), "--state", str(state), "--guard", "5%")
    assert shown.status == 3
    assert shown.out.splitlines()[0] == "nothing can be said of who would move"
    assert "how many clients this moves cannot be told: no traffic is recorded since" in shown.err


def test_mistakes_of_the_files_are_told(state: Path, tmp_path: Path) -> None:
    write_files(tree(WWW), tmp_path / "new")
    (tmp_path / "new" / "more.yaml").write_text("pools: {x: {}}\n")
    outcome = run("whatif", str(tmp_path / "new"), "--state", str(state))
    assert outcome.status == 1 and "more.yaml:1: pools.x.origins" in outcome.err


@pytest.mark.parametrize("line", ["{", "[1]", '{"name": "www.example.com"}', '{"time": 1, "name": "a..b"}'])
def test_samples_that_are_none_are_refused_by_line(state: Path, tmp_path: Path, line: str) -> None:
    write_files(tree(WWW), tmp_path / "new")
    samples = tmp_path / "samples.json"
    samples.write_text(line + "\n")
    (said,) = refused("whatif", str(tmp_path / "new"), "--state", str(state), "--samples", str(samples))
    assert said.startswith(f"lbdns: {samples}:1: ")


def test_endpoints_that_get_more_than_twice_as_much_stand_out(tmp_path: Path) -> None:
    state = tmp_path / "state"
    two = {
        name: {"origins": [{"name": f"{name}{n}", "address": f"192.0.2.{10 * place + n}"} for n in (1, 2)]}
        for place, name in enumerate(("eu", "us"), 1)
    }
    one = {**two, "us": {"origins": two["us"]["origins"][:1]}}
    weights = {"steering_policy": "random", "default_pools": ["eu", "us"], "random_steering": {"pool_weights": {}}}
    serve(state, configured(tree({**WWW, **weights}, pools=two), tmp_path))
    weights["random_steering"] = {"pool_weights": {"eu": 0.3, "us": 0.7}}
    proposed = configured(tree({**WWW, **weights}, pools=one), tmp_path)
    samples = [sample(ago_s=ago) for ago in range(100)]
    told = recorded_what_if(state, proposed, WhatIfQuestion(NOW_S - 3600, NOW_S), RecordedTraffic(samples))
    lines = render(told)
    (line,) = [one for one in lines if "us/us1" in one]
    assert "2.8 times as much" in line
    (line,) = [one for one in lines if "us/us2" in one]
    assert line.endswith("no load")
    RunDirectory(state).remove()
