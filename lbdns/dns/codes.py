"""Numbers of the DNS protocol by their IANA names, as far as lbdns speaks of them."""

from __future__ import annotations

from typing import Final

TYPE_A: Final = 1
TYPE_NS: Final = 2
TYPE_CNAME: Final = 5
TYPE_SOA: Final = 6
TYPE_PTR: Final = 12
TYPE_HINFO: Final = 13
TYPE_MX: Final = 15
TYPE_TXT: Final = 16
TYPE_AAAA: Final = 28
TYPE_SRV: Final = 33
TYPE_DNAME: Final = 39
TYPE_OPT: Final = 41
TYPE_DS: Final = 43
TYPE_RRSIG: Final = 46
TYPE_NSEC: Final = 47
TYPE_DNSKEY: Final = 48
TYPE_NSEC3: Final = 50
TYPE_NSEC3PARAM: Final = 51
TYPE_CDS: Final = 59
TYPE_CDNSKEY: Final = 60
TYPE_SVCB: Final = 64
TYPE_HTTPS: Final = 65
TYPE_NXNAME: Final = 128
TYPE_TKEY: Final = 249
TYPE_TSIG: Final = 250
TYPE_IXFR: Final = 251
TYPE_AXFR: Final = 252
TYPE_ANY: Final = 255

CLASS_IN: Final = 1
CLASS_NONE: Final = 254
CLASS_ANY: Final = 255

OPCODE_QUERY: Final = 0
OPCODE_NOTIFY: Final = 4
OPCODE_UPDATE: Final = 5

NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
YXDOMAIN: Final = 6
YXRRSET: Final = 7
NXRRSET: Final = 8
NOTAUTH: Final = 9
NOTZONE: Final = 10
BADVERS: Final = 16

# TSIG errors (RFC 8945 section 3), none of them a header's RCODE.
BADSIG: Final = 16
BADKEY: Final = 17
BADTIME: Final = 18
BADTRUNC: Final = 22

RCODE_NAMES: Final = {
    NOERROR: "NOERROR",
    FORMERR: "FORMERR",
    SERVFAIL: "SERVFAIL",
    NXDOMAIN: "NXDOMAIN",
    NOTIMP: "NOTIMP",
    REFUSED: "REFUSED",
    YXDOMAIN: "YXDOMAIN",
    YXRRSET: "YXRRSET",
    NXRRSET: "NXRRSET",
    NOTAUTH: "NOTAUTH",
    NOTZONE: "NOTZONE",
    BADVERS: "BADVERS",
}

OPTION_NSID: Final = 3
OPTION_ECS: Final = 8
OPTION_EXPIRE: Final = 9
OPTION_COOKIE: Final = 10
OPTION_KEEPALIVE: Final = 11
OPTION_EDE: Final = 15

EDE_OTHER: Final = 0
EDE_NOT_READY: Final = 14
EDE_PROHIBITED: Final = 18
EDE_NOT_AUTHORITATIVE: Final = 20
EDE_NOT_SUPPORTED: Final = 21
EDE_INVALID_QUERY_TYPE: Final = 30

# DNSSEC: algorithms of keys and digests of DS records (RFC 8624), and flags of keys.
RSASHA256: Final = 8
ECDSAP256SHA256: Final = 13
ECDSAP384SHA384: Final = 14
ED25519: Final = 15
ALGORITHM_NAMES: Final = {
    RSASHA256: "RSASHA256",
    ECDSAP256SHA256: "ECDSAP256SHA256",
    ECDSAP384SHA384: "ECDSAP384SHA384",
    ED25519: "ED25519",
}
"""The algorithms that zones are signed with. Those of 16 and above fail at validators that are in use."""
CREATED_ALGORITHMS: Final = (ECDSAP256SHA256, ED25519, ECDSAP384SHA384)
"""Those that keys are made of, the default first; keys of others are imported."""
TOKEN_ALGORITHMS: Final = (ECDSAP256SHA256, ECDSAP384SHA384)
"""Those that keys are made of in a device (PKCS #11)."""
DIGEST_SHA256: Final = 2
DIGEST_SHA384: Final = 4
KEY_FLAG_ZONE: Final = 0x0100
KEY_FLAG_SEP: Final = 0x0001
"""Secure entry point (RFC 4034 section 2.1.1): a key that the parent's DS may name."""

FLAG_QR: Final = 0x8000
FLAG_AA: Final = 0x0400
FLAG_TC: Final = 0x0200
FLAG_RD: Final = 0x0100
OPCODE_MASK: Final = 0x7800
RCODE_MASK: Final = 0x000F

FLAG_DO: Final = 0x8000  # of EDNS: DNSSEC OK (RFC 3225)
FLAG_CO: Final = 0x4000  # of EDNS: compact answers OK (RFC 9824)

HEADER_BYTES: Final = 12
QUESTION_TAIL_BYTES: Final = 4  # type and class
POINTER_BITS: Final = 0xC000  # of a compressed name, before the offset that it points to
NAME_BYTES_MAX: Final = 255
LABEL_BYTES_MAX: Final = 63
RECORD_HEAD_BYTES: Final = 12  # pointer to a name, type, class, TTL, length
OPT_BYTES: Final = 11  # of an OPT record without options
OPTION_HEAD_BYTES: Final = 4
UDP_BYTES_MIN: Final = 512
UDP_BYTES_MAX: Final = 1232
TCP_BYTES_MAX: Final = 65535

# A bound of ours: names of an answer whose addresses go along.
ADDITIONAL_NAMES_MAX: Final = 20
