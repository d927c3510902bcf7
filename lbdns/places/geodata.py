"""The geolocation databases in use: opened, checked, and asked.

`Geodata.open(None, None)` reads the country-level database that lbdns ships. A city-level one may be one file for both
families, or a folder with one file for IPv4 and one for IPv6, as npm's dbip-city-mmdb comes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import maxminddb.reader

from lbdns.base.errors import LbdnsError
from lbdns.places.mmdb import SearchTree, open_reader
from lbdns.places.mmdb_records import DECODE_ERRORS, refusal
from lbdns.places.place import Address, Located, Place
from lbdns.places.place_tree import SAMPLED_RECORDS, PlaceTree, build_place_tree
from lbdns.places.schema import autonomous_system_of, place_of
from lbdns.places.shipped import country_database, geodata_dir

__all__ = ["DatabaseSource", "Geodata", "geodata_dir"]


@dataclass(frozen=True, slots=True)
class DatabaseSource:
    """A database file in use: its path, the type that it calls itself and the day (UTC) it was built."""

    path: Path
    database_type: str
    built: date


@dataclass(frozen=True, slots=True)
class _File:
    """A database file that is open for look-ups of single records."""

    source: DatabaseSource
    reader: maxminddb.reader.Reader
    metadata: maxminddb.reader.Metadata

    def record(self, address: Address) -> tuple[Any, int]:
        """Return the record of an address and its network's length; (None, 0) where the file cannot say."""
        try:
            record, prefix_len = self.reader.get_with_prefix_len(address)
        except DECODE_ERRORS:
            return None, 0
        return record, prefix_len


FileKey = tuple[Path, int, int, int]

_cache_lock = threading.Lock()
_place_cache: dict[tuple[Path, ...], tuple[tuple[FileKey, ...], PlaceTree, tuple[DatabaseSource, ...]]] = {}
_asn_cache: dict[Path, tuple[FileKey, _File]] = {}


class Geodata:
    """Places and AS numbers of addresses. Immutable; a changed file is seen by opening anew."""

    def __init__(
        self, files: tuple[_File, ...], tree: PlaceTree | None, sources: tuple[DatabaseSource, ...], asn: _File | None
    ) -> None:
        """Use `Geodata.open`."""
        self._files = files
        self._tree = tree
        self._asn = asn
        self.sources: tuple[DatabaseSource, ...] = sources if asn is None else (*sources, asn.source)
        self.has_asn = asn is not None

    @classmethod
    def open(cls, city: Path | None = None, asn: Path | None = None, *, lookups_only: bool = False) -> Geodata:
        """Open a place database (a file, a folder with a file per family, None: the shipped one) and an AS database.

        Everything in the files is checked: one that is cut short, damaged, cyclic or of another kind raises
        LbdnsError, which names it and says what is wrong. Trees are kept per (path, modification time, size, inode), so
        that opening again costs nothing. With lookups_only no tree is built and nothing is checked beforehand, which
        opens a large file at once: for a single look-up.
        """
        paths = _place_paths(city)
        if lookups_only:
            files = tuple(_open_file(path) for path in paths)
            asn_file = None if asn is None else _open_file(asn)
            return cls(files, None, tuple(file.source for file in files), asn_file)
        with _cache_lock:
            tree, sources = _cached_tree(paths)
            return cls((), tree, sources, None if asn is None else _cached_asn(asn))

    @property
    def tree(self) -> PlaceTree:
        """The look-up tree over places; the same object while the files do not change."""
        if self._tree is None:
            raise LbdnsError("geolocation databases opened for look-ups only have no tree")
        return self._tree

    def locate(self, address: Address) -> Located:
        """Return what is known of an address; never raises."""
        place, prefix_len = self._place(address)
        asn, asn_org = (0, "") if self._asn is None else autonomous_system_of(self._asn.record(address)[0])
        network = (IPv4Network if address.version == 4 else IPv6Network)((int(address), prefix_len), strict=False)
        return Located(place, prefix_len, asn, asn_org, network)

    def _place(self, address: Address) -> tuple[Place, int]:
        """Return the place of an address and the length of the undivided network around it."""
        if self._tree is not None:
            place_id, prefix_len = self._tree.lookup(address)
            return self._tree.places[place_id], prefix_len
        for file in self._files:
            if address.version == file.metadata.ip_version or len(self._files) == 1:
                record, prefix_len = file.record(address)
                return place_of(record), prefix_len
        return Place(), 0


def _place_paths(city: Path | None) -> list[Path]:
    """Return the files to read: one, or from a folder its two, the one for IPv6 first."""
    if city is None:
        return [country_database()]
    if not city.is_dir():
        return [city]
    found = sorted(city.glob("*.mmdb"))
    if len(found) == 1:
        return found
    by_version = {_open_file(path).metadata.ip_version: path for path in found}
    if len(found) != 2 or set(by_version) != {4, 6}:
        names = ", ".join(path.name for path in found) or "none"
        raise refusal(city, f"a folder holds one .mmdb file, or one for IPv4 and one for IPv6; here: {names}")
    return [by_version[6], by_version[4]]


def _open_file(path: Path, *, in_memory: bool = False) -> _File:
    """Open a file for look-ups of single records."""
    reader = open_reader(path, in_memory=in_memory)
    metadata = reader.metadata()
    try:
        built = datetime.fromtimestamp(metadata.build_epoch, UTC).date()
    except (*DECODE_ERRORS, OSError) as error:
        raise refusal(path, "damaged: its metadata make no sense") from error
    return _File(DatabaseSource(path, str(metadata.database_type), built), reader, metadata)


def _file_key(path: Path) -> FileKey:
    """Return what changes when a file does."""
    try:
        status = path.stat()
    except OSError as error:
        raise refusal(path, f"cannot be read: {error.strerror}") from error
    return path, status.st_mtime_ns, status.st_size, status.st_ino


def _cached_tree(paths: list[Path]) -> tuple[PlaceTree, tuple[DatabaseSource, ...]]:
    """Return the tree over these files, from memory where they have not changed."""
    keys = tuple(_file_key(path) for path in paths)
    kept = _place_cache.get(tuple(paths))
    if kept is not None and kept[0] == keys:
        return kept[1], kept[2]
    files = [_open_file(path) for path in paths]
    tree = build_place_tree([SearchTree(file.source.path, file.metadata) for file in files])
    for file in files:
        file.reader.close()  # nothing stays mapped: writing over a mapped file in place ends the process
    sources = tuple(file.source for file in files)
    _place_cache[tuple(paths)] = keys, tree, sources
    return tree, sources


def _cached_asn(path: Path) -> _File:
    """Return the AS database at path, checked, from memory where it has not changed."""
    key = _file_key(path)
    kept = _asn_cache.get(path)
    if kept is not None and kept[0] == key:
        return kept[1]
    file = _open_file(path, in_memory=True)
    tree = SearchTree(path, file.metadata)
    sample, _ = tree.section.values(tree.records()[:SAMPLED_RECORDS])
    if sample and not any(autonomous_system_of(record)[0] for record in sample):
        raise refusal(path, "its records name no AS number, so it is of another kind")
    _asn_cache[path] = key, file
    return file
