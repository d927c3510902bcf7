"""Build steps that pyproject.toml cannot say: the compiled kernel, and geodata/ shipped as lbdns/geodata.

The kernel is ordinary Python with a `.pxd` beside each module. Where no C compiler or no Cython is at hand, or
LBDNS_PURE=1 is set, the package installs without it and runs the same files interpreted.

Its constants stand in modules of Python alone. A module of the kernel takes them with `from lbdns.x import *`, and its
`.pxd` with `from lbdns.x cimport *`: the `.pxd` of lbdns.x, the same numbers for C, is written here into build/headers,
before anything is compiled. So is the class of columns that mapped/columns.py declares.

A function of another module is called through a pointer, which no compiler sees through. So the road of a query is
written out once more, as one text that the module of the fast path's threads includes (`road`).
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import os
import re
import runpy
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
# Of columns, by their type codes.
C_TYPES = {
    "B": "unsigned char",
    "H": "unsigned short",
    "I": "unsigned int",
    "Q": "unsigned long long",
    "i": "int",
    "q": "long long",
    "f": "float",
    "d": "double",
}
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
HEADERS = Path("build", "headers")
# The road of a query (ARCHITECTURE.md), what is called for every datagram, and the part of it that names are read ahead
# by: each as the text to include, with the functions that begin it.
ROADS = {
    "lbdns/fastpath/road": ("serve", "write_overflow", "count_served", "is_due", "is_tapped", "mix64"),
    "lbdns/fastpath/name_road": ("read_name", "hash_suffixes", "mask_of", "spread"),
}
ROAD_MODULES = (
    "lbdns.fastpath.serve",
    "lbdns.fastpath.read",
    "lbdns.fastpath.write",
    "lbdns.fastpath.write_opt",
    "lbdns.fastpath.counting",
    "lbdns.fastpath.sampling",
    "lbdns.fastpath.tapping",
    "lbdns.dns.wire",
    "lbdns.mapped.counters",
    "lbdns.snapshot.lookup.look_up",
    "lbdns.snapshot.lookup.name_table",
    "lbdns.steering.kernel.decide",
    "lbdns.steering.kernel.endpoints",
    "lbdns.steering.kernel.hashing",
)
DECLARED = re.compile(
    r"(?ms)^(?:@cython\.locals\(([^()]*)\)\n)?cp?def ((?:unsigned |long )*\w+) (\w+)\(([^()]*)\) noexcept nogil$"
)
IMPORTED = re.compile(r"(?m)^from (\S+) cimport (\*|\([^()]*\)|[^(\n]+)$")
C_NAMES = {"uint": "unsigned int", "ulonglong": "unsigned long long", "longlong": "long long", "uchar": "unsigned char"}
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
    """Compile as many modules at a time as there are cores, and leave one interpreted where it does not compile,
    whatever the compiler's complaint."""

    def finalize_options(self) -> None:
        super().finalize_options()
        # Not by setup()'s `options`, which an editable install forgets.
        self.parallel = self.parallel or os.cpu_count() or 1

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
        if any(f'include "{path}.pxi"' in text for path in ROADS):
            text += "".join(f"\nfrom {module} cimport " for module in ROAD_MODULES)
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


def kernel_text() -> str:
    """Return all that the kernel's modules declare for C."""
    return "".join(path.read_text() for end in ("pxd", "pyx") for path in sorted(Path("lbdns").rglob(f"*.{end}")))


def write_headers() -> None:
    """Write the headers that the kernel's modules ask for; one that is as before is left alone, so that nothing is
    compiled anew for it."""
    sys.path.insert(0, "")
    declared = kernel_text()
    for module in sorted(set(re.findall(r"(?m)^from (\S+) cimport \*$", declared))):
        if Path(module.replace(".", "/") + ".pxd").exists():
            continue  # it says by itself what C needs to know of it
        write_header(module, ".pxd", constants(runpy.run_path(module.replace(".", "/") + ".py"), module))
    for path in sorted(set(re.findall(r'(?m)^include "(\S+)\.pxi"$', declared)) - ROADS.keys()):
        write_header(path.replace("/", "."), ".pxi", column_class(runpy.run_path(path + ".py")))
    for path, begins in ROADS.items():
        write_header(path.replace("/", "."), ".pxi", road(begins))
    del sys.path[0]


def write_header(module: str, suffix: str, text: str) -> None:
    """Write what C needs to know of a module."""
    path = Path(HEADERS, module.replace(".", "/") + suffix)
    text = f"# Written from {module} by setup.py.\n{text}"
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def constants(names: dict[str, Any], module: str) -> str:
    """Return a module's numbers in upper case as constants of C: int where they fit, else what they need."""
    numbers = {
        name: value
        for name, value in sorted(names.items())
        if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and type(value) in (int, float)
    }
    macros, plain, others = [], [], []
    for name, value in numbers.items():
        macro = f"{module.replace('.', '_')}_{name}".upper()
        if isinstance(value, float):
            kind, literal = "double", value.hex()
        elif -(1 << 31) < value < 1 << 31:
            kind, literal = "int", f"({value})"
        elif 0 <= value < 1 << 64:
            kind, literal = ("unsigned int", f"{value}u") if value < 1 << 32 else ("unsigned long long", f"{value}ull")
        else:
            raise ValueError(f"{module}.{name} = {value} is no number of C")
        macros.append(f"    #define {macro} {literal}\n")
        if kind == "int":
            plain.append(f'        {name} "{macro}"\n')  # as an enum, so that it may be the size of an array
        else:
            others.append(f'    const {kind} {name} "{macro}"\n')
    enum = "    enum:\n" + "".join(plain) if plain else ""
    return f'cdef extern from *:\n    """\n{"".join(macros)}    """\n{enum}{"".join(others)}'


def column_class(names: dict[str, Any]) -> str:
    """Return the class of typed columns, as mapped/columns.py declares them."""
    kinds = {name: f"const {C_TYPES[code]}" for name, code in names["COLUMNS"].items()}
    kinds |= {column.name: f"const {C_TYPES[column.code]}" for column in names["HEALTH_COLUMNS"]}
    for column in names["SIGNATURE_COLUMNS"]:
        kinds[column.name] = ("" if column.shape.is_marked else "const ") + C_TYPES[column.code]
    attributes = (f"    cdef public {kind}[::1] {name}\n" for name, kind in kinds.items())
    return "cdef class TypedColumns:\n" + "".join(attributes)


def road(begins: tuple[str, ...]) -> str:
    """Return the functions of ROAD_MODULES that `begins` lead to, as Cython's own: signatures and locals from the
    `.pxd`s, bodies from the `.py`s. All else that they use is imported as their modules do."""
    heads: dict[str, str] = {}
    bodies: dict[str, str] = {}
    imports: dict[str, set[str]] = {}
    for module in ROAD_MODULES:
        base = module.replace(".", "/")
        declared = Path(base + ".pxd").read_text()
        mine = heads_of(declared)
        if heads.keys() & mine.keys():
            raise ValueError(f"{module} is not the first of the road with {sorted(heads.keys() & mine.keys())}")
        heads |= mine
        bodies |= {name: body for name, body in bodies_of(Path(base + ".py").read_text()).items() if name in mine}
        for other, names in IMPORTED.findall(declared):
            imports.setdefault(other, set()).update(re.findall(r"\w+|\*", names))
        imports.setdefault(module, set()).update(re.findall(r"(?m)^cdef class (\w+)", declared))
    found: dict[str, str] = {}
    ahead = list(begins)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found[name] = heads[name] + bodies[name]
            ahead += set(re.findall(r"(?<![.\w])\w+(?=\()", bodies[name])) & heads.keys()
    text = "\n\n".join(found[name] for name in sorted(found))
    used = {"*", *re.findall(r"\w+", text)} - found.keys()
    lines = [
        f"from {module} cimport {', '.join(sorted(names & used))}" for module, names in imports.items() if names & used
    ]
    return "\n".join([*lines, "", "", text])


def heads_of(declared: str) -> dict[str, str]:
    """Return the head of each function of a `.pxd` that needs no interpreter, with its locals declared below it."""
    heads = {}
    for typed, kind, name, parameters in DECLARED.findall(declared):
        pairs = (local.partition("=") for local in " ".join(typed.split()).split(",") if local.strip())
        heads[name] = f"cdef inline {kind} {name}({' '.join(parameters.split())}) noexcept nogil:\n" + "".join(
            f"    cdef {c_name(said)} {local.strip()}\n" for local, _, said in pairs
        )
    return heads


def bodies_of(source: str) -> dict[str, str]:
    """Return the text of each function of a module of Python without its head and its docstring."""
    lines = source.splitlines(keepends=True)
    return {
        part.name: "".join(lines[part.body[1 if ast.get_docstring(part) else 0].lineno - 1 : part.end_lineno])
        for part in ast.parse(source).body
        if isinstance(part, ast.FunctionDef)
    }


def c_name(said: str) -> str:
    """Return the type of C that a `.pxd` gives a local variable."""
    name = said.strip().strip('"').removeprefix("cython.")
    return C_NAMES.get(name, name)


def kernel_extensions() -> list[Any]:
    """Return the kernel as optional extensions: a failing compiler costs speed, never the installation."""
    if os.environ.get("LBDNS_PURE") == "1":
        return []
    try:
        importlib.import_module("Cython.Build")
    except Exception as error:  # not here, or too old for this Python
        warn("the kernel", str(error))
        return []
    write_headers()
    refused: set[str] = set()
    extensions = []
    # What a module needs comes before it.
    for path in sorted(KERNEL, key=lambda path: len(cimports_of(path))):
        extension = Extension(module_of(path), [path], optional=True, extra_compile_args=optimization())
        extension.source = path
        extensions.append(extension)
        if not cimports_of(path) & refused and not translate(extension):
            refused.add(extension.name)
    return without(extensions, refused)


def optimization() -> list[str]:
    """Return the level of optimization to ask for: none where CFLAGS names one, since the last one named counts."""
    return [] if re.search(r"(^|\s)-O", os.environ.get("CFLAGS", "")) else ["-O3"]


def translate(extension: Any) -> bool:
    """Have a module written in C by Cython; return False, with a warning, where that fails."""
    from Cython.Build import cythonize

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            [translated] = cythonize(
                [extension], compiler_directives=DIRECTIVES, include_path=[str(HEADERS), "."], quiet=True
            )
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
)
