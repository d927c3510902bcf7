"""What every route asks before anything else: whether the token may, and which query parameters it does not know.

A router or a route says by `belongs_to` which areas what it serves belongs to (lbdns.manage.store.token_scopes); one
that says nothing takes a scope of everything. Methods that read want to read, the others to write, but for those whose
body is a question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel

from lbdns.base.kinds import Kind
from lbdns.base.wording import counted, nearest, printable
from lbdns.dns.name import BadName, encode_canonical, show_name
from lbdns.manage.api.frame.api_errors import WRONG_AUTH, ApiError, invalid
from lbdns.manage.api.frame.auth import Caller, CurrentCaller
from lbdns.manage.api.frame.reply_messages import tell
from lbdns.manage.api.frame.site import CurrentSite
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import AREAS, EVERYTHING, READ, WRITE, Verb
from lbdns.manage.store.unreadable import NAMED_MAX
from lbdns.model.view_names import labelled, parted

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
ZONE_ID: Final = "zone_id"
"""The path parameter that says whose zone's something is."""
DRY_RUN: Final = "dry_run"
"""The query parameter by which a write is only tried (dry_run.py)."""
_SHOWN_CHARS: Final = 50
REFUSED: Final = "Authentication error: "
"""What a refusal begins with, before it says who may not what."""


GoesToo = Callable[[State, str], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Belonging:
    """Which areas something belongs to, all of them; none is open to every token.

    `zone_name` is the path parameter that names a zone, where a path does so. `is_filtered`: what it serves is what the
    token may see, so that a scope of any zone will do, in any of the areas. `takes_any_query`: it is the same whatever
    is asked. `only_reads`: it changes nothing, whatever its method. `goes_too`: returns the areas of what a write takes
    along, for the objects and the id of the zone that the path names.
    """

    areas: tuple[str, ...]
    zone_name: str = ""
    is_filtered: bool = False
    takes_any_query: bool = False
    only_reads: bool = False
    goes_too: GoesToo | None = None

    async def __call__(self) -> None:
        """Do nothing: it is `admit` that looks at it, on every route."""


def belongs_to(
    *areas: str,
    zone_name: str = "",
    is_filtered: bool = False,
    takes_any_query: bool = False,
    only_reads: bool = False,
    goes_too: GoesToo | None = None,
) -> Any:
    """Return the dependency by which a router or a route says where what it serves belongs."""
    return Depends(Belonging(areas, zone_name, is_filtered, takes_any_query, only_reads, goes_too))


async def admit(request: Request, caller: CurrentCaller, site: CurrentSite) -> None:
    """Refuse what the caller's scopes do not cover, and tell of query parameters that the route does not know."""
    route = request.scope["route"]
    belonging = belonging_of(route)
    verb = _verb_of(belonging, request.method)
    refused = _refusal(belonging, verb, caller, request.path_params, site.state)
    if refused is not None:
        raise refused
    if verb == READ and site.state.unreadable:
        named = ", ".join(one.called for one in site.state.unreadable[:NAMED_MAX])
        count = counted(len(site.state.unreadable), "stored object")
        tell(f"{count} cannot be read and not shown, such as {named}: `lbdns store check` says why")
    if request.url.query and not belonging.takes_any_query:
        _tell_unknown(request, sorted(set(_query_names(route.dependant))))


def foretold(
    app: FastAPI, caller: Caller, method: str, path: str, state: State, is_anywhere: bool = False
) -> ApiError | None:
    """Return the refusal with which `admit` would meet a call; None where it would not, or there is no such path.

    `is_anywhere`: whether it would be so with every zone in place of the path's.
    """
    for pattern, route in app.state.known_routes:
        found = pattern.match(path) if method in route.methods else None
        if found is not None:
            belonging = belonging_of(route)
            if is_anywhere:
                belonging = replace(belonging, is_filtered=True)
            return _refusal(belonging, _verb_of(belonging, method), caller, found.groupdict(), state)
    return None


def belonging_of(route: Any) -> Belonging:
    """Return where what a route serves belongs: the last that is said of it, else everything."""
    said = [one.dependency for one in getattr(route, "dependencies", ()) if isinstance(one.dependency, Belonging)]
    return said[-1] if said else Belonging((EVERYTHING,))


def _verb_of(belonging: Belonging, method: str) -> Verb:
    return READ if belonging.only_reads or method in READING else WRITE


def _refusal(
    belonging: Belonging, verb: Verb, caller: Caller, params: Mapping[str, str], state: State
) -> ApiError | None:
    """Return the refusal of what a caller's scopes do not cover, None where they do. `params`: of the path."""
    scopes = caller.scopes
    if belonging.is_filtered and any(scopes.allow_somewhere(verb, area) for area in belonging.areas):
        return None
    zone = _zone_of(params, belonging, state)
    along = belonging.goes_too(state, params.get(ZONE_ID, "")) if belonging.goes_too is not None else ()
    missing = next((area for area in (*belonging.areas, *along) if not scopes.allow(verb, area, zone)), None)
    return _lacking(caller, verb, missing, params) if missing is not None else None


def _lacking(caller: Caller, verb: Verb, area: str, params: Mapping[str, str]) -> ApiError:
    """Return the refusal of what a caller's scopes do not cover; it names those that would."""
    of_area = [f"{area}:{verb}"] if area else []
    of_zone = [f"{area}:{verb}:ZONE"] if AREAS.get(area) and ZONE_ID in params else []
    needed = " or ".join([verb, *of_area, *of_zone])
    only_reads = verb == WRITE and all(scope.verb == READ for scope in caller.scopes)
    may = "may only read" if only_reads else f"may not {verb} this"
    return ApiError(403, WRONG_AUTH, f"{REFUSED}{caller.author} {may}; it needs a token of scope {needed}")


def _zone_of(params: Mapping[str, str], belonging: Belonging, state: State) -> str:
    """Return the label of the zone that a path is about; "" where it is about none, or none that there is."""
    if belonging.zone_name:
        name, view = parted(params[belonging.zone_name])
        try:
            return labelled(show_name(encode_canonical(name)), view)
        except BadName:
            return ""
    zone = state.get(Kind.ZONE, params.get(ZONE_ID, ""))
    return zone.label if zone is not None else ""


def _query_names(dependant: Dependant) -> Iterator[str]:
    """Yield the names of all query parameters that a route declares, itself or by what it depends on."""
    for field in dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from (inner.alias or name for name, inner in model.model_fields.items())
        else:
            yield field.alias
    for inner in dependant.dependencies:
        yield from _query_names(inner)


def _tell_unknown(request: Request, known: list[str]) -> None:
    """Tell of query parameters that are ignored. Who wants a change tried alone is refused where it would be made."""
    for name in request.query_params:
        if name in known:
            continue
        if name == DRY_RUN and request.method not in READING:
            raise invalid((f"query parameter {DRY_RUN}: this path has none; nothing was changed", None))
        near = nearest(name, known)
        meant = f'; did you mean "{near}"?' if near else ""
        tell(f'unknown query parameter "{printable(name[:_SHOWN_CHARS])}" is ignored{meant}')
