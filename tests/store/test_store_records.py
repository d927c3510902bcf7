"""Records: what a client gives, what is stored, what is served."""

from __future__ import annotations

from typing import Any

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbdns.base import words
from lbdns.base.errors import Problem
from lbdns.base.kinds import Kind
from lbdns.dns.master.reader import read_master
from lbdns.dns.name import encode_canonical, show_name
from lbdns.dns.rdata.master_form import rdata_text
from lbdns.dns.rdata.record_types import type_text
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.record_bodies import (
    merged_record,
    record_body,
    record_data,
    record_key,
    record_priority,
    record_rrset,
)
from lbdns.manage.store.records.record_reading import canonical_record

ZONE = "example.com"
AT = ("records", "1")


def canonical(body: dict[str, Any], zone: str = ZONE) -> dict[str, Any]:
    """Return the canonical body of one without mistakes."""
    problems: list[Problem] = []
    made = canonical_record(body, zone, problems, AT)
    assert not problems, problems
    return made


def served(body: dict[str, Any]) -> tuple[str, str, int, str]:
    """Return owner, type, TTL and data of a stored body, by an independent reader of wire format."""
    owner, rdtype, ttl_s, rdata = record_rrset(Item(Kind.RECORD, "1", body))
    parsed = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.RdataType.make(rdtype), rdata, 0, len(rdata))
    return show_name(owner), type_text(rdtype), ttl_s, parsed.to_text().rstrip()


HASH = "ab" * 32
CONTENTS = [
    # type, content as given, content stored, data served
    ("A", "192.0.2.1", "192.0.2.1", "192.0.2.1"),
    ("a", " 192.0.2.1 ", "192.0.2.1", "192.0.2.1"),
    ("TYPE1", r"\# 4 c0000201", "192.0.2.1", "192.0.2.1"),
    ("AAAA", "2001:DB8:0:0::1", "2001:db8::1", "2001:db8::1"),
    ("CNAME", "Www.Example.net.", "Www.Example.net", "Www.Example.net."),
    ("CNAME", "mail", "mail.example.com", "mail.example.com."),
    ("CNAME", "@", "example.com", "example.com."),
    ("PTR", "localhost.", "localhost.", "localhost."),
    ("CNAME", "bücher.example", "xn--bcher-kva.example", "xn--bcher-kva.example."),
    ("NS", r"a\.b.example.net", r"a\.b.example.net", r"a\.b.example.net."),
    ("MX", "10 mail.example.net", "mail.example.net", "10 mail.example.net."),
    ("MX", "0 .", ".", "0 ."),
    ("DNAME", "example.net", "example.net", "example.net."),
    ("SRV", "0 1 443 www", "0 1 443 www.example.com", "0 1 443 www.example.com."),
    ("SRV", "0 0 0 .", "0 0 0 .", "0 0 0 ."),
    ("TXT", "v=DKIM1; p=a/b+c==", "v=DKIM1; p=a/b+c==", '"v=DKIM1; p=a/b+c=="'),
    ("TXT", r"back\slash", r"back\slash", r'"back\\slash"'),
    ("TXT", 'half " quote', 'half " quote', r'"half \" quote"'),
    ("TXT", " spaced ", " spaced ", '" spaced "'),
    ("TXT", r'"one" "tw\"o" "\200"', r'"one" "tw\"o" "\200"', r'"one" "tw\"o" "\200"'),
    ("TXT", '""', '""', '""'),
    ("TXT", "x" * 300, "x" * 300, f'"{"x" * 255}" "{"x" * 45}"'),
    ("TXT", f'"{"x" * 300}"', f'"{"x" * 300}"', f'"{"x" * 255}" "{"x" * 45}"'),
    ("TXT", "é", "é", r'"\195\169"'),
    ("CAA", '128 issue "ca.example.net; a=b"', '128 issue "ca.example.net; a=b"', '128 issue "ca.example.net; a=b"'),
    ("HTTPS", "1 www.example.net. port=443", '1 www.example.net. port="443"', '1 www.example.net. port="443"'),
    ("SVCB", "1 svc alpn=h2", '1 svc.example.com alpn="h2"', '1 svc.example.com. alpn="h2"'),
    ("HTTPS", '1 . alpn="h2,h3" port=443', '1 . alpn="h2,h3" port="443"', '1 . alpn="h2,h3" port="443"'),
    ("HTTPS", "0 pool.example.net", "0 pool.example.net", "0 pool.example.net."),
    ("TLSA", f"3 1 1 {HASH.upper()}", f"3 1 1 {HASH.upper()}", f"3 1 1 {HASH}"),
    ("SSHFP", f"4 2 {HASH[:32]} {HASH[32:].upper()}", f"4 2 {HASH[:32]}{HASH[32:].upper()}", f"4 2 {HASH}"),
    ("DS", f"1 13 2 {HASH}", f"1 13 2 {HASH}", f"1 13 2 {HASH}"),
    ("CERT", "PKIX 1 RSASHA256 AQID", "1 1 8 AQID", "PKIX 1 RSASHA256 AQID"),
    (
        "NAPTR",
        '1 2 "S" "SIP+D2U" "" _sip',
        '1 2 "S" "SIP+D2U" "" _sip.example.com',
        '1 2 "S" "SIP+D2U" "" _sip.example.com.',
    ),
    (
        "NAPTR",
        '1 2 "S" "SIP+D2U" "" sip.example.net.',
        '1 2 "S" "SIP+D2U" "" sip.example.net.',
        '1 2 "S" "SIP+D2U" "" sip.example.net.',
    ),
    ("URI", '10 1 "https://a/"', '10 1 "https://a/"', '10 1 "https://a/"'),
    (
        "LOC",
        "51 30 12.748 N 0 7 39.611 W 12m",
        "51 30 12.748 N 0 7 39.611 W 12m 1m 10000m 10m",
        "51 30 12.748 N 0 7 39.611 W 12.00m",
    ),
    ("TYPE65280", r"\# 2 ABcd", r"\# 2 ABcd", r"\# 2 abcd"),
    ("CDS", f"1 13 2 {HASH.upper()}", f"1 13 2 {HASH.upper()}", f"1 13 2 {HASH}"),
    ("TYPE65280", r"\# 4 0102 0304", r"\# 4 01020304", r"\# 4 01020304"),
    ("TYPE65280", r"\# 0", r"\# 0", r"\# 0"),
    ("HINFO", "a b", '"a" "b"', '"a" "b"'),
]


@pytest.mark.parametrize(("rdtype", "given_content", "stored", "data"), CONTENTS)
def test_content_is_stored_in_one_form_and_served(rdtype: str, given_content: str, stored: str, data: str) -> None:
    body = canonical({"name": "n", "type": rdtype, "content": given_content})
    assert body["content"] == stored
    assert served(body) == ("n.example.com", body["type"], 300, data)
    assert canonical(body) == body, "the canonical form is its own"
    priority = record_priority(body)
    parts = record_data(body)
    if parts is not None:
        assert canonical({"name": "n", "type": rdtype, "data": parts, "priority": priority}) == body
        assert canonical({**body, "data": parts, "priority": priority}) == body, "as it was read"


@pytest.mark.parametrize(("rdtype", "given_content", "stored", "data"), CONTENTS)
def test_master_file_form_is_read_back(rdtype: str, given_content: str, stored: str, data: str) -> None:
    owner, number, _, rdata = record_rrset(
        Item(Kind.RECORD, "1", canonical({"name": "n", "type": rdtype, "content": given_content}))
    )
    text = f"{show_name(owner)}. 300 IN {type_text(number)} {rdata_text(number, rdata)}\n"
    draft = read_master(text, encode_canonical(ZONE), "f", None, lambda path: "")
    assert not draft.problems
    assert draft.nodes[owner][0].rdatas == (rdata,)
    assert {**record_body(owner, number, 300, rdata)} == canonical(record_body(owner, number, 300, rdata))


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("@", "example.com"),
        ("example.com", "example.com"),
        ("EXAMPLE.com.", "example.com"),
        ("www", "www.example.com"),
        ("www.example.com", "www.example.com"),
        ("*", "*.example.com"),
        ("a.b", "a.b.example.com"),
        ("_dmarc", "_dmarc.example.com"),
        ("notexample.com", "notexample.com.example.com"),
        ("bücher", "xn--bcher-kva.example.com"),
        ("a\\.b", "a\\.b.example.com"),
        ("1/25", "1/25.example.com"),
    ],
)
def test_names_are_completed(name: str, stored: str) -> None:
    assert canonical({"name": name, "type": "A", "content": "192.0.2.1"})["name"] == stored


def test_other_fields() -> None:
    plain = {"name": "www.example.com", "type": "A", "content": "192.0.2.1", "ttl": 1}
    nothing = {"comment": "", "tags": [], "settings": {"ipv4_only": False}, "data": {}, "priority": 7}
    nothing |= {"proxied": False, "private_routing": False}
    assert canonical({**plain, **nothing, "id": "x", "meta": {}, "created_on": "now", "proxiable": False}) == plain
    kept = {"comment": "c", "tags": ["a:b", "c"], "settings": {"ipv6_only": True}, "ttl": 60}
    assert canonical({**plain, **kept, "tags": ["a:b", "c", "a:b"]}) == {**plain, **kept}
    for ttl, ttl_s in ((0, 0), (1, words.AUTOMATIC_TTL_S), (60.0, 60), (2**31 - 1, 2**31 - 1)):
        assert served(canonical({**plain, "ttl": ttl}))[2] == ttl_s


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"type": "CNAME", "content": "a b"}, ["content"]),
        ({"type": "A", "content": "192.0.2.1\n192.0.2.2"}, ["content"]),
        ({"type": "A", "content": "\ud800"}, ["content"]),
        ({"type": "TXT", "content": r'"\999"'}, ["content"]),
        ({"type": "TXT", "content": "x" * 66_000}, ["content"]),
        ({"type": "TXT", "content": " "}, ["content"]),
        ({"type": "MX", "content": "70000 mail"}, ["content"]),
        ({"type": "MX", "content": "10 mail", "priority": 20}, ["content"]),
        ({"type": "URI", "content": '10 1 "x"', "priority": 20}, ["priority"]),
        ({"type": "TYPE65280", "content": "text"}, ["content"]),
        ({"type": "TYPE65536", "content": r"\# 0"}, ["type"]),
        ({"type": "OPT", "content": r"\# 0"}, ["type"]),
        ({"type": 6, "content": "x"}, ["type"]),
        (
            {"type": "A", "content": "192.0.2.1", "ttl": True, "tags": "a", "settings": [], "comment": 5, "proxied": 1},
            ["ttl", "tags", "settings", "comment", "proxied"],
        ),
        (
            {"type": "A", "content": "192.0.2.1", "proxied": True, "private_routing": True},
            ["proxied", "private_routing"],
        ),
        ({"type": "SRV", "data": []}, ["data"]),
        (
            {"type": "LOC", "data": {"lat_degrees": 91, "lat_direction": "X"}},
            ["data.lat_degrees", "data.lat_direction", "data.long_degrees", "data.long_direction"],
        ),
        ({"type": "HTTPS", "data": {"priority": 1, "target": ".", "value": "alpn="}}, ["data"]),
    ],
)
def test_mistakes(body: dict[str, Any], fields: list[str]) -> None:
    problems: list[Problem] = []
    canonical_record({"name": "www", **body}, ZONE, problems, AT)
    assert sorted(".".join(map(str, problem.at[2:])) for problem in problems) == sorted(fields)
    assert all(problem.at[:2] == AT and problem.message.isprintable() for problem in problems)


def test_an_unknown_field_names_the_nearest() -> None:
    problems: list[Problem] = []
    canonical_record({"name": "www", "type": "A", "content": "192.0.2.1", "tll": 60}, ZONE, problems, AT)
    assert problems[0].message == 'unknown field "tll"; did you mean "ttl"?'


def test_patches_outweigh_what_is_derived_from_content() -> None:
    srv = canonical({"name": "_s._tcp", "type": "SRV", "content": "1 2 3 a.net"})
    assert canonical(merged_record(srv, {"priority": 9}))["content"] == "9 2 3 a.net"
    data = {"priority": 4, "weight": 4, "port": 4, "target": "b.net"}
    assert canonical(merged_record(srv, {"data": data}))["content"] == "4 4 4 b.net"
    uri = canonical({"name": "u", "type": "URI", "content": '1 2 "x"'})
    assert canonical(merged_record(uri, {"data": {"weight": 5, "target": "y"}}))["content"] == '1 5 "y"'
    mx = canonical({"name": "m", "type": "MX", "content": "a.net", "priority": 1})
    assert canonical(merged_record(mx, {"priority": 2})) == {**mx, "priority": 2}
    assert canonical(merged_record(mx, {"type": "A", "content": "192.0.2.1"}))["type"] == "A"


def test_the_same_record_whatever_its_ttl_and_case() -> None:
    one = canonical({"name": "m", "type": "MX", "content": "A.net", "priority": 1})
    assert record_key(one) == record_key({**one, "content": "a.NET", "ttl": 60, "comment": "c"})
    assert record_key(one) != record_key({**one, "priority": 2})


def test_a_ttl_of_one_second_in_a_file_is_not_automatic() -> None:
    assert record_body(encode_canonical(ZONE), 1, 1, b"\xc0\0\2\1")["ttl"] == 2


TYPES = [one[0] for one in CONTENTS]
KEYS = ["name", "type", "content", "data", "ttl", "priority", "comment", "tags", "settings", "proxied", "x"]
PARTS = ["priority", "weight", "port", "target", "flags", "tag", "value", "certificate", "lat_degrees", "size"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from([one[1] for one in CONTENTS])
    | st.sampled_from(TYPES)
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PARTS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=6,
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["www", "@", "a..b", ""]) | SCALARS,
        "type": st.sampled_from(TYPES) | SCALARS,
        "content": SCALARS,
        "priority": st.integers(0, 70000) | SCALARS,
        **{key: JSON for key in KEYS if key not in ("name", "type", "content", "priority")},
    },
)


@pytest.mark.slow
@settings(max_examples=250)
@given(BODIES)
def test_no_body_is_too_strange(body: dict[str, Any]) -> None:
    """Whatever comes: mistakes are told, and where there is none, the record is stored, served and read back."""
    problems: list[Problem] = []
    made = canonical_record(body, ZONE, problems, AT)
    assert isinstance(made["name"], str)
    if problems:
        for problem in problems:
            problem.message.encode()
            problem.path.encode()
        return
    assert canonical(made) == made
    owner, rdtype, ttl_s, rdata = record_rrset(Item(Kind.RECORD, "1", made))
    again = record_body(owner, rdtype, ttl_s, rdata)
    assert again["content"] == made["content"]
    text = f"{show_name(owner)}. {ttl_s} IN {type_text(rdtype)} {rdata_text(rdtype, rdata)}\n"
    draft = read_master(text, encode_canonical(ZONE), "f", None, lambda path: "")
    assert not draft.problems and draft.nodes[owner][0].rdatas == (rdata,)


@settings(max_examples=200)
@given(st.binary(max_size=600))
def test_any_octets_of_text_are_kept(octets: bytes) -> None:
    wire = b"".join(
        bytes((len(part),)) + part for part in (octets[at : at + 255] for at in range(0, len(octets) or 1, 255))
    )
    body = record_body(encode_canonical(ZONE), 16, 300, wire)
    assert record_rrset(Item(Kind.RECORD, "1", canonical(body)))[3] == wire


@pytest.mark.slow
@settings(max_examples=200)
@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=4))
def test_any_labels_are_kept(labels: list[bytes]) -> None:
    wire = b"".join(bytes((len(label),)) + label for label in labels)
    owner = wire.lower() + encode_canonical(ZONE)
    body = record_body(owner, 5, 300, wire + b"\0")
    made = record_rrset(Item(Kind.RECORD, "1", canonical(body)))
    assert (made[0], made[3]) == (owner, wire + b"\0")
