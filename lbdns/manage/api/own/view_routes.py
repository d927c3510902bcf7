"""Views: who is in each, as the settings say, and how many objects are of it."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from fastapi import APIRouter, Response

from lbdns.base.kinds import Kind
from lbdns.base.words import OWN_PATH
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.openapi import describe
from lbdns.manage.api.frame.site import CurrentSite
from lbdns.manage.store.token_scopes import LOAD_BALANCERS, ZONES
from lbdns.model.view_names import PUBLIC
from lbdns.model.views import ViewSettings

_TEXTS: Final[dict[str, Any]] = {"type": "array", "items": {"type": "string"}}
_VIEW: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "networks": _TEXTS,
        "keys": _TEXTS,
        "listeners": _TEXTS,
        "private": {"type": "boolean"},
        "zones": {"type": "integer", "minimum": 0},
        "load_balancers": {"type": "integer", "minimum": 0},
    },
    "required": ["name", "networks", "keys", "listeners", "private", "zones", "load_balancers"],
    "additionalProperties": False,
}

router = APIRouter(prefix=OWN_PATH, tags=["lbdns"])


@router.get(
    "/views",
    summary="List views",
    dependencies=[belongs_to(ZONES, LOAD_BALANCERS)],
    **describe({"type": "array", "items": _VIEW}),
)
def list_views(site: CurrentSite) -> Response:
    """List the views that settings declare, behind the public one, which who is in none of them sees; empty where there
    are none."""
    views = site.in_force.views
    if not views:
        return ok([])
    state = site.state
    counts = {
        kind.section: Counter(item.view for item in state.all(kind).values())
        for kind in (Kind.ZONE, Kind.LOAD_BALANCER)
    }
    return ok(
        [
            {
                "name": name,
                **view.model_dump(mode="json", include={"networks", "keys", "listeners", "private"}),
                **{section: count[name] for section, count in counts.items()},
            }
            for name, view in {PUBLIC: ViewSettings(), **views}.items()
        ]
    )
