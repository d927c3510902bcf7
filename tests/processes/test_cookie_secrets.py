"""The secrets of cookies that a server makes of itself: found again after a restart, replaced without a gap."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lbdns.base.words import COOKIE_SECRETS_FILE
from lbdns.model.guard_settings import read_cookie_secrets
from lbdns.processes.supervisor.cookie_secrets import ROTATION_S, OwnCookieSecrets

NOW_S = 1_700_000_000.0


def test_they_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    made = OwnCookieSecrets(tmp_path).current()
    path = tmp_path / COOKIE_SECRETS_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [line for _, line in read_cookie_secrets(path.read_text())] == [one.hex() for one in made]
    assert len(made) == 2, "one in use, one to come"
    assert OwnCookieSecrets(tmp_path).current() == made


def test_each_week_the_next_is_in_use(tmp_path: Path) -> None:
    """Whoever has a cookie by the secret in use, or by the one to come, finds it accepted after the change too."""
    own = OwnCookieSecrets(tmp_path)
    first = own.current(NOW_S)
    os.utime(tmp_path / COOKIE_SECRETS_FILE, (NOW_S, NOW_S))
    assert own.current(NOW_S + ROTATION_S - 1) == first
    second = own.current(NOW_S + ROTATION_S + 1)
    assert (second[0], second[2]) == (first[1], first[0])
    assert set(first) < set(second)
    os.utime(tmp_path / COOKIE_SECRETS_FILE, (NOW_S + ROTATION_S + 1, NOW_S + ROTATION_S + 1))
    assert OwnCookieSecrets(tmp_path).current(NOW_S + ROTATION_S + 2) == second
    third = own.current(NOW_S + 2 * ROTATION_S + 2)
    assert (third[0], third[2]) == (second[1], second[0])


@pytest.mark.parametrize("text", ["", "00\n", "x" * 32 + "\n", "11" * 16 + "\n"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / COOKIE_SECRETS_FILE).write_text(text)
    made = OwnCookieSecrets(tmp_path).current()
    assert OwnCookieSecrets(tmp_path).current() == made


def test_a_clock_that_was_wrong_keeps_none_for_years(tmp_path: Path) -> None:
    made = OwnCookieSecrets(tmp_path).current(NOW_S)
    os.utime(tmp_path / COOKIE_SECRETS_FILE, (NOW_S + 1e9, NOW_S + 1e9))
    assert OwnCookieSecrets(tmp_path).current(NOW_S)[0] == made[1]


def test_where_they_cannot_be_written_the_process_has_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = OwnCookieSecrets(tmp_path / "nowhere")
    made = own.current()
    assert own.current() == made
    assert "cannot write the secrets of cookies" in caplog.text
    assert not any(one.hex() in caplog.text for one in made)
