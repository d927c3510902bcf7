"""RRsets that grow: no record twice whatever their number, and their bounds, from files and from the store."""

from __future__ import annotations

import pytest

from lbdns.dns import record_bounds
from lbdns.dns.codes import TYPE_A, TYPE_MX
from lbdns.dns.master.draft import MANY_RECORDS, STORE_START, ZoneDraft
from lbdns.dns.name import encode_canonical, encode_name

APEX = encode_canonical("example.com")
WWW = encode_canonical("www.example.com")


@pytest.mark.parametrize("file", ["zones/example.com.zone", f"{STORE_START}example.com"])
@pytest.mark.parametrize("count", [1, 2, MANY_RECORDS - 1, MANY_RECORDS, MANY_RECORDS + 1, 100])
def test_no_record_stands_twice_in_an_rrset_of_any_size(file: str, count: int) -> None:
    draft = ZoneDraft(APEX, file)
    for number in range(count):
        draft.add(APEX, TYPE_MX, 60, bytes((0, number)) + encode_name(f"m{number}.Example.com"), file, number)
    assert not draft.problems
    for number in {0, count - 1, count // 2}:
        # Names of the data are the same in any case (RFC 4034 section 6.2).
        draft.add(APEX, TYPE_MX, 60, bytes((0, number)) + encode_name(f"M{number}.example.COM"), file, 900 + number)
    rrset = draft.rrset(APEX, TYPE_MX)
    assert rrset is not None and len(rrset.rdatas) == count
    word, severity = ("is there", "error") if draft.is_stored else ("stands above", "warning")
    for problem in draft.problems:
        assert problem.message.startswith(f"the same record {word} already") and problem.severity == severity
        assert problem.at == (("content",) if draft.is_stored else ())
    assert [problem.line for problem in draft.problems] == [900 + number for number in {0, count - 1, count // 2}]


@pytest.mark.parametrize("file", ["zones/example.com.zone", f"{STORE_START}example.com"])
def test_rrsets_and_names_have_their_bounds(file: str) -> None:
    draft = ZoneDraft(APEX, file)
    for number in range(record_bounds.MAX_RECORDS_PER_RRSET + 1):
        draft.add(WWW, TYPE_A, 60, bytes((10, 0, 0, number)), file, number)
    for number in range(record_bounds.MAX_TYPES_PER_NAME):
        draft.add(WWW, 65_280 + number, 60, b"\1", file, 1000 + number)
    assert [(problem.line, problem.severity) for problem in draft.problems] == [(100, "error"), (1099, "error")]
    assert len(draft.nodes[WWW]) == record_bounds.MAX_TYPES_PER_NAME
    draft.add(WWW, TYPE_A, 30, bytes((10, 0, 0, 0)), file, 5000)
    assert [problem.severity for problem in draft.problems[2:]] == [
        "warning",
        "error" if draft.is_stored else "warning",
    ]
    assert draft.nodes[WWW][0].ttl == 30
