"""Search among load balancers, pools and monitors, with what each refers to and who refers to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Response

from lbdns.base.kinds import BALANCING, LOAD_BALANCING, Kind
from lbdns.base.words import OBJECTS_PER_PAGE_MAX
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.object_search import SearchQuery, found_by
from lbdns.manage.api.frame.openapi import ID, describe
from lbdns.manage.api.frame.paging import Paging, paged
from lbdns.manage.api.frame.site import CurrentSite, own_account
from lbdns.manage.api.v4.balancing import ACCOUNT
from lbdns.manage.api.v4.reference_routes import REFERENCES, references_of, resource, users_in
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import LOAD_BALANCERS, POOLS

SEARCHED: Final = tuple(
    kind for kind in reversed(BALANCING) if kind is not Kind.MONITOR_GROUP and kind.area == LOAD_BALANCING
)
"""The v4 API has groups of monitors in no search, and networks elsewhere."""
PER_PAGE: Final = 25
_RESOURCES: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "resources": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "resource_id": ID,
                    "resource_name": {"type": "string"},
                    "resource_type": {"enum": [kind.value for kind in SEARCHED]},
                    "references": REFERENCES,
                },
                "required": ["resource_id", "resource_name", "resource_type"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["resources"],
    "additionalProperties": False,
}

router = APIRouter(tags=["search"], dependencies=[belongs_to(LOAD_BALANCERS, POOLS), Depends(own_account)])


@router.get(
    f"{ACCOUNT}/search", summary="Search load balancers, pools and monitors", **describe(_RESOURCES, paged=True)
)
def search(
    site: CurrentSite,
    paging: Annotated[Paging, paged(PER_PAGE, OBJECTS_PER_PAGE_MAX)],
    query: SearchQuery = "",
    references: Literal["", "*", "referral", "referrer"] = "",
) -> Response:
    """List objects with the query in their name, description, or an endpoint's name or address, in any case."""
    state = site.state
    everything = (item for kind in SEARCHED for item in state.all(kind).values() if _is_found(item))
    found = found_by(query, everything)
    shown, info = paging.of(found)
    users = users_in(state) if references else {}
    return ok({"resources": [_shown(item, users, state, references) for item in shown]}, info)


def _is_found(item: Item) -> bool:
    """Tell whether an object is none of those that make up a health check of a zone."""
    return item.kind is Kind.LOAD_BALANCER or not item.zone_id


def _shown(item: Item, users: Mapping[str, list[Item]], state: State, references: str) -> dict[str, Any]:
    made: dict[str, Any] = resource(item)
    if references:
        found = references_of(item, users.get(item.id, ()), state)
        made["references"] = [one for one in found if references in ("*", one["reference_type"])]
    return made
