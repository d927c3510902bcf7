"""What is served of zones that come from other servers: the copies on disk, laid into each configuration.

    copy on disk --read--> a zone as it can be served, or why it cannot --laid in--> configuration --> published
                                      ^                                                                 |
    refused: it does not compile, say '------------------ what was published before -------------------'

A configuration says which zones these are; what stands in them changes at any time, so that every publication takes
what is newest, whichever change it is of.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lbdns.base.wording import listed
from lbdns.config.keyed_zones import zones_with_keys
from lbdns.config.received_zones import NOT_RECEIVED, received_zone
from lbdns.dns.codes import TYPE_SOA
from lbdns.dns.name import encode_canonical, longest_match, show_name
from lbdns.dns.zone import Zone
from lbdns.dns.zone_copy import ZoneCopy
from lbdns.model.catalog_settings import CONSUMER
from lbdns.model.configuration import Configuration, UnreadyZone
from lbdns.model.view_names import EVERY_VIEW
from lbdns.transfer.catalog.catalog_members import CatalogMembers
from lbdns.transfer.catalog.produced_catalogs import ProducedCatalogs
from lbdns.transfer.inward.balancer_notes import balancer_notes
from lbdns.transfer.inward.copied_zone import is_signed_by_primary, plain_zone
from lbdns.transfer.inward.copy_shelf import CopyShelf
from lbdns.transfer.inward.zone_signed_elsewhere import Unservable, signed_zone
from lbdns.transfer.inward.zone_timers import SoaTimes

REFUSED: Final = "what came last cannot be served"
EXPIRED: Final = "it has expired: no primary has answered for too long"


@dataclass(slots=True)
class _Received:
    """A zone. `copy`: what came last, None for nothing; `zone`: as it is served, None where `problem` says why it is
    not. `is_here_signed`: whether it is signed here, as which it was made; `refused`: why what came last is not served,
    and what came before is."""

    copy: ZoneCopy | None = None
    is_expired: bool = False
    is_here_signed: bool = False
    has_balancers: bool = False
    zone: Zone | None = None
    problem: str = NOT_RECEIVED
    refused: str = ""
    notes: tuple[str, ...] = ()


class SecondaryZones:
    """The zones of one server; `laid_in` is called by one at a time, in whatever thread."""

    def __init__(self, state_dir: Path, unix_s: float) -> None:
        """Read copies from a state directory as they are asked for; `unix_s`: the time of day."""
        self._state_dir = state_dir
        self._shelf = CopyShelf(state_dir)
        self._began_s = unix_s
        self._zones: dict[bytes, _Received] = {}
        self._published: dict[bytes, Zone] = {}
        self._stale: dict[bytes, bool] = {}
        self._lock = threading.Lock()
        self._catalogs = CatalogMembers(state_dir)
        self._produced = ProducedCatalogs()

    def came(self, apex: bytes, is_expired: bool) -> None:
        """Note that another copy is there, or that the one that is there has expired."""
        with self._lock:
            self._stale[apex] = is_expired

    def laid_in(self, configuration: Configuration) -> Configuration:
        """Return a configuration with what has come of its zones. Raises LbdnsError where load balancers have come to
        lie over one that is served as its primary signed it."""
        signed = zones_with_keys(self._state_dir)
        configuration = self._with_listed(configuration, signed)
        apexes = [policy.apex for policy in configuration.transfer_policies.secondaries]
        for gone in self._zones.keys() - set(apexes):
            del self._zones[gone]
        if apexes:
            names = _balancer_names(configuration, apexes)
            received = {apex: self._current(apex, apex in signed, names.get(apex, ())) for apex in apexes}
            configuration = _with_zones(configuration, received)
        return self._produced.laid_in(configuration)

    def _with_listed(self, configuration: Configuration, signed: Collection[bytes]) -> Configuration:
        """Return a configuration that knows of the zones that catalogs list now, and of no others."""
        configuration = _without_members(configuration)
        policies = configuration.transfer_policies
        catalogs = [policy.apex for policy in policies.secondaries if policy.catalog == CONSUMER]
        came = {apex: self._current(apex, apex in signed, ()).zone for apex in catalogs}
        configured = {zone.apex for zone in configuration.zones} | {policy.apex for policy in policies.secondaries}
        return replace(configuration, catalog_members=self._catalogs.members(came, configured))

    def published(self, configuration: Configuration) -> None:
        """Note what is in force."""
        apexes = {policy.apex for policy in configuration.transfer_policies.secondaries}
        zones = configuration.zones if apexes else ()
        self._published = {zone.apex: zone for zone in zones if zone.apex in apexes and not zone.view}

    def withdraw(self, problem: str) -> dict[bytes, bool]:
        """Go back to what is in force, after what came could not be published; return what had come, as `came` takes
        it."""
        withdrawn = {}
        for apex, one in self._zones.items():
            before = self._published.get(apex)
            if one.zone is not before:
                withdrawn[apex] = one.is_expired
                one.zone, one.refused = before, f"{REFUSED}: {problem}"
                one.problem = one.refused
        return withdrawn

    def notes(self) -> Mapping[bytes, tuple[str, ...]]:
        """Return what somebody should look at, by apex; nothing of zones about which all is well."""
        found = dict(self._catalogs.notes())
        for apex, one in tuple(self._zones.items()):
            said = (*((one.refused,) if one.refused else ()), *one.notes, *found.get(apex, ()))
            if said:
                found[apex] = said
        return found

    def _current(self, apex: bytes, is_here_signed: bool, names: Collection[bytes]) -> _Received:
        one = self._zones.get(apex)
        with self._lock:
            is_expired = self._stale.pop(apex, None)
        if one is None:
            one = self._zones[apex] = _Received()
            self._read(apex, one)
        elif is_expired is not None:
            self._read(apex, one)
        elif one.copy is None or (one.is_here_signed, one.has_balancers) == (is_here_signed, bool(names)):
            return one
        if is_expired is not None:
            one.is_expired = is_expired
        before = one.zone
        one.is_here_signed, one.has_balancers = is_here_signed, bool(names)
        self._make(one, names)
        if one.zone is not None and before is not one.zone:
            one.notes = tuple(balancer_notes(one.zone, names, before or self._published.get(apex)))
        return one

    def _read(self, apex: bytes, one: _Received) -> None:
        held = self._shelf.read(apex)
        one.copy = None if held is None else held.copy
        if held is not None:
            soa = next(rrset for rrset in held.copy.rrsets if rrset.owner == apex and rrset.type == TYPE_SOA)
            one.is_expired = self._began_s >= held.checked_s + SoaTimes.of(soa.rdatas[0]).expire_s

    def _make(self, one: _Received, names: Collection[bytes]) -> None:
        """Make a zone of what came, or say why it is none."""
        copy, one.refused = one.copy, ""
        if copy is None:
            one.zone, one.problem = None, NOT_RECEIVED
            return
        if one.is_expired:
            one.zone, one.problem = None, EXPIRED
            return
        where = f"{copy.primary} (serial {copy.serial})"
        if not is_signed_by_primary(copy) or one.is_here_signed:
            one.zone, one.problem = plain_zone(copy, where), ""
            return
        try:
            if names:
                raise Unservable(_conflict(copy.apex, names))
            one.zone, one.problem = signed_zone(copy, where), ""
        except Unservable as error:
            if one.zone is None:
                one.problem = str(error)
            elif names and one.zone.signed is not None:  # a load balancer came to lie over it
                raise
            else:
                one.refused = str(error)


def _conflict(apex: bytes, names: Collection[bytes]) -> str:
    """Return why a zone cannot be served that its primary has signed."""
    zone, lying = show_name(apex), listed([show_name(name) for name in sorted(names)])
    return (
        f"its primary signs it, and load balancers lie over it ({lying}), whose answers the primary did not sign: "
        f"have it signed here, by `lbdns dnssec enable {zone}`, whose DS the zone above is then to have, or have the "
        "primary send it unsigned"
    )


def _balancer_names(configuration: Configuration, apexes: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    """Return the names at which enabled load balancers stand, by the zone of some that they are in."""
    every = {zone.apex: zone.apex for zone in configuration.zones} | {apex: apex for apex in apexes}
    wanted = set(apexes)
    found: dict[bytes, list[bytes]] = {}
    for balancer in configuration.load_balancers:
        if balancer.enabled and not balancer.is_private:
            name = encode_canonical(balancer.name)
            apex = longest_match(name, every)
            if apex in wanted and apex is not None:
                found.setdefault(apex, []).append(name)
    return found


def _without_members(configuration: Configuration) -> Configuration:
    """Return a configuration without the zones that catalogs listed when it was made."""
    listed = {member.apex for member in configuration.catalog_members}
    if not listed:
        return configuration
    return replace(
        configuration,
        zones=tuple(zone for zone in configuration.zones if not _is_among(zone, listed)),
        unready=tuple(one for one in configuration.unready if not _is_among(one.zone, listed)),
        catalog_members=(),
    )


def _with_zones(configuration: Configuration, received: Mapping[bytes, _Received]) -> Configuration:
    """Return a configuration with zones in place of those that it has of these apexes, for everybody."""
    ready = [one.zone for one in received.values() if one.zone is not None]
    unready = [
        UnreadyZone(received_zone(apex), (f"zone {show_name(apex)}: {one.problem}",))
        for apex, one in received.items()
        if one.zone is None
    ]
    zones = (*(zone for zone in configuration.zones if not _is_among(zone, received)), *ready)
    left = (*(one for one in configuration.unready if not _is_among(one.zone, received)), *unready)
    return replace(configuration, zones=zones, unready=left)


def _is_among(zone: Zone, apexes: Collection[bytes]) -> bool:
    return zone.apex in apexes and zone.view == EVERY_VIEW
