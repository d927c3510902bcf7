"""Modules of the kernel read from their sources, whether or not an extension stands beside them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import lbdns


@contextmanager
def standing_in(name: str) -> Iterator[ModuleType]:
    """Read `lbdns.NAME` from its source, and let those read meanwhile import it in place of the installed one."""
    path = Path(str(lbdns.__file__)).parent / (name.replace(".", "/") + ".py")
    spec = importlib.util.spec_from_file_location(f"interpreted_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    full_name = f"lbdns.{name}"
    held = sys.modules.get(full_name)
    sys.modules[full_name] = module
    try:
        yield module
    finally:
        del sys.modules[full_name]
        if held is not None:
            sys.modules[full_name] = held
