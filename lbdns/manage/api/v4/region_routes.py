"""The regions of geo steering: which countries, and which states of the US and Canada, each holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response

from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import NOT_FOUND, ApiError
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.openapi import describe
from lbdns.manage.api.frame.site import own_account
from lbdns.manage.api.v4.balancing import ACCOUNT
from lbdns.places.regions import REGION_CODES, Country, countries_of

ISO_STANDARD: Final = "Country and subdivision codes follow ISO 3166-1 alpha-2 and ISO 3166-2"
_CODE_CHARS_MAX: Final = 16
_TEXT: Final = {"type": "string"}
_SUBDIVISION: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"subdivision_code_a2": _TEXT, "subdivision_name": _TEXT},
    "required": ["subdivision_code_a2", "subdivision_name"],
}
_COUNTRY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "country_code_a2": _TEXT,
        "country_name": _TEXT,
        "country_subdivisions": {"type": "array", "items": _SUBDIVISION},
    },
    "required": ["country_code_a2", "country_name"],
}
_REGION: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"region_code": {"enum": list(REGION_CODES)}, "countries": {"type": "array", "items": _COUNTRY}},
    "required": ["region_code", "countries"],
}
_REGIONS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"iso_standard": {"const": ISO_STANDARD}, "regions": {"type": "array", "items": _REGION}},
    "required": ["iso_standard", "regions"],
}

Code = Annotated[str | None, Query(max_length=_CODE_CHARS_MAX)]

router = APIRouter(tags=["regions"], dependencies=[belongs_to(), Depends(own_account)])


@router.get(f"{ACCOUNT}/regions", summary="List regions with their countries", **describe(_REGIONS))
async def list_regions(
    country_code_a2: Code = None,
    country_code: Code = None,
    subdivision_code: Code = None,
    subdivision_code_a2: Code = None,
) -> Response:
    """List all regions, or those that hold a country or subdivision, and of those that alone.

    The codes go by two names each: the v4 API's documents have both.
    """
    country = (country_code_a2 or country_code or "").upper()
    subdivision = (subdivision_code_a2 or subdivision_code or "").upper()
    if "-" in subdivision:  # the whole ISO 3166-2 code: US-CA
        of_code, _, subdivision = subdivision.partition("-")
        country = country or of_code
    found = []
    for region in REGION_CODES:
        countries = list(_countries(region, country, subdivision))
        if countries:
            found.append({"region_code": region, "countries": countries})
    return ok({"iso_standard": ISO_STANDARD, "regions": found})


@router.get(f"{ACCOUNT}/regions/{{region_code}}", summary="Show a region", **describe(_REGIONS))
async def show_region(region_code: Annotated[str, Path(max_length=_CODE_CHARS_MAX)]) -> Response:
    """Show one region in the shape of the list."""
    code = region_code.upper()
    if code not in REGION_CODES:
        expected = ", ".join(REGION_CODES)
        raise ApiError(404, NOT_FOUND, f'there is no region "{region_code}"; there are {expected}: object not found')
    shown = {"region_code": code, "countries": list(_countries(code))}
    return ok({"iso_standard": ISO_STANDARD, "regions": [shown]})


def _countries(region: str, country: str = "", subdivision: str = "") -> Iterator[dict[str, Any]]:
    """Yield a region's countries, in it as far as they are; those of a code alone where one is given."""
    for one in countries_of(region):
        if country not in ("", one.code):
            continue
        if subdivision and all(part.code != subdivision for part in one.subdivisions):
            continue
        yield _shown(one, subdivision)


def _shown(country: Country, subdivision: str) -> dict[str, Any]:
    made: dict[str, Any] = {"country_code_a2": country.code, "country_name": country.name}
    if country.subdivisions:
        made["country_subdivisions"] = [
            {"subdivision_code_a2": part.code, "subdivision_name": part.name}
            for part in country.subdivisions
            if subdivision in ("", part.code)
        ]
    return made
