"""The places of all records of a database at once: the rules of `schema.place_of`, column by column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lbdns.places.mmdb_records import ABSENT, DataSection, Positions
from lbdns.places.place import Place
from lbdns.places.schema import (
    COORDINATE_STEPS,
    COUNTRY_KEYS,
    LATITUDE_KEYS,
    LONGITUDE_KEYS,
    SUBDIVISION_KEYS,
    country_code,
    subdivision_code,
)

Ids = npt.NDArray[np.int32]
Codes = tuple[str, str]

LONGITUDE_BITS = 32
UNKNOWN_COORDINATES = -1


def place_ids(files: list[tuple[DataSection, Positions]]) -> tuple[list[Ids], tuple[Place, ...]]:
    """Return for each file its records' place ids, in the order of their positions, and the places by id.

    Equal places share one id, across files too; id 0 is the unknown place, whether or not a record has it.
    """
    codes: dict[Codes, int] = {("", ""): 0}
    code_ids = [np.zeros(1, dtype=np.int64)]
    coordinates = [np.array([UNKNOWN_COORDINATES], dtype=np.int64)]
    for section, records in files:
        places = _Positions(section, records)
        code_ids.append(_code_ids(places, codes))
        coordinates.append(_coordinates(section.numbers(places.latitude), section.numbers(places.longitude)))
    distinct_coordinates, coordinate_ids = np.unique(np.concatenate(coordinates), return_inverse=True)
    both = np.concatenate(code_ids) * len(distinct_coordinates) + coordinate_ids
    distinct, ids = np.unique(both, return_inverse=True)
    by_code = list(codes)
    made = tuple(
        Place(*by_code[code], *_degrees(coordinate))
        for code, coordinate in zip(
            (distinct // len(distinct_coordinates)).tolist(),
            distinct_coordinates[distinct % len(distinct_coordinates)].tolist(),
            strict=True,
        )
    )
    starts = np.cumsum([len(part) for part in code_ids])
    return [part.astype(np.int32) for part in np.split(ids, starts[:-1])[1:]], made


class _Positions:
    """Where the values that make a place are: for each record of a file one position each, or ABSENT."""

    def __init__(self, section: DataSection, records: Positions) -> None:
        flat_keys = (*COUNTRY_KEYS, *SUBDIVISION_KEYS, *LATITUDE_KEYS, *LONGITUDE_KEYS)
        found = section.fields(records, ("subdivisions", "location", *flat_keys))
        subdivisions, location, flat = found[0], found[1], dict(zip(flat_keys, found[2:], strict=True))
        nested = section.are_maps(flat["country"]) | section.are_maps(location)

        def pick(position_if_nested: Positions, keys: tuple[str, ...]) -> Positions:
            """Return the nested schema's positions where that is a record's, else those of the first key it has."""
            first = flat[keys[-1]]
            for key in reversed(keys[:-1]):
                first = np.where(flat[key] == ABSENT, first, flat[key])
            return np.where(nested, position_if_nested, first)

        self.section = section
        largest, which = np.unique(subdivisions, return_inverse=True)
        largest = section.first_elements(largest)[which]
        (country,) = _within(section, flat["country"], "iso_code")
        (subdivision,) = _within(section, largest, "iso_code")
        latitude, longitude = _within(section, location, "latitude", "longitude")
        self.country = pick(country, COUNTRY_KEYS)
        self.subdivision = pick(subdivision, SUBDIVISION_KEYS)
        self.latitude = pick(latitude, LATITUDE_KEYS)
        self.longitude = pick(longitude, LONGITUDE_KEYS)


def _within(section: DataSection, maps: Positions, *names: str) -> list[Positions]:
    """Return positions of fields of maps that many records share."""
    distinct, index = np.unique(maps, return_inverse=True)
    return [positions[index] for positions in section.fields(distinct, names)]


def _code_ids(places: _Positions, codes: dict[Codes, int]) -> npt.NDArray[np.int64]:
    """Return for each record the id of its country and subdivision, giving new pairs the next free ids."""
    countries, country_index = places.section.values(places.country)
    subdivisions, subdivision_index = places.section.values(places.subdivision)
    pairs, index = np.unique(country_index * len(subdivisions) + subdivision_index, return_inverse=True)
    ids = np.empty(len(pairs), dtype=np.int64)
    for row, pair in enumerate(pairs.tolist()):
        country = country_code(countries[pair // len(subdivisions)])
        subdivision = subdivision_code(country, subdivisions[pair % len(subdivisions)])
        ids[row] = codes.setdefault((country, subdivision), len(codes))
    return ids[index]


def _coordinates(latitude: npt.NDArray[np.float64], longitude: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return both coordinates as one number, UNKNOWN_COORDINATES where `schema.coordinates` says neither."""
    with np.errstate(over="ignore", invalid="ignore"):  # what a damaged file calls a coordinate
        north, east = np.rint(latitude * COORDINATE_STEPS), np.rint(longitude * COORDINATE_STEPS)
    known = (np.abs(north) <= 90 * COORDINATE_STEPS) & (np.abs(east) <= 180 * COORDINATE_STEPS)
    known &= (north != 0) | (east != 0)
    north_steps = np.where(known, north + 90 * COORDINATE_STEPS, 0).astype(np.int64)
    east_steps = np.where(known, east + 180 * COORDINATE_STEPS, 0).astype(np.int64)
    return np.where(known, north_steps << LONGITUDE_BITS | east_steps, UNKNOWN_COORDINATES)


def _degrees(coordinates: int) -> tuple[float, float] | tuple[None, None]:
    """Return latitude and longitude of a number that `_coordinates` made."""
    if coordinates == UNKNOWN_COORDINATES:
        return None, None
    north_steps, east_steps = coordinates >> LONGITUDE_BITS, coordinates & ((1 << LONGITUDE_BITS) - 1)
    north, east = north_steps - 90 * COORDINATE_STEPS, east_steps - 180 * COORDINATE_STEPS
    return north / COORDINATE_STEPS, east / COORDINATE_STEPS
