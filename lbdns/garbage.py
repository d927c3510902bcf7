"""When Python's cyclic garbage collector is kept still."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_cyclic_collection() -> Iterator[None]:
    """Keep it still where millions of objects are made and none thrown away: it would walk them again and again, and
    free none. A decorator as well."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
