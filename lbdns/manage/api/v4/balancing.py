"""Load balancers, pools, monitors and monitor groups: list, create, show, replace, change, delete.

Every kind has the same routes; load balancers have them twice, below a zone and below the account.
"""

# Annotations are evaluated at once here: those of the handlers name what `_serve` was given.

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from lbdns.base.errors import OWNER_NAMES, Problem, problems_about
from lbdns.base.kept_problems import KeptProblems
from lbdns.base.kinds import KEYED, LOAD_BALANCING, Kind
from lbdns.base.lasting_ids import ID_DIGITS
from lbdns.base.repeats import gathered
from lbdns.base.words import NOTE_CODE
from lbdns.config.yaml.yaml_tree import spelled
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import OUTDATED, ApiError, invalid, point_by
from lbdns.manage.api.frame.auth import Caller, CurrentCaller
from lbdns.manage.api.frame.content_codings import GzipTaken
from lbdns.manage.api.frame.dropped import dropped, widened
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run, planned
from lbdns.manage.api.frame.envelope import ok, ok_in_pieces, ok_listed
from lbdns.manage.api.frame.hostname_messages import tell_of_hostnames
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.live_health import LiveHealth
from lbdns.manage.api.frame.object_schemas import SHAPES
from lbdns.manage.api.frame.object_search import SearchQuery, found_by
from lbdns.manage.api.frame.object_shapes import EMPTY_ALONE, by_names_sent, shown, taken
from lbdns.manage.api.frame.object_texts import AT_ONCE, shown_texts
from lbdns.manage.api.frame.openapi import DELETED, describe
from lbdns.manage.api.frame.paging import OptionalPaging
from lbdns.manage.api.frame.pointers import Pointing, Steps
from lbdns.manage.api.frame.reply_messages import MESSAGES_MAX, ReplyMessage, nowhere, tell, warnings
from lbdns.manage.api.frame.signer import tell_of_new
from lbdns.manage.api.frame.site import ApiSite, CurrentSite, ObjectId, ViewQuery, own_account, own_zone, tell_of_view
from lbdns.manage.store.default_network import settled
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.making import out_of_reach
from lbdns.manage.store.managing import Done
from lbdns.manage.store.private_balancers import private_body, what_is_answered
from lbdns.manage.store.references_by_name import as_api_says
from lbdns.manage.store.refusals import NotFound
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import LOAD_BALANCERS, POOLS

ACCOUNT: Final = "/accounts/{account_id}/load_balancers"
ZONE: Final = "/zones/{zone_id}/load_balancers"
_ETAG: Final = re.compile(r'(?:W/)?"([0-9]{1,15})"')

router = APIRouter()


def etag(item: Item) -> dict[str, str]:
    """Return the header that names the revision of an object."""
    return {"ETag": f'"{item.revision}"'}


async def _if_match(if_match: Annotated[str | None, Header(include_in_schema=False)] = None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise ApiError(412, OUTDATED, f"If-Match: {if_match[:100]} is no ETag that this server gave")
    return int(found[1])


BasedOn = Annotated[int | None, Depends(_if_match)]
"""The revision that a change builds on, from If-Match; None where the client does not say, or says any."""


class ObjectWriter(NamedTuple):
    """One change of one object: by whom, and of what."""

    site: ApiSite
    caller: Caller
    request: Request
    kind: Kind
    owner: str  # the zone of a load balancer that has one, else ""
    dry_run: bool

    async def create(self, fields: dict[str, Any], id: str | None = None) -> Response:
        """Add an object; `id`: the one that it shall have."""

        def make(edit: Edit, body: dict[str, Any]) -> Item:
            if self.kind is Kind.LOAD_BALANCER and not self.owner:
                body = private_body(body, edit, self.site.in_force.views)
            elif self.kind is Kind.LOAD_BALANCER:
                tell_of_new(self.site, self.owner)
            return edit.create(self.kind, body, self.owner, id)

        return await self._write("create", make, fields)

    async def replace(self, id: str, fields: dict[str, Any], based_on: int | None) -> Response:
        """Give an object a new body."""

        def make(edit: Edit, body: dict[str, Any]) -> Item:
            before = self._find(edit, id, based_on)
            after = edit.replace(self.kind, id, body)
            for sentence, at in widened(before, after, body) if not edit.problems else ():
                tell(sentence, at)
            return after

        return await self._write("replace", make, fields, self._name_of(id))

    async def patch(self, id: str, fields: dict[str, Any], based_on: int | None) -> Response:
        """Change some fields."""

        def make(edit: Edit, body: dict[str, Any]) -> Item:
            before = self._find(edit, id, based_on)
            after = edit.patch(self.kind, id, body)
            for sentence, at in dropped(before.body, after.body, body) if not edit.problems else ():
                tell(sentence, at, NOTE_CODE)
            return after

        return await self._write("change", make, fields, self._name_of(id))

    async def delete(self, id: str, based_on: int | None) -> Response:
        """Delete an object."""

        def make(edit: Edit) -> Item:
            self._find(edit, id, based_on)
            return edit.delete(self.kind, id)

        words = f'delete {self.kind.words} "{self._name_of(id)}"'
        before = self.site.state
        done = await self.site.manager.change(
            self.caller.author, words, make, dry_run=self.dry_run, is_local=self.caller.local
        )
        messages = self._told(done, {done.result.name})
        return planned(done, before, messages) if self.dry_run else ok({"id": id}, messages=messages)

    async def _write(
        self, verb: str, make: Callable[[Edit, dict[str, Any]], Item], fields: dict[str, Any], old_name: str = ""
    ) -> Response:
        refused = KeptProblems()
        body = taken(self.kind, fields, refused)
        given = _name_in(body, self.kind)
        name = old_name or given
        pointing = _pointing(self.kind, self.site.state, {name, given}, fields)
        point_by(self.request, pointing)

        def made(edit: Edit) -> Item:
            item = make(edit, body)
            edit.problems.extend(refused)
            return settled(edit, item, body)

        words = f'{verb} {self.kind.words} "{name}"' if name else f"{verb} {self.kind.words}"
        before = self.site.state
        done = await self.site.manager.change(
            self.caller.author, words, made, dry_run=self.dry_run, is_local=self.caller.local
        )
        item = done.result
        for sentence, at in out_of_reach(item, self.site.in_force.probe_networks):
            tell(sentence, at if "origins" in body else None)
        messages = self._told(done, {item.name, name}, body, pointing)
        is_new = verb == "create" and Kind.LOAD_BALANCER in (self.kind, *self.kind.referred)
        if is_new and (sentence := what_is_answered(item, self.site.state, self.site.in_force.views)):
            tell(sentence)
        if self.dry_run:
            return planned(done, before, messages)
        return ok(await self.present(item, body), messages=messages, headers=etag(item))

    async def present(self, item: Item, body: dict[str, Any]) -> dict[str, Any]:
        """Return an object that was just stored as the reply shows it; `body`: what was sent of it."""
        await tell_of_hostnames(self.site, item, body)
        return _live(self.site).add(item, shown(item, self.site.state))

    def _told(
        self, done: Done[Item], names: set[str], body: dict[str, Any] | None = None, pointing: Pointing = nowhere
    ) -> list[ReplyMessage]:
        """Return the warnings that an object of this kind and these names has a part in, those about a field of `body`
        with the way to it."""

        def sent(problem: Problem) -> Steps | None:
            steps = pointing(problem)
            return steps if steps and steps[0] in (body or {}) else None

        sections = (self.kind.section, OWNER_NAMES) if self.kind is Kind.LOAD_BALANCER else (self.kind.section,)
        found = problems_about(done.warnings, sections, names)
        # Lines of what is stored count records.
        return warnings(gathered(replace(one, line=0) for one in found)[:MESSAGES_MAX], sent)

    def _find(self, edit: Edit, id: str, based_on: int | None) -> Item:
        item = edit.get(self.kind, id)
        if item.zone_id != self.owner:
            raise NotFound(self.kind, id)
        return item if based_on is None else edit.expect(self.kind, id, based_on)

    def _name_of(self, id: str) -> str:
        item = self.site.state.get(self.kind, id)
        return item.name if item is not None else id


def _name_in(body: dict[str, Any], kind: Kind) -> str:
    """Return the name that a body gives; "" where it gives none."""
    name = body.get(kind.called_by)
    return name if isinstance(name, str) else ""


def _pointing(kind: Kind, state: State, names: set[str], body: dict[str, Any]) -> Callable[[Problem], Steps | None]:
    """Tell where problems stand in the body of the object of these names: its old one and its new one."""

    def id_of(referred: Kind, name: str) -> str:
        item = state.named(referred, name)
        return item.id if item is not None else name

    def pointing(problem: Problem) -> Steps | None:
        if len(problem.at) < 2 or problem.at[0] != kind.section:
            return None
        name, steps = problem.at[1], problem.at[2:]
        if name not in names and state.named(kind, str(name)) is not None:
            return None
        return _as_sent(body, by_names_sent(kind, as_api_says(kind, steps, id_of), body))

    return pointing


def _as_sent(body: Any, steps: Steps) -> Steps:
    """Return steps with keys as the body spells them: models put places into upper case."""
    found: list[str | int] = []
    at = body
    for step in steps:
        if isinstance(at, Mapping):
            step = spelled(at, step)
            at = at.get(step)
        elif isinstance(at, list) and isinstance(step, int) and step < len(at):
            at = at[step]
        else:
            at = None
        found.append(step)
    return found


def _found(state: State, kind: Kind, id: str, owner: str) -> Item:
    item = state.get(kind, id)
    if item is None or item.zone_id != owner:
        raise NotFound(kind, id)
    return item


def serve_kind(router: APIRouter, kind: Kind, path: str, owner_of: Callable[..., Any]) -> None:
    """Add the routes of one kind of objects at a path; `owner_of` is the dependency that returns its zone, or ""."""
    shapes = SHAPES[kind]
    one = f"{path}/{{id}}"
    area = LOAD_BALANCERS if Kind.LOAD_BALANCER in (kind, *kind.referred) else POOLS
    about: Any = {"tags": [kind.plural], "dependencies": [belongs_to(area)]}
    Owner = Annotated[str, Depends(owner_of)]

    if kind is Kind.LOAD_BALANCER:

        @router.get(path, summary=f"List {kind.plural}", **about, **describe(_list_of(kind), paged=True))
        def list_seen(
            site: CurrentSite,
            owner: Owner,
            paging: OptionalPaging,
            view: ViewQuery = None,
            search: SearchQuery = "",
            is_gzip: GzipTaken = False,
        ) -> Response:
            tell_of_view(site, view)
            state = site.state
            own = [item for item in state.all(kind).values() if item.zone_id == owner]
            found = [item for item in found_by(search, own) if view in (None, item.view)]
            if paging.is_whole and len(own) == len(found) > AT_ONCE:
                return ok_in_pieces(site.lists.pieces(own, state), is_gzip)
            return _listed(found, site, paging)

    elif kind is not Kind.POOL:

        @router.get(path, summary=f"List {kind.plural}", **about, **describe(_list_of(kind), paged=True))
        def list_all(site: CurrentSite, owner: Owner, paging: OptionalPaging, search: SearchQuery = "") -> Response:
            own = (item for item in site.state.all(kind).values() if item.zone_id == owner)
            return _listed(found_by(search, own), site, paging)

    @router.post(path, summary=f"Create a {kind.words}", **about, **describe(or_dry_run(shapes.shown), shapes.written))
    async def create(
        site: CurrentSite,
        caller: CurrentCaller,
        request: Request,
        owner: Owner,
        body: JsonObject,
        dry_run: DryRun = False,
    ) -> Response:
        return await ObjectWriter(site, caller, request, kind, owner, dry_run).create(body)

    @router.get(one, summary=f"Show a {kind.words}", **about, **describe(shapes.shown))
    async def show(site: CurrentSite, owner: Owner, id: ObjectId) -> Response:
        state = site.state
        item = _found(state, kind, id, owner)
        return ok(_live(site).add(item, shown(item, state)), headers=etag(item))

    @router.put(
        one,
        summary=f"Replace a {kind.words}: what is not named goes back to its default",
        **about,
        **describe(or_dry_run(shapes.shown), shapes.written, guarded=True),
    )
    async def replace(
        site: CurrentSite,
        caller: CurrentCaller,
        request: Request,
        owner: Owner,
        id: ObjectId,
        based_on: BasedOn,
        body: JsonObject,
        dry_run: DryRun = False,
    ) -> Response:
        return await ObjectWriter(site, caller, request, kind, owner, dry_run).replace(id, body, based_on)

    @router.patch(
        one,
        summary=f"Change a {kind.words}: only what is named; null resets a field",
        **about,
        **describe(or_dry_run(shapes.shown), shapes.changed, guarded=True),
    )
    async def change(
        site: CurrentSite,
        caller: CurrentCaller,
        request: Request,
        owner: Owner,
        id: ObjectId,
        based_on: BasedOn,
        body: JsonObject,
        dry_run: DryRun = False,
    ) -> Response:
        return await ObjectWriter(site, caller, request, kind, owner, dry_run).patch(id, body, based_on)

    @router.delete(one, summary=f"Delete a {kind.words}", **about, **describe(or_dry_run(DELETED), guarded=True))
    async def delete(
        site: CurrentSite,
        caller: CurrentCaller,
        request: Request,
        owner: Owner,
        id: ObjectId,
        based_on: BasedOn,
        dry_run: DryRun = False,
    ) -> Response:
        return await ObjectWriter(site, caller, request, kind, owner, dry_run).delete(id, based_on)


def _list_of(kind: Kind) -> dict[str, Any]:
    return {"type": "array", "items": SHAPES[kind].shown}


def _listed(items: list[Item], site: ApiSite, paging: OptionalPaging) -> Response:
    page, info = paging.of(items)
    state, live = site.state, _live(site)
    if page and page[0].kind is Kind.POOL:  # as all of a list are; their health is told too
        return ok([live.add(item, shown(item, state)) for item in page], info)
    return ok_listed(shown_texts(page, state), info)


def _live(site: ApiSite) -> LiveHealth:
    return LiveHealth(site.manager.running)


@router.get(
    f"{ACCOUNT}/pools",
    summary="List pools",
    tags=["pools"],
    dependencies=[belongs_to(POOLS), Depends(own_account)],
    **describe(_list_of(Kind.POOL), paged=True),
)
def list_pools(
    site: CurrentSite,
    paging: OptionalPaging,
    monitor: Annotated[str | None, Query(max_length=ID_DIGITS)] = None,
    search: SearchQuery = "",
) -> Response:
    """List all pools, or those whose monitor has an id; those of zones' health checks are listed there."""
    pools = found_by(search, _pools(site))
    return _listed([item for item in pools if not monitor or item.body.get("monitor") == monitor], site, paging)


def _pools(site: ApiSite) -> list[Item]:
    return [item for item in site.state.all(Kind.POOL).values() if not item.zone_id]


_BULK: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"notification_email": {"enum": ["", None]}},
    "additionalProperties": False,
}


@router.patch(
    f"{ACCOUNT}/pools",
    summary="Change all pools: in the v4 API this resets notification_email, which lbdns does not have",
    tags=["pools"],
    dependencies=[belongs_to(POOLS), Depends(own_account)],
    **describe(_list_of(Kind.POOL), _BULK, paged=True),
)
async def change_pools(site: CurrentSite, paging: OptionalPaging, body: JsonObject) -> Response:
    """Accept the one thing that the v4 API lets all pools be changed by: it is as it should be already."""
    unknown = [key for key in body if key != "notification_email"]
    if unknown:
        words = "all pools at once can only have their notification_email reset; change each pool by itself"
        raise invalid(*((f"{key}: {words}", (key,)) for key in unknown))
    if body.get("notification_email") not in (None, ""):
        why = EMPTY_ALONE[Kind.POOL]["notification_email"]
        raise invalid((f"notification_email: {why}; leave it out", ("notification_email",)))
    taken(Kind.POOL, body, [])
    return _listed(sorted(_pools(site), key=lambda item: item.name), site, paging)


def _serve_all(places: Iterable[tuple[Kind, str, Callable[..., Any]]]) -> None:
    for kind, path, owner_of in places:
        serve_kind(router, kind, path, owner_of)


_serve_all(
    (
        *((kind, f"{ACCOUNT}/{kind.section}", own_account) for kind in KEYED if kind.area == LOAD_BALANCING),
        (Kind.LOAD_BALANCER, ACCOUNT, own_account),
        (Kind.LOAD_BALANCER, ZONE, own_zone),
    )
)
