"""Canonical forms as dnspython has them: order of names, rdata, bitmaps, hashes, and what is signed."""

from __future__ import annotations

import random
from base64 import b32hexencode

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.util
import pytest

from lbdns.dns.canonical import (
    RRSIG_HEAD,
    canonical_rdata,
    nsec3_hash,
    order_key,
    signed_data,
    signed_labels,
    type_bitmap,
)
from lbdns.dns.name import encode_canonical

# One of each type that RFC 4034 section 6.2 names, in mixed case, and of some that have names and are none of these.
TEXTS = {
    "NS": "Ns1.Example.Com.",
    "CNAME": "Www.Example.COM.",
    "SOA": "Ns1.Example.Com. Host.Example.Com. 1 2 3 4 5",
    "PTR": "P.Example.Com.",
    "MX": "10 Mail.Example.Com.",
    "RP": "A.Example.Com. B.Example.Com.",
    "AFSDB": "1 A.Example.Com.",
    "RT": "1 A.Example.Com.",
    "PX": "1 A.Example.Com. B.Example.Com.",
    "NAPTR": '1 2 "S" "Sip+D2U" "!^.*$!Sip:A!" Re.Example.Com.',
    "KX": "1 Kx.Example.Com.",
    "SRV": "1 2 3 Srv.Example.Com.",
    "DNAME": "D.Example.Com.",
    "RRSIG": "A 13 2 60 20270101000000 20260101000000 1 Example.Com. AAAA",
    "NSEC": "N.Example.Com. A",
    "SVCB": "1 Svc.Example.Com. alpn=H2",
    "HTTPS": "1 Svc.Example.Com.",
    "TXT": '"Text"',
    "CAA": '0 issue "CA.Example"',
    "HINFO": '"Cpu" "Os"',
    "LP": "10 L.Example.Com.",
}


def random_names(draw: random.Random, count: int) -> list[dns.name.Name]:
    """Return names whose labels have every kind of octet, in lower case."""
    octets = (b"\0", b"\1", b"\2", b"a", b"b", b"z", b"*", b"-", b"\xff", b".", b"0")
    return [
        dns.name.Name([b"".join(draw.choices(octets, k=draw.randint(1, 3))) for _ in range(draw.randint(0, 4))] + [b""])
        for _ in range(count)
    ]


def test_the_order_of_names() -> None:
    names = random_names(random.Random(1), 3000)
    assert sorted(names) == sorted(names, key=lambda name: order_key(name.to_wire() or b""))
    assert len({order_key(name.to_wire() or b"") for name in names}) == len(set(names))


@pytest.mark.parametrize("mnemonic", TEXTS)
def test_names_in_data(mnemonic: str) -> None:
    rdata = dns.rdata.from_text("IN", mnemonic, TEXTS[mnemonic])
    wire, wanted = rdata.to_wire(), rdata.to_digestable()
    assert wire is not None
    # NSEC's next name keeps its case (RFC 6840 section 5.1); dnspython, which lowers it, is given it so.
    if mnemonic in ("NSEC", "SVCB", "HTTPS", "LP"):
        wanted = wire
    assert canonical_rdata(rdata.rdtype, wire) == wanted
    assert mnemonic in ("TXT", "CAA", "HINFO", "NSEC", "SVCB", "HTTPS", "LP") or wire != wanted


@pytest.mark.parametrize("rtype", [3, 4, 7, 8, 9, 14])
def test_names_in_data_that_dnspython_does_not_know(rtype: int) -> None:
    """MD, MF, MB, MG, MR: a name; MINFO: two."""
    wire = dns.name.from_text("A.Example.Com.").to_wire() or b""
    assert canonical_rdata(rtype, wire * (2 if rtype == 14 else 1)) == wire.lower() * (2 if rtype == 14 else 1)


def test_bitmaps() -> None:
    draw = random.Random(2)
    for _ in range(300):
        types = draw.choices((1, 2, 5, 6, 28, 46, 47, 128, 255, 256, 257, 1234, 65280, 65535), k=draw.randint(0, 6))
        made = [dns.rdatatype.RdataType.make(one) for one in types]
        windows = dns.rdtypes.util.Bitmap.from_rdtypes(made).windows
        wanted = b"".join(bytes((window, len(octets))) + octets for window, octets in windows)
        assert type_bitmap(types) == wanted


def test_hashes() -> None:
    for text in ("example", "a.example", "xn--bcher-kva.example", "*.example"):
        made = b32hexencode(nsec3_hash(encode_canonical(text))).decode()
        assert made == dns.dnssec.nsec3_hash(text, None, 0, "SHA1")


@pytest.mark.parametrize(
    ("owner", "labels"), [("example.com", 2), ("*.example.com", 2), ("a.*.example.com", 4), ("*", 0), ("a", 1)]
)
def test_labels(owner: str, labels: int) -> None:
    assert signed_labels(encode_canonical(owner)) == labels


def test_labels_of_the_root() -> None:
    assert signed_labels(b"\0") == 0


def test_what_is_signed_is_in_order_and_once() -> None:
    head = RRSIG_HEAD.pack(1, 13, 2, 60, 5, 4, 3) + encode_canonical("example.com")
    owner = encode_canonical("a.example.com")
    record = owner + b"\0\x01\0\x01\0\0\0\x3c\0\x04"
    data = signed_data(head, owner, 1, 60, (b"\2\0\0\1", b"\1\0\0\1", b"\2\0\0\1"))
    assert data == head + record + b"\1\0\0\1" + record + b"\2\0\0\1"
    mail = signed_data(head, owner, 15, 60, (b"\0\1\1B\0", b"\0\1\1a\0", b"\0\1\1A\0"))
    record = owner + b"\0\x0f\0\x01\0\0\0\x3c\0\x05"
    assert mail == head + record + b"\0\1\1a\0" + record + b"\0\1\1b\0"
