"""CONTRIBUTING.md's recipes: the files that they name exist; what they say of rows and modules is so, both ways."""

from __future__ import annotations

import ast
import importlib
import re
from array import array
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from lbdns.base.kinds import BALANCING
from lbdns.base.probe_types import PROBE_TYPES
from lbdns.base.words import STEERING_POLICIES
from lbdns.dns import codes
from lbdns.dns.options.option_table import ROWS
from lbdns.dns.rdata.record_types import RECORD_TYPES
from lbdns.manage.api.app import AREAS, OWN_AREAS
from lbdns.mapped.columns import COLUMNS, HEALTH_COLUMNS
from lbdns.mapped.typed_columns import TypedColumns

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
RECIPES = (
    "A steering policy",
    "A probe type",
    "A record type",
    "An EDNS option",
    "A column",
    "A kind of object",
    "A page of the dashboard",
    "An area of the API",
)


def recipe(title: str) -> tuple[str, ...]:
    """Return the files that a recipe names, as its table has them."""
    chapter = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert chapter, title
    rows = [line.split("|")[1] for line in chapter[1].splitlines() if line.startswith("| ")][1:]
    return tuple(name for row in rows for name in re.findall(r"`([^`]+)`", row))


def modules(folder: str) -> dict[str, ModuleType]:
    """Return the modules of a folder of lbdns by name."""
    paths = sorted((ROOT / "lbdns" / folder).glob("[!_]*.py"))
    return {path.stem: importlib.import_module(f"lbdns.{folder.replace('/', '.')}.{path.stem}") for path in paths}


@cache
def texts() -> dict[str, set[str]]:
    """Return each text that lbdns writes out, and the files that do."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "lbdns").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.setdefault(node.value, set()).add(str(path.relative_to(ROOT)))
    return found


def saying(word: str) -> set[str]:
    """Return the files of lbdns that write a word out as a text of its own."""
    return texts().get(word, set())


def table_of(document: str) -> set[str]:
    """Return what stands in backticks in the first cells of a document's tables."""
    cells: Iterable[str] = re.findall(r"^\| ([^|]*) \|", (ROOT / document).read_text(), re.MULTILINE)
    return {name.strip('"') for cell in cells for name in re.findall(r"`([^`]*)`", cell)}


@pytest.mark.parametrize("title", RECIPES)
def test_every_file_that_a_recipe_names_exists(title: str) -> None:
    found = recipe(title)
    assert found
    for name in found:
        place = ROOT / name
        assert place.parent.is_dir() if "MODULE" in name else place.is_file(), name


def test_every_recipe_is_held_here() -> None:
    chapters = TEXT.partition("# Adding things\n")[2]
    assert tuple(re.findall(r"^## (.*)$", chapters, re.MULTILINE)) == RECIPES


def test_a_column_is_a_line() -> None:
    codes_by_name = COLUMNS | {column.name: column.code for column in HEALTH_COLUMNS}
    views = {name: memoryview(array(code, [1])) for name, code in codes_by_name.items()}
    typed = TypedColumns(views, views)
    assert {name: memoryview(getattr(typed, name)).format for name in views} == codes_by_name


def test_a_steering_policy_is_a_module_a_row_the_oracle_and_lines_in_the_docs() -> None:
    home = "lbdns/steering/policies/MODULE.py"
    assert home in recipe("A steering policy")
    found = modules("steering/policies").items()
    with_plan = {name for name, module in found if isinstance(getattr(module, "SAME_EVERYWHERE", None), str)}
    assert with_plan == {module for module, _ in STEERING_POLICIES.values()}
    oracle = "".join((ROOT / "tests/steering" / name).read_text() for name in ("naive_candidates.py", "naive.py"))
    for policy, (module, _) in STEERING_POLICIES.items():
        assert f'"{policy}"' in oracle, policy
        assert policy in table_of("docs/semantics.md")
        if policy not in ("off", "geo", "random", "proximity"):  # words that mean other things as well
            assert saying(policy) <= {"lbdns/base/words.py", home.replace("MODULE", module)}


def test_a_probe_type_is_a_module_and_a_row() -> None:
    home = "lbdns/monitor/probes/MODULE.py"
    assert home in recipe("A probe type")
    makers = {name for name, module in modules("monitor/probes").items() if hasattr(module, "make")}
    assert makers == {row.module for row in PROBE_TYPES.values()}
    for name in PROBE_TYPES:
        assert name in table_of("docs/settings.md")
        if "_" in name or name == "ldap":  # no word of anything else
            assert saying(name) == {"lbdns/base/probe_types.py"}


def test_a_record_type_is_a_number_and_a_row() -> None:
    assert len({row.mnemonic for row in RECORD_TYPES.values()}) == len(RECORD_TYPES)
    for number, row in RECORD_TYPES.items():
        assert getattr(codes, f"TYPE_{row.mnemonic}", number) == number


def test_an_option_is_a_module_and_a_row() -> None:
    used = {one.__module__.rpartition(".")[2] for row in ROWS for one in (row.decode, row.encode) if one is not None}
    assert used == set(modules("dns/options")) - {"option", "option_table"}
    assert {row.code for row in ROWS} <= {value for name, value in vars(codes).items() if name.startswith("OPTION_")}


def test_a_kind_is_a_row_and_a_model() -> None:
    for kind in BALANCING:
        assert (ROOT / "lbdns/model" / f"{kind.model.partition('.')[0]}.py").is_file()
        assert f"`{kind.section}`" in (ROOT / "docs/settings.md").read_text()


def test_a_page_of_the_dashboard_is_a_module_and_a_row() -> None:
    from lbdns.manage.dashboard.page_table import PAGES, UNLISTED

    routers = {id(router) for _, router in PAGES} | {id(router) for router in UNLISTED}
    for name, module in modules("manage/dashboard/pages").items():
        assert id(module.router) in routers, name


def test_an_area_is_a_module_with_a_router_and_a_place_in_the_application() -> None:
    for folder, listed in (("manage/api/v4", AREAS), ("manage/api/own", OWN_AREAS)):
        with_routes = {module for module in modules(folder).values() if hasattr(module, "router")}
        assert with_routes == set(listed)
