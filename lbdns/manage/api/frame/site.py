"""What the API serves: the objects and who changes them, the tokens, the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Depends, Path, Query, Request

from lbdns.base.kinds import Kind
from lbdns.base.lasting_ids import FILES_ACCOUNT_ID, ID_DIGITS
from lbdns.config.checks.sights import missing_view
from lbdns.manage.api.frame.api_errors import INTERNAL, ApiError, no_route
from lbdns.manage.api.frame.kept_lists import KeptLists
from lbdns.manage.api.frame.reply_messages import tell
from lbdns.manage.store.managing import Manager
from lbdns.manage.store.refusals import NotFound
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.state import State
from lbdns.manage.store.tokens import Tokens
from lbdns.model.settings import Settings
from lbdns.model.view_names import VIEW, view_numbers

ACCOUNT_NAME: Final = "lbdns"
VIEW_CHARS_MAX: Final = 100
"""No view's name has as many."""


@dataclass(frozen=True, slots=True)
class ApiSite:
    """One server as its API sees it. Without a store nobody has a token: the UNIX socket alone is open.

    `problem`: why there is none where there should be. `lists`: those that were sent last.
    """

    manager: Manager
    store: Store | None
    settings: Settings
    problem: str = ""
    lists: KeptLists = field(default_factory=KeptLists, compare=False, repr=False)

    @property
    def in_force(self) -> Settings:
        """The settings of what is served: a reload may have changed what `settings`, of the start, say."""
        return self.manager.settings

    @property
    def state(self) -> State:
        """The objects in force. A handler takes it once, and sees one revision throughout."""
        return self.manager.state

    @property
    def account_id(self) -> str:
        """The id of the one account, 32 hex digits."""
        return self.store.account_id if self.store is not None else FILES_ACCOUNT_ID

    @property
    def tokens(self) -> Tokens | None:
        """The tokens of the store; raises ApiError where they cannot be had."""
        if self.store is None and self.problem:
            raise ApiError(503, INTERNAL, f"no token can be checked now: {self.problem}")
        return self.store.tokens if self.store is not None else None


async def _site(request: Request) -> ApiSite:
    site: ApiSite = request.app.state.site
    return site


CurrentSite = Annotated[ApiSite, Depends(_site)]
"""What a handler declares to get the site."""

ViewQuery = Annotated[str | None, Query(max_length=VIEW_CHARS_MAX)]
"""The view that a query parameter names: "" for what all see, None where none is named."""


def tell_of_view(site: ApiSite, view: str | None) -> None:
    """Tell whoever filters a list by a view that there is none of that name, which is why nothing is listed."""
    if view and view not in view_numbers(site.settings.views):
        tell(f"query parameter {VIEW}: {missing_view(view, site.settings.views)}")


ObjectId = Annotated[str, Path(pattern=f"^[0-9a-f]{{{ID_DIGITS}}}$")]
"""The id of an object in a path."""


async def own_account(account_id: ObjectId, site: CurrentSite, request: Request) -> str:
    """Refuse paths below another account than ours: a dependency of whatever is below /accounts/{account_id}.

    Returns "": what belongs to the account belongs to no zone.
    """
    if account_id != site.account_id:
        raise no_route(request.scope["path"])
    return ""


async def own_zone(zone_id: ObjectId, site: CurrentSite) -> str:
    """Refuse paths below a zone that there is not; return the zone's id."""
    if site.state.get(Kind.ZONE, zone_id) is None:
        raise NotFound(Kind.ZONE, zone_id)
    return zone_id
