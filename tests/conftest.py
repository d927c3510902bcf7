"""For every test: the project's own pytest plugin, seeded properties, and which tests `--quick` leaves out.

Properties try the same examples each time. `pytest --hypothesis-profile=exploring` tries others.

| a test that | has the mark | given |
|---|---|---|
| starts a process | `process` | by hand; by itself where a fixture of its asks for `starts_processes` |
| takes more than some 0.3 s, all its parameters together | `slow` | by hand |

`--quick` runs those that have neither. The first mark is not left to care: without it, an attempt to start a process
raises, in every run.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from lbdns import testing

PROCESS_EVENTS = frozenset(
    {"subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn"}
)
"""Audit events (PEP 578) of whatever makes a process in CPython."""

PROCESS_FIXTURES = frozenset({"starts_processes", "lbdns_server"})
QUICK_WITHOUT = ("process", "slow")
WHOLE_MODULE = re.compile(rf"^pytestmark = pytest\.mark\.(?:{'|'.join(QUICK_WITHOUT)})$", re.MULTILINE)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # What a shell starts in the background ignores SIGINT and hands that on; tests interrupt what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.register_profile("exploring", deadline=None)
settings.load_profile("seeded")


class ProcessGuard:
    """Refuses processes while a test runs that is not marked as starting any."""

    def __init__(self) -> None:
        self.refuses_for = ""
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.refuses_for and event in PROCESS_EVENTS:
            raise RuntimeError(f"{self.refuses_for} starts a process ({event} {arguments[:2]}): mark it `process`")


_guard = ProcessGuard()


@pytest.fixture(scope="session")
def starts_processes() -> None:
    """Is asked for by fixtures that start processes: it marks the tests that use them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --quick."""
    parser.addoption("--quick", action="store_true", help="only what is quick and starts no process: while writing")


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin that an installed lbdns brings by its entry point."""
    if not config.pluginmanager.is_registered(testing):
        config.pluginmanager.register(testing, "lbdns")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Under --quick, do not even import a module of which no test would run."""
    if not config.getoption("quick") or collection_path.suffix != ".py" or not collection_path.is_file():
        return None
    return True if WHOLE_MODULE.search(collection_path.read_text()) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what starts processes by its fixtures; under --quick take out what is marked."""
    for item in items:
        if not PROCESS_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("process")
    if config.getoption("quick"):
        left_out = [item for item in items if any(item.get_closest_marker(name) for name in QUICK_WITHOUT)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not any(item.get_closest_marker(name) for name in QUICK_WITHOUT)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Guard a test from its setup to its teardown."""
    _guard.refuses_for = "" if item.get_closest_marker("process") else item.nodeid
    try:
        return (yield)
    finally:
        _guard.refuses_for = ""
