"""The table of record types: every row's roads there and back, against dnspython, and what the documents say."""

from __future__ import annotations

import base64
from typing import Any

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbdns.base.words import BALANCER_TYPES
from lbdns.dns import codes
from lbdns.dns.name import ROOT, encode_canonical, encode_host, show_absolute
from lbdns.dns.rdata.content import content_of, data_of, encode_content, text_of_data
from lbdns.dns.rdata.data_parts import DataPart, PartsForm
from lbdns.dns.rdata.layouts import NAME, AddressLayout, FieldsLayout, StringsLayout
from lbdns.dns.rdata.loc import LocForm
from lbdns.dns.rdata.master_form import BadRdata, canonical_rdata, encode_rdata, rdata_text
from lbdns.dns.rdata.record_types import (
    ADDRESS_TYPES,
    HIDDEN_TYPES,
    RECORD_TYPES,
    STEERED_TYPES,
    Priority,
    RecordType,
    parse_type,
    record_type,
    type_text,
    types_where,
)

SOME = settings(max_examples=25)
ROWS = sorted(RECORD_TYPES.values(), key=lambda row: row.mnemonic)
ZONE = "example.com"
HOST = st.sampled_from(["www.example.net", "a.b.c.example.com", "localhost.", "x_y.example", r"a\.b.example.net", "."])
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def named(rows: list[RecordType]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.mnemonic)


def octets(least: int, most: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=least, max_size=most)


def values_of(part: DataPart) -> st.SearchStrategy[Any]:
    """Return values of a part as `data` gives them back."""
    return {
        "number": st.integers(0, part.most),
        "host": HOST,
        "name": HOST,
        "quoted": TEXT,
        "word": st.from_regex(r"[a-z0-9]{1,15}", fullmatch=True),
        "hex": octets(1, 20).map(bytes.hex),
        "base64": octets(1, 20).map(lambda value: base64.b64encode(value).decode()),
        "parameters": st.sampled_from(["", 'alpn="h2,h3"', 'alpn="h2" port="8443"', 'ipv4hint="192.0.2.1,192.0.2.2"']),
    }[part.kind]


BOUND: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    # Digests are as long as their type says, and a service with parameters is no alias.
    "DS": {"digest_type": st.just(2), "digest": octets(32, 32).map(bytes.hex)},
    "SSHFP": {"type": st.just(2), "fingerprint": octets(32, 32).map(bytes.hex)},
    "SVCB": {"priority": st.integers(1, 65_535)},
    "HTTPS": {"priority": st.integers(1, 65_535)},
}
DEGREES = {"lat_degrees": st.integers(0, 89), "long_degrees": st.integers(0, 179)}
MINUTES = dict.fromkeys(["lat_minutes", "long_minutes"], st.integers(0, 59))
SECONDS = dict.fromkeys(["lat_seconds", "long_seconds"], st.integers(0, 59_999).map(lambda one: one / 1000))
LENGTHS = dict.fromkeys(["size", "precision_horz", "precision_vert"], st.sampled_from([0, 0.01, 5, 30, 9_000_000]))
LOC = st.fixed_dictionaries(
    {
        **DEGREES,
        **MINUTES,
        **SECONDS,
        **LENGTHS,
        "altitude": st.integers(-10_000_000, 100_000_000).map(lambda one: one / 100),
        "lat_direction": st.sampled_from("NS"),
        "long_direction": st.sampled_from("EW"),
    }
)


def data_for(row: RecordType) -> st.SearchStrategy[dict[str, Any]]:
    if isinstance(row.data, LocForm):
        return LOC
    assert isinstance(row.data, PartsForm)
    bound = BOUND.get(row.mnemonic, {})
    return st.fixed_dictionaries({part.key: bound.get(part.key, values_of(part)) for part in row.data.parts})


def wire_for(row: RecordType) -> st.SearchStrategy[bytes]:
    """Return data of a type that has a layout, built by hand."""
    layout = row.layout
    if isinstance(layout, AddressLayout):
        size = 4 if row.mnemonic == "A" else 16
        return octets(size, size)
    if isinstance(layout, StringsLayout):
        one = octets(0, 30).map(lambda text: bytes((len(text),)) + text)
        return st.lists(one, min_size=1, max_size=4).map(b"".join)
    assert isinstance(layout, FieldsLayout)
    name = HOST.map(lambda text: encode_host(text, ZONE))
    return st.tuples(*(name if field == NAME else octets(field, field) for field in layout.fields)).map(b"".join)


def complete(host: str) -> str:
    return show_absolute(encode_host(host, ZONE))


def encoded(row: RecordType, data: dict[str, Any], priority: int | None = None) -> bytes:
    mistakes: list[tuple[str, str]] = []
    text = text_of_data(row.number, data, priority, complete, lambda key, message: mistakes.append((key, message)))
    assert text is not None, mistakes
    return encode_rdata(row.number, [text], ROOT)


def there_and_back(row: RecordType, rdata: bytes) -> None:
    """Check that master files and content give the same octets again."""
    assert encode_rdata(row.number, [rdata_text(row.number, rdata)], ROOT) == rdata
    content, priority = content_of(row.number, rdata)
    assert encode_content(row.number, content, priority, ZONE) == rdata
    assert content_of(row.number, rdata) == (content, priority)
    assert (priority is not None) == (row.priority is Priority.BESIDE_CONTENT)


@named([row for row in ROWS if row.data is not None])
@SOME
@given(st.data())
def test_data_comes_back(row: RecordType, draw: st.DataObject) -> None:
    data = draw.draw(data_for(row))
    rdata = encoded(row, data)
    assert data_of(row.number, rdata) == data
    there_and_back(row, rdata)


@named([row for row in ROWS if row.layout is not None])
@SOME
@given(st.data())
def test_a_layout_writes_and_reads_as_dnspython_does(row: RecordType, draw: st.DataObject) -> None:
    rdata = draw.draw(wire_for(row))
    library = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.RdataType.make(row.number), rdata, 0, len(rdata))
    assert rdata_text(row.number, rdata) == library.to_text()
    there_and_back(row, rdata)
    if isinstance(row.layout, FieldsLayout):
        tokens = library.to_text().split()
        # The library takes whatever the layout leaves to it.
        assert row.layout.encode(tokens, ROOT) in (rdata, None)
        names = [rdata[start:end] for start, end in row.layout.names(rdata)]
        assert [show_absolute(name) for name in names] == [
            word for word, field in zip(tokens, row.layout.fields, strict=True) if field == NAME
        ]
        if row.name_at is not None:
            assert names == [rdata[row.name_at :]]
            assert canonical_rdata(row.number, rdata) == rdata[: row.name_at] + names[0].lower()


@named([row for row in ROWS if row.example])
def test_examples_are_data_of_their_type(row: RecordType) -> None:
    there_and_back(row, encode_rdata(row.number, row.example.split(), ROOT))
    with pytest.raises(BadRdata) as missing:
        encode_rdata(row.number, [], ROOT)
    assert str(missing.value) == f"the data is missing; expected {row.what}, such as {row.example}"


@named(ROWS)
def test_every_row_can_be_written_and_shown(row: RecordType) -> None:
    """A type with neither layout nor parts is dnspython's alone, or stands here for where it may stand."""
    assert row.layout or row.data or row.is_beside_cname or row.is_at_cut
    assert bool(row.what) == bool(row.example)


def test_numbers_are_the_registrys() -> None:
    for row in ROWS:
        assert (row.number, row.mnemonic) == (int(dns.rdatatype.from_text(row.mnemonic)), row.mnemonic)
        assert (type_text(row.number), parse_type(row.mnemonic.lower())) == (row.mnemonic, row.number)
    named_types = {name[5:]: number for name, number in vars(codes).items() if name.startswith("TYPE_")}
    known = {name: number for name, number in named_types.items() if name in dns.rdatatype.RdataType.__members__}
    assert set(named_types) - set(known) <= {"NXNAME"}
    assert known == {name: int(dns.rdatatype.RdataType[name]) for name in known}


def numbers(*mnemonics: str) -> set[int]:
    return {int(dns.rdatatype.from_text(mnemonic)) for mnemonic in mnemonics}


def test_rows_say_what_the_documents_say() -> None:
    # RFC 3597 section 4: names are compressed in the data of RFC 1035's types alone.
    assert set(types_where(lambda row: row.is_compressed)) == numbers("NS", "CNAME", "SOA", "PTR", "MX")
    # RFC 2181 section 10.1, RFC 4034 sections 3 and 4.
    assert set(types_where(lambda row: row.is_beside_cname)) == numbers("CNAME", "RRSIG", "NSEC")
    assert set(types_where(lambda row: row.is_single)) == numbers("CNAME", "DNAME")
    # RFC 4035 section 2.
    assert set(types_where(lambda row: row.is_at_cut)) == numbers("NS", "DS", "RRSIG", "NSEC", "A", "AAAA")
    # RFC 1035 section 3.3, RFC 2782: A comes before AAAA in a reply.
    assert set(types_where(lambda row: row.points_to_host)) == numbers("NS", "MX", "SRV")
    assert ADDRESS_TYPES == (codes.TYPE_A, codes.TYPE_AAAA)


def test_load_balancers_hide_and_answer_the_types_of_their_kind() -> None:
    assert {row.balancer for row in ROWS if row.balancer} == set(BALANCER_TYPES)
    assert {kind: set(hidden) for kind, hidden in HIDDEN_TYPES.items()} == {
        "A": numbers("A", "AAAA", "CNAME"),
        "MX": numbers("MX"),
        "SRV": numbers("SRV"),
    }
    assert STEERED_TYPES == {"A": (1, 28), "MX": (15,), "SRV": (33,)}


@pytest.mark.parametrize(
    ("rdtype", "text"),
    [
        ("RP", "admin.example.com. ."),
        ("HINFO", '"a" "b"'),
        ("TYPE65280", r"\# 3 010203"),
        ("EUI48", "01-23-45-67-89-ab"),
    ],
)
def test_types_without_a_row_are_the_librarys(rdtype: str, text: str) -> None:
    number = parse_type(rdtype)
    assert number not in RECORD_TYPES
    row = record_type(number)
    assert (row.mnemonic, row.number, row.layout, row.data) == (rdtype, number, None, None)
    rdata = encode_rdata(number, [text], ROOT)
    assert rdata_text(number, rdata) == text
    assert (content_of(number, rdata), data_of(number, rdata)) == ((text, None), None)
    assert encode_content(number, text, None, ZONE) == rdata


def test_uri_takes_its_priority_from_beside_the_data() -> None:
    row = record_type(parse_type("URI"))
    data = {"weight": 5, "target": "https://example.com/"}
    assert encoded(row, data, 10) == encoded(row, {"priority": 10, **data})
    assert encode_content(row.number, '5 "https://example.com/"', 10, ZONE) == encoded(row, data, 10)


def test_names_of_content_are_completed_by_the_zone() -> None:
    for content, priority, rdtype in (("mail", None, "CNAME"), ("mail", 0, "MX"), ("0 0 0 mail", None, "SRV")):
        rdata = encode_content(parse_type(rdtype), content, priority, ZONE)
        assert rdata.endswith(encode_canonical(f"mail.{ZONE}"))
