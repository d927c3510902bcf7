"""The geolocation databases in use: opened, checked, and asked.

`Geodata.open(None, None)` reads the country-level database that lbdns ships. A city-level one may be one file for both
families, or two, one for IPv4 and one for IPv6: as a sequence or as their folder, as npm's dbip-city-mmdb comes.
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
from lbdns.places.asn_tree import AsnTree, build_asn_tree
from lbdns.places.database_files import Databases, FileKey, file_key, mismatch, place_paths
from lbdns.places.mmdb import SearchTree
from lbdns.places.mmdb_reader import DECODE_ERRORS, open_reader, refusal
from lbdns.places.place import Address, Located, Place
from lbdns.places.place_tree import SAMPLED_RECORDS, PlaceTree, build_place_tree, tell_apart
from lbdns.places.schema import autonomous_system_of, place_of
from lbdns.places.shipped import geodata_dir

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


FAMILIES = (4, 6)

_cache_lock = threading.Lock()
_place_cache: dict[tuple[Path, ...], tuple[tuple[FileKey, ...], PlaceTree, tuple[DatabaseSource, ...]]] = {}
_asn_cache: dict[Path, tuple[FileKey, _File]] = {}
_asn_tree_cache: dict[Path, tuple[FileKey, AsnTree]] = {}


class Geodata:
    """Places and AS numbers of addresses. Immutable; a changed file is seen by opening anew."""

    def __init__(
        self, files: tuple[_File, ...], tree: PlaceTree | None, sources: tuple[DatabaseSource, ...], asn: _File | None
    ) -> None:
        """Use `Geodata.open`."""
        self._files = files
        self._tree = tree
        self._asn = asn
        self.place_sources = sources
        self.sources: tuple[DatabaseSource, ...] = sources if asn is None else (*sources, asn.source)
        self.has_asn = asn is not None

    @classmethod
    def open(cls, city: Databases = None, asn: Path | None = None, *, lookups_only: bool = False) -> Geodata:
        """Open a place database (a file, a file per family, their folder, None: the shipped one) and an AS database.

        Everything in the files is checked: one that is cut short, damaged, cyclic or of another kind raises
        LbdnsError, which names it and says what is wrong. Trees are kept per (path, modification time, size, inode), so
        that opening again costs nothing. With lookups_only no tree is built and nothing is checked beforehand, which
        opens a large file at once: for a single look-up.
        """
        paths = place_paths(city)
        if lookups_only:
            files = tuple(sorted(map(_open_file, paths), key=lambda file: -file.metadata.ip_version))
            asn_file = None if asn is None else _open_file(asn)
            return cls(files, None, tuple(file.source for file in files), asn_file)
        with _cache_lock:
            tree, sources = _cached_tree(paths, city)
            return cls((), tree, sources, None if asn is None else _cached_asn(asn))

    @property
    def tree(self) -> PlaceTree:
        """The look-up tree over places; the same object while the files do not change."""
        if self._tree is None:
            raise LbdnsError("geolocation databases opened for look-ups only have no tree")
        return self._tree

    def asn_tree(self) -> AsnTree | None:
        """Return the look-up tree over AS numbers, None without an AS database; it is built when first asked for.

        The same object while the file does not change. Raises LbdnsError where the file is damaged.
        """
        if self._asn is None:
            return None
        with _cache_lock:
            return _cached_asn_tree(self._asn)

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
        asked = [file for file in self._files if file.metadata.ip_version == address.version] or self._files
        found = [file.record(address) for file in asked]
        # What a file knows counts before what another, of the other family alone, does not.
        record, prefix_len = max(found, key=lambda one: (one[0] is not None, one[1]))
        return place_of(record), prefix_len

    def lacks(self) -> list[str]:
        """Return what an operator should know that the place databases lack, a sentence each."""
        known = [version for version in FAMILIES if self.tree.knows(version)]
        names = " and ".join(source.path.name for source in self.place_sources)
        verdict = "this file knows no" if len(self.place_sources) == 1 else "these files know no"
        if not known:
            return [f"{names}: {verdict} addresses, so every client is at an unknown place"]
        remedy = "give both files, the one for IPv4 and the one for IPv6, or their folder"
        return [
            f"{names}: {verdict} {family} addresses, so every {family} client is at an unknown place; {remedy}"
            for family in (f"IPv{version}" for version in FAMILIES if version not in known)
        ]


def check_asn(path: Path) -> None:
    """Check an AS database as `Geodata.open` does; raises LbdnsError."""
    with _cache_lock:
        _cached_asn(path)


def _open_file(path: Path, *, in_memory: bool = False) -> _File:
    """Open a file for look-ups of single records."""
    reader = open_reader(path, in_memory=in_memory)
    metadata = reader.metadata()
    try:
        built = datetime.fromtimestamp(metadata.build_epoch, UTC).date()
    except (*DECODE_ERRORS, OSError) as error:
        raise refusal(path, "damaged: its metadata make no sense") from error
    return _File(DatabaseSource(path, str(metadata.database_type), built), reader, metadata)


def _cached_tree(paths: list[Path], city: Databases) -> tuple[PlaceTree, tuple[DatabaseSource, ...]]:
    """Return the tree over these files, which are those of `city`, from memory where they have not changed."""
    keys = tuple(file_key(path) for path in paths)
    kept = _place_cache.get(tuple(paths))
    if kept is not None and kept[0] == keys:
        return kept[1], kept[2]
    files = {path: _open_file(path) for path in paths}
    found = [SearchTree(path, file.metadata) for path, file in files.items()]
    for file in files.values():
        file.reader.close()  # nothing stays mapped: writing over a mapped file in place ends the process
    trees = found if len(paths) == 1 else tell_apart(found)
    if trees is None:
        raise mismatch(paths, city)
    tree = build_place_tree(trees)
    sources = tuple(files[one.path].source for one in trees)
    _place_cache[tuple(paths)] = keys, tree, sources
    return tree, sources


def _cached_asn_tree(file: _File) -> AsnTree:
    """Return the tree of an AS database, from memory where the file has not changed."""
    path = file.source.path
    key = file_key(path)
    kept = _asn_tree_cache.get(path)
    if kept is None or kept[0] != key:
        opened = _open_file(path)
        opened.reader.close()
        kept = _asn_tree_cache[path] = key, build_asn_tree(SearchTree(path, opened.metadata))
    return kept[1]


def _cached_asn(path: Path) -> _File:
    """Return the AS database at path, checked, from memory where it has not changed."""
    key = file_key(path)
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
