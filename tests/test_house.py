"""The house: who may import whom, as ARCHITECTURE.md says; no circle, no name twice, no file too long."""

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

ARROWS = re.compile(r"^```arrows\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DNSLIB_HOMES = ("lbdns.dns", "lbdns.answer")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")


CYTHON_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(lbdns[\w.]*)[ \t]+c?import[ \t]+([\w, \t]*)|c?import[ \t]+(lbdns[\w.]*))", re.MULTILINE
)


def allowed_arrows(document: str) -> dict[str, set[str]]:
    """Return package -> those that it may import, as the document's list of arrows says; each stands below its own."""
    found = ARROWS.search(document)
    assert found, "no list of arrows"
    arrows: dict[str, set[str]] = {}
    for line in found[1].splitlines():
        package, *below = line.split()
        assert package not in arrows, f"{package} stands there twice"
        assert not set(below) - set(arrows), f"{package}: an arrow runs up: {set(below) - set(arrows)}"
        arrows[package] = set(below)
    return arrows


def sources(package: Path) -> dict[Path, str]:
    """Return every source file below `package` by the dotted name of its module; a module may have several."""
    found = {}
    for path in sorted(package.rglob("*")):
        if path.suffix in (".py", ".pyx", ".pxd", ".pyi"):
            parts = path.relative_to(package.parent).with_suffix("").parts
            found[path] = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return found


def _imports(path: Path, known: set[str]) -> Iterator[str]:
    text = path.read_text()
    if path.suffix in (".pyx", ".pxd"):
        for base, names, whole in CYTHON_IMPORT.findall(text):
            inner = {f"{base}.{name.split()[0]}" for name in names.split(",") if name.strip()} & known
            yield from inner or {base or whole}
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: line {node.lineno}: imports are absolute"
            for alias in node.names:
                inner_name = f"{node.module}.{alias.name}"
                yield inner_name if inner_name in known else str(node.module)


def package_of(module: str) -> str:
    """Return the part of the house that a module belongs to: a package, or a module that stands alone."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "lbdns"


class House:
    """The modules below a folder, and what each imports."""

    def __init__(self, package: Path) -> None:
        self.sources = sources(package)
        known = set(self.sources.values())
        self.imports: dict[str, set[str]] = {module: set() for module in known}
        for path, module in self.sources.items():
            self.imports[module] |= set(_imports(path, known))

    def ours(self, module: str) -> list[str]:
        """Return those of a module's imports that are modules of the house."""
        return sorted(name for name in self.imports[module] if name in self.imports and name != module)

    def wrong_arrows(self, allowed: dict[str, set[str]]) -> list[str]:
        """Return every import that the list of arrows does not allow."""
        return [
            f"{module} -> {name}"
            for module in sorted(self.imports)
            for name in self.ours(module)
            if package_of(name) not in {package_of(module), "lbdns", *allowed.get(package_of(module), set())}
        ]

    def circles(self) -> list[str]:
        """Return the first circle of imports that is met, nothing where there is none."""
        done: set[str] = set()

        def visit(module: str, road: tuple[str, ...]) -> list[str]:
            if module in road:
                return [" -> ".join([*road[road.index(module) :], module])]
            if module in done:
                return []
            for name in self.ours(module):
                if found := visit(name, (*road, module)):
                    return found
            done.add(module)
            return []

        return next((found for module in sorted(self.imports) if (found := visit(module, ()))), [])

    def names_twice(self) -> list[str]:
        """Return the modules whose name another one bears; folders may share one, as the two that hold frames do."""
        by_name: dict[str, list[str]] = {}
        for module in sorted({module for path, module in self.sources.items() if not path.stem.startswith("__")}):
            by_name.setdefault(module.rpartition(".")[2], []).append(module)
        return [f"{name}: {', '.join(found)}" for name, found in by_name.items() if len(found) > 1]

    def classes_twice(self) -> list[str]:
        """Return the classes whose name another one bears."""
        by_name: dict[str, set[str]] = {}
        for path, module in self.sources.items():
            if path.suffix == ".py":
                names = (node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef))
            else:
                names = (name for name in re.findall(r"^(?:cdef )?class (\w+)", path.read_text(), re.MULTILINE))
            for name in names:
                by_name.setdefault(name, set()).add(module)
        return [f"{name}: {', '.join(sorted(found))}" for name, found in by_name.items() if len(found) > 1]


HOUSE = House(PACKAGE)
MODULES = {module: path for path, module in HOUSE.sources.items() if path.suffix == ".py"}


def test_every_arrow_stands_in_the_list() -> None:
    allowed = allowed_arrows((ROOT / "ARCHITECTURE.md").read_text())
    assert {package_of(module) for module in HOUSE.imports} - {"lbdns"} == set(allowed)
    assert not HOUSE.wrong_arrows(allowed)


def test_no_circles() -> None:
    assert not HOUSE.circles()


def test_no_two_modules_and_no_two_classes_of_one_name() -> None:
    assert not HOUSE.names_twice()
    assert not HOUSE.classes_twice()


def small_house(folder: Path, files: dict[str, str]) -> House:
    """Write a package `lbdns` of a few files into a folder, and read it."""
    for name, text in files.items():
        path = folder / "lbdns" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return House(folder / "lbdns")


@pytest.mark.parametrize(
    "name, text",
    [
        ("base/low.py", "from lbdns.answer.high import thing\n"),
        ("base/low.py", "def late():\n    import lbdns.answer.high\n"),
        ("base/low.pyx", "from lbdns.answer.high cimport thing\n"),
        ("base/low.pxd", "cimport lbdns.answer.high\n"),
        ("base/low.pxd", "from lbdns.answer cimport high\n"),
    ],
)
def test_an_arrow_that_runs_up_is_found(name: str, text: str, tmp_path: Path) -> None:
    allowed = allowed_arrows("```arrows\nbase\nanswer base\n```\n")
    house = small_house(tmp_path, {name: text, "answer/high.py": "thing = 1\n"})
    assert house.wrong_arrows(allowed) == ["lbdns.base.low -> lbdns.answer.high"]
    down = small_house(tmp_path, {name: "", "answer/high.py": "import lbdns.base.low\n"})
    assert not down.wrong_arrows(allowed)


def test_a_list_with_an_arrow_that_runs_up_is_refused() -> None:
    with pytest.raises(AssertionError, match="runs up"):
        allowed_arrows("```arrows\nbase answer\nanswer base\n```\n")


def test_a_circle_and_names_that_stand_twice_are_found(tmp_path: Path) -> None:
    house = small_house(
        tmp_path,
        {
            "base/one.py": "from lbdns.base import two\nclass Thing: ...\n",
            "base/two.pyx": "from lbdns.base.one import Thing\ncdef class Other:\n    pass\n",
            "dns/one.py": "class Thing: ...\n",
            "dns/dns.py": "",
        },
    )
    assert house.circles() == ["lbdns.base.one -> lbdns.base.two -> lbdns.base.one"]
    assert house.names_twice() == ["one: lbdns.base.one, lbdns.dns.one"]
    assert house.classes_twice() == ["Thing: lbdns.base.one, lbdns.dns.one"]


@pytest.mark.parametrize("module", MODULES)
def test_dnslib_appears_only_where_bytes_are_read_and_written(module: str) -> None:
    uses = any(name == "dnslib" or name.startswith("dnslib.") for name in HOUSE.imports[module])
    assert not uses or module.startswith(DNSLIB_HOMES)


@cache
def tracked() -> tuple[Path, ...]:
    """Return the project's own Python and Cython files: those that git knows or would take."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z", "*.py", "*.pyx"],
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        return tuple(HOUSE.sources)
    return tuple(path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).exists())


@pytest.mark.process
def test_imports_are_absolute() -> None:
    relative = re.compile(r"^\s*from \.", re.MULTILINE)
    assert not [str(path) for path in tracked() if path.suffix == ".py" and relative.search(path.read_text())]


@pytest.mark.process
def test_files_that_the_sources_name_exist() -> None:
    """Docstrings and comments lead somewhere; what stands for any name is in capitals (NAME_command.py)."""
    there = [f"/{path.relative_to(ROOT)}" for path in tracked()]
    named = {
        (path.name, name)
        for path in tracked()
        if path.is_relative_to(PACKAGE)
        for name in re.findall(r"(?<![\w./*])[a-z0-9_/]+[.](?:py|pyx)\b", path.read_text())
    }
    assert not [(where, name) for where, name in named if not any(path.endswith(f"/{name}") for path in there)]


@pytest.mark.process
def test_no_file_is_too_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in tracked()}
    assert not {name: length for name, length in lengths.items() if length > LINES_MAX}


def test_nothing_is_left_unfinished() -> None:
    assert not [name for name, path in MODULES.items() if UNFINISHED.search(path.read_text())]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[module].read_text()))
