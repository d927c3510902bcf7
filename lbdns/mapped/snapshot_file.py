"""A snapshot as files: written once by the supervisor, mapped read-only by every worker.

    magic 8 bytes | length of the directory, u64 | directory, JSON | padding | column | padding | column ...

Columns start on multiples of 64 bytes, in the byte order of the machine: the files never leave it. A snapshot's file
has the columns that are its own; its directory names the files, beside it, in which others lie that are as they were.
So a change writes what it changed, and a process that has a file mapped goes on with that mapping. The tries always
have a file of their own: they are most of a snapshot and follow from the geolocation database and the ways to cut the
places up, so that most changes leave them as they are.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import struct
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.mapped.allocation import write_parts
from lbdns.mapped.columns import COLUMNS

MAGIC = b"lbdns\x00s6"
ALIGNMENT = 64
_PADDING: Final = [bytes(-used % ALIGNMENT) for used in range(ALIGNMENT)]
PIECE_BYTES = 2 << 20
MADV_POPULATE_READ = 22  # linux/mman.h; not in the mmap module
PREFIX = struct.Struct("=8sQ")
TRIE_COLUMNS: Final = ("trie_root", "trie_nodes")
"""The columns that have a file of their own."""
PARTS_MAX: Final = 8
"""The files that a snapshot takes columns from, beside its own and its tries', are so many at most: each costs whoever
maps it, and every new responder, a few calls."""
KEYS: Final = "keys"
"""Where the meta data have the TSIG keys: name, algorithm, secret in base64, and number of the view, of each."""
ACCESS: Final = "access"
"""Where they have who may do what with which zone (lbdns.snapshot.compile.access_rows)."""
LISTENERS: Final = "listeners"
"""Where they have the number of the view of each address that is listened on, where any is of a view."""
VIEWS: Final = "views"
"""Where they have the names of views by their numbers, the public one's first."""
SAMPLES: Final = "samples"
"""Where they have how answers are sampled: how many a second, and the bits of IPv4 and IPv6 networks that are kept."""
TAPPED: Final = "tapped"
"""Where they have of 2^64 exchanges how many are told of by dnstap, less one; 0 for none."""
SECONDARY_ZONES: Final = "secondary_zones"
"""Where they have the zones that come from other servers: the apexes in hexadecimal."""
TLS: Final = "tls"
"""Where they have the files of DNS over TLS: certificate, key, and where who connects has to show a certificate what it
is to come from; nothing where no TLS is spoken."""
RENEWAL: Final = "renewal"
"""Where they have the unix s from which on a signature is to be renewed, 0 where there is none."""
SIGNATURES: Final = "signatures"
"""Where they have the number of the table of signatures for what is steered, where a zone is signed."""
SIGNED: Final = "signed"
"""Where they have the zones that are signed, once for every instance: the apex in hexadecimal, the digest of what it
says of its keys (ZoneKeys.digest), and the longest TTL, in seconds, of anything in it but
its keys."""
DATABASES: Final = "databases"
"""Where they have the files of geolocation that it was compiled from: path, modification time (ns), size and inode of
each."""
TRANSFER_VIEWS: Final = "transfer_views"
"""Where they have the views that see a zone which is transferred, by the zone's index, where it is not the public one
alone; the journal of what changed in it goes by the first."""
_PUBLIC: Final = "public"
"""The first of VIEWS (lbdns/model/views.py)."""


class MappedPart:
    """A file of columns, mapped: `columns` (name -> flat memoryview), `meta`, and which columns of the snapshot that it
    begins are `elsewhere`: by the names of files in the same directory."""

    def __init__(self, path: Path) -> None:
        """Map the file; LbdnsError where it is not one of ours."""
        self.path = path
        with path.open("rb") as file:
            self.inode = os.fstat(file.fileno()).st_ino
            self._mapping = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        whole = memoryview(self._mapping)
        magic, length = PREFIX.unpack_from(whole) if len(whole) >= PREFIX.size else (b"", 0)
        if magic != MAGIC:
            raise LbdnsError(f"{path}: not a snapshot of this version of lbdns")
        directory = json.loads(bytes(whole[PREFIX.size : PREFIX.size + length]))
        start = _aligned(PREFIX.size + length)
        self.meta: dict[str, Any] = directory["meta"]
        self.elsewhere: dict[str, list[str]] = directory["elsewhere"]
        self.columns: dict[str, memoryview] = {}
        for name, (offset, count) in directory["columns"].items():
            code, begin = COLUMNS[name], start + offset
            column = whole[begin : begin + count * struct.calcsize("=" + code)]
            self.columns[name] = column.cast(code)  # type: ignore[call-overload]  # it wants a literal

    def shared_with(self, columns: Mapping[str, memoryview]) -> list[str]:
        """Return the names of the columns that are the very memory of this file's; none where that is less than half of
        the file: what nobody reads would take more room than what is shared."""
        found = [name for name, own in self.columns.items() if name in columns and _is_same(own, columns[name])]
        return found if 2 * sum(self.columns[name].nbytes for name in found) >= len(self._mapping) else []

    def advise(self, advice: int) -> Iterator[None]:
        """Tell the kernel about the pages, a piece each step; what is less than a piece takes none."""
        for start in range(0, len(self._mapping), PIECE_BYTES):
            # A kernel that knows no such advice (Linux before 5.14) faults pages in as they are read.
            with contextlib.suppress(OSError):
                self._mapping.madvise(advice, start, min(PIECE_BYTES, len(self._mapping) - start))
            if start + PIECE_BYTES <= len(self._mapping):
                yield


class Snapshot:
    """One compiled configuration: `columns` (name -> flat memoryview) and `meta` (small facts: generation, PoP,
    counts). `parts`: the files it is mapped from, none where it is in this process's memory."""

    def __init__(
        self, columns: dict[str, memoryview], meta: dict[str, Any], parts: tuple[MappedPart, ...] = ()
    ) -> None:
        self.columns = columns
        self.meta = meta
        self.parts = parts

    @classmethod
    def of(cls, columns: Mapping[str, array[int]], meta: dict[str, Any]) -> Snapshot:
        """Return a snapshot over columns in this process's memory."""
        return cls({name: memoryview(column).toreadonly() for name, column in columns.items()}, meta)

    @classmethod
    def open(cls, path: Path, before: Snapshot | None = None) -> Snapshot:
        """Map the snapshot at `path` read-only; LbdnsError where the file is not one.

        `before`: one whose mappings are used where files are the same.
        """
        own = MappedPart(path)
        known = {part.inode: part for part in before.parts} if before else {}
        columns, parts = dict(own.columns), [own]
        for file_name, names in own.elsewhere.items():
            place = path.with_name(file_name)
            part = known.get(place.stat().st_ino) or MappedPart(place)
            columns |= {name: part.columns[name] for name in names}
            parts.append(part)
        return cls(columns, own.meta, tuple(parts))

    @classmethod
    def of_files(cls, path: Path, tries: Path) -> Snapshot:
        """Map a snapshot of which nothing but its tries lies elsewhere, and these not where it says; LbdnsError where a
        file is not one."""
        own, shared = MappedPart(path), MappedPart(tries)
        return cls({**own.columns, **shared.columns}, own.meta, (own, shared))

    @property
    def generation(self) -> int:
        """The number of the publication, rising."""
        return int(self.meta["generation"])

    @property
    def layout_id(self) -> int:
        """The id of the health table layout that the slots belong to."""
        return int(self.meta["layout_id"])

    @property
    def size(self) -> int:
        """Bytes of all columns."""
        return sum(column.nbytes for column in self.columns.values())

    def write_tries(self, path: Path) -> None:
        """Write the columns that snapshots share to `path`, whole or not at all."""
        _write(path, {name: self.columns[name] for name in TRIE_COLUMNS}, {}, {})

    def write(self, path: Path, tries: Path, before: Snapshot | None = None) -> None:
        """Write the rest to `path`, whole or not at all; `tries`: where its tries are, in the same directory.

        `before`: an opened one, of that directory too: columns that lie in its files are not written once more.
        """
        own = {name: column for name, column in self.columns.items() if name not in TRIE_COLUMNS}
        shared = {part.path.name: names for part in before.parts if (names := part.shared_with(own))} if before else {}
        largest = sorted(shared, key=lambda file: -sum(own[name].nbytes for name in shared[file]))[:PARTS_MAX]
        elsewhere = {file: shared[file] for file in largest}
        lent = frozenset().union(*elsewhere.values())
        rest = {name: column for name, column in own.items() if name not in lent}
        _write(path, rest, self.meta, {**elsewhere, tries.name: [*TRIE_COLUMNS]})

    def part_of(self, column: str) -> MappedPart:
        """Return the file of an opened snapshot that a column lies in."""
        return next(part for part in self.parts if _is_same(part.columns.get(column), self.columns[column]))

    def fault_in(self, beside: Snapshot | None = None) -> Iterator[None]:
        """Let this process have the pages of an opened snapshot, a piece each step, so that no reader waits for one;
        those that `beside` has as well are there."""
        return self._advise(MADV_POPULATE_READ, beside)

    def let_go(self, beside: Snapshot | None = None) -> Iterator[None]:
        """Give the pages of an opened snapshot back, a piece each step: to unmap them costs little then. Those that
        `beside` has as well stay."""
        return self._advise(mmap.MADV_DONTNEED, beside)

    def _advise(self, advice: int, beside: Snapshot | None) -> Iterator[None]:
        for part in self.parts:
            if beside is None or part not in beside.parts:
                yield from part.advise(advice)


def is_same_memory(one: memoryview, other: memoryview) -> bool:
    """Whether two flat columns are the same, octet by octet, which is told a piece at a time."""
    these, those = one.cast("B"), other.cast("B")
    return len(these) == len(those) and all(
        these[at : at + PIECE_BYTES].tobytes() == those[at : at + PIECE_BYTES].tobytes()
        for at in range(0, len(these), PIECE_BYTES)
    )


def views_of_zone(snapshot: Snapshot, zone: int) -> list[str]:
    """Return the labels of the views that see a zone which is transferred."""
    found: list[str] = snapshot.meta.get(TRANSFER_VIEWS, {}).get(str(zone), [_PUBLIC])
    return found


def _is_same(one: memoryview | None, other: memoryview) -> bool:
    """Whether two columns of one name are the same memory, which a file is mapped into."""
    return one is not None and one.obj is other.obj and one.nbytes == other.nbytes


def _write(
    path: Path, columns: Mapping[str, memoryview], meta: dict[str, Any], elsewhere: Mapping[str, list[str]]
) -> None:
    directory: dict[str, Any] = {"meta": meta, "elsewhere": elsewhere, "columns": {}}
    offset = 0
    for name, column in columns.items():
        directory["columns"][name] = [offset, len(column)]
        offset = _aligned(offset + column.nbytes)
    text = json.dumps(directory).encode()
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb", buffering=0, opener=_private) as file:
            head = PREFIX.pack(MAGIC, len(text)) + text
            parts: list[bytes | memoryview] = [head, bytes(_aligned(len(head)) - len(head))]
            for column in columns.values():
                parts += [column, _PADDING[column.nbytes % ALIGNMENT]]
            write_parts(file.fileno(), parts)
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)  # where the disk is full, what is left of it would keep it so
        raise


def _private(path: str, flags: int) -> int:
    """Open a file that its owner alone may read: a snapshot holds the secrets of keys."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _aligned(offset: int) -> int:
    return (offset + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
