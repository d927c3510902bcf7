"""The store itself: whether it can be read and written, what in it cannot be read, and the way back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Response
from fastapi import Path as InPath
from typing_extensions import TypedDict

from lbdns.base.words import OWN_PATH
from lbdns.manage.api.frame.api_errors import NOT_FOUND, WRONG_AUTH, ApiError, invalid
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.openapi import describe
from lbdns.manage.api.frame.reply_messages import warnings
from lbdns.manage.api.frame.site import ApiSite, CurrentSite
from lbdns.manage.store.files_manager import ServedManager
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.managing import Done

ID_CHARS_MAX: Final = 256

router = APIRouter(prefix=f"{OWN_PATH}/store", tags=["store"])

AnyId = Annotated[str, InPath(min_length=1, max_length=ID_CHARS_MAX)]
"""The id of an object that cannot be read: whatever its row says."""


class UnreadableShown(TypedDict):
    """A stored object that cannot be read: what its row has (`text` is the body), and why. `name` is "" where it cannot
    be told either."""

    kind: str
    id: str
    name: str
    zone_id: str | None
    created_on: str
    why: list[str]
    text: str


class StoreShown(TypedDict):
    """How the store is: where, the newest revision, why nothing can be stored ("": it can), what SQLite finds damaged,
    the mistakes for which it is not served, and the objects that cannot be read."""

    place: str
    revision: int
    problem: str
    damage: list[str]
    mistakes: list[str]
    unreadable: list[UnreadableShown]


class Mended(TypedDict):
    """What came of it: the newest revision, and how many objects still cannot be read."""

    revision: int
    left: int


class RestoredStore(TypedDict):
    """What was done, in words."""

    done: str


_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "description": "the object as the API of its kind takes it",
    "additionalProperties": True,
}
_RESTORE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "from": {"type": ["string", "null"], "description": "a copy of a store; null: what was served last"}
    },
    "additionalProperties": False,
}


@router.get("", summary="Show how the store is", **describe(StoreShown))
async def show_store(site: CurrentSite) -> Response:
    """Show whether it can be read and written, and what in it cannot be read; SQLite looks through all of it."""
    manager = site.manager
    if not isinstance(manager, StoreManager):
        shown = {"revision": 0, "problem": site.problem, "damage": [], "mistakes": [], "unreadable": []}
        return ok({"place": manager.place, **shown})
    damage = await asyncio.to_thread(manager.store.damage)
    return ok(
        {
            "place": manager.place,
            "revision": manager.state.revision,
            "problem": manager.store.problem,
            "damage": damage,
            "mistakes": sorted(manager.mistakes),
            "unreadable": [one.shown() for one in manager.state.unreadable],
        }
    )


@router.put("/unreadable/{id}", summary="Repair an object that cannot be read", **describe(Mended, body=_BODY))
async def repair(site: CurrentSite, caller: CurrentCaller, id: AnyId, body: JsonObject) -> Response:
    """Give it another body; its id and its zone stay."""
    manager = _with_unreadable(site, id)
    return _mended(manager, await manager.mend(caller.author, id, body, is_local=caller.local))


@router.delete("/unreadable/{id}", summary="Delete an object that cannot be read", **describe(Mended))
async def delete(site: CurrentSite, caller: CurrentCaller, id: AnyId) -> Response:
    """Delete it."""
    manager = _with_unreadable(site, id)
    return _mended(manager, await manager.mend(caller.author, id, None))


@router.post("/restore", summary="Make the store anew", **describe(RestoredStore, body=_RESTORE))
async def restore(site: CurrentSite, caller: CurrentCaller, body: JsonObject) -> Response:
    """Make a store that is gone or cannot be read anew, of what was served last or of a copy; within five seconds it is
    served."""
    from lbdns.manage.store.restoring import restore_store

    copy = body.get("from")
    mistakes = [(f'unknown field "{key}"; the field is from', (key,)) for key in body if key != "from"]
    if not isinstance(copy, str | None):
        mistakes.append(('expected {"from": FILE}, or null for what was served last', ("from",)))
    if mistakes:
        raise invalid(*mistakes)
    if not caller.local:
        raise ApiError(403, WRONG_AUTH, "Authentication error: a store is made anew on the server's own machine")
    if not isinstance(site.manager, ServedManager):
        raise invalid(("nothing is to be restored: the store can be read (`lbdns revision restore` goes back)", None))
    done = await asyncio.to_thread(restore_store, site.settings.state_dir(), None if copy is None else Path(copy))
    return ok({"done": done})


def _with_unreadable(site: ApiSite, id: str) -> StoreManager:
    manager = site.manager
    if not isinstance(manager, StoreManager) or all(one.id != id for one in manager.state.unreadable):
        raise ApiError(404, NOT_FOUND, f"no stored object {id} is unreadable")
    return manager


def _mended(manager: StoreManager, done: Done[None]) -> Response:
    return ok({"revision": done.revision, "left": len(manager.state.unreadable)}, messages=warnings(done.warnings))
