"""Build steps that pyproject.toml cannot say: the compiled kernel, and geodata/ shipped as lbdns/geodata.

The kernel is ordinary Python with a `.pxd` beside each module. Where no C compiler is at hand, or LBDNS_PURE=1 is
set, the package installs without it and runs the same files interpreted.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

# Every module with a `.pxd` beside it, which runs interpreted too, and those that are compiled or not there.
KERNEL = sorted(
    [str(path) for path in Path("lbdns").rglob("*.py") if path.with_suffix(".pxd").exists()]
    + [str(path) for path in Path("lbdns").rglob("*.pyx")]
)
# Indices come from checked snapshots and lengths from the code before them (argued where they hold), types
# from the .pxd files alone, and numbers are C's.
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "cpow": True,
    "annotation_typing": False,
}
GEODATA_SUFFIXES = (".mmdb", ".md", ".txt", ".toml", ".yaml", ".json", ".csv")


class BuildWithGeodata(build_py):
    """Copy the checkout's geodata/ into the wheel; an editable install reads it where it is."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "lbdns", "geodata")
        for source in sorted(Path("geodata").iterdir()):
            if source.suffix in GEODATA_SUFFIXES and "city" not in source.name:
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target / source.name)


class BuildWhatCompiles(build_ext):
    """Leave a module interpreted where it does not compile, whatever the compiler's complaint."""

    def run(self) -> None:
        super().run()
        # What an earlier build left must not stand in for a module that is interpreted now.
        compiled = {extension.name for extension in self.extensions}
        for name in sorted({module_of(path) for path in KERNEL} - compiled):
            for folder in (self.build_lib, "."):
                Path(folder, self.get_ext_filename(name)).unlink(missing_ok=True)

    def build_extensions(self) -> None:
        self.refused: set[str] = set()
        super().build_extensions()
        self.extensions = without(self.extensions, self.refused)

    def build_extension(self, ext: Any) -> None:
        try:
            super().build_extension(ext)
        except Exception as error:
            # Extension(optional=True) is meant to do this; not every setuptools recognises every compiler's error.
            self.refused.add(ext.name)
            warn(ext.name, str(error))


def module_of(path: str) -> str:
    """Return the dotted name of a source file's module."""
    return path.rpartition(".")[0].replace("/", ".")


def cimports_of(path: str) -> set[str]:
    """Return the kernel's modules whose C types and functions a module is compiled against, directly or through one."""
    found: set[str] = set()
    ahead = [path]
    while ahead:
        base = ahead.pop().rpartition(".")[0]
        text = "".join(Path(base + end).read_text() for end in (".pxd", ".pyx") if Path(base + end).exists())
        for other in KERNEL:
            if module_of(other) not in found and re.search(rf"(?m)^from {re.escape(module_of(other))} cimport ", text):
                found.add(module_of(other))
                ahead.append(other)
    return found


def without(extensions: list[Any], refused: set[str]) -> list[Any]:
    """Return the extensions without those that did not compile and those that need one of them: these would find no C
    functions where the other is interpreted. The other way round all is well: what is interpreted uses what is
    compiled as it would any module."""
    kept = []
    for extension in extensions:
        missing = cimports_of(extension.source) & refused
        if missing:
            warn(extension.name, f"it needs {', '.join(sorted(missing))} compiled")
        elif extension.name not in refused:
            kept.append(extension)
    return kept


def warn(module: str, reason: str) -> None:
    """Say that a module is left out, and why."""
    print(f"warning: {module} is left interpreted: {reason}", file=sys.stderr)


def kernel_extensions() -> list[Any]:
    """Return the kernel as optional extensions: a failing compiler costs speed, never the installation."""
    if os.environ.get("LBDNS_PURE") == "1":
        return []
    refused: set[str] = set()
    extensions = []
    # What a module needs comes before it.
    for path in sorted(KERNEL, key=lambda path: len(cimports_of(path))):
        extension = Extension(module_of(path), [path], optional=True, extra_compile_args=["-O3"])
        extension.source = path
        extensions.append(extension)
        if not cimports_of(path) & refused and not translate(extension):
            refused.add(extension.name)
    return without(extensions, refused)


def translate(extension: Any) -> bool:
    """Have a module written in C by Cython; return False, with a warning, where that fails."""
    from Cython.Build import cythonize

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            [translated] = cythonize([extension], compiler_directives=DIRECTIVES, quiet=True)
    except Exception as error:
        # A mistake in the source, or one of Cython's own: it names the one on stderr and raises the other.
        warn(extension.name, f"{error!r}\n{said.getvalue()}")
        # What is left of an attempt says #error, and is newer than its source.
        Path(extension.source).with_suffix(".c").unlink(missing_ok=True)
        return False
    sys.stderr.write(said.getvalue())
    extension.sources = translated.sources
    return True


setup(
    ext_modules=kernel_extensions(),
    cmdclass={"build_py": BuildWithGeodata, "build_ext": BuildWhatCompiles},
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
