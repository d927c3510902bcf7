"""The form of a record, by its type: its parts where the type has any, else its content, with what that is in words."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from lbdns.dns.rdata.data_parts import PartsForm
from lbdns.dns.rdata.record_types import Priority, RecordType, parse_type, record_type
from lbdns.manage.api.frame.openapi import followed
from lbdns.manage.api.v4.record_shapes import RECORD_WRITTEN
from lbdns.manage.dashboard.object_forms.form_field import FormField, schema_form

RECORD_TYPES_OFFERED: Final = (
    *("A", "AAAA", "CNAME", "MX", "TXT", "SRV", "CAA", "NS", "PTR", "HTTPS"),
    *("SVCB", "TLSA", "SSHFP", "DS", "DNSKEY", "NAPTR", "URI", "LOC", "CERT", "SMIMEA", "DNAME"),
)
"""The types that a form offers by name; any other is typed."""
_PART_NAMES: Final = {
    "number": "a number",
    "host": "a host's name",
    "name": "a name",
    "word": "a word",
    "quoted": "a text, without quotes around it",
    "hex": "hexadecimal digits",
    "base64": "Base64",
    "parameters": "parameters, such as alpn=h2 ipv4hint=192.0.2.1",
}


@lru_cache(maxsize=64)
def record_form(type_text: str) -> FormField:
    """Return the form of a record of a type; of what is no type, the plain one: the API says that it is none."""
    try:
        row = record_type(parse_type(type_text, with_hint=False))
    except ValueError:
        row = RecordType(type_text, 0)
    written = followed(RECORD_WRITTEN)
    has_parts = isinstance(row.data, PartsForm)
    left_out = {"content"} if has_parts else {"data"}
    if has_parts or row.priority is Priority.NONE:
        left_out.add("priority")
    if row.priority is Priority.BESIDE_DATA:
        left_out.discard("priority")
    properties = {key: schema for key, schema in written["properties"].items() if key not in left_out}
    required = [key for key in ("name", "type", "content") if key in properties]
    if has_parts:
        properties["data"] = _parts(row)
        required.append("data")
    else:
        properties["content"] = {"type": "string", "description": _content_words(row)}
    made = schema_form({**written, "properties": properties, "required": required}, "Record")
    inner = tuple(replace(one, is_hidden=True) if one.key == "type" else one for one in made.inner)
    return replace(made, inner=inner)


def _content_words(row: RecordType) -> str:
    what = row.what or "the data of the record, as master files have it"
    return f"{what[:1].upper()}{what[1:]}." + (f" Such as `{row.example}`." if row.example else "")


def _parts(row: RecordType) -> dict[str, Any]:
    """Return the schema of a type's parts."""
    assert isinstance(row.data, PartsForm), "a row without parts has content"
    parts = [one for one in row.data.parts if not (one.key == "priority" and row.priority is Priority.BESIDE_DATA)]
    properties: dict[str, Any] = {}
    for one in parts:
        if one.kind == "number":
            properties[one.key] = {"type": "integer", "minimum": 0, "maximum": one.most}
        else:
            properties[one.key] = {"type": "string", "description": f"{_PART_NAMES[one.kind].capitalize()}."}
    required = [one.key for one in parts if one.kind != "parameters"]
    return {"type": "object", "title": "RecordData", "properties": properties, "required": required}
