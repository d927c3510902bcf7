"""The catalogs that are made here, laid into each configuration: lists of the zones that it has."""

from __future__ import annotations

from dataclasses import replace

from lbdns.dns.name import encode_canonical, show_name
from lbdns.dns.zone import Zone
from lbdns.model.catalog_settings import PRODUCER, CatalogSettings
from lbdns.model.configuration import Configuration
from lbdns.transfer.catalog.catalog_making import make_catalog


class ProducedCatalogs:
    """Makes catalogs; one that lists what it listed before is the same object as before, so that nothing that was made
    of it is made again."""

    def __init__(self) -> None:
        """Begin with none."""
        self._made: dict[bytes, Zone] = {}

    def laid_in(self, configuration: Configuration) -> Configuration:
        """Return a configuration with its catalogs, in place of those that it has."""
        said = {
            encode_canonical(name): zone.catalog
            for name, zone in configuration.settings.zones.items()
            if zone.catalog is not None and zone.catalog.role == PRODUCER
        }
        if not said:
            self._made = {}
            return configuration
        others = tuple(zone for zone in configuration.zones if zone.apex not in said)
        self._made = {apex: self._make(apex, catalog, configuration) for apex, catalog in said.items()}
        return replace(configuration, zones=(*others, *self._made.values()))

    def _make(self, apex: bytes, catalog: CatalogSettings, configuration: Configuration) -> Zone:
        policies = configuration.transfer_policies
        here = {zone.apex for zone in configuration.zones if not zone.view}
        here |= {policy.apex for policy in policies.secondaries}
        if catalog.zones is not None:
            listed = here.intersection(map(encode_canonical, catalog.zones))
        else:
            listed = {one for one in here if not (policies.of(one).catalog or policies.of(one).is_secondary)}
        groups = {encode_canonical(zone): group for group, zones in catalog.groups.items() for zone in zones}
        going = {encode_canonical(zone): encode_canonical(to) for to, zones in catalog.coo.items() for zone in zones}
        made = make_catalog(apex, listed, groups, going, f"the catalog {show_name(apex)}")
        before = self._made.get(apex)
        return before if before == made else made
