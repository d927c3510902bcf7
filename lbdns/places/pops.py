"""Where a point of presence is, by its IATA airport code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lbdns.places import regions
from lbdns.places.airports import airport
from lbdns.places.schema import subdivision_code

_Coordinates = tuple[float, float]

_CORRECTIONS: Final[dict[str, tuple[_Coordinates, _Coordinates]]] = {
    "ANR": ((51.1122, 4.2737), (51.1894, 4.4603)),
    "BRU": ((50.5405, 4.2904), (50.9014, 4.4844)),
    "CRL": ((50.2736, 4.271), (50.46, 4.4528)),
    "KJK": ((50.4907, 3.1233), (50.8186, 3.2092)),
    "LGG": ((50.3811, 5.2634), (50.6364, 5.4428)),
    "LUX": ((49.3724, 6.1216), (49.6233, 6.2044)),
    "OST": ((51.1156, 2.5144), (51.1989, 2.8622)),
}
"""Code -> (wrong, right), latitude and longitude in degrees, for coordinates that the table has wrong.

airportsdata 20260905 writes degrees, minutes and seconds as if they were decimal: 50 54'05" N, 4 29'04" E as 50.5405,
4.2904, which is 42 km from Brussels. Right is what those minutes and seconds say; airportsdata 20240119 has the same
places, to 600 m (findings/airports-belgium-in-minutes.sh). Only the wrong value is replaced: a release that mends or
refines a place is taken at its word.
"""


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


def region_at(code: str | None, country: str | None, region: str | None) -> str:
    """Return the region of a PoP that is described by an airport's code, and by a country or a region that go over what
    that says; "" where none is known."""
    if region:
        return region
    known = pop_place(code) if code else None
    if known is None or (country and country != known.country):
        return regions.region_of(country or "", "")
    return known.region


def pop_place(code: str) -> Pop | None:
    """Return the airport with this IATA code, in any case; None where there is none."""
    row = airport(code)
    if row is None:
        return None
    country = row["country"]
    latitude, longitude = _corrected(row["iata"], (row["lat"], row["lon"]))
    return Pop(
        code=row["iata"],
        country=country,
        latitude=latitude,
        longitude=longitude,
        name=row["name"],
        subdivision=subdivision_code(country, row["subd"]),
    )


def _corrected(code: str, found: _Coordinates) -> _Coordinates:
    """Return the coordinates to use for those that the table has."""
    wrong, right = _CORRECTIONS.get(code, (None, found))
    return right if found == wrong else found
