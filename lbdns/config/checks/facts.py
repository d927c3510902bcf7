"""What checks of load balancers need to know beyond one object: this PoP's place, airports, countries, families."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from lbdns.base.errors import LbdnsError
from lbdns.config.checks.checked_pools import CheckedPools
from lbdns.config.yaml.source import Placed
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings
from lbdns.places.airports import is_airport

if TYPE_CHECKING:
    from lbdns.places.geodata import Geodata
    from lbdns.snapshot.compile.rule_bounds import Excess

Mistaken = tuple[int, str, Literal["error", "warning"]]
"""What is wrong with a condition: column, sentence, severity."""


class Facts:
    """What is known of places and pools. Airports, countries and databases are looked at when first asked for."""

    def __init__(
        self,
        settings: Settings,
        pools: Mapping[str, Placed[Pool]],
        knows_settings: bool = True,
        knows_views: bool = True,
        signed: frozenset[bytes] = frozenset(),
        known: CheckedPools | None = None,
    ) -> None:
        """Without `knows_settings` these are not the settings of the server that will have the load balancers, which
        tells of what does not act there; without `knows_views` some views were refused. `signed`: apexes of the zones
        that are signed here. `known`: what is kept of pools from one check to the next."""
        self.signed = signed
        self.tells_effects = knows_settings
        self.lists: frozenset[str] | None = frozenset(settings.lists) if knows_settings else None
        self.lacks_as_numbers = knows_settings and settings.geodata.asn is None
        self.about_conditions: dict[str, tuple[Mistaken, ...]] = {}  # by the condition's text
        self.about_bounds: dict[object, Excess | None] = {}  # which bound the rules of load balancers exceed
        self.networks = settings.networks if knows_settings else None
        self.views = settings.views if knows_settings and knows_views else None
        self._asn = settings.geodata.asn
        pop = settings.pop
        self._region = pop.region
        self.pop_code = pop.code
        self.has_pop_coordinates = pop.code is not None or pop.latitude is not None
        self._pop_country = pop.country
        self._city = settings.geodata.city
        self.has_pop_country = pop.code is not None or pop.country is not None
        self.has_pop_region = self.has_pop_country or pop.region is not None
        known = CheckedPools() if known is None else known
        self.families, self.are_families_alike = known.families(pools)

    def is_pop(self, code: str) -> bool:
        """Tell whether a code names a PoP: an airport's, or this server's own, which the table may lack."""
        return code == self.pop_code or is_airport(code)

    @cached_property
    def pop_centroid(self) -> str:
        """The name of the country at whose centroid this PoP is taken to be, "" where its coordinates are known or its
        country is not."""
        if self.has_pop_coordinates or self._pop_country is None:
            return ""
        from lbdns.places.centroids import centroid_name
        from lbdns.places.place import Place

        return centroid_name(Place(self._pop_country))

    @cached_property
    def has_client_coordinates(self) -> bool:
        """Whether the geolocation databases know coordinates; where they cannot be read, others say so."""
        from lbdns.places.database_files import knows_coordinates

        try:
            return knows_coordinates(self._city)
        except LbdnsError:
            return True

    @cached_property
    def region(self) -> str:
        """The region of this PoP, "" where it is not known."""
        from lbdns.places.pops import region_at

        return region_at(self.pop_code, self._pop_country, self._region)

    def geodata(self) -> Geodata:
        """Return the geolocation databases, opened. Raises LbdnsError."""
        from lbdns.places.geodata import Geodata

        return Geodata.open(self._city, self._asn)

    @cached_property
    def countries(self) -> frozenset[str]:
        """The country codes of ISO 3166-1, and those that databases give besides."""
        from lbdns.places.regions import COUNTRIES, OTHER_COUNTRIES

        return frozenset(COUNTRIES) | frozenset(OTHER_COUNTRIES)
