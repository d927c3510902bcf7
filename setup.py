"""Build steps that pyproject.toml cannot say: the compiled kernel, and geodata/ shipped as lbdns/geodata.

The kernel is ordinary Python with a `.pxd` beside each module. Where no C compiler is at hand, or LBDNS_PURE=1 is
set, the package installs without it and runs the same files interpreted.
"""

from __future__ import annotations

import os
import shutil
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

    def build_extension(self, ext: Any) -> None:
        try:
            super().build_extension(ext)
        except Exception as error:
            # Extension(optional=True) is meant to do this; not every setuptools recognises every compiler's error.
            self.warn(f"{ext.name} is left interpreted: {error}")


def kernel_extensions() -> list[Any]:
    """Return the kernel as optional extensions: a failing compiler costs speed, never the installation."""
    if os.environ.get("LBDNS_PURE") == "1":
        return []
    from Cython.Build import cythonize

    extensions = [
        Extension(path.rpartition(".")[0].replace("/", "."), [path], optional=True, extra_compile_args=["-O3"])
        for path in KERNEL
    ]
    built: list[Any] = cythonize(extensions, compiler_directives=DIRECTIVES, quiet=True)
    return built


setup(
    ext_modules=kernel_extensions(),
    cmdclass={"build_py": BuildWithGeodata, "build_ext": BuildWhatCompiles},
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
