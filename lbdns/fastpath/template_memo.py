"""Templates kept from one snapshot to the next: while the names are the same ones, so are the answers that are known.

That is so where no alias leads on and no endpoint has a hostname: what these lead to may be steered otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lbdns.mapped.snapshot_file import Snapshot
from lbdns.steering.kernel.numbers import ENDPOINT_HOSTNAME


class TemplateMemo:
    """The template columns of the snapshot that was made last. `names`: the key of its columns of names, None where
    nothing is kept; `waste`: octets of templates that alterations have added."""

    def __init__(self) -> None:
        """Begin with none."""
        self.names: object = None
        self.waste = 0
        self._endpoints = 0
        self._columns: Mapping[str, memoryview] = {}

    def columns(self, snapshot: Snapshot) -> Mapping[str, memoryview] | None:
        """Return the columns that are kept, None where those of a snapshot may be others though its names are not."""
        is_alike = self.names is not None and len(_flags(snapshot)) == self._endpoints
        return self._columns if is_alike and not _has_hostnames(snapshot) else None

    def keep(
        self, names: object, snapshot: Snapshot, columns: Mapping[str, memoryview], has_aliases: bool, waste: int
    ) -> None:
        """Keep the template columns of a snapshot; `has_aliases`: one at least leads on."""
        is_kept = not has_aliases and not _has_hostnames(snapshot)
        self.names, self._columns = (names, columns) if is_kept else (None, {})
        self._endpoints, self.waste = len(_flags(snapshot)), waste

    def take_mapped(self, snapshot: Snapshot) -> None:
        """Have the columns where the snapshot has them mapped, not in this process's memory as well."""
        self._columns = {name: snapshot.columns[name] for name in self._columns}


def _flags(snapshot: Snapshot) -> memoryview:
    return snapshot.columns["endpoint_flags"]


def _has_hostnames(snapshot: Snapshot) -> bool:
    return bool((np.frombuffer(_flags(snapshot), np.uint8) & ENDPOINT_HOSTNAME).any())
