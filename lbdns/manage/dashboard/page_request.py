"""What a page's handler gets: the request, who is signed in, the way to the API, and the way to an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from lbdns.manage.api.frame.admission import REFUSED, foretold
from lbdns.manage.api.frame.auth import signed_in_caller
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.dashboard.page_calls import ApiAnswer, ApiRefused, Query, ask_api
from lbdns.manage.dashboard.sessions import Note, Session

FIELDS_MAX: Final = 20_000
"""Of one form."""
FILES_MAX: Final = 1
FORM_TOKEN: Final = "form_token"
"""The field by which a form shows that it comes from a page of this session."""
THEMES: Final = ("system", "light", "dark")
THEME_COOKIE: Final = "lbdns_theme"


class PageRequest(Request):
    """A request for a page, by somebody who is signed in; of the pages before that, `visit` is None."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self.answers: list[ApiAnswer] = []
        """What the API answered so far, in order."""

    @property
    def visit(self) -> Session | None:
        """The session, None before one is begun."""
        found: Session | None = self.scope["session_of_dashboard"]
        return found

    @property
    def site(self) -> ApiSite:
        """What is served: settings, and whether there is a store. Objects are the API's to give."""
        site: ApiSite = self.scope["app"].state.site
        return site

    @property
    def theme(self) -> str:
        """The theme that was chosen, one of THEMES."""
        chosen = self.cookies.get(THEME_COOKIE, "")
        return chosen if chosen in THEMES else THEMES[0]

    @property
    def wants_json(self) -> bool:
        """Whether what the API gave is wanted in place of the page."""
        return self.query_params.get("format") == "json"

    @property
    def place(self) -> str:
        """The path and query string, as links have it."""
        return self.url.path + (f"?{self.url.query}" if self.url.query else "")

    def refusal(self, method: str, path: str, is_anywhere: bool = False) -> str:
        """Return why whoever is signed in may not make a call of the API, by the API's own rules; "" where they may.

        `path` is escaped already. `is_anywhere`: of a zone's path, whether it is so for every zone.
        """
        who = signed_in_caller(self.site.tokens, self.visit.who) if self.visit is not None else None
        if who is None:
            return ""
        app = self.scope["app"]
        refused = foretold(app, who, method, unquote(path), self.site.state, is_anywhere)
        return str(refused).removeprefix(REFUSED) if refused is not None else ""

    def writing(self, method: str, path: str, is_anywhere: bool = False) -> dict[str, Any]:
        """Return what the templates of objects go by: `is_writable`, and `withheld`, the reason where it is a token."""
        withheld = self.refusal(method, path, is_anywhere)
        return {"withheld": withheld, "is_writable": self.site.manager.is_writable and not withheld}

    def insist(self, method: str, path: str, is_anywhere: bool = False) -> None:
        """Raise HTTPException, which is shown as a page, where the API would refuse a call for lack of scope."""
        if refused := self.refusal(method, path, is_anywhere):
            raise HTTPException(403, refused)

    def note(self, text: str, kind: str = "done", **more: str) -> None:
        """Have the next page that is shown tell something, once. `kind`: done, warning or failed."""
        if self.visit is not None:
            self.visit.add(Note(text, kind, more))

    async def fields(self) -> dict[str, str]:
        """Return the fields of the form that was sent; of several of one name the last. Files are left out."""
        return {key: value for key, value in (await self._sent()).multi_items() if isinstance(value, str)}

    async def uploaded(self, name: str) -> bytes | None:
        """Return the content of a form's file, None where none was chosen."""
        file = (await self._sent()).get(name)
        return await file.read() if isinstance(file, UploadFile) and file.filename else None

    async def _sent(self) -> FormData:
        return await self.form(max_files=FILES_MAX, max_fields=FIELDS_MAX)


async def call_api(
    request: PageRequest,
    method: str,
    path: str,
    query: Query | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> ApiAnswer:
    """Ask the API as whoever is signed in, and return its answer, a refusal too."""
    who = request.visit.who if request.visit is not None else None
    answer = await ask_api(request.scope["app"], request.scope, who, method, path, query, body, headers)
    request.answers.append(answer)
    return answer


async def call_all(request: PageRequest, *wanted: tuple[str, Query]) -> list[ApiAnswer]:
    """Return the answers of several GETs, each a path and a query, in their order; they are asked for together."""
    who = request.visit.who if request.visit is not None else None
    app = request.scope["app"]
    asked = (ask_api(app, request.scope, who, "GET", path, query) for path, query in wanted)
    answers = await asyncio.gather(*asked)
    request.answers += answers
    return answers


async def api_result(request: PageRequest, path: str, query: Query | None = None) -> Any:
    """Return the result of a GET; raises ApiRefused, which shows the API's errors as a page."""
    return checked(await call_api(request, "GET", path, query)).result


def checked(answer: ApiAnswer) -> ApiAnswer:
    """Return an answer that is a success; raises ApiRefused."""
    if not answer.is_success:
        raise ApiRefused(answer)
    return answer
