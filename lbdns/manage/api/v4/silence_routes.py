"""Silences of notification policies, as the v4 API's alerting has them: below /accounts/{account_id}/alerting/v3.

    /silences          GET POST PUT: several at once; all of them are stored or none
    /silences/{id}     GET DELETE

One that is created without a start begins at once.
"""

# Annotations are evaluated at once here: those of the handlers name types that are made of what is imported.

import time
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response

from lbdns.base.errors import Problem
from lbdns.base.kept_problems import KeptProblems
from lbdns.base.kinds import Kind
from lbdns.base.wording import counted
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import BAD_BODY, ApiError, invalid, point_by
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run, planned
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import read_json
from lbdns.manage.api.frame.object_schemas import SHAPES
from lbdns.manage.api.frame.object_shapes import shown, taken
from lbdns.manage.api.frame.openapi import DELETED, ID, TIME, component, describe
from lbdns.manage.api.frame.paging import OptionalPaging
from lbdns.manage.api.frame.pointers import Steps
from lbdns.manage.api.frame.site import CurrentSite, ObjectId, own_account
from lbdns.manage.api.v4.alerting_routes import ALERTING_PATH, found_item, moment_text
from lbdns.manage.api.v4.balancing import BasedOn, ObjectWriter, etag
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.references_by_name import as_api_says
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import NOTIFICATIONS

SILENCES: Final = f"{ALERTING_PATH}/{Kind.SILENCE.section}"
BATCH_MAX: Final = 1000
"""Silences of one request."""
_SILENCE: Final = SHAPES[Kind.SILENCE]
_SHOWN: Final = component(
    "SilenceShown",
    {
        "type": "object",
        "properties": {
            "id": ID,
            "policy_id": ID,
            "start_time": {"type": "string"},
            "end_time": {"type": "string"},
            "created_at": TIME,
            "updated_at": TIME,
        },
        "required": ["id", "policy_id", "start_time", "end_time", "created_at", "updated_at"],
        "additionalProperties": False,
    },
)
_LIST: Final[dict[str, Any]] = {"type": "array", "items": _SHOWN}

router = APIRouter(tags=["notifications"], dependencies=[belongs_to(NOTIFICATIONS), Depends(own_account)])


@router.get(SILENCES, summary="List silences", **describe(_LIST, paged=True))
def list_silences(site: CurrentSite, paging: OptionalPaging) -> Response:
    """List all, those that are over too."""
    page, info = paging.of([*site.state.all(Kind.SILENCE).values()])
    return ok([_shown(item, site.state) for item in page], info)


@router.post(
    SILENCES,
    summary="Create silences",
    **describe(or_dry_run(_LIST), {"type": "array", "items": _SILENCE.written, "maxItems": BATCH_MAX}),
)
async def create_silences(
    site: CurrentSite, caller: CurrentCaller, request: Request, dry_run: DryRun = False
) -> Response:
    """Create silences."""
    start = {"start_time": moment_text(time.time())}

    def make(edit: Edit, _: int, body: dict[str, Any]) -> Item:
        return edit.create(Kind.SILENCE, {**start, **{key: one for key, one in body.items() if one is not None}})

    return await _write(site, caller, request, "create", make, dry_run)


@router.put(
    SILENCES,
    summary="Change silences: each by its id, and only what is named",
    **describe(or_dry_run(_LIST), {"type": "array", "items": _SILENCE.changed, "maxItems": BATCH_MAX}),
)
async def change_silences(
    site: CurrentSite, caller: CurrentCaller, request: Request, dry_run: DryRun = False
) -> Response:
    """Change silences."""
    ids: list[str] = []

    def make(edit: Edit, index: int, body: dict[str, Any]) -> Item:
        return edit.patch(Kind.SILENCE, ids[index], body)

    def check(index: int, body: dict[str, Any]) -> None:
        id = body.get("id")
        if not isinstance(id, str) or site.state.get(Kind.SILENCE, id) is None:
            raise invalid((f"{index}.id: expected the id of a silence that there is", (index, "id")))
        if id in ids:
            raise invalid((f"{index}.id: {id} stands there already; change each silence once", (index, "id")))
        ids.append(id)

    return await _write(site, caller, request, "change", make, dry_run, check)


@router.get(f"{SILENCES}/{{id}}", summary="Show a silence", **describe(_SHOWN))
def show_silence(site: CurrentSite, id: ObjectId) -> Response:
    """Show a silence."""
    item = found_item(site.state, Kind.SILENCE, id)
    return ok(_shown(item, site.state), headers=etag(item))


@router.delete(f"{SILENCES}/{{id}}", summary="Delete a silence", **describe(or_dry_run(DELETED), guarded=True))
async def delete_silence(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    id: ObjectId,
    based_on: BasedOn,
    dry_run: DryRun = False,
) -> Response:
    """Delete a silence: it ends at once."""
    return await ObjectWriter(site, caller, request, Kind.SILENCE, "", dry_run).delete(id, based_on)


async def _write(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    verb: str,
    make: Callable[[Edit, int, dict[str, Any]], Item],
    dry_run: bool,
    check: Callable[[int, dict[str, Any]], None] = lambda index, body: None,
) -> Response:
    """Store what a list says, all of it or nothing."""
    found = await read_json(request)
    bodies = found if isinstance(found, list) else [found]
    if not bodies or len(bodies) > BATCH_MAX:
        raise ApiError(400, BAD_BODY, f"expected a list of 1 to {BATCH_MAX:,} silences")
    refused = KeptProblems()
    names: dict[str, int] = {}
    fields = []
    for index, body in enumerate(bodies):
        if not isinstance(body, dict):
            raise ApiError(400, BAD_BODY, "the body is not a list of JSON objects; expected [{...}]")
        check(index, body)
        fields.append(taken(Kind.SILENCE, body, refused))

    def pointing(problem: Problem) -> Steps | None:
        index = names.get(str(problem.at[1])) if len(problem.at) > 1 else None
        if index is None:
            return None
        steps = as_api_says(Kind.SILENCE, problem.at[2:])
        return (index, *steps) if isinstance(found, list) else steps

    def made(edit: Edit) -> list[Item]:
        items = []
        for index, body in enumerate(fields):
            before = len(edit.problems)
            items.append(make(edit, index, body))
            for problem in edit.problems[before:]:
                names.setdefault(str(problem.at[1]), index)
        edit.problems.extend(refused)
        return items

    point_by(request, pointing)
    before = site.state
    words = f"{verb} {counted(len(fields), Kind.SILENCE.words, Kind.SILENCE.plural)}"
    done = await site.manager.change(caller.author, words, made, dry_run=dry_run, is_local=caller.local)
    return planned(done, before, []) if dry_run else ok([_shown(item, site.state) for item in done.result])


def _shown(item: Item, state: State) -> dict[str, Any]:
    """Return a silence as the v4 API says it: it has no name there."""
    return {key: value for key, value in shown(item, state).items() if key != "name"}
