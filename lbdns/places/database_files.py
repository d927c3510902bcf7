"""The files that make a place database, and what a first look at them tells. Light to import: no numpy."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from lbdns.base.errors import LbdnsError
from lbdns.places.mmdb_reader import DECODE_ERRORS, open_reader, refusal
from lbdns.places.schema import place_of
from lbdns.places.shipped import country_database

FileKey = tuple[Path, int, int, int]
Databases = Path | Sequence[Path] | None

FIRST_RECORDS = 200
"""How many records of a file tell of which kind it is."""

_cache_lock = threading.Lock()
_coordinates_cache: dict[Path, tuple[FileKey, bool]] = {}


def knows_coordinates(city: Databases = None) -> bool:
    """Return whether place databases know coordinates, as city-level ones do; raises LbdnsError as `Geodata.open` does.

    Told by the first records of each file, which takes no reading of all of them; databases of either kind are alike
    throughout.
    """
    with _cache_lock:
        return any([_knows_coordinates(path) for path in place_paths(city)])


def _knows_coordinates(path: Path) -> bool:
    key = file_key(path)
    kept = _coordinates_cache.get(path)
    if kept is not None and kept[0] == key:
        return kept[1]
    reader = open_reader(path)
    try:
        found = any(place_of(record).latitude is not None for _, record in islice(reader, FIRST_RECORDS))
    except DECODE_ERRORS as error:
        raise refusal(path, "damaged: a record cannot be decoded") from error
    finally:
        reader.close()
    _coordinates_cache[path] = key, found
    return found


def place_paths(city: Databases) -> list[Path]:
    """Return the files to read: one or two."""
    if city is None:
        return [country_database()]
    if not isinstance(city, Path):
        return list(city)
    if not city.is_dir():
        return [city]
    found = sorted(city.glob("*.mmdb"))
    if len(found) not in (1, 2):
        raise mismatch(found, city)
    return found


def database_keys(city: Databases, asn: Path | None) -> list[list[object]]:
    """Return what changes when a database in use does, or another comes into use: path, modification time (ns), size
    and inode of each file, as JSON has them; raises LbdnsError where one is missing."""
    paths = [*place_paths(city), *([] if asn is None else [asn])]
    return [[str(path), *state] for path, *state in map(file_key, paths)]


def mismatch(found: list[Path], city: Databases) -> LbdnsError:
    """Return the error that refuses files which do not go together."""
    names = ", ".join(path.name for path in found) or "none"
    place, kind = (city, "a folder") if isinstance(city, Path) else (found[0], "a list")
    return refusal(place, f"{kind} holds one .mmdb file, or one for IPv4 and one for IPv6; here: {names}")


def file_key(path: Path) -> FileKey:
    """Return what changes when a file does."""
    try:
        status = path.stat()
    except OSError as error:
        raise refusal(path, f"cannot be read: {error.strerror}") from error
    return path, status.st_mtime_ns, status.st_size, status.st_ino
