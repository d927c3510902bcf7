"""Record data of all types by dnspython: what no layout reads, and whatever looks wrong.

Heavy to import, so whoever stands on the road of a query imports it where it is needed.
"""

from __future__ import annotations

import contextlib
import struct

import dns.exception
import dns.immutable
import dns.name
import dns.rdata
import dns.rdataclass
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.RP import RP
from dns.rdtypes.nsbase import NSBase


class _Mailboxes:
    """RFC 1035's types of mailboxes that dnspython has numbers for alone (sections 3.3.3, 3.3.6 to 3.3.8)."""

    @dns.immutable.immutable
    class MB(NSBase):
        """A host."""

    @dns.immutable.immutable
    class MG(NSBase):
        """A member of a group."""

    @dns.immutable.immutable
    class MR(NSBase):
        """A mailbox's new name."""

    @dns.immutable.immutable
    class MINFO(RP):
        """Two mailboxes, as RP has two names."""


for _rdtype in (RdataType.MB, RdataType.MG, RdataType.MR, RdataType.MINFO):
    dns.rdata.register_type(_Mailboxes, _rdtype, _rdtype.name)


def encode_text(rdtype: int, text: str, origin: bytes) -> bytes:
    """Return the wire format of master-file data; raises ValueError with the library's reason."""
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
        raise ValueError(str(error).rstrip(".") or type(error).__name__) from None


def has_own_form(rdtype: int) -> bool:
    """Tell whether a type's data has a form other than RFC 3597's."""
    return not isinstance(parse_wire(rdtype, b""), dns.rdata.GenericRdata)


def parse_wire(rdtype: int, rdata: bytes) -> dns.rdata.Rdata | None:
    """Return wire-format data taken apart, None where that cannot be."""
    try:
        return dns.rdata.from_wire(dns.rdataclass.IN, RdataType.make(rdtype), rdata, 0, len(rdata))
    except (dns.exception.DNSException, ValueError, LookupError, struct.error):
        return None


def show_wire(rdtype: int, rdata: bytes) -> str:
    """Return the master-file form of data; of what cannot be taken apart, or would be read back as something else, or
    not at all (an OPENPGPKEY without octets), RFC 3597's `\\# LENGTH HEX`."""
    parsed = parse_wire(rdtype, rdata)
    if parsed is not None:
        text = parsed.to_text().rstrip()
        with contextlib.suppress(ValueError):
            if encode_text(rdtype, text, b"\0") == rdata:
                return text
    return show_generic(rdata)


def show_generic(rdata: bytes) -> str:
    """Return RFC 3597's form, which all data has."""
    return f"\\# {len(rdata)} {rdata.hex()}".rstrip()
