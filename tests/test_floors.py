"""The floors of the house: who may import whom, no cycles, no file too long, nothing left over."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lbdns"
LINES_MAX = 450

# A module imports from its own package and from those of lower numbers. Within a floor the halves say who may import
# whom: geo < config (a configuration names regions and PoPs), health < steering < snapshot.
FLOORS = {
    "lbdns": 0.0,
    "errors": 0.1,
    "garbage": 0.1,
    "memo": 0.1,
    "progress": 0.1,
    "wire": 0.2,
    "model": 0.3,
    "geo": 1.0,
    "config": 1.1,
    "health": 2.0,
    "steering": 2.1,
    "snapshot": 2.2,
    "responder": 3.0,
    "fastpath": 4.0,
    "server": 5.0,
    "monitor": 5.0,
    "store": 6.0,
    "api": 6.1,
    "cli": 6.2,
    "testing": 7.0,
    "__main__": 7.0,
}
MONITOR_HIGHEST = 2.2
DNSLIB_HOMES = ("lbdns.wire", "lbdns.responder")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")


def modules() -> dict[str, Path]:
    """Return every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def imports_of(module: str) -> frozenset[str]:
    """Return all modules named in a module's import statements, wherever in the file they stand."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return frozenset(_imports(ast.parse(path.read_text()), package))


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield inner if inner in MODULES else base


def unit(module: str) -> str:
    """Return the floor's unit that a module of ours belongs to."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "lbdns"


def ours(module: str) -> Iterator[str]:
    """Yield those of a module's imports that are modules of ours."""
    yield from (name for name in imports_of(module) if name == "lbdns" or name.startswith("lbdns."))


def test_every_unit_has_a_floor() -> None:
    assert {unit(module) for module in MODULES} <= set(FLOORS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_from_lower_floors(module: str) -> None:
    here = unit(module)
    wrong = [name for name in ours(module) if unit(name) != here and FLOORS[unit(name)] >= FLOORS[here]]
    assert not wrong


@pytest.mark.parametrize("module", [module for module in MODULES if unit(module) == "monitor"])
def test_monitor_needs_no_responder(module: str) -> None:
    assert not [name for name in ours(module) if unit(name) != "monitor" and FLOORS[unit(name)] > MONITOR_HIGHEST]


def test_no_cycles() -> None:
    done: set[str] = set()

    def visit(module: str, road: tuple[str, ...]) -> None:
        assert module not in road, " -> ".join([*road[road.index(module) :], module])
        if module in done:
            return
        for name in sorted(ours(module)):
            if name in MODULES and name != module:
                visit(name, (*road, module))
        done.add(module)

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize("module", MODULES)
def test_dnslib_appears_only_where_bytes_are_read_and_written(module: str) -> None:
    uses = any(name == "dnslib" or name.startswith("dnslib.") for name in imports_of(module))
    assert not uses or module.startswith(DNSLIB_HOMES)


@cache
def tracked() -> tuple[Path, ...]:
    """Return the project's own Python files: those that git knows or would take."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z", "*.py"],
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        return tuple(MODULES.values())
    return tuple(path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).exists())


def test_no_file_is_too_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in tracked()}
    assert not {name: length for name, length in lengths.items() if length > LINES_MAX}


def test_nothing_is_left_unfinished() -> None:
    assert not [name for name, path in MODULES.items() if UNFINISHED.search(path.read_text())]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[module].read_text()))
