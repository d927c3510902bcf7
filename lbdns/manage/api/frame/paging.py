"""Pages of lists: which one a client asks for, read leniently, and where it stands in the whole.

Clients of the v4 API ask for pages of whatever size they like. What is beyond a bound is taken for the bound, what is
no number for the default; `messages` say so, and `result_info` what was taken.
"""

# Annotations are evaluated at once here: those of a dependency name what `paged` was given.

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from fastapi import Depends, Query
from pydantic import BeforeValidator

from lbdns.base.words import OBJECTS_PER_PAGE_MAX
from lbdns.manage.api.frame.reply_messages import tell

PAGE_MAX: Final = 1_000_000
PER_PAGE: Final = 100
_NUMBER: Final = re.compile(r"([+-]?)([0-9]+)(?:\.[0-9]*)?", re.ASCII)
_DIGITS_MAX: Final = 15
_SHOWN_CHARS: Final = 20

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


def page(items: Sequence[Thing], number: int, per_page: int) -> tuple[Sequence[Thing], PageInfo]:
    """Return a page, counted from 1, and where it stands. Past the end is an empty page."""
    shown = items[(number - 1) * per_page : number * per_page]
    return shown, PageInfo(number, per_page, len(shown), len(items))


class Paging(NamedTuple):
    """The page that is asked for; `is_whole` where that is the whole list, which has no pages then."""

    page: int
    per_page: int
    is_whole: bool = False

    def of(self, items: Sequence[Thing]) -> tuple[Sequence[Thing], PageInfo | None]:
        """Return the page of a list and where it stands, or everything."""
        return (items, None) if self.is_whole else page(items, self.page, self.per_page)


def within(parameter: str, least: int, most: int, otherwise: int) -> Callable[[Any], Any]:
    """Return what reads a query parameter: the nearest number of the bounds, `otherwise` where it is no number."""

    def read(value: Any) -> Any:
        if not isinstance(value, str):
            return value  # the default
        found = _NUMBER.fullmatch(value.strip())
        if found is None:
            if value.strip():
                tell(f'{parameter}: "{value[:_SHOWN_CHARS]}" is no number; {otherwise} is taken')
            return otherwise
        sign, digits = found.groups()
        size = int(digits) if len(digits) <= _DIGITS_MAX else most + 1
        number = -size if sign == "-" else size
        taken = min(max(number, least), most)
        if taken != number:
            tell(f"{parameter}: expected {least:,} to {most:,}; {taken:,} is taken")
        return taken

    return read


def _shown(least: int, most: int, otherwise: int) -> dict[str, Any]:
    """Return what the OpenAPI document says of a parameter that `within` reads."""
    words = f"from {least:,} to {most:,}; what is beyond is taken for the nearest, what is no number for {otherwise:,}"
    return {"type": "integer", "minimum": least, "maximum": most, "description": words}


def paged(per_page_default: int, per_page_max: int, is_optional: bool = False) -> Any:
    """Return the dependency of a list's handler: a Paging. `is_optional`: the list is whole unless pages are asked."""
    read_page = BeforeValidator(within("page", 1, PAGE_MAX, 1))
    read_size = BeforeValidator(within("per_page", 1, per_page_max, per_page_default))
    page_words, size_words = _shown(1, PAGE_MAX, 1), _shown(1, per_page_max, per_page_default)

    async def read(
        page: Annotated[int | None, read_page, Query(json_schema_extra=page_words)] = None,
        per_page: Annotated[int | None, read_size, Query(json_schema_extra=size_words)] = None,
    ) -> Paging:
        is_whole = is_optional and page is None and per_page is None
        return Paging(page or 1, per_page or per_page_default, is_whole)

    return Depends(read)


OptionalPaging = Annotated[Paging, paged(PER_PAGE, OBJECTS_PER_PAGE_MAX, is_optional=True)]
"""What the handler of a list declares that is whole unless it is asked for by pages."""
