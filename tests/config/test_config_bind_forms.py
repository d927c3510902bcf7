"""Master files as BIND 9.18 reads them: $GENERATE, owners in quotes, mailbox types. What is right is what its
named-compilezone wrote of the same text."""

from __future__ import annotations

import pytest

from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.master.reader import read_master
from lbdns.dns.name import encode_canonical, show_name
from lbdns.dns.rdata.master_form import canonical_rdata, rdata_text
from lbdns.dns.rdata.record_types import type_text

HEAD = "$TTL 3600\n@ SOA ns1 host 1 7200 900 1209600 300\n"


def read(text: str) -> ZoneDraft:
    """Read records of example.com, no file included."""

    def refuse(path: object) -> str:
        raise OSError(2, f"{path}")

    return read_master(HEAD + text, encode_canonical("example.com"), "f", None, refuse)


def records(text: str) -> list[str]:
    """Return what records of example.com come to; none may be refused."""
    draft = read(text)
    assert [str(problem) for problem in draft.problems] == []
    return [
        f"{show_name(owner).removesuffix('.example.com')} {type_text(one.type)} {rdata_text(one.type, rdata)}"
        for owner, drafts in draft.nodes.items()
        for one in drafts
        for rdata in one.rdatas
        if type_text(one.type) != "SOA"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$GENERATE 1-2 z${1} A 192.0.2.$", ["z2 A 192.0.2.1", "z3 A 192.0.2.2"]),
        ("$GENERATE 1-1 z${1}-$ A 192.0.2.$", ["z2-2 A 192.0.2.1"]),
        ("$GENERATE 1-1 z$-${1} A 192.0.2.$", ["z1-2 A 192.0.2.1"]),
        ("$GENERATE 1-1 z${+1,3} A 192.0.2.$", ["z002 A 192.0.2.1"]),
        ("$GENERATE 1-1 z${0,+3} A 192.0.2.$", ["z001 A 192.0.2.1"]),
        ("$GENERATE 1-1 z${1}} A 192.0.2.$", ["z2} A 192.0.2.1"]),
        ("$GENERATE 1-1 z{$} A 192.0.2.$", ["z{1} A 192.0.2.1"]),
        ("$GENERATE 10-10 z${0,0,n} A 192.0.2.1", ["za A 192.0.2.1"]),
        ("$GENERATE 10-10 ${0,2,n}x A 192.0.2.1", ["a.x A 192.0.2.1"]),
        ("$GENERATE 10-10 ${0,3,n}.x A 192.0.2.1", ["a.0.x A 192.0.2.1"]),
        ("$GENERATE 10-10 ${0,4,N}x A 192.0.2.1", ["a.0.x A 192.0.2.1"]),
        ("$GENERATE 255-256 ${0,2,n}x A 192.0.2.1", ["f.fx A 192.0.2.1", "0.0.1x A 192.0.2.1"]),
        ("$GENERATE 255-256 ${0,4,n}x A 192.0.2.1", ["f.f.x A 192.0.2.1", "0.0.1x A 192.0.2.1"]),
        ("$GENERATE 1-1 z TXT ${0,4,n}", ['z TXT "1.0."']),
        ('$GENERATE 1-2 h$ MX "0 ."', ["h1 MX 0 .", "h2 MX 0 ."]),
        ('$GENERATE 1-1 h$ MX "10 mail$"', ["h1 MX 10 mail1.example.com."]),
        ('$GENERATE 1-1 h$ A " 192.0.2.$ "', ["h1 A 192.0.2.1"]),
        ('$GENERATE 1-1 h$ CNAME "foo$"', ["h1 CNAME foo1.example.com."]),
        ('$GENERATE 1-1 h$ TXT "a b $"', ['h1 TXT "a" "b" "1"']),
        (r'$GENERATE 1-1 h$ TXT "\"a b\" $"', ['h1 TXT "a b" "1"']),
        ('$GENERATE 1-1 h$ TXT "a (b) ${0, 2};c"', ['h1 TXT "a" "b" "01"']),
        ("$GENERATE 1-1 h$ MX 0 .", ["h1 MX 0 ."]),
        (r'$GENERATE 1-1 h$ HTTPS "1 . alpn=\"h2,h3\""', ['h1 HTTPS 1 . alpn="h2,h3"']),
        ('"$GENERATE" 1-1 h$ A 192.0.2.$', ["h1 A 192.0.2.1"]),
        ('x TXT a\n$GENERATE 1-1 c$ TXT b\n  TXT "c"', ['x TXT "a"', 'x TXT "c"', 'c1 TXT "b"']),
        ('"foo" A 192.0.2.1\n  TXT hi', ["foo A 192.0.2.1", 'foo TXT "hi"']),
        ('"foo bar" A 192.0.2.1', ["foo\\032bar A 192.0.2.1"]),
        ('"foo.example.com." A 192.0.2.1', ["foo A 192.0.2.1"]),
        ('"@" A 192.0.2.1', ["example.com A 192.0.2.1"]),
        ('"*"A 192.0.2.1', ["* A 192.0.2.1"]),
        (r'"a\"b" A 192.0.2.1', [r"a\"b A 192.0.2.1"]),
        (r'"a\.b" A 192.0.2.1', [r"a\.b A 192.0.2.1"]),
        ('"a;b" A 192.0.2.1', [r"a\;b A 192.0.2.1"]),
        ("n MB x", ["n MB x.example.com."]),
        ("n MG x\nn MR y.", ["n MG x.example.com.", "n MR y."]),
        ("n MINFO x .", ["n MINFO x.example.com. ."]),
        (r"n TYPE14 \# 6 016100016200", ["n MINFO a. b."]),
    ],
)
def test_what_bind_reads(text: str, expected: list[str]) -> None:
    assert records(text) == expected


MODIFIER = "is no modifier of $GENERATE"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(
            (f"$GENERATE 1-2 z{modifier} A 192.0.2.$", MODIFIER)
            for modifier in (
                "${1,2,q}",
                "${1,2",
                "${}",
                "${",
                "${1,}",
                "${,3}",
                "${1,2,}",
                "${1,2,dd}",
                "${0x1}",
                "${0,-3}",
                "${1,2,d,}",
            )
        ),
        ("$GENERATE 1-2 z A 192.0.2.${1,2,q}", MODIFIER),
        ('$GENERATE 1-2 z TXT "a ${1,2,q}"', MODIFIER),
        ("$GENERATE 1-2 z${0,128} A 192.0.2.1", "more than 127 digits"),
        ("$GENERATE 2147483646-2147483647 z${1} A 192.0.2.1", "makes a number above 2147483647"),
        ("$GENERATE 4294967295-4294967296 z$ A 192.0.2.1", "goes beyond 2147483647"),
        ("$GENERATE 10-12 ${0,4,n}.x A 192.0.2.1", "empty label"),
        ('$GENERATE 1-2 "z$" A 192.0.2.1', "stands in quotes"),
        ("$GENERATE 1-2 z$ 6$ A 192.0.2.1", '"6$" is no TTL'),
        ('$GENERATE 1-2 z$ TXT "a (b"', 'the "(" in this line is not closed'),
        ('$GENERATE 1-2 z$ TXT ""', "the data is missing"),
        ('"" A 192.0.2.1', 'the owner "" is empty'),
        ('"a..b" A 192.0.2.1', "empty label"),
        ('$ORIGIN "sub"', "stands in quotes"),
        ('"$FOO" A 192.0.2.1', 'unknown directive "$FOO"'),
        ("n MINFO x", '"x" is not two mailboxes\' names'),
    ],
)
def test_what_bind_refuses(text: str, reason: str) -> None:
    assert [problem.line for problem in read(text).problems] == [3]
    assert reason in read(text).problems[0].message


def test_mailbox_records_that_differ_in_case_alone_are_one() -> None:
    (problem,) = read("n MINFO x Y\nn MINFO X y\n").problems
    assert problem.message == "the same record stands above already; this one is left out"
    soa = b"\1A\0\1B\0" + b"ABCD" * 5
    assert canonical_rdata(6, soa) == b"\1a\0\1b\0" + b"ABCD" * 5
