"""The envelope around every answer: {"result", "success", "errors", "messages", "result_info"?}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from fastapi import Depends, Query, Response
from pydantic_core import to_json

from lbdns.base.words import OBJECTS_PER_PAGE_MAX
from lbdns.manage.api.frame.reply_messages import told

JSON_TYPE: Final = "application/json"
PAGE_MAX: Final = 1_000_000
PER_PAGE: Final = 100

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Where a page of a list stands in the whole: `result_info`."""

    page: int
    per_page: int
    count: int
    total_count: int

    def as_json(self) -> dict[str, int]:
        """Return it as the API says it."""
        pages = -(-self.total_count // self.per_page)
        return {**asdict(self), "total_pages": pages}


def ok(
    result: Any,
    result_info: PageInfo | None = None,
    messages: Iterable[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a success: HTTP 200 with the result in its envelope. `result` is anything that JSON can say.

    `messages` come before those that were told while the request was answered.
    """
    body: dict[str, Any] = {"result": result, "success": True, "errors": [], "messages": [*messages, *told()]}
    if result_info is not None:
        body["result_info"] = result_info.as_json()
    return Response(to_json(body), media_type=JSON_TYPE, headers=dict(headers) if headers else None)


def failed(
    status: int,
    errors: Iterable[Mapping[str, Any]],
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a failure in its envelope: result null, and what was wrong."""
    body = {"result": None, "success": False, "errors": list(errors), "messages": []}
    return Response(to_json(body), status, media_type=JSON_TYPE, headers=dict(headers) if headers else None)


def page(items: Sequence[Thing], number: int, per_page: int) -> tuple[Sequence[Thing], PageInfo]:
    """Return a page, counted from 1, and where it stands. Past the end is an empty page."""
    shown = items[(number - 1) * per_page : number * per_page]
    return shown, PageInfo(number, per_page, len(shown), len(items))


class Paging(NamedTuple):
    """What a client asked for of a list that is whole unless it asks for pages."""

    page: int | None
    per_page: int | None

    def of(self, items: Sequence[Thing]) -> tuple[Sequence[Thing], PageInfo | None]:
        """Return the page that was asked for and where it stands, or everything."""
        if self.page is None and self.per_page is None:
            return items, None
        return page(items, self.page or 1, self.per_page or PER_PAGE)


async def _paging(
    page: Annotated[int | None, Query(ge=1, le=PAGE_MAX)] = None,
    per_page: Annotated[int | None, Query(ge=1, le=OBJECTS_PER_PAGE_MAX)] = None,
) -> Paging:
    return Paging(page, per_page)


OptionalPaging = Annotated[Paging, Depends(_paging)]
"""What the handler of such a list declares."""
