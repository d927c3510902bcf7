"""Templates kept from one snapshot to the next: while the names are the same ones, so are the answers that are known.

That is so where no alias leads on and no endpoint has a hostname: what these lead to may be steered otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

from lbdns.mapped.snapshot_file import Snapshot
from lbdns.steering.kernel.numbers import ENDPOINT_HOSTNAME


class TemplateMemo:
    """The template columns of the snapshot that was made last."""

    def __init__(self) -> None:
        """Begin with none."""
        self._names: object = None
        self._endpoints = 0
        self._columns: Mapping[str, memoryview] = {}

    def find(self, names: object, snapshot: Snapshot) -> Mapping[str, memoryview] | None:
        """Return the template columns of a snapshot, None where they may be others than the last; `names`: what stands
        for its columns of names, the same object as long as they are the same."""
        is_same = names is not None and names is self._names and len(_flags(snapshot)) == self._endpoints
        return self._columns if is_same and not _has_hostnames(snapshot) else None

    def keep(self, names: object, snapshot: Snapshot, columns: Mapping[str, memoryview], has_aliases: bool) -> None:
        """Keep the template columns of a snapshot; `has_aliases`: one at least leads on."""
        is_kept = not has_aliases and not _has_hostnames(snapshot)
        self._names, self._columns = (names, columns) if is_kept else (None, {})
        self._endpoints = len(_flags(snapshot))

    def take_mapped(self, snapshot: Snapshot) -> None:
        """Have the columns where the snapshot has them mapped, not in this process's memory as well."""
        self._columns = {name: snapshot.columns[name] for name in self._columns}


def _flags(snapshot: Snapshot) -> memoryview:
    return snapshot.columns["endpoint_flags"]


def _has_hostnames(snapshot: Snapshot) -> bool:
    return any(map(ENDPOINT_HOSTNAME.__and__, bytes(_flags(snapshot))))
