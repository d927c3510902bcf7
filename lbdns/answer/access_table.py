"""Who may do what with which zone: the lists of a snapshot's meta data, asked by network, key, name and type.

| an entry says | who holds it |
|---|---|
| a network | whoever sends from there; over UDP that can be forged |
| a key | whoever signed well with it |
| both | who does both |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final, NamedTuple

from lbdns.base.words import EVERYBODY, RIGHTS
from lbdns.dns.name import encode_canonical
from lbdns.dns.name_pattern import matches
from lbdns.dns.tsig import Judgement

_EMPTY: Final = 0


class _Entry(NamedTuple):
    """An entry: the octets of the addresses that it is of (0: any), the first and the last of them as numbers, the key
    (wire format, b"" for none), and what may be updated, everything where nothing is said."""

    octets: int
    first: int
    last: int
    key: bytes
    names: tuple[str, ...]
    types: frozenset[int]

    def holds(self, address: bytes, key: bytes) -> bool:
        if self.key and self.key != key:
            return False
        if not self.octets:
            return True
        return len(address) == self.octets and self.first <= int.from_bytes(address) <= self.last

    def covers(self, name: bytes, rtype: int) -> bool:
        if self.types and rtype not in self.types:
            return False
        return not self.names or any(matches(pattern, name) for pattern in self.names)


class AccessTable:
    """What a snapshot says of access; made of its meta data. Lists are read when they are first asked for."""

    def __init__(self, rows: Mapping[str, Any]) -> None:
        """Take the meta data's ACCESS; empty where everybody may ask and nobody may do anything else."""
        self._lists: Sequence[Sequence[Any]] = rows.get("lists", [[]])
        self._general: Sequence[int] = rows.get("general", [_EMPTY, _EMPTY, _EMPTY, EVERYBODY])
        self._zones: Mapping[str, Sequence[int]] = rows.get("zones", {})
        self._elsewhere = frozenset[str](rows.get("elsewhere", ()))
        self._read: dict[int, tuple[_Entry, ...]] = {}

    def judge(self, right: str, apex: bytes, address: bytes, judgement: Judgement) -> bool:
        """Return whether who sent something may: `apex` (wire format, lower case) of the zone, `address` packed, and
        what was said of the signature. For `update` that is whether anything at all; `updating` says what."""
        return self.holds(right, apex, address, judgement.key)

    def holds(self, right: str, apex: bytes, address: bytes, key: bytes) -> bool:
        """Return the same of who signed well with a key (wire format, lower case; b"" for none)."""
        number = self._number(right, apex)
        return number == EVERYBODY or any(entry.holds(address, key) for entry in self._entries(number))

    def updating(self, apex: bytes, address: bytes, key: bytes) -> Callable[[bytes, int], bool] | None:
        """Return whether who sent an UPDATE, well signed by a key (b"" for none), may change records of a type at a
        name (wire format, lower case), as something to ask; None where he may change nothing."""
        entries = [one for one in self._entries(self._number("update", apex)) if one.holds(address, key)]
        if any(not one.names and not one.types for one in entries):
            return lambda name, rtype: True
        return (lambda name, rtype: any(one.covers(name, rtype) for one in entries)) if entries else None

    def is_forwarded(self, apex: bytes) -> bool:
        """Return whether updates of a zone go on to another server, which alone may know the keys that sign them."""
        return apex.hex() in self._elsewhere

    def anybody(self, right: str) -> bool:
        """Return whether anybody has a right in any zone."""
        at = RIGHTS.index(right)
        numbers = {self._general[at], *(row[at] for row in self._zones.values())}
        return any(number == EVERYBODY or self._lists[number] for number in numbers)

    def is_limited(self, right: str) -> bool:
        """Return whether there is a zone in which not everybody has a right."""
        at = RIGHTS.index(right)
        return self._general[at] != EVERYBODY or any(row[at] != EVERYBODY for row in self._zones.values())

    def _number(self, right: str, apex: bytes) -> int:
        row = self._zones.get(apex.hex()) if self._zones else None
        return (row or self._general)[RIGHTS.index(right)]

    def _entries(self, number: int) -> tuple[_Entry, ...]:
        found = self._read.get(number)
        if found is None:
            found = self._read[number] = tuple(_entry(*row) for row in self._lists[number])
        return found


def _entry(network: str, key: str, names: Sequence[str], types: Sequence[int]) -> _Entry:
    octets = first = last = 0
    if network:
        whole = ip_network(network)
        octets = whole.max_prefixlen // 8
        first, last = int(whole.network_address), int(whole.broadcast_address)
    return _Entry(octets, first, last, encode_canonical(key) if key else b"", tuple(names), frozenset(types))
