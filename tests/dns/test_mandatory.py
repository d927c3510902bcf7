"""Data that lacks what it is about: no update adds it, no file or client makes it, and what is stored can be read."""

from __future__ import annotations

import struct

import pytest

from lbdns.base.errors import Problem
from lbdns.dns.codes import CLASS_IN, CLASS_NONE
from lbdns.dns.master.reader import read_master
from lbdns.dns.name import ROOT, encode_canonical
from lbdns.dns.rdata.content import content_of, encode_content
from lbdns.dns.rdata.master_form import encode_rdata
from lbdns.dns.rdata.record_types import parse_type, type_text
from lbdns.dns.update_message import UpdateMessage, decode_update
from lbdns.manage.store.records.record_reading import canonical_record

LACKING = [
    ("NSAP", ""),
    ("KEY", "00000305"),
    ("KEY", "c000030501"),  # says that it has no key
    ("CERT", "0001000105"),
    ("DS", "0000000c"),
    ("SSHFP", "0203"),
    ("IPSECKEY", "0a0002"),
    ("IPSECKEY", "0a0000"),
    ("IPSECKEY", "0a0102c0000226"),
    ("IPSECKEY", "0a030203617a7a00"),
    ("RRSIG", "000105030001518070dbd8806efaa5000a52076578616d706c6503636f6d00"),
    ("DNSKEY", "01010305"),
    ("DHCID", ""),
    ("TLSA", "030100"),
    ("SMIMEA", "030100"),
    ("HIP", "0000000000"),
    ("HIP", "00020003000202"),
    ("CDS", "0000640c"),
    ("CDNSKEY", "00000305"),
    ("OPENPGPKEY", ""),
    ("DLV", "0000000c"),
]
WHOLE = [
    ("KEY", "c0000305"),
    ("CERT", "000100010500"),
    ("IPSECKEY", "0a000200"),
    ("IPSECKEY", "0a0302016100ff"),
    ("CDNSKEY", "0000030000"),
    ("CDS", "0000000000"),
    ("DHCID", "00"),
    ("OPENPGPKEY", "00"),
    ("HIP", "010100010102"),
    ("APL", ""),
    ("TYPE65500", ""),
    ("NULL", ""),
    ("URI", "000014ff0001ff687474703a2f2f78"),
    ("CAA", "0005697373756578ff05"),
]


def added(rdtype: int, rdata: bytes, rclass: int) -> bytes | None:
    """Return the data that an UPDATE's one record is read as having."""
    apex = encode_canonical("example.com")
    question = apex + struct.pack("!HH", 6, CLASS_IN)
    record = apex + struct.pack("!HHIH", rdtype, rclass, 0, len(rdata)) + rdata
    decoded = decode_update(struct.pack("!6H", 1, 5 << 11, 1, 0, 1, 0) + question + record)
    assert isinstance(decoded, UpdateMessage)
    return decoded.updates[0].rdata


def generic(rdata: bytes) -> str:
    return f"\\# {len(rdata)} {rdata.hex()}".rstrip()


def from_client(rdtype: int, text: str) -> list[str]:
    problems: list[Problem] = []
    body = {"name": "a", "type": type_text(rdtype), "content": text}
    canonical_record(body, "example.com", problems, ())
    return [problem.message for problem in problems]


def from_file(rdtype: int, text: str) -> list[str]:
    lines = f"$TTL 60\na {type_text(rdtype)} {text}\n"
    return [one.message for one in read_master(lines, encode_canonical("example.com"), "file", None, str).problems]


@pytest.mark.parametrize(("mnemonic", "octets"), LACKING)
def test_data_that_lacks_its_last_field_is_not_made_but_deleted_and_read(mnemonic: str, octets: str) -> None:
    rdtype, rdata = parse_type(mnemonic), bytes.fromhex(octets)
    assert added(rdtype, rdata, CLASS_IN) is None
    assert added(rdtype, rdata, CLASS_NONE) == rdata
    text = generic(rdata)
    reason = f'"{text}" is not data of type {mnemonic}: the {len(rdata)} octets are no such data'
    assert from_client(rdtype, text) == [reason]
    assert reason in from_file(rdtype, text)
    assert encode_rdata(rdtype, [text], ROOT) == rdata
    assert encode_content(rdtype, content_of(rdtype, rdata)[0], None, "") == rdata


@pytest.mark.parametrize(("mnemonic", "octets"), WHOLE)
def test_data_that_has_all_its_fields_is_made(mnemonic: str, octets: str) -> None:
    rdtype, rdata = parse_type(mnemonic), bytes.fromhex(octets)
    assert added(rdtype, rdata, CLASS_IN) == rdata
    assert from_client(rdtype, generic(rdata)) == []
    assert not [message for message in from_file(rdtype, generic(rdata)) if "data" in message]
