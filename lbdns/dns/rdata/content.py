"""The `content` of a record as the API shows it, and its `data`, <-> wire format.

Content is master-file data without what only files need: hostnames have no final dot, MX has its preference beside it
as `priority`. So a name in content is absolute, with these exceptions: `@` is the zone, a single label is completed by
the zone (`mail` in example.com is mail.example.com), and a top-level host keeps its dot (`localhost.`).

    type        content                          master file
    CNAME       www.example.net                  www.example.net.
    MX          mail.example.com, priority 10    10 mail.example.com.
    SRV         0 100 443 www.example.com        0 100 443 www.example.com.
    TXT         "v=spf1 -all"                    "v=spf1 -all"
    HTTPS       1 . alpn="h2"                    1 . alpn="h2"

Text of TXT may come without quotes: then all of it is the text. Strings of more than 255 octets are split. What
`content_of` writes, `encode_content` reads back to the same octets. What may be spelled in several ways is shown as it
was sent (`content_as_sent`): texts with their quotes or without, hexadecimal digits in either case, the final dot of
names in NAPTR, SVCB and HTTPS.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any, Final

from lbdns.base.json_values import Report
from lbdns.dns import record_bounds
from lbdns.dns.name import ROOT, BadName, encode_host, show_absolute, show_host
from lbdns.dns.rdata.data_parts import Complete, PartsForm, in_case_of
from lbdns.dns.rdata.master_form import BadRdata, encode_rdata, rdata_text
from lbdns.dns.rdata.record_types import Priority, RecordType, record_type

MAX_STRING_OCTETS: Final = 255
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_STRING: Final = re.compile(r'\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\([0-9]{3}|.)", re.DOTALL)


def content_of(rdtype: int, rdata: bytes) -> tuple[str, int | None]:
    """Return a record's content and, for MX, its priority."""
    row = record_type(rdtype)
    if row.has_name_alone:
        return show_host(rdata), None
    if row.priority is Priority.BESIDE_CONTENT:
        return show_host(rdata[2:]), int.from_bytes(rdata[:2], "big")
    data = data_of(rdtype, rdata)
    if data is not None and row.data is not None:
        return _exact(rdtype, rdata, row.data.content(data)), None
    return rdata_text(rdtype, rdata), None


def content_as_sent(rdtype: int, rdata: bytes, sent: str | Mapping[str, Any]) -> tuple[str, int | None]:
    """Return the same, in the spelling of the content or the data that encoded it."""
    row = record_type(rdtype)
    if row.has_texts_alone and isinstance(sent, str):
        return sent, None
    content, priority = content_of(rdtype, rdata)
    if row.data is None:
        has_no_form = row.layout is None and isinstance(sent, str)
        return in_case_of(content, str(sent)) if has_no_form else content, priority
    data = data_of(rdtype, rdata, sent)
    return content if data is None else _exact(rdtype, rdata, row.data.content(data)), priority


def _exact(rdtype: int, rdata: bytes, content: str) -> str:
    """Return content where it is read back to the data that it is of, else what is: parts are text, and octets that are
    none, or that the type's form cannot say, would become others."""
    for said in (content, rdata_text(rdtype, rdata)):
        with contextlib.suppress(BadRdata):
            if encode_content(rdtype, said, None, "") == rdata:
                return said
    from lbdns.dns.rdata.library import show_generic

    return show_generic(rdata)


def data_of(rdtype: int, rdata: bytes, sent: str | Mapping[str, Any] = "") -> dict[str, Any] | None:
    """Return the parts of wire-format data; None where its type has none, or it cannot be taken apart.

    They are spelled as in `sent`, the content or data that encoded it, where there is one.
    """
    form = record_type(rdtype).data
    if form is None:
        return None
    from lbdns.dns.rdata.library import parse_wire  # slow to load, and few configurations have such a record

    parsed = parse_wire(rdtype, rdata)
    if parsed is None:
        return None
    return form.spelled(form.of(parsed), form.sent(sent) if isinstance(sent, str) else sent)


def text_of_data(rdtype: int, data: Any, priority: Any, complete: Complete, report: Report) -> str | None:
    """Return master-file data of what a client gave as `data` of a type that has parts; None where it is wrong.

    Every mistake is reported. `priority` stands in for a missing one.
    """
    form = record_type(rdtype).data
    if form is None or not isinstance(data, Mapping):
        report("", "expected an object with the record's parts")
        return None
    return form.text(data, priority, complete, report)


def encode_content(rdtype: int, content: str, priority: int | None, zone_name: str) -> bytes:
    """Return the wire format of a record's data; raises BadRdata."""
    if len(content) > record_bounds.MAX_CONTENT_CHARS:
        raise BadRdata(f"{len(content)} characters; content has at most {record_bounds.MAX_CONTENT_CHARS}")
    if not content.strip():
        raise BadRdata(_missing(rdtype))
    row = record_type(rdtype)
    if row.has_texts_alone:
        return _encode_texts(content)
    content = content.strip()
    if _CONTROL.search(content):
        raise BadRdata("a control character stands in it, such as a line's end; content is one line")
    if content.startswith("\\#"):
        return encode_rdata(rdtype, [content], ROOT)
    try:
        if row.has_name_alone:
            return encode_host(content, zone_name)
        if row.priority is Priority.BESIDE_CONTENT:
            return _encode_mx(content, priority, zone_name)
        if isinstance(row.data, PartsForm):
            content = _completed(row, row.data, content, priority, zone_name)
    except BadName as error:
        raise BadRdata(str(error)) from None
    return encode_rdata(rdtype, [content], ROOT)


def _completed(row: RecordType, form: PartsForm, content: str, priority: int | None, zone_name: str) -> str:
    """Return content with its priority, where that is given beside it alone, and its host made absolute.

    What has too few words is left for the encoder to refuse.
    """
    others = len(form.parts) - 1
    if row.has_priority_first and priority is not None and len(content.split(None, others)) == others:
        content = f"{priority} {content}"
    at = form.host_at
    if at is None:
        return content
    words = content.rsplit(None, 1) if form.ends_in_host else content.split(None, at + 1)
    host = 1 if form.ends_in_host else at
    if len(words) > host:
        words[host] = show_absolute(encode_host(words[host], zone_name))
    return " ".join(words)


def _missing(rdtype: int) -> str:
    try:
        encode_rdata(rdtype, [], ROOT)
    except BadRdata as error:
        return str(error)
    return "the data is missing"


def _encode_mx(content: str, priority: int | None, zone_name: str) -> bytes:
    """Encode `HOST` with a priority, or `PREFERENCE HOST` as files have it."""
    words = content.split()
    if len(words) == 2 and words[0].isascii() and words[0].isdigit():
        preference = int(words[0])
        if preference > record_bounds.MAX_PRIORITY:
            raise BadRdata(f"{words[0]} is no preference; expected 0 to {record_bounds.MAX_PRIORITY}")
        if priority not in (None, preference):
            raise BadRdata(f"the preference {preference} here is not the priority {priority}; give one of the two")
        priority, content = preference, words[1]
    if priority is None:
        raise BadRdata("an MX record has a priority, such as 10, beside its host")
    return priority.to_bytes(2, "big") + encode_host(content, zone_name)


def _encode_texts(content: str) -> bytes:
    """Encode character strings in quotes, or text without."""
    texts = [content.encode()]
    if content.lstrip().startswith('"'):
        texts = []
        at, end = 0, len(content.rstrip())
        while at < end:
            found = _STRING.match(content, at, end)
            if found is None:
                raise BadRdata('the quotes do not match; expected "TEXT" "TEXT"..., with \\" for a quote inside')
            texts.append(_unescaped(found[1]))
            at = found.end()
    wire = bytearray()
    for text in texts:
        for start in range(0, len(text) or 1, MAX_STRING_OCTETS):
            part = text[start : start + MAX_STRING_OCTETS]
            wire += bytes((len(part),)) + part
    if len(wire) > 65_535:
        raise BadRdata(f"{len(wire)} octets of data; a record holds at most 65535")
    return bytes(wire)


def _unescaped(text: str) -> bytes:
    def octet(found: re.Match[bytes]) -> bytes:
        if len(found[1]) == 1:
            return found[1]
        value = int(found[1])
        if value > 255:
            raise BadRdata(f"\\{found[1].decode()} is no octet; expected \\000 to \\255")
        return bytes((value,))

    return _ESCAPE.sub(octet, text.encode())
