"""What a filter's `content` means for a record, and what a record's content reads like: what the filters compare.

TXT      `abc`, `"abc"`, `"a" "bc"`                                       abc
SRV      `0 5 443 www.example.com`, `5 443 www.example.com` (tabs too)    the same record
TLSA     `3 1 1 ABCD`, `3 1 1 abcd`                                       the same record
CNAME    `www.bücher.example.`, `www.xn--bcher-kva.example`               the same host
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lbdns.dns.name import show_unicode
from lbdns.dns.rdata.content import content_of, encode_content
from lbdns.dns.rdata.layouts import strings_of
from lbdns.dns.rdata.master_form import BadRdata
from lbdns.dns.rdata.record_types import record_type
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.record_bodies import content_meant, known_type, record_priority, record_rrset


def contents_of(record: Item) -> list[str]:
    """Return what a record's content reads like, folded: as it was sent, in the spelling that all have in common, and
    then as one text, or with names in Unicode.
    """
    body = record.body
    is_text = record_type(known_type(body["type"])).has_texts_alone
    meant = content_meant(body)
    return _folded((body["content"], meant, _text(record_rrset(record)[3]) if is_text else show_unicode(meant)))


def wanted_content(text: str, zone_name: str) -> Callable[[Item], list[str]]:
    """Return what a filter's text means for a record, folded.

    It is all of a content, in the zone of this name, or with "" a part of one.
    """
    made: dict[tuple[int, int | None], list[str]] = {}

    def wanted(record: Item) -> list[str]:
        key = known_type(record.body["type"]), record_priority(record.body)
        if key not in made:
            made[key] = _folded((text, *_meant(text, zone_name, *key)))
        return made[key]

    return wanted


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


def _folded(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text.casefold() for text in texts))
