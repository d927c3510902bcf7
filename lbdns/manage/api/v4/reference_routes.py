"""Who refers to whom: `referrer` is an object that refers to this one, `referral` one that this one refers to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from fastapi import APIRouter, Depends, Response

from lbdns.base.kinds import BALANCING, LOAD_BALANCING, REFERRED, Kind
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.openapi import ID, NETWORK_ID, describe
from lbdns.manage.api.frame.site import CurrentSite, ObjectId, own_account
from lbdns.manage.api.v4.balancing import ACCOUNT
from lbdns.manage.store.item import Item
from lbdns.manage.store.refusals import NotFound
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import POOLS

REFERENCES: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "reference_type": {"enum": ["referrer", "referral"]},
            "resource_id": {"anyOf": [ID, NETWORK_ID]},
            "resource_name": {"type": "string"},
            "resource_type": {"enum": [kind.value for kind in reversed(BALANCING)]},
        },
        "required": ["reference_type", "resource_id", "resource_name", "resource_type"],
        "additionalProperties": False,
    },
}

router = APIRouter(dependencies=[belongs_to(POOLS), Depends(own_account)])


def users_in(state: State) -> dict[str, list[Item]]:
    """Return who refers to each object, by id: one look at every object, for whoever asks about many."""
    found: dict[str, list[Item]] = {}
    for kind in BALANCING:
        for item in state.all(kind).values():
            for id in item.references():
                found.setdefault(id, []).append(item)
    return found


def references_of(item: Item, users: Iterable[Item], state: State) -> Iterator[dict[str, str]]:
    """Yield an object's references: first those to it, from `users`, then those that it makes."""
    for user in users:
        yield {"reference_type": "referrer", **resource(user)}
    for id in sorted(item.references()):
        found = next(filter(None, (state.get(kind, id) for kind in item.kind.referred)), None)
        if found is not None:
            yield {"reference_type": "referral", **resource(found)}


def resource(item: Item) -> dict[str, str]:
    """Return what names an object in lists of objects of several kinds."""
    return {"resource_id": item.id, "resource_name": item.label, "resource_type": item.kind.value}


def _serve(kind: Kind) -> None:
    @router.get(
        f"{ACCOUNT}/{kind.section}/{{id}}/references",
        summary=f"Show what refers to a {kind.words}, and what it refers to",
        tags=[kind.plural],
        **describe(REFERENCES),
    )
    def list_references(site: CurrentSite, id: ObjectId) -> Response:
        state = site.state
        item = state.get(kind, id)
        if item is None:
            raise NotFound(kind, id)
        return ok(list(references_of(item, state.users(kind, id), state)))


for _kind in REFERRED:
    if _kind.area == LOAD_BALANCING and _kind.is_keyed:
        _serve(_kind)
