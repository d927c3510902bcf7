"""Where a point of presence is, by its IATA airport code."""

from __future__ import annotations

from dataclasses import dataclass

from lbdns.places import regions
from lbdns.places.airports import airport
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


def pop_place(code: str) -> Pop | None:
    """Return the airport with this IATA code, in any case; None where there is none."""
    row = airport(code)
    if row is None:
        return None
    country = row["country"]
    return Pop(
        code=row["iata"],
        country=country,
        latitude=row["lat"],
        longitude=row["lon"],
        name=row["name"],
        subdivision=subdivision_code(country, row["subd"]),
    )
