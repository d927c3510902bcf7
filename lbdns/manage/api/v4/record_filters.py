"""Which of a zone's records a list shows, and in which order: the query parameters of the v4 API."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lbdns.base import words
from lbdns.manage.api.frame.paging import PAGE_MAX, within
from lbdns.manage.store.item import Item

PER_PAGE: Final = 100
TEXT_CHARS_MAX: Final = 1024

Text = Annotated[str, Field(max_length=TEXT_CHARS_MAX)] | None
Test = Callable[[Item], bool]


class RecordFilters(BaseModel):
    """The parameters. Comparisons ignore case; `name` alone is `name.exact`, `content` alone `content.exact`."""

    model_config = ConfigDict(extra="ignore")

    name: Text = None
    name_exact: Text = Field(None, alias="name.exact")
    name_contains: Text = Field(None, alias="name.contains")
    name_startswith: Text = Field(None, alias="name.startswith")
    name_endswith: Text = Field(None, alias="name.endswith")
    content: Text = None
    content_exact: Text = Field(None, alias="content.exact")
    content_contains: Text = Field(None, alias="content.contains")
    content_startswith: Text = Field(None, alias="content.startswith")
    content_endswith: Text = Field(None, alias="content.endswith")
    comment: Text = None
    comment_present: Text = Field(None, alias="comment.present")
    comment_absent: Text = Field(None, alias="comment.absent")
    comment_exact: Text = Field(None, alias="comment.exact")
    comment_contains: Text = Field(None, alias="comment.contains")
    comment_startswith: Text = Field(None, alias="comment.startswith")
    comment_endswith: Text = Field(None, alias="comment.endswith")
    tag: Text = None
    tag_present: Text = Field(None, alias="tag.present")
    tag_absent: Text = Field(None, alias="tag.absent")
    tag_exact: Text = Field(None, alias="tag.exact")
    tag_contains: Text = Field(None, alias="tag.contains")
    tag_startswith: Text = Field(None, alias="tag.startswith")
    tag_endswith: Text = Field(None, alias="tag.endswith")
    type: Annotated[str, Field(max_length=20)] | None = None
    proxied: bool | None = None
    search: Text = None
    match: Literal["any", "all"] = "all"
    tag_match: Literal["any", "all"] = "all"
    order: Literal["type", "name", "content", "ttl", "proxied"] | None = None
    direction: Literal["asc", "desc"] = "asc"
    page: Annotated[int, BeforeValidator(within("page", 1, PAGE_MAX, 1))] = 1
    per_page: Annotated[int, BeforeValidator(within("per_page", 1, words.RECORDS_PER_PAGE_MAX, PER_PAGE))] = PER_PAGE

    def chosen(self, records: Iterable[Item]) -> list[Item]:
        """Return the records that fit, in order."""
        tests = [*self._tests()]
        tags = [*self._tag_tests()]
        if tags:
            tests.append(_joined(tags, self.tag_match))
        fits = _joined(tests, self.match) if tests else None
        search = self.search.casefold() if self.search else ""
        found = [
            record
            for record in records
            if (fits is None or fits(record)) and (not search or search in _searched(record))
        ]
        if self.order is not None:
            found.sort(key=_ORDERS[self.order], reverse=self.direction == "desc")
        elif self.direction == "desc":
            found.reverse()
        return found

    def _tests(self) -> Iterable[Test]:
        for field, read in _READ.items():
            for how, compare in _COMPARISONS.items():
                wanted = getattr(self, f"{field}_{how}") or (how == "exact" and getattr(self, field)) or None
                if wanted is not None:
                    yield _compared(read, compare, _folded_name(wanted) if field == "name" else wanted.casefold())
        if self.comment_present is not None:
            yield lambda record: bool(record.body.get("comment"))
        if self.comment_absent is not None:
            yield lambda record: not record.body.get("comment")
        if self.type is not None:
            wanted = self.type.upper()
            yield lambda record: record.body["type"] == wanted
        if self.proxied is not None:
            proxied = self.proxied
            yield lambda record: not proxied

    def _tag_tests(self) -> Iterable[Test]:
        for how, compare in _COMPARISONS.items():
            wanted = getattr(self, f"tag_{how}") or (how == "exact" and self.tag) or None
            if wanted is not None:
                yield _tagged(compare, wanted.casefold())
        if self.tag_present is not None:
            yield _named_tag(self.tag_present.casefold(), True)
        if self.tag_absent is not None:
            yield _named_tag(self.tag_absent.casefold(), False)


RecordFiltersQuery = Annotated[RecordFilters, Query()]
"""What a handler declares to get them."""

_COMPARISONS: Final[dict[str, Callable[[str, str], bool]]] = {
    "exact": lambda value, wanted: value == wanted,
    "contains": lambda value, wanted: wanted in value,
    "startswith": lambda value, wanted: value.startswith(wanted),
    "endswith": lambda value, wanted: value.endswith(wanted),
}
_READ: Final[dict[str, Callable[[Item], str]]] = {
    "name": lambda record: record.name,
    "content": lambda record: record.body["content"],
    "comment": lambda record: record.body.get("comment", ""),
}
_ORDERS: Final[dict[str, Callable[[Item], Any]]] = {
    "type": lambda record: (record.body["type"], record.name),
    "name": lambda record: record.name,
    "content": lambda record: record.body["content"],
    "ttl": lambda record: words.AUTOMATIC_TTL_S if record.body["ttl"] == words.AUTOMATIC_TTL else record.body["ttl"],
    "proxied": lambda record: 0,
}


def _compared(read: Callable[[Item], str], compare: Callable[[str, str], bool], wanted: str) -> Test:
    return lambda record: compare(read(record).casefold(), wanted)


def _folded_name(text: str) -> str:
    return text.casefold().removesuffix(".") or text


def _tagged(compare: Callable[[str, str], bool], wanted: str) -> Test:
    """Return the test for a tag of a name whose value compares with another: `NAME:VALUE`."""
    name, _, value = wanted.partition(":")

    def fits(record: Item) -> bool:
        parts = (tag.casefold().partition(":") for tag in record.body.get("tags", ()))
        return any(key == name and compare(found, value) for key, _, found in parts)

    return fits


def _named_tag(name: str, is_wanted: bool) -> Test:
    def fits(record: Item) -> bool:
        names = (tag.casefold().partition(":")[0] for tag in record.body.get("tags", ()))
        return (name in names) is is_wanted

    return fits


def _joined(tests: list[Test], match: str) -> Test:
    join = any if match == "any" else all
    return lambda record: join(test(record) for test in tests)


def _searched(record: Item) -> str:
    body = record.body
    return "\n".join(
        [body["name"], body["type"], body["content"], body.get("comment", ""), *body.get("tags", ())]
    ).casefold()
