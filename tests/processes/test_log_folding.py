"""Lines of the log that repeat are told once a minute with their count, whoever says them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from lbdns.base import log as log_module
from lbdns.base.folding import ALIKE_MAX, FOLD_S, KINDS_MAX, SAME_MAX, Folding, Line
from lbdns.base.log import start_log


def line(text: str, template: str = "") -> Line:
    return Line("lbdns.x", logging.WARNING, template or text, text)


def test_what_is_said_again_and_again_is_counted() -> None:
    folding = Folding()
    went_out = sum(folding.take(line("cannot accept"), number / 1000) for number in range(26_884))
    assert went_out == SAME_MAX
    (told,) = folding.due(FOLD_S)
    assert told.text == "repeated 26,879 times in 60 s: cannot accept"
    assert folding.take(line("cannot accept"), FOLD_S + 1) is False, "what goes on is told by its count alone"
    (told,) = folding.due(2 * FOLD_S + 1)
    assert told.text == "repeated once in 61 s: cannot accept"
    assert not folding.due(3 * FOLD_S + 2)
    assert folding.take(line("cannot accept"), 3 * FOLD_S + 3), "after a quiet minute it is news"


@pytest.mark.parametrize(
    ("made", "is_alike"),
    [
        (lambda number: line(f"send to 192.0.2.{number} failed"), True),
        (lambda number: line(f'zone "{chr(97 + number % 26)}" is broken'), True),
        (lambda number: line(f"endpoint e{'x' * number} is down", "endpoint %s is down"), True),
        (lambda number: line("x" * (number + 1), "%s"), False),
    ],
)
def test_lines_of_one_kind_are_counted_where_they_are_many(made: object, is_alike: bool) -> None:
    folding = Folding()
    assert callable(made)
    count = ALIKE_MAX + 100
    went_out = sum(folding.take(made(number), 0.0) for number in range(count))
    assert went_out <= ALIKE_MAX if is_alike else went_out == count
    told = folding.due(FOLD_S)
    assert sum(one.held for one in told) == count - went_out
    assert all(", with other values: " in one.text for one in told if not one.is_same)


def test_what_is_counted_is_bounded_and_nothing_held_back_is_lost() -> None:
    folding = Folding()
    held = told = 0
    for number in range(KINDS_MAX):
        for _ in range(SAME_MAX + 1):
            text = "".join(chr(97 + int(digit)) for digit in str(number))
            told += sum(one.held for one in folding.due(0.0))
            held += not folding.take(line(text), 0.0)
    assert held == KINDS_MAX and told > 0
    assert told + sum(one.held for one in folding.end(0.0)) == held
    assert not folding.end(0.0)


@pytest.fixture
def loggers() -> Iterator[None]:
    """Afterwards the loggers are as they were."""
    kept = [(name, logging.getLogger(name)) for name in ("lbdns", "")]
    before = [(one, one.handlers[:], one.level, one.propagate) for _, one in kept]
    yield
    for one, handlers, level, propagate in before:
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)


@pytest.mark.usefixtures("loggers")
def test_the_log_folds_and_tells_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    start_log("supervisor", "text")
    for _ in range(SAME_MAX + 7):
        logging.getLogger("asyncio").error("socket.accept() out of system resource")
    start_log("supervisor", "text")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == SAME_MAX + 1
    assert lines[-1].endswith("error   supervisor: repeated 7 times in 1 s: socket.accept() out of system resource")


@pytest.mark.usefixtures("loggers")
def test_the_log_tells_though_nothing_else_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "FOLD_S", 0.05)
    monkeypatch.setattr("lbdns.base.folding.FOLD_S", 0.05)
    start_log("supervisor", "json")
    for _ in range(SAME_MAX + 2):
        logging.getLogger("lbdns.x").warning("the disk is full")
    for timer in [one for one in threading.enumerate() if isinstance(one, threading.Timer)]:
        timer.join(10)
    assert '"repeated 2 times in 1 s: the disk is full"' in capsys.readouterr().err
