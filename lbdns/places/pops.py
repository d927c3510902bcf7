"""Where a point of presence is, by its IATA airport code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import airportsdata

from lbdns.places import regions
from lbdns.places.schema import subdivision_code


@dataclass(frozen=True, slots=True)
class Pop:
    """A point of presence: its airport's code, country (ISO 3166-1 alpha-2), coordinates in degrees, name, and
    subdivision where that decides the region (US and Canada), else ""."""

    code: str
    country: str
    latitude: float
    longitude: float
    name: str
    subdivision: str = ""

    @property
    def region(self) -> str:
        """The code of the region that the airport is in, "" where unknown."""
        return regions.region_of(self.country, self.subdivision)


@cache
def _airports() -> dict[str, airportsdata.Airport]:
    """Return every airport by IATA code; read when first asked, since 7,900 rows take a tenth of a second."""
    return airportsdata.load("IATA")


def pop_place(code: str) -> Pop | None:
    """Return the airport with this IATA code, in any case; None where there is none."""
    airport = _airports().get(code.upper())
    if airport is None:
        return None
    country = airport["country"]
    return Pop(
        code=airport["iata"],
        country=country,
        latitude=airport["lat"],
        longitude=airport["lon"],
        name=airport["name"],
        subdivision=subdivision_code(country, airport["subd"]),
    )
