"""The documents: links lead somewhere, references say what the code says, the tree shows every package."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("geodata/*.md"), *ROOT.glob("findings/**/*.md")]
)
LINK = re.compile(r"\[[^\]\[]*\]\(([^)\s]+)\)")
README_LINES_MAX = 200


def without_code(text: str) -> str:
    """Return a document without its blocks of code, in which brackets mean other things."""
    fenced = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^ {4}.*$|`[^`\n]*`", "", fenced, flags=re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """Return the fragments that lead to a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(without_code(document.read_text())):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, fragment = target.partition("#")
        there = document if not path else (document.parent / path).resolve()
        assert there.exists() and there.is_relative_to(ROOT), target
        assert not fragment or fragment in anchors(there), target


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < README_LINES_MAX


def reference() -> ModuleType:
    """Return the script that writes references."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts/docs.d/reference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["settings.md", "metrics.md", "licences.md", "rules.md"])
def test_references_say_what_the_code_says(name: str) -> None:
    written = (ROOT / "docs" / name).read_text()
    assert written == reference().WRITERS[name](), f"docs/{name} is old: run scripts/write-docs"


ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
PACKAGES = sorted(
    str(path.parent.relative_to(ROOT / "lbdns")) + "/" for path in (ROOT / "lbdns").rglob("*/__init__.py")
)


def test_every_package_has_a_line_in_the_tree() -> None:
    tree = re.search(r"^```tree\n(.*?)^```$", ARCHITECTURE, re.MULTILINE | re.DOTALL)
    assert tree
    lines = [line.split(maxsplit=1) for line in tree[1].splitlines()]
    assert sorted(package for package, _ in lines) == PACKAGES


@pytest.mark.parametrize(
    ("heading", "module"),
    [
        ("The supervisor", "processes/supervisor/supervisor.py"),
        ("An endpoint", "health/verdict.py"),
    ],
)
def test_state_charts_are_those_of_the_code(heading: str, module: str) -> None:
    chapter = ARCHITECTURE.partition(f"## {heading}\n\n")[2].partition("\n\n## ")[0]
    drawn = [line.strip() for line in chapter.split("\n\n    measured")[0].splitlines() if line.strip()]
    docstring = ast.get_docstring(ast.parse((ROOT / "lbdns" / module).read_text())) or ""
    assert len(drawn) > 5
    assert not set(drawn) - {line.strip() for line in docstring.splitlines()}


def test_the_walk_is_true() -> None:
    """From recvmmsg to sendmmsg: files that exist, at most eight, each called by one before it; the first of the road
    that setup.py writes by who includes that."""
    chapter = ARCHITECTURE.partition("### A newcomer's walk\n")[2].partition("\n## ")[0]
    walk = re.findall(r"^\d+\. `(lbdns/\S+)`", chapter, re.MULTILINE)
    assert 3 < len(walk) <= 8
    door = ast.get_docstring(ast.parse((ROOT / "lbdns/fastpath/__init__.py").read_text())) or ""
    assert walk == [f"lbdns/{name}" for name in re.findall(r"^\d+\. `(\S+)`", door, re.MULTILINE)]
    assert all(f"{call}(self.fd" in (ROOT / walk[0]).read_text() for call in ("recvmmsg", "sendmmsg"))
    [first_of_road] = re.findall(r'(?m)^ROAD_MODULES = \(\n    "([\w.]+)",$', (ROOT / "setup.py").read_text())
    seen = ""
    for name in walk:
        path = ROOT / name
        module = ".".join(Path(name).with_suffix("").parts)
        is_included = module == first_of_road and 'include "lbdns/fastpath/road.pxi"' in seen
        assert not seen or is_included or re.search(rf"^from {re.escape(module)} c?import ", seen, re.MULTILINE), name
        seen += path.read_text() + (path.with_suffix(".pxd").read_text() if path.with_suffix(".pxd").exists() else "")
