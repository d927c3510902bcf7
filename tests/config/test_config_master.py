"""Master files: our quick encoders against dnspython's, whole zones against its reader, the forms of RFC 1035."""

from __future__ import annotations

from pathlib import Path

import dns.exception
import dns.name
import dns.rdata
import dns.rdatatype
import dns.zone
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.master.entries import scan_entries
from lbdns.dns.master.generate import generate
from lbdns.dns.master.reader import read_master
from lbdns.dns.master.ttl import parse_ttl
from lbdns.dns.master.zone_checks import ZoneIndex, check_zone
from lbdns.dns.name import BadName, ancestors, encode_name, is_at_or_below
from lbdns.dns.rdata.master_form import BadRdata, encode_rdata

QUICK = settings(max_examples=100)
APEX = b"\x07example\x03com\x00"
ORIGIN = dns.name.from_text("example.com.")


def read(text: str, base: Path | None = None) -> ZoneDraft:
    """Read a master file of example.com."""
    return read_master(text, APEX, "f", base, lambda path: path.read_text(encoding="utf-8"))


def quick(rdtype: str, text: str) -> bytes | None:
    """Encode data as a line of a master file has it; None where it is refused."""
    entries = list(scan_entries(f"x {rdtype} {text}", lambda line, message: None))
    if not entries:
        return None
    try:
        return encode_rdata(dns.rdatatype.from_text(rdtype), entries[0].tokens[2:], APEX)
    except BadRdata:
        return None


def by_library(rdtype: str, text: str) -> bytes | None:
    """Encode the same with dnspython alone."""
    try:
        return dns.rdata.from_text("IN", rdtype, text, ORIGIN, relativize=False).to_wire()
    except (dns.exception.DNSException, ValueError):
        return None


LABEL = st.text(alphabet="abcXYZ019-_*", min_size=1, max_size=12) | st.sampled_from(
    ["a" * 63, "a" * 64, "", "\\046", "\\a"]
)
NAME = st.builds(
    lambda labels, end: ".".join(labels) + end, st.lists(LABEL, min_size=1, max_size=4), st.sampled_from(["", "."])
) | st.sampled_from(["@", ".", "a." * 126 + "a.", "a." * 128, "a." * 122])
NUMBER = st.integers(0, 70_000).map(str) | st.sampled_from(["-1", "007", "x", "+1", "99999999999"])
TEXT = st.sampled_from(
    ['"a b"', "plain", '"\\"q\\""', '""', '"' + "x" * 255 + '"', '"' + "x" * 256 + '"', '"caf\\233"', "é"]
)
ADDRESS = st.ip_addresses().map(str) | st.sampled_from(
    ["192.0.2.256", "192.0.2", "01.2.3.4", "::ffff:1.2.3.4", "::1%a"]
)
DATA = st.one_of(
    st.tuples(st.sampled_from(["A", "AAAA"]), ADDRESS),
    st.tuples(st.sampled_from(["NS", "CNAME", "PTR", "DNAME"]), NAME),
    st.tuples(st.just("MX"), st.builds("{} {}".format, NUMBER, NAME)),
    st.tuples(st.just("SRV"), st.builds("{} {} {} {}".format, NUMBER, NUMBER, NUMBER, NAME)),
    st.tuples(st.just("TXT"), st.lists(TEXT, max_size=3).map(" ".join)),
    st.tuples(st.sampled_from(["A", "TXT", "MX", "TYPE65500"]), st.sampled_from(["\\# 4 01020304", "\\# 0", "\\# 1"])),
)


@QUICK
@given(DATA)
def test_data_is_encoded_as_dnspython_does(data: tuple[str, str]) -> None:
    rdtype, text = data
    assert quick(rdtype, text) == by_library(rdtype, text)


@QUICK
@given(NAME)
def test_names_are_encoded_as_dnspython_does(name: str) -> None:
    try:
        expected = dns.name.from_text(name, ORIGIN).to_wire()
    except dns.exception.DNSException:
        with pytest.raises(BadName):
            encode_name(name, APEX)
    else:
        assert encode_name(name, APEX) == expected


OWNER = st.sampled_from(["@", "www", "a.b", "*.w", "a\\.b", "x.example.com.", "UPPER"])
RECORD = st.builds(
    "{}{}{}{}".format,
    OWNER,
    st.sampled_from([" ", "\t", " 60 ", " IN ", " 60 IN ", " IN 60 ", " 1h30m "]),
    st.sampled_from(
        [
            "A 192.0.2.1",
            "A ( 192.0.2.2 )",
            "AAAA 2001:db8::1",
            "MX 10 mail",
            'TXT "a;b" "c(d" e',
            "SRV (1 2\n 3 @ ) ; s",
        ]
    ),
    st.sampled_from(["", " ; comment", "\r", "\n  TXT same-owner", "\n\n"]),
)


@pytest.mark.slow
@QUICK
@given(st.lists(RECORD, max_size=12), st.sampled_from(["$TTL 300\n", "$TTL 300\n$ORIGIN sub.example.com.\n"]))
def test_zones_are_read_as_dnspython_does(lines: list[str], head: str) -> None:
    text = f"example.com. 9 SOA a b 1 2 3 4 5\n{head}" + "\n".join(lines) + "\n"
    expected = dns.zone.from_text(text, origin="example.com.", relativize=False, check_origin=False)
    draft = read(text)
    assert not [problem for problem in draft.problems if problem.severity == "error"]
    ours = {(owner, one.type): (one.ttl, sorted(one.rdatas)) for owner, drafts in draft.nodes.items() for one in drafts}
    theirs = {
        ((name.to_wire() or b"").lower(), int(rdataset.rdtype)): (
            rdataset.ttl,
            sorted(rdata.to_wire() for rdata in rdataset),
        )
        for name, rdataset in expected.iterate_rdatasets()
    }
    assert ours == theirs


MASTER_WORDS = [
    "@",
    "a",
    " ",
    "\t",
    "\n",
    "(",
    ")",
    '"',
    ";",
    "\\",
    "$TTL",
    "$ORIGIN",
    "$GENERATE",
    "1-3",
    "$",
    "${0,2}",
]
MASTER_WORDS += [
    "A",
    "NS",
    "SOA",
    "TXT",
    "TYPE1",
    "IN",
    "300",
    "1h",
    "192.0.2.1",
    "x.y.",
    "é",
    "\x00",
    "\r",
    "1-3/0",
    "\\#",
]


@QUICK
@given(st.lists(st.sampled_from(MASTER_WORDS), max_size=40).map(" ".join) | st.text(max_size=80))
def test_no_master_file_raises(text: str) -> None:
    draft = read(text)
    list(check_zone(ZoneIndex(draft)))
    draft.finish()


def test_ttl_forms() -> None:
    assert [parse_ttl(text) for text in ("0", "300", "1h30m", "1W2D3H4M5S", "2147483647")] == [
        0,
        300,
        5400,
        788_645,
        2_147_483_647,
    ]
    for text in ("", "h", "-1", "1.5", "2147483648", "99999999999999999999", "1" * 28, "1" * 100_000):
        with pytest.raises(ValueError, match="TTL"):
            parse_ttl(text)


def test_where_a_ttl_comes_from() -> None:
    soa = "@ SOA a b 1 2 3 4 77\n"
    assert [one.ttl for drafts in read(f"{soa}x A 192.0.2.1\n").nodes.values() for one in drafts] == [77, 77]
    text = f"{soa}x 10 A 192.0.2.1\ny A 192.0.2.1\n$TTL 20\nz A 192.0.2.1\n"
    assert [one.ttl for drafts in read(text).nodes.values() for one in drafts] == [77, 10, 10, 20]


def test_includes(tmp_path: Path) -> None:
    """Afterwards the including file's origin and owner stand again; lines are the directive's (RFC 1035, 5.1)."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "outside.inc").write_text("x A 192.0.2.1\n")
    (inside / "one.inc").write_text("@ A 192.0.2.1\n$ORIGIN deep.example.com.\n$INCLUDE two.inc\n")
    (inside / "two.inc").write_text("y A 192.0.2.2\n")
    (inside / "link.inc").symlink_to(tmp_path / "outside.inc")
    text = "$TTL 9\nowner A 192.0.2.3\n$INCLUDE one.inc sub\n TXT still-owner\n$INCLUDE link.inc\n"
    draft = read_master(text, APEX, str(inside / "f"), inside, lambda path: path.read_text(encoding="utf-8"))
    zone = draft.finish()
    assert [(rrset.owner[: -len(APEX)], rrset.line) for rrset in zone.rrsets] == [
        (b"\x05owner", 2),
        (b"\x05owner", 4),
        (b"\x03sub", 3),
        (b"\x01y\x04deep", 3),
    ]
    (problem,) = draft.problems
    assert (problem.line, "outside the configuration directory" in problem.message) == (5, True)


def test_included_files_go_only_so_deep(tmp_path: Path) -> None:
    for depth in range(12):
        (tmp_path / f"{depth}.inc").write_text(f"$INCLUDE {depth + 1}.inc\n")
    draft = read_master("$INCLUDE 0.inc\n", APEX, str(tmp_path / "f"), tmp_path, lambda path: path.read_text())
    (problem,) = draft.problems
    assert "more than 8 deep" in problem.message


def test_an_included_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.inc").write_bytes(b"\xff")
    draft = read_master("$INCLUDE x.inc\n", APEX, str(tmp_path / "f"), tmp_path, lambda path: path.read_text("utf-8"))
    assert [problem.message for problem in draft.problems] == ['"x.inc" is not text in UTF-8']


def test_an_unknown_type_is_told_each_time() -> None:
    problems = read("$TTL 9\na MXX 1\nb MXX 1\n").problems
    assert [(problem.line, problem.message) for problem in problems] == [
        (line, 'unknown record type "MXX"; did you mean "MX"?') for line in (2, 3)
    ]


def test_data_that_is_too_long() -> None:
    with pytest.raises(BadRdata, match="66560 octets of data; a record holds at most 65535"):
        encode_rdata(16, [f'"{"x" * 255}"'] * 260, APEX)


def test_wildcards_do_not_cover_names_that_exist() -> None:
    """A name that exists, by its own records or by a name below it, has no address from a wildcard (RFC 4592)."""
    zone = "$TTL 9\n@ SOA a b 1 2 3 4 5\n@ NS ns.example.net.\n*.w A 192.0.2.1\nt.w TXT x\nb.e.w TXT x\n"
    for target, is_missing in (("any.w", False), ("t.w", True), ("e.w", True), ("x.e.w", True), ("a.any.w", False)):
        found = [problem.message for problem in check_zone(ZoneIndex(read(f"{zone}@ MX 10 {target}\n")))]
        assert any("has no address" in message for message in found) == is_missing, target


def test_generate_forms() -> None:
    count, made = generate(
        ["9-11/2", "h${0,3}-$", "A", "10.0.0.${-8}", "\\$", "$$", "${0,0,x}", "${0,3,o}", "${16,5,n}"]
    )
    assert count == 2
    assert list(made) == [
        ["h009-9", "A", "10.0.0.1", "\\$", "$", "9", "011", "9.1.0"],
        ["h011-11", "A", "10.0.0.3", "\\$", "$", "b", "013", "b.1.0"],
    ]
    with pytest.raises(ValueError, match="holds no number"):
        generate(["3-1", "a", "A", "192.0.2.1"])
    with pytest.raises(ValueError, match="negative number"):
        generate(["1-3", "a", "A", "192.0.2.${-2}"])


def test_relations_of_names() -> None:
    www = b"\x03www" + APEX
    assert ancestors(b"\x01a" + www, APEX) == [www, APEX]
    assert ancestors(APEX, APEX) == []
    assert is_at_or_below(www, APEX)
    assert is_at_or_below(APEX, APEX)
    assert is_at_or_below(www, b"\x00")
    assert not is_at_or_below(b"\x0aexampleish\x00", APEX)
    assert not is_at_or_below(b"\x0bwww\x07example\x03com\x00", APEX)


def test_a_refused_record_is_not_missed_elsewhere() -> None:
    """What the reader refused may be what a check would miss; what it did not refuse is missed."""
    head = "$TTL 300\n@ SOA a b 1 2 3 4 5\n@ NS ns\n"
    for lost in (
        "ns A 192.0.2.300",
        "ns XYZZY 1",
        "a..b A 192.0.2.1",
        "ns A ( 192.0.2.1",
        "$INCLUDE gone",
        "ns AAAA x",
    ):
        assert not [one for one in check_zone(ZoneIndex(read(f"{head}{lost}\n"))) if one.severity == "error"]
    for other in ("", "ns TXT \\", "other A 192.0.2.300", "b.example.org. A 192.0.2.1"):
        (problem,) = [one for one in check_zone(ZoneIndex(read(f"{head}{other}\n"))) if one.severity == "error"]
        assert 'the name server "ns.example.com" has no address' in problem.message
