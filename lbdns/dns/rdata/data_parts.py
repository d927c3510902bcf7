"""The `data` of a record: its parts by name, for types whose content is a row of them.

One table says, for each type, what the API calls a part, what dnspython calls it, and of which kind it is. From it
follow all three roads: wire -> data, data -> content, and data -> the text that is encoded.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import dns.exception
import dns.rdata
import dns.rdataclass
from dns.rdatatype import RdataType

from lbdns.base.wording import nearest
from lbdns.dns import record_bounds
from lbdns.dns.name import BadName
from lbdns.dns.rdata.loc import LOC_KEYS, loc_data, loc_text
from lbdns.dns.rdata.presentation import quoted

LOC: Final = int(RdataType.LOC)
PRIORITY: Final = "priority"


class DataPart(NamedTuple):
    """One part: its key in `data`, dnspython's attribute, its kind, and the largest number it may be."""

    key: str
    attribute: str
    kind: str
    most: int = 0


def _u8(key: str, attribute: str = "") -> DataPart:
    return DataPart(key, attribute or key, "number", 255)


def _u16(key: str, attribute: str = "") -> DataPart:
    return DataPart(key, attribute or key, "number", 65_535)


def _of(kind: str, key: str, attribute: str = "") -> DataPart:
    return DataPart(key, attribute or key, kind)


_SERVICE: Final = (_u16("priority"), _of("host", "target"), _of("parameters", "value"))
_ASSOCIATION: Final = (_u8("usage"), _u8("selector"), _u8("matching_type", "mtype"), _of("hex", "certificate", "cert"))
_PARTS: Final[dict[int, tuple[DataPart, ...]]] = {
    int(RdataType.SRV): (_u16("priority"), _u16("weight"), _u16("port"), _of("host", "target")),
    int(RdataType.CAA): (_u8("flags"), _of("word", "tag"), _of("quoted", "value")),
    int(RdataType.SVCB): _SERVICE,
    int(RdataType.HTTPS): _SERVICE,
    int(RdataType.TLSA): _ASSOCIATION,
    int(RdataType.SMIMEA): _ASSOCIATION,
    int(RdataType.SSHFP): (_u8("algorithm"), _u8("type", "fp_type"), _of("hex", "fingerprint")),
    int(RdataType.DS): (_u16("key_tag"), _u8("algorithm"), _u8("digest_type"), _of("hex", "digest")),
    int(RdataType.DNSKEY): (_u16("flags"), _u8("protocol"), _u8("algorithm"), _of("base64", "public_key", "key")),
    int(RdataType.CERT): (
        _u16("type", "certificate_type"),
        _u16("key_tag"),
        _u8("algorithm"),
        _of("base64", "certificate"),
    ),
    int(RdataType.NAPTR): (
        _u16("order"),
        _u16("preference"),
        _of("quoted", "flags"),
        _of("quoted", "service"),
        _of("quoted", "regex", "regexp"),
        _of("host", "replacement"),
    ),
    int(RdataType.URI): (_u16("priority"), _u16("weight"), _of("quoted", "target")),
}
DATA_TYPES: Final = frozenset({*_PARTS, LOC})
_OPTIONAL: Final = frozenset({"parameters"})
_HEX: Final = re.compile(r"[0-9A-Fa-f]+", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z0-9]+", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")

Report = Callable[[str, str], None]
"""Hears of a mistake: the key, "" for the data as a whole, and the message."""


def data_of(rdtype: int, rdata: bytes, host_text: Callable[[bytes], str]) -> dict[str, Any] | None:
    """Return the parts of wire-format data; None where it cannot be taken apart."""
    try:
        parsed = dns.rdata.from_wire(dns.rdataclass.IN, RdataType.make(rdtype), rdata, 0, len(rdata))
    except (dns.exception.DNSException, ValueError, LookupError, struct.error):
        return None
    if rdtype == LOC:
        return loc_data(parsed)
    return {part.key: _value(part, parsed, host_text) for part in _PARTS[rdtype]}


def _value(part: DataPart, parsed: Any, host_text: Callable[[bytes], str]) -> Any:
    if part.kind == "parameters":
        return "".join(parsed.to_text().split(" ", 2)[2:])
    value = getattr(parsed, part.attribute)
    if part.kind == "number":
        return int(value)
    if part.kind == "host":
        return host_text(value.to_wire())
    if part.kind == "hex":
        return value.hex()
    if part.kind == "base64":
        return base64.b64encode(value).decode()
    return value.decode("utf-8", "backslashreplace")


def content_of_data(rdtype: int, data: Mapping[str, Any]) -> str:
    """Return the content that says the same as data from `data_of`."""
    if rdtype == LOC:
        return loc_text(data) or ""
    words = [
        quoted(str(data[part.key]).encode()) if part.kind == "quoted" else str(data[part.key])
        for part in _PARTS[rdtype]
    ]
    return " ".join(words).rstrip()


def text_of_data(rdtype: int, data: Any, priority: Any, complete: Callable[[str], str], report: Report) -> str | None:
    """Return master-file data of what a client gave as `data`; None where a mistake was reported.

    `priority` stands in for a missing one; `complete` returns a host's absolute name and raises BadName.
    """
    if not isinstance(data, Mapping):
        report("", "expected an object with the record's parts")
        return None
    if rdtype == LOC:
        _check_known(data, LOC_KEYS, report)
        return loc_text(data, report)
    parts = _PARTS[rdtype]
    _check_known(data, [part.key for part in parts], report)
    words: list[str | None] = []
    for part in parts:
        value = data.get(part.key)
        if value is None and part.key == PRIORITY:
            value = priority
        if value is None and part.kind in _OPTIONAL:
            continue
        words.append(_word(part, value, complete, report))
    return " ".join(word for word in words if word is not None) if None not in words else None


def _check_known(data: Mapping[str, Any], known: Iterable[str], report: Report) -> None:
    keys = list(known)
    for key in data:
        if key not in keys:
            report(str(key), unknown_field(str(key), keys))


def unknown_field(key: str, known: Sequence[str]) -> str:
    """Return what to say of a field that there is not."""
    near = nearest(key, known)
    meant = f'did you mean "{near}"?' if near else f"the fields are {', '.join(known)}"
    return f'unknown field "{key}"; {meant}'


def _word(part: DataPart, value: Any, complete: Callable[[str], str], report: Report) -> str | None:
    """Return one part as master-file text."""
    if value is None:
        report(part.key, "this part is missing")
        return None
    if part.kind == "number":
        number = whole_number(value)
        if number is None or not 0 <= number <= part.most:
            report(part.key, f"expected a whole number from 0 to {part.most}")
            return None
        return str(number)
    if not isinstance(value, str) or len(value) > record_bounds.MAX_CONTENT_CHARS or not is_text(value):
        report(part.key, "expected text")
        return None
    try:
        return _TEXTS[part.kind](value, complete)
    except (BadName, ValueError) as error:
        report(part.key, str(error))
        return None


def whole_number(value: Any) -> int | None:
    """Return a JSON number that is whole as int, None for anything else. Clients send 10.0 for 10."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        return None
    return int(value)


def is_text(value: str) -> bool:
    """Tell whether a JSON string is Unicode text: JSON can spell half of a surrogate pair, which is none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _hex(value: str, complete: Callable[[str], str]) -> str:
    digits = "".join(value.split())
    if not _HEX.fullmatch(digits) or len(digits) % 2:
        raise ValueError("expected hexadecimal digits, two for each octet")
    return digits


def _base64(value: str, complete: Callable[[str], str]) -> str:
    digits = "".join(value.split())
    if not digits or base64.b64encode(base64.b64decode(digits.encode(), validate=True)).decode() != digits:
        raise ValueError("expected Base64")
    return digits


def _plain(value: str, complete: Callable[[str], str]) -> str:
    if not _WORD.fullmatch(value):
        raise ValueError("expected a word of letters and digits")
    return value


def _parameters(value: str, complete: Callable[[str], str]) -> str:
    if _CONTROL.search(value):
        raise ValueError("a control character stands in it")
    return value


_TEXTS: Final[dict[str, Callable[[str, Callable[[str], str]], str]]] = {
    "host": lambda value, complete: complete(value),
    "quoted": lambda value, complete: quoted(value.encode()),
    "word": _plain,
    "hex": _hex,
    "base64": _base64,
    "parameters": _parameters,
}
