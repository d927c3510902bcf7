"""What is wrong with zones is kept: beside other load balancers only what their names can change is looked at again."""

from __future__ import annotations

import random

import pytest

from lbdns.config.checks import sight_memo
from lbdns.config.checks.sight_memo import SightMemo
from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.master.reader import read_master
from lbdns.dns.master.zone_checks import ZoneIndex, check_records, check_zone

APEX = b"\x07example\x03com\0"
LABELS = (b"www", b"mail", b"gone", b"*", b"cut")
TEXT = """$TTL 60
@ SOA ns1 hostmaster 1 2 3 4 5
@ NS ns1
ns1 A 192.0.2.53
@ MX 10 mail
@ MX 20 any.where
_sip._tcp SRV 0 0 5060 gone
cut NS ns.cut
alias CNAME www
@ MX 30 alias
x.cut TXT "hidden"
a.example.com.example.com. A 192.0.2.1
"""


def drafted(text: str = TEXT) -> ZoneDraft:
    return read_master(text, APEX, "f", None, lambda path: path.read_text(encoding="utf-8"))


def test_problems_are_those_of_a_check_anew_beside_any_load_balancers() -> None:
    chance = random.Random("sights")
    memo, draft = SightMemo(), drafted()
    seen: set[frozenset[str]] = set()
    for turn in range(200):
        if turn % 50 == 49:
            draft = drafted(f"{TEXT}x{turn} MX 5 gone\n")
        labels = chance.sample(LABELS, chance.randrange(len(LABELS) + 1))
        names = frozenset(bytes((len(label),)) + label + APEX for label in labels)
        found = memo.problems({APEX: memo.index(draft, names)})[APEX]
        assert {*found} == {*check_zone(ZoneIndex(draft, names))} and len({*found}) == len(found)
        seen.add(frozenset(one.message for one in found))
    assert len(seen) > 4  # the names of load balancers do change what is wrong


def test_records_are_not_looked_at_again_beside_other_load_balancers(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[ZoneIndex] = []

    def check(index: ZoneIndex) -> object:
        checked.append(index)
        return check_records(index)

    monkeypatch.setattr(sight_memo, "check_records", check)
    memo, draft = SightMemo(), drafted()
    for label in (b"www", b"mail", b"gone"):
        memo.problems({APEX: memo.index(draft, frozenset({bytes((len(label),)) + label + APEX}))})
    assert len(checked) == 1
    memo.problems({APEX: memo.index(drafted(), frozenset())})
    assert len(checked) == 2
