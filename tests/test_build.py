"""The build: a module of the kernel that does not compile costs speed, never the installation nor an answer."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parent.parent

ANSWERS_MIN = 20  # replies to the fuzzer's corpus that are not left to the slow path

# A C compiler that cannot compile one module; without its optimisation, for the sake of the test's time.
COMPILER = """#!/bin/sh
case "$*" in *typed_columns.c*) echo "no columns here" >&2; exit 1 ;; esac
for argument; do
  shift
  [ "$argument" = -O3 ] || set -- "$@" "$argument"
done
exec cc -O0 "$@"
"""
# What a source says that Cython refuses; Python never reads it.
MISTAKE = "\ncdef nonsense broken(nonsense argument)\n"
# Asks what is installed for an answer by the fast path's functions, and says how each module runs.
ASK = """
import importlib, sys
from pathlib import Path
from lbdns.processes.responder.fast_port import load_loop
from tests.fastpath.fuzz_check import Checker, make_view, read_corpus
from tests.fastpath.lanes import KERNEL, Lane

modules = {name: importlib.import_module("lbdns." + name) for name in (*KERNEL, "mapped.counters", "fastpath.counting")}
lane = Lane("mixed", modules["fastpath.read"].Server, modules["fastpath.serve"].serve)
checker = Checker(make_view(Path(sys.argv[1])), [lane])
said = [checker.check(datagram) for datagram in read_corpus()]
print(sum(isinstance(each, bytes) for each in said), load_loop())
print(*sorted(name for name, module in modules.items() if not module.__file__.endswith(".py")))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what is built, without what has been."""
    copy = tmp_path / "tree"
    shutil.copytree(ROOT / "lbdns", copy / "lbdns", ignore=shutil.ignore_patterns("*.so", "*.c", "__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    (copy / "geodata").symlink_to(ROOT / "geodata")
    return copy


def run(*command: str, tree: Path, **environment: str) -> str:
    """Return what a command of Python says on both its outputs; it must succeed."""
    environment |= {"PYTHONPATH": f"{tree}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tree,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
    assert not done.returncode, done.stdout
    return done.stdout


def needed_modules(tree: Path) -> dict[str, set[str]]:
    """Return what is compiled, each with the modules whose C declarations it takes, as the sources say."""
    found: dict[str, set[str]] = {}
    for source in (tree / "lbdns").rglob("*.p[xy][dx]"):
        name = ".".join(source.relative_to(tree / "lbdns").with_suffix("").parts)
        said = re.findall(r"^(?:from|cimport) lbdns\.([\w.]+)(?= cimport|$)", source.read_text(), re.MULTILINE)
        found[name] = found.get(name, set()) | {one for one in said if one != name}
    return found


@pytest.mark.skipif(
    not (importlib.util.find_spec("Cython") and importlib.util.find_spec("setuptools") and shutil.which("cc")),
    reason="Cython, setuptools and a C compiler are not all here: what does not compile is not tried",
)
@pytest.mark.timeout(600)
def test_what_does_not_compile_is_left_interpreted_and_the_rest_serves(tree: Path, tmp_path: Path) -> None:
    """One module that Cython refuses, one that the C compiler does: both, and what needs them, are left out by name."""
    table = tree / "lbdns/snapshot/lookup/name_table.pxd"
    table.write_text(table.read_text() + MISTAKE)
    compiler = tmp_path / "compiler"
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)
    stale = tree / "lbdns/fastpath" / f"serve{importlib.machinery.EXTENSION_SUFFIXES[0]}"
    stale.write_bytes(b"what an earlier build left")

    said = run("setup.py", "--quiet", "build_ext", "--inplace", tree=tree, CC=str(compiler))
    left_out = dict(re.findall(r"^warning: lbdns\.(\S+) is left interpreted: (.*)$", said, re.MULTILINE))
    assert "CompileError" in left_out.pop("snapshot.lookup.name_table")
    assert "nonsense" in said
    assert "compiler" in left_out.pop("mapped.typed_columns")
    assert left_out["snapshot.lookup.look_up"] == "it needs lbdns.snapshot.lookup.name_table compiled"
    assert left_out["steering.kernel.view"] == "it needs lbdns.mapped.typed_columns compiled"
    needs = needed_modules(tree)
    gone = {"snapshot.lookup.name_table", "mapped.typed_columns"}
    while more := {name for name, others in needs.items() if name not in gone and others & gone}:
        gone |= more
    assert set(left_out) == gone - {"snapshot.lookup.name_table", "mapped.typed_columns"}
    assert {"fastpath.loop", "fastpath.serve", "steering.kernel.decide"} <= gone

    answers, compiled = run("-c", ASK, str(tmp_path), tree=tree).splitlines()[-2:]
    assert answers.split()[1] == "None"
    assert int(answers.split()[0]) > ANSWERS_MIN
    assert {"dns.wire", "steering.kernel.hashing"} <= set(compiled.split()) <= set(needs) - gone


def test_without_cython_all_is_interpreted(tree: Path) -> None:
    run_setup = "import runpy, sys; sys.modules['Cython'] = None; runpy.run_path('setup.py', run_name='__main__')"
    said = run("-c", run_setup, "--quiet", "build_ext", "--inplace", tree=tree)
    assert said.startswith("warning: the kernel is left interpreted: ")
    assert not [*tree.rglob("*.so"), *tree.rglob("*.c")]


HEADERS = sorted(
    {
        module
        for path in (ROOT / "lbdns").rglob("*.p[xy][dx]")
        for module in re.findall(r"(?m)^from (\S+) cimport \*$", path.read_text())
    }
)


def test_a_constant_of_the_kernel_has_one_home() -> None:
    """Modules take the constants of others with stars: a name that two of these had would mean either."""
    assert len(HEADERS) > 4
    homes: dict[str, str] = {}
    for module in HEADERS:
        for name in vars(importlib.import_module(module)):
            if name.isupper() and not name.startswith("_"):
                assert homes.setdefault(name, module) == module, name


def test_nothing_compiled_counts_from_the_end() -> None:
    """With Cython 3.3 and wraparound=False an index from the end is undefined: numpy 2.5 raises IndexError for it where
    2.4 gave the last element.
    """
    sources = [*(ROOT / "lbdns").rglob("*.pyx"), *(path.with_suffix(".py") for path in (ROOT / "lbdns").rglob("*.pxd"))]
    assert len(sources) > 20
    from_the_end = re.compile(r"[\w)\]]\[[^\]\"'#]*(?<![\w)\]]) ?-\w")
    assert from_the_end.search("bounds[:-1]")
    assert from_the_end.search("items[-last]")
    assert not from_the_end.search("names[at - 1]")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources
        if path.exists()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if from_the_end.search(line)
    ]
    assert found == []
