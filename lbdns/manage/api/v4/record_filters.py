"""Which of a zone's records a list shows, and in which order: the query parameters of the v4 API.

Names and content compare by what they mean, whatever its spelling: texts with quotes or without, in one string or
several; names in Unicode or in A-labels, with a final dot or without; the priority of SRV in content or not.

The zone's own name servers (store/zones/own_servers.py) are shown to whom asks for their name, or for `name_servers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from lbdns.base import words
from lbdns.dns.name import BadName, compared_name, encode_owner, show_name, show_unicode
from lbdns.dns.rdata.record_types import parse_type, type_text
from lbdns.manage.api.frame.paging import PAGE_MAX, within
from lbdns.manage.api.v4.record_meanings import Comparison, Test, content_test, contents_of
from lbdns.manage.store.item import Item
from lbdns.manage.store.zones.own_servers import is_of_server

PER_PAGE: Final = 100
TEXT_CHARS_MAX: Final = 1024
TYPES_CHARS_MAX: Final = 300
TYPES_MAX: Final = 50

Text = Annotated[str, Field(max_length=TEXT_CHARS_MAX)] | None
Types = Annotated[str, Field(max_length=TYPES_CHARS_MAX)]


class RecordFilters(BaseModel):
    """The parameters. Comparisons ignore case; `name` alone is `name.exact`, `content` alone `content.exact`.

    `name_servers` and `view` are ours: whether the zone's own name servers are listed too; of which view records are,
    "" for those that all see.
    """

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
    type: Annotated[list[Types] | None, Field(max_length=TYPES_MAX, description="commas between several")] = None
    proxied: bool | None = None
    search: Text = None
    name_servers: bool = False
    view: Text = None
    match: Literal["any", "all"] = "all"
    tag_match: Literal["any", "all"] = "all"
    order: Literal["type", "name", "content", "ttl", "proxied"] | None = None
    direction: Literal["asc", "desc"] = "asc"
    page: Annotated[int, BeforeValidator(within("page", 1, PAGE_MAX, 1))] = 1
    per_page: Annotated[int, BeforeValidator(within("per_page", 1, words.RECORDS_PER_PAGE_MAX, PER_PAGE))] = PER_PAGE

    def chosen(self, records: Iterable[Item], zone: Item) -> list[Item]:
        """Return the records of a zone that fit, in order."""
        zone_name = zone.name
        tests = [*self._tests(zone_name)]
        tags = [*self._tag_tests()]
        if tags:
            tests.append(_joined(tags, self.tag_match))
        fits = _joined(tests, self.match) if tests else None
        search = self.search.casefold() if self.search else ""
        found = [
            record
            for record in records
            if (fits is None or fits(record))
            and (not search or search in _searched(record))
            and self.view in (None, zone.view or record.view)
        ]
        if not self.name_servers:
            asked = self.name_exact or self.name
            known = _whole_name(asked, zone_name) if asked is not None else None
            found = [record for record in found if not is_of_server(record) or record.name == known]
        if self.order is not None:
            found.sort(key=_ORDERS[self.order], reverse=self.direction == "desc")
        elif self.direction == "desc":
            found.reverse()
        return found

    def _tests(self, zone_name: str) -> Iterable[Test]:
        """Yield a test for each filter, what is quickly told first."""
        types = {_type(text) for several in self.type or () for one in several.split(",") if (text := one.strip())}
        if types:
            yield lambda record: record.body["type"] in types
        for field, test in _TESTS.items():
            for how, compare in _COMPARISONS.items():
                wanted = getattr(self, f"{field}_{how}") or (how == "exact" and getattr(self, field)) or None
                if wanted is not None:
                    yield test(compare, wanted, zone_name if how == "exact" else "")
        if self.comment_present is not None:
            yield lambda record: bool(record.body.get("comment"))
        if self.comment_absent is not None:
            yield lambda record: not record.body.get("comment")
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

_COMPARISONS: Final[dict[str, Comparison]] = {
    "exact": lambda value, wanted: value == wanted,
    "contains": lambda value, wanted: wanted in value,
    "startswith": lambda value, wanted: value.startswith(wanted),
    "endswith": lambda value, wanted: value.endswith(wanted),
}
_ORDERS: Final[dict[str, Callable[[Item], Any]]] = {
    "type": lambda record: (record.body["type"], record.name),
    "name": lambda record: record.name,
    "content": lambda record: record.body["content"],
    "ttl": lambda record: words.AUTOMATIC_TTL_S if record.body["ttl"] == words.AUTOMATIC_TTL else record.body["ttl"],
    "proxied": lambda record: 0,
}


def _spellings(text: str) -> list[str]:
    folded = text.casefold()
    return [folded, show_unicode(text).casefold()] if "xn--" in folded else [folded]


def _whole_name(text: str, zone_name: str) -> str:
    """Return a name as records have it; it may be relative to the zone, and in Unicode. What is none stays as it is."""
    try:
        return show_name(encode_owner(text, zone_name))
    except BadName:
        return compared_name(text)


def _name_test(compare: Comparison, text: str, zone_name: str) -> Test:
    if not zone_name:
        wanted = text.casefold().removesuffix(".") or text
        return lambda record: any(compare(name, wanted) for name in _spellings(record.name))
    whole = _whole_name(text, zone_name)
    return lambda record: record.name == whole


def _comment_test(compare: Comparison, text: str, zone_name: str) -> Test:
    wanted = text.casefold()
    return lambda record: compare(record.body.get("comment", "").casefold(), wanted)


_TESTS: Final[dict[str, Callable[[Comparison, str, str], Test]]] = {
    "name": _name_test,
    "content": content_test,
    "comment": _comment_test,
}
"""What makes a test of a filter's text: all of the field in the zone of a name, or with "" a part of it."""


def _type(text: str) -> str:
    try:
        return type_text(parse_type(text, with_hint=False))
    except ValueError:
        return text.upper()


def _tagged(compare: Comparison, wanted: str) -> Test:
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
    others = [body["type"], body.get("comment", ""), *body.get("tags", ())]
    return "\n".join([*_spellings(record.name), *contents_of(record), *map(str.casefold, others)])
