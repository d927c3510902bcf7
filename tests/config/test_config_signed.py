"""Zones that are signed are refused with what to do; texts in doubled quotes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdns.config.loading import examine

HEAD = "$TTL 300\n@ SOA a b 1 2 3 4 5\n@ NS ns.example.net.\nwww A 192.0.2.1\n"
SIGNATURE = "8 2 300 20300101000000 20200101000000 1 example.com. AAAA"
ADVICE = (
    "and DNSSEC is not served, so resolvers that validate would refuse its answers; give the zone without these "
    "records, and have its DS records taken out of the zone above first"
)


def messages(tmp_path: Path, text: str) -> list[str]:
    """Return the errors and warnings about a zone of HEAD and more."""
    (tmp_path / "example.com.zone").write_text(HEAD + text)
    examined = examine(tmp_path)
    return [
        *(f"{one.line} {one.path}: {one.message}" for one in examined.errors),
        *(f"warning {one.line} {one.path}: {one.message}" for one in examined.warnings),
    ]


@pytest.mark.parametrize(
    ("text", "where", "counts"),
    [
        ("@ DNSKEY 257 3 13 AAAA", "example.com DNSKEY", "1 DNSKEY"),
        (f"@ RRSIG SOA {SIGNATURE}", "example.com RRSIG", "1 RRSIG"),
        (f"www RRSIG A {SIGNATURE}\nwww RRSIG NSEC {SIGNATURE}", "www.example.com RRSIG", "2 RRSIG"),
        ("www NSEC example.com. A NSEC", "www.example.com NSEC", "1 NSEC"),
        ("@ NSEC3PARAM 1 0 0 -", "example.com NSEC3PARAM", "1 NSEC3PARAM"),
        (
            "2vptu5timamqttgl4luu9kg21e0aor3s NSEC3 1 0 0 - 2vptu5timamqttgl4luu9kg21e0aor3s A",
            "2vptu5timamqttgl4luu9kg21e0aor3s.example.com NSEC3",
            "1 NSEC3",
        ),
        (
            f"@ DNSKEY 256 3 13 AAAA\n@ DNSKEY 257 3 13 AAAA\n@ RRSIG SOA {SIGNATURE}\n@ NSEC www A",
            "example.com DNSKEY",
            "2 DNSKEY, 1 RRSIG, 1 NSEC",
        ),
    ],
)
def test_a_signed_zone_is_refused_once(text: str, where: str, counts: str, tmp_path: Path) -> None:
    assert messages(tmp_path, text + "\n") == [f"5 {where}: the zone is signed ({counts}), {ADVICE}"]


@pytest.mark.parametrize(
    "text",
    [
        "sub NS ns.example.net.\nsub DS 1 8 2 " + "00" * 32,
        "key DNSKEY 257 3 13 AAAA",
        f"gone RRSIG A {SIGNATURE}",
        "@ CDS 0 0 0 00",
    ],
)
def test_records_of_dnssec_that_sign_nothing_here_are_data(text: str, tmp_path: Path) -> None:
    assert messages(tmp_path, text + "\n") == []


@pytest.mark.parametrize("rdtype", ["TXT", "SPF"])
def test_texts_in_doubled_quotes_are_told(rdtype: str, tmp_path: Path) -> None:
    what = 'an empty text stands before and behind the others, as doubled quotes ""..."" make them'
    assert messages(tmp_path, f'x {rdtype} ""v=spf1 -all""\n') == [
        f'warning 5 x.example.com {rdtype}: {what}; if it is meant as one, write "v=spf1 -all"'
    ]


@pytest.mark.parametrize("text", ['""', '"" ""', '"" "a"', '"a" ""', '"a" "" "b"', '"" "" ""'])
def test_other_empty_texts_are_data(text: str, tmp_path: Path) -> None:
    assert messages(tmp_path, f"x TXT {text}\n") == []
