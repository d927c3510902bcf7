"""Record data in master-file form -> wire format.

The types that make up large zones are encoded here when they are written in the plainest way; everything else, and
everything that looks wrong, goes to dnspython, which validates every type and RFC 3597's `\\# LENGTH HEX`. A test holds
the two roads equal.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Final

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
from dns.rdatatype import RdataType

from lbdns.dns.name import BadName, encode_name

A, NS, CNAME, SOA, PTR, MX, TXT = (
    int(RdataType.A),
    int(RdataType.NS),
    int(RdataType.CNAME),
    int(RdataType.SOA),
    int(RdataType.PTR),
    int(RdataType.MX),
    int(RdataType.TXT),
)
AAAA, SRV, DNAME, DS = int(RdataType.AAAA), int(RdataType.SRV), int(RdataType.DNAME), int(RdataType.DS)
RRSIG, NSEC = int(RdataType.RRSIG), int(RdataType.NSEC)

MAX_RDATA_OCTETS: Final = 65_535
NAME_OFFSET: Final = {NS: 0, CNAME: 0, PTR: 0, DNAME: 0, MX: 2, SRV: 6}
"""Where the one name stands in the data of types that end in one."""


class BadRdata(Exception):
    """Data that does not fit its type; the text says what would."""


def encode_rdata(rdtype: int, tokens: list[str], origin: bytes) -> bytes:
    """Return the uncompressed wire format of a record's data; raises BadRdata."""
    encode = _PLAIN.get(rdtype)
    try:
        wire = encode(tokens, origin) if encode is not None else None
    except BadName as error:
        raise BadRdata(str(error)) from None
    if wire is None:
        wire = _encode_by_library(rdtype, tokens, origin)
    if len(wire) > MAX_RDATA_OCTETS:
        raise BadRdata(f"{len(wire)} octets of data; a record holds at most {MAX_RDATA_OCTETS}")
    return wire


def _encode_by_library(rdtype: int, tokens: list[str], origin: bytes) -> bytes:
    text = " ".join(tokens)
    try:
        rdata = dns.rdata.from_text(
            dns.rdataclass.IN,
            RdataType.make(rdtype),
            text,
            dns.name.from_wire(origin, 0)[0],
            relativize=False,
            idna_codec=dns.name.IDNA_2008_UTS_46,
        )
        return rdata.to_wire() or b""
    except (dns.exception.DNSException, ValueError, UnicodeError, ArithmeticError, LookupError, TypeError) as error:
        raise BadRdata(_words(rdtype, text, error)) from None


def type_text(rdtype: int) -> str:
    """Return a record type's mnemonic, or TYPE with its number (RFC 3597)."""
    return RdataType.to_text(RdataType.make(rdtype))


def canonical_rdata(rdtype: int, rdata: bytes) -> bytes:
    """Return the data with its name in lower case, to tell whether two records are the same (RFC 4034 section 6.2)."""
    offset = NAME_OFFSET.get(rdtype)
    return rdata if offset is None else rdata[:offset] + rdata[offset:].lower()


def _words(rdtype: int, text: str, error: Exception) -> str:
    """Say what would be right, by type; the library's reason where the form alone does not explain it."""
    name = type_text(rdtype)
    shown = text if len(text) <= 80 else f"{text[:80]}..."
    given = shown if '"' in shown else f'"{shown}"'
    what, example = _FORMS.get(name, (f"data of type {name}", ""))
    if not text:
        return f"the data is missing; expected {what}{', such as ' if example else ''}{example}"
    if example and not text.startswith("\\#"):
        return f"{given} is not {what}; expected one such as {example}"
    return f"{given} is not data of type {name}: {str(error).rstrip('.') or type(error).__name__}"


_FORMS: Final = {
    "A": ("an IPv4 address", "192.0.2.1"),
    "AAAA": ("an IPv6 address", "2001:db8::1"),
    "NS": ("a host's name", "ns1.example.com."),
    "CNAME": ("a name", "www.example.com."),
    "DNAME": ("a name", "example.net."),
    "PTR": ("a name", "host.example.com."),
    "MX": ("PREFERENCE HOST", "10 mail.example.com."),
    "SRV": ("PRIORITY WEIGHT PORT HOST", "0 100 443 www.example.com."),
    "TXT": ("a list of texts of at most 255 octets each", '"v=spf1 -all"'),
    "SOA": (
        "MNAME RNAME SERIAL REFRESH RETRY EXPIRE MINIMUM",
        "ns1.example.com. admin.example.com. 1 3600 600 86400 300",
    ),
    "CAA": ("FLAGS TAG VALUE", '0 issue "ca.example.net"'),
}
"""What the data of common types is, and an example."""

_TEXT = re.compile(r'"[^"\\]{0,255}"|[^"\\]{1,255}')
_DIGITS = re.compile(r"[0-9]{1,5}", re.ASCII)
_MAX_UINT16: Final = 65_535


def _a(tokens: list[str], origin: bytes) -> bytes | None:
    return _address(socket.AF_INET, tokens)


def _aaaa(tokens: list[str], origin: bytes) -> bytes | None:
    return _address(socket.AF_INET6, tokens)


def _address(family: int, tokens: list[str]) -> bytes | None:
    if len(tokens) != 1:
        return None
    try:
        return socket.inet_pton(family, tokens[0])
    except (OSError, ValueError):
        return None


def _name(tokens: list[str], origin: bytes) -> bytes | None:
    return encode_name(tokens[0], origin) if len(tokens) == 1 and _is_word(tokens[0]) else None


def _numbers_and_name(count: int) -> Callable[[list[str], bytes], bytes | None]:
    """Return the encoder of `count` 16-bit numbers and a name."""

    def encode(tokens: list[str], origin: bytes) -> bytes | None:
        if len(tokens) != count + 1 or not _is_word(tokens[-1]):
            return None
        wire = b""
        for token in tokens[:-1]:
            if not _DIGITS.fullmatch(token) or int(token) > _MAX_UINT16:
                return None
            wire += int(token).to_bytes(2, "big")
        return wire + encode_name(tokens[-1], origin)

    return encode


def _txt(tokens: list[str], origin: bytes) -> bytes | None:
    wire = b""
    for token in tokens:
        if not token.isascii() or not _TEXT.fullmatch(token):
            return None
        text = token[1:-1] if token[0] == '"' else token
        wire += bytes((len(text),)) + text.encode()
    return wire or None


def _is_word(token: str) -> bool:
    return token[0] not in '"\\'


_PLAIN: Final[dict[int, Callable[[list[str], bytes], bytes | None]]] = {
    A: _a,
    AAAA: _aaaa,
    NS: _name,
    CNAME: _name,
    PTR: _name,
    DNAME: _name,
    MX: _numbers_and_name(1),
    SRV: _numbers_and_name(3),
    TXT: _txt,
}
