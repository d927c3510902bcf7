"""The record types: a row for each that lbdns knows more of than its name and number.

A row says how the data is written and laid out, what the API shows of it, which names and records it belongs together
with, and what a load balancer does to it. Everybody reads these rows: the encoder, master files and their checks, the
API, the compiler, the responder. All other types of the registry are encoded and shown by dnspython, and are served as
they are. To add a type, add its row; where its data is like no other's, a form or layout in a module of its own.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Final

from lbdns.base.wording import nearest
from lbdns.base.words import BALANCER_TYPES
from lbdns.dns.codes import (
    TYPE_A,
    TYPE_AAAA,
    TYPE_CNAME,
    TYPE_DNAME,
    TYPE_DNSKEY,
    TYPE_DS,
    TYPE_HTTPS,
    TYPE_MX,
    TYPE_NS,
    TYPE_NSEC,
    TYPE_PTR,
    TYPE_RRSIG,
    TYPE_SOA,
    TYPE_SRV,
    TYPE_SVCB,
    TYPE_TXT,
)
from lbdns.dns.rdata.data_parts import DataForm, PartsForm, part, u8, u16
from lbdns.dns.rdata.layouts import (
    NAME,
    U16,
    U32,
    AddressLayout,
    AuthorityLayout,
    FieldsLayout,
    Layout,
    StringsLayout,
)
from lbdns.dns.rdata.loc import LocForm

_HOST: Final = FieldsLayout(NAME)


class Priority(Enum):
    """Where the API shows the `priority` of a record."""

    NONE = "nowhere: it has none, or one that is a part like others"
    BESIDE_CONTENT = "beside the content, which lacks it"
    IN_CONTENT = "beside the content, whose first word it is, and in the data"
    BESIDE_DATA = "beside the content, whose first word it is, and not in the data"


@dataclass(frozen=True, slots=True)
class RecordType:
    """What there is to know of a type. `what` and `example` say in words what its data is, for messages.

    `layout`: None where dnspython reads and writes all of it. `data`: its parts in the API, None where it has content
    alone. The flags:

    `is_compressed`      names in its data are compressed on the wire: types of RFC 1035 alone (RFC 3597 section 4)
    `points_to_host`     the name is a host's: its addresses go along (RFC 1035 section 3.3), and a check misses them
    `is_single`          a name has at most one (RFC 2181 section 10.1, RFC 6672 section 2.4)
    `is_beside_cname`    stands beside a CNAME (RFC 4034 section 3 for signatures)
    `is_at_cut`          stands at a delegation: its own records, glue, and what is signed above it (RFC 4035 section 2)
    `balancer`           the type of the load balancer that hides records of this type at its name (SEMANTICS, step 1)
    `is_steered`         that load balancer answers queries for this type
    """

    mnemonic: str
    number: int
    what: str = ""
    example: str = ""
    layout: Layout | None = None
    data: DataForm | None = None
    priority: Priority = Priority.NONE
    is_compressed: bool = False
    points_to_host: bool = False
    is_single: bool = False
    is_beside_cname: bool = False
    is_at_cut: bool = False
    balancer: str = ""
    is_steered: bool = False

    @property
    def name_at(self) -> int | None:
        """The offset of the name in its data, where there is one and the data ends with it."""
        return self.layout.name_at if isinstance(self.layout, FieldsLayout) else None

    @property
    def has_name_alone(self) -> bool:
        """Whether its data is a name and nothing else."""
        return self.layout is _HOST

    @property
    def has_texts_alone(self) -> bool:
        """Whether its data is character strings."""
        return isinstance(self.layout, StringsLayout)

    @property
    def has_priority_first(self) -> bool:
        """Whether the first word of its content is its priority."""
        return self.priority in (Priority.IN_CONTENT, Priority.BESIDE_DATA)

    @property
    def is_address(self) -> bool:
        """Whether its data is an address: such records are glue below a delegation."""
        return isinstance(self.layout, AddressLayout)


_STRINGS: Final = StringsLayout()
_SERVICE: Final = PartsForm(u16("priority"), part("name", "target"), part("parameters", "value"))
_ASSOCIATION: Final = PartsForm(
    u8("usage"), u8("selector"), u8("matching_type", "mtype"), part("hex", "certificate", "cert")
)

_ROWS: Final = (
    RecordType(
        "A",
        TYPE_A,
        "an IPv4 address",
        "192.0.2.1",
        AddressLayout(socket.AF_INET),
        is_at_cut=True,
        balancer="A",
        is_steered=True,
    ),
    RecordType(
        "AAAA",
        TYPE_AAAA,
        "an IPv6 address",
        "2001:db8::1",
        AddressLayout(socket.AF_INET6),
        is_at_cut=True,
        balancer="A",
        is_steered=True,
    ),
    RecordType(
        "NS",
        TYPE_NS,
        "a host's name",
        "ns1.example.com.",
        _HOST,
        is_compressed=True,
        points_to_host=True,
        is_at_cut=True,
    ),
    RecordType(
        "CNAME",
        TYPE_CNAME,
        "a name",
        "www.example.com.",
        _HOST,
        is_compressed=True,
        is_single=True,
        is_beside_cname=True,
        balancer="A",
    ),
    RecordType("DNAME", TYPE_DNAME, "a name", "example.net.", _HOST, is_single=True),
    RecordType("PTR", TYPE_PTR, "a name", "host.example.com.", _HOST, is_compressed=True),
    RecordType("MB", 7, "a host's name", "mail.example.com.", _HOST),
    RecordType("MG", 8, "a mailbox's name", "alice.example.com.", _HOST),
    RecordType("MR", 9, "a mailbox's name", "alice.example.com.", _HOST),
    RecordType("MINFO", 14, "two mailboxes' names", "owner.example.com. errors.example.com.", FieldsLayout(NAME, NAME)),
    RecordType(
        "MX",
        TYPE_MX,
        "PREFERENCE HOST",
        "10 mail.example.com.",
        FieldsLayout(U16, NAME),
        priority=Priority.BESIDE_CONTENT,
        is_compressed=True,
        points_to_host=True,
        balancer="MX",
        is_steered=True,
    ),
    RecordType(
        "SRV",
        TYPE_SRV,
        "PRIORITY WEIGHT PORT HOST",
        "0 100 443 www.example.com.",
        FieldsLayout(U16, U16, U16, NAME),
        PartsForm(u16("priority"), u16("weight"), u16("port"), part("host", "target")),
        Priority.IN_CONTENT,
        points_to_host=True,
        balancer="SRV",
        is_steered=True,
    ),
    RecordType(
        "SOA",
        TYPE_SOA,
        "MNAME RNAME SERIAL REFRESH RETRY EXPIRE MINIMUM",
        "ns1.example.com. admin.example.com. 1 3600 600 86400 300",
        AuthorityLayout(NAME, NAME, U32, U32, U32, U32, U32),
        is_compressed=True,
    ),
    RecordType("TXT", TYPE_TXT, "a list of texts of at most 255 octets each", '"v=spf1 -all"', _STRINGS),
    RecordType("SPF", 99, layout=_STRINGS),
    RecordType(
        "CAA",
        257,
        "FLAGS TAG VALUE",
        '0 issue "ca.example.net"',
        data=PartsForm(u8("flags"), part("word", "tag"), part("quoted", "value")),
    ),
    RecordType("SVCB", TYPE_SVCB, data=_SERVICE),
    RecordType("HTTPS", TYPE_HTTPS, data=_SERVICE),
    RecordType(
        "URI",
        256,
        data=PartsForm(u16("priority"), u16("weight"), part("quoted", "target")),
        priority=Priority.BESIDE_DATA,
    ),
    RecordType(
        "NAPTR",
        35,
        data=PartsForm(
            u16("order"),
            u16("preference"),
            part("quoted", "flags"),
            part("quoted", "service"),
            part("quoted", "regex", "regexp"),
            part("name", "replacement"),
        ),
    ),
    RecordType("LOC", 29, data=LocForm()),
    RecordType("TLSA", 52, data=_ASSOCIATION),
    RecordType("SMIMEA", 53, data=_ASSOCIATION),
    RecordType(
        "SSHFP",
        44,
        data=PartsForm(u8("algorithm"), u8("type", "fp_type"), part("hex", "fingerprint")),
    ),
    RecordType(
        "CERT",
        37,
        data=PartsForm(u16("type", "certificate_type"), u16("key_tag"), u8("algorithm"), part("base64", "certificate")),
    ),
    RecordType(
        "DS",
        TYPE_DS,
        data=PartsForm(u16("key_tag"), u8("algorithm"), u8("digest_type"), part("hex", "digest")),
        is_at_cut=True,
    ),
    RecordType(
        "DNSKEY",
        TYPE_DNSKEY,
        data=PartsForm(u16("flags"), u8("protocol"), u8("algorithm"), part("base64", "public_key", "key")),
    ),
    RecordType("RRSIG", TYPE_RRSIG, is_beside_cname=True, is_at_cut=True),
    RecordType("NSEC", TYPE_NSEC, is_beside_cname=True, is_at_cut=True),
)

RECORD_TYPES: Final = {row.number: row for row in _ROWS}


def types_where(holds: Callable[[RecordType], object]) -> tuple[int, ...]:
    """Return the numbers of the types whose row something holds for, in the order of the rows."""
    return tuple(row.number for row in _ROWS if holds(row))


ADDRESS_TYPES: Final = types_where(lambda row: row.is_address)
NAME_OFFSETS: Final = {row.number: row.name_at for row in _ROWS if row.name_at is not None}
"""Where the one name stands in the data of types that end in one."""
HIDDEN_TYPES: Final = {
    balancer: frozenset(row.number for row in _ROWS if row.balancer == balancer) for balancer in BALANCER_TYPES
}
"""What an enabled load balancer of each type takes from the records at its name."""
STEERED_TYPES: Final = {
    balancer: tuple(row.number for row in _ROWS if row.balancer == balancer and row.is_steered)
    for balancer in BALANCER_TYPES
}
"""What a load balancer of each type answers."""


def record_type(number: int) -> RecordType:
    """Return a type's row; of a type without one, a row that says nothing."""
    return RECORD_TYPES.get(number) or RecordType(type_text(number), number)


def type_text(number: int) -> str:
    """Return a record type's mnemonic, or TYPE with its number (RFC 3597)."""
    row = RECORD_TYPES.get(number)
    if row is not None:
        return row.mnemonic
    from dns.rdatatype import RdataType

    return RdataType.to_text(RdataType.make(number))


def parse_type(token: str, with_hint: bool = True) -> int:
    """Return a record type's number; raises ValueError for what is no type, or one that no zone holds.

    `with_hint` has the error name the nearest known type, which takes a millisecond.
    """
    import dns.exception
    import dns.rdatatype

    try:
        rdtype = dns.rdatatype.from_text(token)
    except (dns.exception.DNSException, ValueError):
        near = nearest(token, _known_types()) if with_hint else None
        meant = f'did you mean "{near}"?' if near else "expected one such as A, or TYPE with a number"
        raise ValueError(f'unknown record type "{token}"; {meant}') from None
    if dns.rdatatype.is_metatype(rdtype) or rdtype == dns.rdatatype.NONE:
        raise ValueError(f"type {token.upper()} exists in queries only; a zone holds no such record")
    return int(rdtype)


@cache
def _known_types() -> tuple[str, ...]:
    import dns.rdatatype

    return tuple(
        dns.rdatatype.to_text(known) for known in dns.rdatatype.RdataType if not dns.rdatatype.is_metatype(known)
    )
