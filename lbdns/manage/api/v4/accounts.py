"""The one account, and whether a token is good: what tools ask first."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Response
from typing_extensions import TypedDict

from lbdns.base.words import OBJECTS_PER_PAGE_MAX
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.openapi import ID, describe
from lbdns.manage.api.frame.paging import Paging, paged
from lbdns.manage.api.frame.site import ACCOUNT_NAME, ApiSite, CurrentSite, own_account

PER_PAGE: Final = 20
_VERIFIED_CODE: Final = 10000

router = APIRouter(tags=["account"], dependencies=[belongs_to()])


class Account(TypedDict):
    """The one account."""

    id: str
    name: str
    type: str
    settings: dict[str, bool]


def account_of(site: ApiSite) -> Account:
    """Return the account as the API says it."""
    return {
        "id": site.account_id,
        "name": ACCOUNT_NAME,
        "type": "standard",
        "settings": {"enforce_twofactor": False},
    }


_TOKEN: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"id": ID, "status": {"const": "active"}},
    "required": ["id", "status"],
    "additionalProperties": False,
}


def _verified(caller: CurrentCaller) -> Response:
    message = {"code": _VERIFIED_CODE, "message": "This API Token is valid and active"}
    return ok({"id": caller.token_id, "status": "active"}, messages=[message])


@router.get("/user/tokens/verify", summary="Verify the token", **describe(_TOKEN))
async def verify_token(caller: CurrentCaller) -> Response:
    return _verified(caller)


@router.get(
    "/accounts/{account_id}/tokens/verify",
    summary="Verify the token, by account",
    dependencies=[Depends(own_account)],
    **describe(_TOKEN),
)
async def verify_account_token(caller: CurrentCaller) -> Response:
    return _verified(caller)


@router.get("/accounts", summary="List accounts: there is one", **describe(list[Account], paged=True))
async def list_accounts(
    site: CurrentSite,
    paging: Annotated[Paging, paged(PER_PAGE, OBJECTS_PER_PAGE_MAX)],
    name: Annotated[str | None, Query(max_length=100)] = None,
    direction: Literal["asc", "desc"] = "asc",
) -> Response:
    found = [account_of(site)] if name in (None, ACCOUNT_NAME) else []
    shown, info = paging.of(found)
    return ok(shown, info)


@router.get(
    "/accounts/{account_id}", summary="Show the account", dependencies=[Depends(own_account)], **describe(Account)
)
async def show_account(site: CurrentSite) -> Response:
    return ok(account_of(site))
