"""What changes nothing leaves nothing: no store, no directory, no file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import run
from tests.processes.load import ZONE


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the state would be kept, which is not there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home" / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "example.com.zone").write_text(ZONE)
    return tmp_path / "home"


@pytest.mark.parametrize(
    "command",
    [
        ("apply", "conf", "--dry-run"),
        ("apply", "conf", "--dry-run", "--json"),
        ("zone", "import", "conf/example.com.zone", "--dry-run"),
        ("pool", "create", "eu", "--endpoint", "a=192.0.2.1", "--dry-run"),
    ],
)
def test_a_dry_run_without_a_store_leaves_nothing(home: Path, command: tuple[str, ...]) -> None:
    before = sorted(home.parent.rglob("*"))
    run(*command)
    assert sorted(home.parent.rglob("*")) == before


def test_a_dry_run_without_a_store_shows_what_would_be(home: Path) -> None:
    said = run("apply", "conf", "--dry-run")
    assert said.status == 0 and "+ zone example.com" in said.out


def test_with_a_store_a_dry_run_is_about_that_store(home: Path) -> None:
    assert run("apply", "conf", "--yes").status == 0
    assert "no difference" in run("apply", "conf", "--dry-run").out
