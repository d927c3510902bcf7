"""The words that packages share: light to import, and copied nowhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import lbdns
from lbdns.base import words
from lbdns.model.balancer import BalancerType
from lbdns.model.pool import EndpointPolicy
from lbdns.model.steering_fields import SteeringPolicy
from lbdns.steering.policies.policy_table import PLANNERS

PACKAGE = Path(lbdns.__file__).parent
EXAMPLE = PACKAGE.parent / "zones"
WORDS = {name: value for name, value in vars(words).items() if name.isupper() and name != "TYPE_CHECKING"}
NAMES = {value for value in WORDS.values() if isinstance(value, str) and not value.isalpha()}
"""Names of files, sockets and paths; `lock` and `store` are words of everyday use as well."""
LISTS = {frozenset(value): name for name, value in WORDS.items() if isinstance(value, (tuple, dict))}

HEAVY = (
    *("pydantic", "yaml", "dns", "asyncio", "rich", "httpx", "fastapi", "uvicorn", "starlette", "aiohttp", "numpy"),
    *("maxminddb", "geoip2", "cryptography", "prometheus_client", "ldap3", "sqlite3", "airportsdata"),
)


def loaded_by(program: str) -> set[str]:
    """Return the modules that a program imports beyond what a bare interpreter has."""
    told = f"import sys; before = set(sys.modules)\n{program}\nprint('\\n', *set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def loaded_by_command(*arguments: str) -> set[str]:
    """Return the modules that `lbdns` with some arguments imports."""
    run = f"from lbdns.cli.main import cli\ncli.main({list(arguments)!r}, standalone_mode=False)"
    return loaded_by(run)


def tops(modules: set[str]) -> set[str]:
    """Return the names of whole packages."""
    return {module.partition(".")[0] for module in modules}


def copies_in(path: Path) -> Iterator[str]:
    """Yield FILE:LINE of every word that a module writes out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and node.value in NAMES:
            yield f"{path}:{node.lineno}: {node.value!r}"
        elif isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            items = (item.value if isinstance(item, ast.Constant) else None for item in node.elts)
            if name := LISTS.get(frozenset(items)):
                yield f"{path}:{node.lineno}: {name}"


@pytest.mark.process
def test_words_import_nothing() -> None:
    assert loaded_by("import lbdns.base.words") == {"lbdns", "lbdns.base", "lbdns.base.words"}


@pytest.mark.process
def test_help_imports_the_command_line_alone() -> None:
    loaded = loaded_by_command("--help")
    assert tops(loaded).isdisjoint(HEAVY)
    own = {module for module in loaded if module.startswith("lbdns.")}
    assert own <= {"lbdns.base", "lbdns.base.errors", "lbdns.base.words", "lbdns.cli", "lbdns.cli.main"}


@pytest.mark.process
def test_check_imports_what_reads_files_alone() -> None:
    """Whoever serves, probes or manages has packages that a check has no use for; nor is a terminal drawn on."""
    loaded = loaded_by_command("check", str(EXAMPLE))
    assert tops(loaded) & {*HEAVY, "difflib", "logging"} <= {"pydantic", "yaml", "dns", "airportsdata", "maxminddb"}
    packages = {".".join(module.split(".")[:2]) for module in loaded if module.startswith("lbdns.")}
    assert packages == {f"lbdns.{name}" for name in ("base", "cli", "config", "dns", "expressions", "model", "places")}


def test_no_word_is_copied() -> None:
    """A list of words, or the name of a file, that is written out once more would go stale."""
    paths = set(PACKAGE.rglob("*.py")) - {PACKAGE / "base" / "words.py"}
    assert len(paths) > 100
    assert [copy for path in sorted(paths) for copy in copies_in(path)] == []


def test_models_take_the_words() -> None:
    assert get_args(SteeringPolicy) == (*words.STEERING_POLICIES, "")
    assert get_args(BalancerType) == words.BALANCER_TYPES
    assert get_args(EndpointPolicy) == words.ENDPOINT_POLICIES


def test_every_policy_has_a_plan() -> None:
    assert PLANNERS.keys() == words.STEERING_POLICIES.keys()
    assert words.WEIGHTED_POLICIES == ("random", "least_outstanding_requests", "least_connections")
