"""Every field of the Rules language: its type, what decides it, what it means in DNS. Here is where one is added."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from lbdns.expressions.tree import Type


class FieldKind(StrEnum):
    """What decides a field's value, so what a condition on it costs."""

    CONSTANT = "constant"  # the configuration and the PoP: folds when compiled
    NAME = "name"  # the name asked for: folds too, where the load balancer is no wildcard
    ADDRESS = "address"  # ip.src: a class of addresses, with a scope
    ECS_TEXT = "ECS text"  # the text of the ECS address: a class of addresses where it is a prefix
    MESSAGE = "message"  # the rest of the query
    PROXIED = "proxied"  # a request of HTTP or TLS, which a DNS server never sees


@dataclass(frozen=True, slots=True)
class ValueForm:
    """How every value of a field is written: `words` say it, `case` is bytes.lower or bytes.upper, and `dot` is whether
    there always or never is a dot at the end, None where nothing is known of that."""

    words: str
    case: Callable[[bytes], bytes]
    dot: bool | None = None


_LOWER_WITH_DOT: Final = ValueForm("in lower case, with the final dot", bytes.lower, True)
_LOWER_WITHOUT_DOT: Final = ValueForm("in lower case, without the final dot", bytes.lower, False)
_UPPER: Final = ValueForm("in upper case", bytes.upper)


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field. `meaning` is a phrase for the documents; "" of a proxied field. `form` is None where values differ."""

    name: str
    type: Type
    kind: FieldKind
    meaning: str = ""
    form: ValueForm | None = None


PROXIED_ONLY: Final = "is a field of proxied requests; lbdns is DNS-only and never sees one, so leave it out"
"""What is told of a proxied field, behind its name."""

_KNOWN: Final = (
    FieldRow(
        "cf.load_balancer.name",
        Type.BYTES,
        FieldKind.CONSTANT,
        "the load balancer's hostname, without final dot",
        _LOWER_WITHOUT_DOT,
    ),
    FieldRow(
        "cf.load_balancer.region", Type.BYTES, FieldKind.CONSTANT, "the region of the PoP that answers: `WNAM`", _UPPER
    ),
    FieldRow("dns.qry.qu", Type.BOOL, FieldKind.CONSTANT, "whether the message was a question: always"),
    FieldRow(
        "dns.qry.name",
        Type.BYTES,
        FieldKind.NAME,
        "the name asked for, in lower case, with the final dot",
        _LOWER_WITH_DOT,
    ),
    FieldRow("dns.qry.name.len", Type.INT, FieldKind.NAME, "its length in bytes, with the final dot"),
    FieldRow("dns.qry.type", Type.INT, FieldKind.MESSAGE, "the record type asked for: 1 is A, 28 AAAA"),
    FieldRow("dns.rr.opt.client", Type.BOOL, FieldKind.MESSAGE, "whether the query has a client subnet (ECS)"),
    FieldRow("dns.rr.opt.client.addr", Type.STRING, FieldKind.ECS_TEXT, "the address of that, as text"),
    FieldRow(
        "ip.src", Type.IP, FieldKind.ADDRESS, "the address of the ECS, a private one too, without it the resolver's"
    ),
    FieldRow("ip.src.asnum", Type.INT, FieldKind.ADDRESS, "the number of its autonomous system"),
    FieldRow("ip.src.continent", Type.BYTES, FieldKind.ADDRESS, "its continent: AF, AN, AS, EU, NA, OC or SA", _UPPER),
    FieldRow("ip.src.country", Type.BYTES, FieldKind.ADDRESS, "its country, ISO 3166-1: `DE`", _UPPER),
    FieldRow("ip.src.subdivision", Type.BYTES, FieldKind.ADDRESS, "its state or province, ISO 3166-2: `US-CA`", _UPPER),
    FieldRow("ip.src.lat", Type.FLOAT, FieldKind.ADDRESS, "its latitude in degrees"),
    FieldRow("ip.src.lon", Type.FLOAT, FieldKind.ADDRESS, "its longitude in degrees"),
)

_PROXIED: Final = {
    Type.BYTES: (
        "http.cookie",
        "http.host",
        "http.referer",
        "http.request.body.mime",
        "http.request.body.raw",
        "http.request.full_uri",
        "http.request.method",
        "http.request.uri",
        "http.request.uri.path",
        "http.request.uri.path.extension",
        "http.request.uri.query",
        "http.request.version",
        "http.user_agent",
        "http.x_forwarded_for",
        "raw.http.request.full_uri",
        "raw.http.request.uri",
        "raw.http.request.uri.path",
        "raw.http.request.uri.path.extension",
        "raw.http.request.uri.query",
    ),
    Type.INT: (
        "http.request.body.size",
        "http.request.timestamp.msec",
        "http.request.timestamp.sec",
        "http.response.code",
    ),
    Type.BOOL: ("http.request.body.truncated", "http.request.headers.truncated", "ssl"),
    Type.ARRAY_OF_BYTES: (
        "http.request.accepted_languages",
        "http.request.body.form.names",
        "http.request.body.form.values",
        "http.request.headers.names",
        "http.request.headers.values",
        "http.request.uri.args.names",
        "http.request.uri.args.values",
    ),
    Type.MAP_OF_ARRAYS: (
        "http.request.body.form",
        "http.request.cookies",
        "http.request.headers",
        "http.request.uri.args",
    ),
}

FIELDS: Final[Mapping[str, FieldRow]] = MappingProxyType(
    {row.name: row for row in _KNOWN}
    | {name: FieldRow(name, kind, FieldKind.PROXIED) for kind, names in _PROXIED.items() for name in names}
)
"""Name -> field, those of DNS first."""

DNS_FIELDS: Final = tuple(row.name for row in _KNOWN)
"""The names of those that a DNS query has."""
