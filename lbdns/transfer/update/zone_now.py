"""A zone while it is updated: its RRsets as they were, and over these what the updates have come to so far.

What is changed is noted by RRset, so that an update costs what it is about, however large the zone is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from lbdns.dns.rdata.master_form import canonical_rdata


class RRsetNow(NamedTuple):
    """The records of one owner and type: the TTL that they share, in seconds, and their data."""

    ttl: int
    rdatas: tuple[bytes, ...]

    def find(self, rdtype: int, rdata: bytes) -> int | None:
        """Return the index of the record with some data, names in it compared without their case; None for none."""
        if rdata in self.rdatas:
            return self.rdatas.index(rdata)
        wanted = canonical_rdata(rdtype, rdata)
        return next((at for at, one in enumerate(self.rdatas) if canonical_rdata(rdtype, one) == wanted), None)


Node = Mapping[int, RRsetNow]
"""The RRsets of one name by type; none of them is empty."""
RRsetKey = tuple[bytes, int]
Changed = Mapping[RRsetKey, RRsetNow | None]
"""The RRsets that an update changed, as they are after it; None for one that is gone."""


class StoredZone(Protocol):
    """A zone as it is stored."""

    @property
    def record_count(self) -> int:
        """How many records it has."""

    def node(self, owner: bytes) -> Node:
        """Return what stands at a name (lower case); at the apex the SOA too."""


class ZoneNow:
    """A zone that is being updated. `changed`: what one update has changed, since `begin`."""

    def __init__(self, stored: StoredZone, apex: bytes) -> None:
        """Begin with the zone as it is stored."""
        self.apex = apex
        self._stored = stored
        self._nodes: dict[bytes, dict[int, RRsetNow]] = {}
        self.record_count = stored.record_count
        self.changed: dict[RRsetKey, RRsetNow | None] = {}
        self._before: dict[RRsetKey, RRsetNow | None] = {}
        self._count_before = self.record_count

    @property
    def has_grown(self) -> bool:
        """Whether this update left more records than there were."""
        return self.record_count > self._count_before

    def begin(self) -> None:
        """Begin another update: what was changed before it stays."""
        self.changed, self._before, self._count_before = {}, {}, self.record_count

    def undo(self) -> None:
        """Take back what this update changed."""
        for (owner, rdtype), held in self._before.items():
            self._set(owner, rdtype, held)
        self.record_count = self._count_before
        self.begin()

    def node(self, owner: bytes) -> Node:
        """Return what stands at a name (lower case)."""
        return self._node(owner)

    def held(self, owner: bytes, rdtype: int) -> RRsetNow | None:
        """Return an RRset, None where there is none."""
        return self.node(owner).get(rdtype)

    def put(self, owner: bytes, rdtype: int, held: RRsetNow | None) -> None:
        """Set an RRset, or delete it (None)."""
        before = self.held(owner, rdtype)
        key = owner, rdtype
        first = self._before.setdefault(key, before)
        if held == first:
            self.changed.pop(key, None)
        else:
            self.changed[key] = held
        self.record_count += (len(held.rdatas) if held else 0) - (len(before.rdatas) if before else 0)
        self._set(owner, rdtype, held)

    def differences(self) -> Iterator[tuple[RRsetKey, RRsetNow | None, RRsetNow | None]]:
        """Yield each RRset that this update changed: what it was, and what it is."""
        for key, held in self.changed.items():
            yield key, self._before[key], held

    def _set(self, owner: bytes, rdtype: int, held: RRsetNow | None) -> None:
        node = self._node(owner)
        if held is None:
            node.pop(rdtype, None)
        else:
            node[rdtype] = held

    def _node(self, owner: bytes) -> dict[int, RRsetNow]:
        """Return what stands at a name, to be changed here; it is read from what is stored once."""
        node = self._nodes.get(owner)
        if node is None:
            node = self._nodes[owner] = dict(self._stored.node(owner))
        return node
