"""Wire format -> record data in master-file form: what rdata.py encodes, written again. Names end in a dot.

The types that make up large zones are written here, everything else by dnspython; what dnspython cannot take apart is
written as RFC 3597's `\\# LENGTH HEX`. Reading the text gives the same octets again.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from typing import Final

import dns.exception
import dns.rdata
import dns.rdataclass
from dns.rdatatype import RdataType

from lbdns.dns.name import show_absolute
from lbdns.dns.rdata.encode import AAAA, CNAME, DNAME, MX, NS, PTR, SRV, TXT, A

_SHOWN: Final = [
    f"\\{octet:03d}" if not 0x20 <= octet < 0x7F else f"\\{octet:c}" if octet in b'"\\' else chr(octet)
    for octet in range(256)
]
"""Each octet as it stands inside quotes."""


def rdata_text(rdtype: int, rdata: bytes) -> str:
    """Return the master-file form of a record's data."""
    write = _PLAIN.get(rdtype)
    return write(rdata) if write is not None else _by_library(rdtype, rdata)


def quoted(octets: bytes) -> str:
    """Return one character string in quotes, what is not printable as \\DDD."""
    text = octets.decode("latin-1")
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join([_SHOWN[octet] for octet in octets])}"'


def generic_text(rdata: bytes) -> str:
    """Return RFC 3597's form of any data."""
    return f"\\# {len(rdata)} {rdata.hex()}".rstrip()


def strings_of(rdata: bytes) -> Iterator[bytes]:
    """Yield the character strings that TXT data is made of."""
    at = 0
    while at < len(rdata):
        yield rdata[at + 1 : at + 1 + rdata[at]]
        at += 1 + rdata[at]


def _by_library(rdtype: int, rdata: bytes) -> str:
    try:
        return dns.rdata.from_wire(dns.rdataclass.IN, RdataType.make(rdtype), rdata, 0, len(rdata)).to_text().rstrip()
    except (dns.exception.DNSException, ValueError, LookupError, struct.error):
        return generic_text(rdata)


def _mx(rdata: bytes) -> str:
    return f"{int.from_bytes(rdata[:2], 'big')} {show_absolute(rdata[2:])}"


def _srv(rdata: bytes) -> str:
    priority, weight, port = struct.unpack_from("!HHH", rdata)
    return f"{priority} {weight} {port} {show_absolute(rdata[6:])}"


_PLAIN: Final[dict[int, Callable[[bytes], str]]] = {
    A: socket.inet_ntoa,
    AAAA: lambda rdata: socket.inet_ntop(socket.AF_INET6, rdata),
    NS: show_absolute,
    CNAME: show_absolute,
    PTR: show_absolute,
    DNAME: show_absolute,
    MX: _mx,
    SRV: _srv,
    TXT: lambda rdata: " ".join(map(quoted, strings_of(rdata))),
}
