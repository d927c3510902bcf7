"""Which zones are here because catalogs list them: what came last of each catalog, whose a zone is, what is amiss.

a catalog comes   --broken--> told; what the one before listed stays
                  --sound---> its list, kept on disk: a start with a broken one goes on with it
it expires, or is not there yet --------> what it listed last stays
a zone is listed  that is configured here -----------> told; it stays as it is configured
                  that another catalog lists first --> told; unless that one lets it go to this one (coo)
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.whole_file import write_whole
from lbdns.base.words import CATALOGS_FILE
from lbdns.dns.name import show_name
from lbdns.dns.zone import Zone
from lbdns.model.catalog_settings import CatalogMember
from lbdns.transfer.catalog.catalog_reading import BrokenCatalog, ListedZone, read_catalog

TOLD: Final = 5
"""Zones that are told of one catalog; of more there is a count."""

log = logging.getLogger("lbdns.processes")


class CatalogMembers:
    """The catalogs that one server reads."""

    def __init__(self, state_dir: Path) -> None:
        """Begin with what was kept in a state directory."""
        self._path = state_dir / CATALOGS_FILE
        self._listed = _read(self._path)
        self._seen: dict[bytes, Zone] = {}
        self._broken: dict[bytes, str] = {}
        self._clashes: dict[bytes, tuple[str, ...]] = {}

    def members(
        self, catalogs: Mapping[bytes, Zone | None], configured: Collection[bytes]
    ) -> tuple[CatalogMember, ...]:
        """Return the zones that catalogs list. `catalogs`: each by its apex, in the order of precedence, with what
        came, None for nothing that could be served; `configured`: apexes of zones that are here without them."""
        before = dict(self._listed)
        for gone in [apex for apex in self._listed if apex not in catalogs]:
            del self._listed[gone]
        for apex, zone in catalogs.items():
            if zone is not None and self._seen.get(apex) is not zone:
                self._seen[apex] = zone
                self._take(apex, zone)
        if self._listed != before:
            self._keep()
        return tuple(self._owned(catalogs, configured))

    def notes(self) -> Mapping[bytes, tuple[str, ...]]:
        """Return what somebody should look at, by the catalogs' apexes."""
        found = {}
        for apex in {*self._broken, *self._clashes}:
            broken = self._broken.get(apex, "")
            said = (*((f"the catalog is broken, and was not processed: {broken}",) if broken else ()),)
            found[apex] = (*said, *self._clashes.get(apex, ()))
        return found

    def _take(self, apex: bytes, zone: Zone) -> None:
        try:
            self._listed[apex] = read_catalog(apex, zone.rrsets)
        except BrokenCatalog as error:
            self._broken[apex] = str(error)
        else:
            self._broken.pop(apex, None)

    def _owned(self, catalogs: Iterable[bytes], configured: Collection[bytes]) -> Iterable[CatalogMember]:
        owners: dict[bytes, tuple[bytes, ListedZone]] = {}
        clashes: dict[bytes, list[str]] = {}
        for catalog in catalogs:
            for listed in self._listed.get(catalog, ()):
                there = owners.get(listed.apex)
                if listed.apex in configured:
                    clashes.setdefault(catalog, []).append(f"{show_name(listed.apex)}, which is configured here")
                elif there is None or there[1].successor == catalog:
                    owners[listed.apex] = catalog, listed
                elif listed.successor != there[0]:
                    words = f"{show_name(listed.apex)}, which {show_name(there[0])} lists"
                    clashes.setdefault(catalog, []).append(words)
        self._clashes = {catalog: _told(said) for catalog, said in clashes.items()}
        for apex, (catalog, listed) in owners.items():
            yield CatalogMember(apex, catalog, listed.unique, listed.group)

    def _keep(self) -> None:
        rows = {
            apex.hex(): [[one.unique.hex(), one.apex.hex(), one.group, one.successor.hex()] for one in listed]
            for apex, listed in self._listed.items()
        }
        try:
            write_whole(self._path, json.dumps(rows), "what catalogs list", is_lasting=True)
        except LbdnsError as error:
            log.error("%s", error)


def _told(clashes: list[str]) -> tuple[str, ...]:
    more = (f"and {len(clashes) - TOLD} more",) if len(clashes) > TOLD else ()
    return (f"it lists what is left as it is: {', '.join((*clashes[:TOLD], *more))}",)


def _read(path: Path) -> dict[bytes, tuple[ListedZone, ...]]:
    """Return what was kept; nothing where there is no such file, or another release wrote it."""
    with contextlib.suppress(FileNotFoundError):
        try:
            rows = json.loads(path.read_bytes())
            return {
                bytes.fromhex(apex): tuple(
                    ListedZone(bytes.fromhex(unique), bytes.fromhex(member), group, bytes.fromhex(successor))
                    for unique, member, group, successor in listed
                )
                for apex, listed in rows.items()
            }
        except FileNotFoundError:
            raise
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.error("%s: what catalogs listed last cannot be read: %s", path, error)
    return {}
