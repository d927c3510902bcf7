"""The nodes of trees at rest: tens of megabytes that only a change of the databases or of what is steered asks for.

They go into a file without a name, in the folder that the server says, and are read where it is mapped: the system may
take their memory whenever nobody reads them. Whoever says no folder, or has no room there, has them in memory.
"""

from __future__ import annotations

import logging
import mmap
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

log = logging.getLogger("lbdns.places")

_BYTES_MIN: Final = 1 << 20
"""What is smaller stays in memory."""

_folders: list[Path] = []
_lock = threading.Lock()
_mappings: WeakSet[mmap.mmap] = WeakSet()


@contextmanager
def rest_in(folder: Path) -> Iterator[None]:
    """Have nodes that rest while the context lasts do so in files of a folder."""
    before, _folders[:] = _folders[:], [folder]
    try:
        yield
    finally:
        _folders[:] = before


def rested(nodes: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the same nodes, read-only, where they rest."""
    nodes.flags.writeable = False
    if not _folders or nodes.nbytes < _BYTES_MIN:
        return nodes
    try:
        with tempfile.TemporaryFile(dir=_folders[0]) as file:
            file.write(nodes.data)
            file.flush()
            mapping = mmap.mmap(file.fileno(), nodes.nbytes, access=mmap.ACCESS_READ)
    except OSError as error:
        log.debug("%s: what geolocation is compiled from stays in memory: %s", _folders[0], error)
        return nodes
    with _lock:
        _mappings.add(mapping)
    return np.frombuffer(mapping, nodes.dtype).reshape(nodes.shape)


def leave_to_the_system() -> None:
    """Give the memory of all nodes that rest back; who reads one gets its page again."""
    with _lock:
        for mapping in _mappings:
            mapping.madvise(mmap.MADV_DONTNEED)
