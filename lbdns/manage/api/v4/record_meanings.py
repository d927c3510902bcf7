"""What a filter's `content` means for a record, and what a record's content reads like: what the filters compare.

TXT      `abc`, `"abc"`, `"a" "bc"`                                       abc
SRV      `0 5 443 www.example.com`, `5 443 www.example.com` (tabs too)    the same record
TLSA     `3 1 1 ABCD`, `3 1 1 abcd`                                       the same record
CNAME    `www.bücher.example.`, `www.xn--bcher-kva.example`               the same host
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from lbdns.dns.name import show_unicode
from lbdns.dns.rdata.content import content_of, encode_content
from lbdns.dns.rdata.layouts import strings_of
from lbdns.dns.rdata.master_form import BadRdata
from lbdns.dns.rdata.record_types import Priority, record_type
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.record_bodies import (
    CACHED_RECORDS,
    content_meant,
    has_spellings,
    known_type,
    record_priority,
)

Comparison = Callable[[str, str], bool]
"""Tells whether a text, folded, is one that is looked for, folded."""
Test = Callable[[Item], bool]


def contents_of(record: Item) -> tuple[str, ...]:
    """Return what a record's content reads like, folded: as it was sent, in the spelling that all have in common, and
    then as one text, or with names in Unicode.
    """
    type, content = record.body["type"], record.body["content"]
    if not has_spellings(type) and "xn--" not in content:
        return (content.casefold(),)
    return _contents(type, content)


@lru_cache(maxsize=CACHED_RECORDS)
def _contents(type: str, content: str) -> tuple[str, ...]:
    """Do it for stored content, whose names are complete."""
    meant = content_meant({"name": ".", "type": type, "content": content})
    rdtype = known_type(type)
    is_text = record_type(rdtype).has_texts_alone
    return _folded(
        (content, meant, _text(encode_content(rdtype, meant, None, ".")) if is_text else show_unicode(meant))
    )


def content_test(compare: Comparison, text: str, zone_name: str) -> Test:
    """Return the test for all of a content, in the zone of this name, or with "" for a part of one."""
    made: dict[tuple[str, int | None], tuple[str, ...]] = {}

    def fits(record: Item) -> bool:
        type = record.body["type"]
        key = type, record_priority(record.body) if _has_priority(type) else None
        wanted = made.get(key)
        if wanted is None:
            wanted = made[key] = _folded((text, *_meant(text, zone_name, known_type(type), key[1])))
        for there in contents_of(record):
            for one in wanted:
                if compare(there, one):
                    return True
        return False

    return fits


@lru_cache(maxsize=1024)
def _has_priority(type: str) -> bool:
    return record_type(known_type(type)).priority is not Priority.NONE


def _meant(text: str, zone_name: str, rdtype: int, priority: int | None) -> Iterable[str]:
    """Yield how content of a type that means the same reads, where the text is such content."""
    is_text = record_type(rdtype).has_texts_alone
    if not is_text and not zone_name:
        return
    try:
        rdata = encode_content(rdtype, text, priority, zone_name)
    except BadRdata:
        return
    yield _text(rdata) if is_text else content_of(rdtype, rdata)[0]


def _text(rdata: bytes) -> str:
    return b"".join(strings_of(rdata)).decode(errors="backslashreplace")


def _folded(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.casefold() for text in texts))
