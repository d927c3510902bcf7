"""Who asks, and what belongs to an account where people have accounts: what clients look at before they go on.

There are tokens here and no people, so a user is a token's holder, and its one membership is that in the one account.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Response

from lbdns.base.words import OBJECTS_PER_PAGE_MAX
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import NOT_FOUND, ApiError
from lbdns.manage.api.frame.auth import Caller, CurrentCaller
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.openapi import ID, describe
from lbdns.manage.api.frame.paging import Paging, paged
from lbdns.manage.api.frame.reply_messages import tell
from lbdns.manage.api.frame.site import ACCOUNT_NAME, ApiSite, CurrentSite, ObjectId, own_account
from lbdns.manage.api.v4.accounts import account_of
from lbdns.manage.store.token_scopes import LOAD_BALANCERS, READ, WRITE, ZONES

PER_PAGE: Final = 20
TEXT_CHARS_MAX: Final = 100
ACCEPTED: Final = "accepted"
PERMISSIONS: Final = {"zones": ZONES, "dns_records": ZONES, "lb": LOAD_BALANCERS}
"""What the v4 API calls the permissions that follow from scopes, and the area of each."""
_USER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": ID,
        "username": {"type": "string", "description": "who asks, as the audit trail has it"},
        "email": {"type": "null"},
        "first_name": {"type": "null"},
        "last_name": {"type": "null"},
        "suspended": {"const": False},
        "two_factor_authentication_enabled": {"const": False},
        "organizations": {"type": "array"},
    },
    "required": ["id", "username", "email"],
    "additionalProperties": False,
}
_MEMBERSHIP: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": ID,
        "code": {"type": "string"},
        "status": {"const": ACCEPTED},
        "account": {"type": "object"},
        "permissions": {"type": "object", "description": "what the scopes of the token allow"},
        "roles": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["id", "status", "account", "permissions"],
    "additionalProperties": False,
}
_ADDRESSES: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"ipv4_cidrs": {"type": "array"}, "ipv6_cidrs": {"type": "array"}, "etag": {"type": "string"}},
    "required": ["ipv4_cidrs", "ipv6_cidrs", "etag"],
    "additionalProperties": False,
}

router = APIRouter(tags=["user"], dependencies=[belongs_to()])
Text = Annotated[str | None, Query(max_length=TEXT_CHARS_MAX)]
UserPages = Annotated[Paging, paged(PER_PAGE, OBJECTS_PER_PAGE_MAX)]


@router.get("/user", summary="Show who asks", **describe(_USER))
async def show_user(site: CurrentSite, caller: CurrentCaller) -> Response:
    shown: dict[str, Any] = {
        "id": site.account_id,
        "username": caller.author,
        "email": None,
        "first_name": None,
        "last_name": None,
        "suspended": False,
        "two_factor_authentication_enabled": False,
        "organizations": [],
    }
    return ok(shown)


@router.get(
    "/memberships",
    summary="List memberships: there is one, in the one account",
    **describe({"type": "array", "items": _MEMBERSHIP}, paged=True),
)
async def list_memberships(
    site: CurrentSite,
    caller: CurrentCaller,
    paging: UserPages,
    name: Text = None,
    account_name: Annotated[str | None, Query(alias="account.name", max_length=TEXT_CHARS_MAX)] = None,
    status: Text = None,
    order: Literal["id", "account.name", "status"] | None = None,
    direction: Literal["asc", "desc"] = "asc",
) -> Response:
    """List it where its account has the name and it has the status that are asked for; one needs no order."""
    fits = all(
        wanted in (None, "", value)
        for wanted, value in ((name, ACCOUNT_NAME), (account_name, ACCOUNT_NAME), (status, ACCEPTED))
    )
    shown, info = paging.of([_membership(site, caller)] if fits else [])
    return ok(shown, info)


@router.get("/memberships/{id}", summary="Show a membership", **describe(_MEMBERSHIP))
async def show_membership(site: CurrentSite, caller: CurrentCaller, id: ObjectId) -> Response:
    if id != site.account_id:
        raise ApiError(404, NOT_FOUND, f"there is no membership {id}: object not found")
    return ok(_membership(site, caller))


def _membership(site: ApiSite, caller: Caller) -> dict[str, Any]:
    may = caller.scopes.allow_somewhere
    return {
        "id": site.account_id,
        "code": "",
        "status": ACCEPTED,
        "account": account_of(site),
        "permissions": {key: {"read": may(READ, area), "write": may(WRITE, area)} for key, area in PERMISSIONS.items()},
        "roles": [],
    }


@router.get("/ips", summary="List the addresses that traffic comes from: none", **describe(_ADDRESSES))
async def list_addresses() -> Response:
    tell("lbdns answers queries and carries no traffic: none comes from addresses of its own")
    return ok({"ipv4_cidrs": [], "ipv6_cidrs": [], "etag": ""})


def _serve_none(what: str) -> None:
    @router.get(
        f"/accounts/{{account_id}}/{what}",
        summary=f"List {what}: there are tokens here and no people",
        dependencies=[belongs_to(takes_any_query=True), Depends(own_account)],
        **describe({"type": "array", "maxItems": 0}, paged=True),
    )
    async def list_none(paging: UserPages) -> Response:
        return ok([], paging.of(())[1])


for _what in ("members", "roles"):
    _serve_none(_what)
