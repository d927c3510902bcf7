"""Record data as master files have it <-> wire format. Names end in a dot.

What a type's layout can read and write goes no further; everything else, and everything that looks wrong, goes to
dnspython, which validates every type and RFC 3597's `\\# LENGTH HEX`. Reading what was written gives the same octets.
It is loaded where it is needed: few configurations have such records.
"""

from __future__ import annotations

import re
from string import hexdigits
from typing import Final

from lbdns.dns.name import BadName
from lbdns.dns.rdata.layouts import FieldsLayout
from lbdns.dns.rdata.record_types import NAME_OFFSETS, RECORD_TYPES, RecordType, record_type
from lbdns.dns.rdata.unsound import unsound_reason

MAX_RDATA_OCTETS: Final = 65_535
_ENCODE: Final = {row.number: row.layout.encode for row in RECORD_TYPES.values() if row.layout is not None}
_SHOW: Final = {row.number: row.layout.show for row in RECORD_TYPES.values() if row.layout is not None}
_NAMES_APART: Final = {
    row.number: row.layout
    for row in RECORD_TYPES.values()
    if isinstance(row.layout, FieldsLayout) and row.number not in NAME_OFFSETS
}
"""The types with a name that does not end their data alone."""
_OCTETS: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_GENERIC: Final = "\\# OCTETS HEX, such as \\# 4 c0000201 (RFC 3597)"


class BadRdata(Exception):
    """Data that does not fit its type; the text says what would."""


def encode_rdata(rdtype: int, tokens: list[str], origin: bytes) -> bytes:
    """Return the uncompressed wire format of a record's data; raises BadRdata."""
    encode = _ENCODE.get(rdtype)
    try:
        wire = encode(tokens, origin) if encode is not None else None
    except BadName as error:
        raise BadRdata(str(error)) from None
    if wire is None:
        from lbdns.dns.rdata.library import encode_text

        text = " ".join(tokens)
        try:
            wire = encode_text(rdtype, text, origin)
        except ValueError as error:
            raise BadRdata(_expected(rdtype, text, str(error))) from None
    if len(wire) > MAX_RDATA_OCTETS:
        raise BadRdata(f"{len(wire)} octets of data; a record holds at most {MAX_RDATA_OCTETS}")
    return wire


def encode_complete(rdtype: int, tokens: list[str], origin: bytes) -> bytes:
    """Return the wire format of the data of a record that is being made; raises BadRdata, of what none may be too."""
    rdata = encode_rdata(rdtype, tokens, origin)
    check_complete(rdtype, rdata, " ".join(tokens))
    return rdata


def check_complete(rdtype: int, rdata: bytes, text: str) -> None:
    """Raise BadRdata where data, written as `text`, is none that a record of its type may be made with."""
    reason = unsound_reason(rdtype, rdata)
    if reason:
        raise BadRdata(_expected(rdtype, text.strip(), reason))


def rdata_text(rdtype: int, rdata: bytes) -> str:
    """Return the master-file form of a record's data."""
    show = _SHOW.get(rdtype)
    if show is not None:
        return show(rdata)
    from lbdns.dns.rdata.library import show_wire

    return show_wire(rdtype, rdata)


def canonical_rdata(rdtype: int, rdata: bytes) -> bytes:
    """Return the data with its names in lower case, to tell whether two records are the same (RFC 4034 section 6.2)."""
    offset = NAME_OFFSETS.get(rdtype)
    if offset is not None:
        return rdata[:offset] + rdata[offset:].lower()
    layout = _NAMES_APART.get(rdtype)
    if layout is not None:
        for start, end in layout.names(rdata):
            rdata = rdata[:start] + rdata[start:end].lower() + rdata[end:]
    return rdata


def _expected(rdtype: int, text: str, reason: str) -> str:
    """Say what would be right, by type; the library's reason where the form alone does not explain it."""
    row = record_type(rdtype)
    shown = text if len(text) <= 80 else f"{text[:80]}..."
    given = shown if '"' in shown else f'"{shown}"'
    what = row.what or f"data of type {row.mnemonic}"
    if not text and not _has_own_form(row):
        return f"the data is missing; expected {_GENERIC}"
    if not text:
        return f"the data is missing; expected {what}{', such as ' if row.example else ''}{row.example}"
    if row.example and not _is_generic(text):
        return f"{given} is not {what}; expected one such as {row.example}"
    return f"{given} is not data of type {row.mnemonic}: {_generic_reason(row, text) or reason}"


def _has_own_form(row: RecordType) -> bool:
    if row.layout or row.data:
        return True
    from lbdns.dns.rdata.library import has_own_form

    return has_own_form(row.number)


def _is_generic(text: str) -> bool:
    return text.startswith("\\#")


def _generic_reason(row: RecordType, text: str) -> str | None:
    """Say what is wrong with RFC 3597's form, or that this type has no other; None where it is not about that."""
    if not _is_generic(text):
        return None if _has_own_form(row) else f"the type has no form of its own here; expected {_GENERIC}"
    sign, *words = text.split()
    digits = "".join(words[1:])
    if sign != "\\#" or not words or not _OCTETS.fullmatch(words[0]):
        return f"the number of octets is missing; expected {_GENERIC}"
    if not all(char in hexdigits for char in digits):
        return f"what follows the number of octets is not hexadecimal; expected {_GENERIC}"
    if len(digits) != 2 * int(words[0]):
        return f"{words[0]} octets are announced, and {len(digits)} hexadecimal digits follow, which is two for each"
    return f"the {words[0]} octets are no such data"
