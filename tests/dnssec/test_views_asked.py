"""Views of a signed zone: what each view alone answers may be signed, and is made ready for whoever asks in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdns.answer.reply import Client
from lbdns.dns.codes import TYPE_A
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.signer.filling import Filling
from lbdns.dnssec.signer.foresight import Verdict
from lbdns.dnssec.signer.request_check import RequestCheck
from lbdns.dnssec.signer.signed_content import SignedContent
from lbdns.dnssec.unsigned import Unsigned
from tests.answer.test_private_answers import TREE
from tests.dnssec.played_kept import PlayedKept, fill
from tests.dnssec.signed_views import DENIALS, asking_of

APEX = encode_canonical("example.com")
ADDRESSES = {"office": (10, 1, 0, 9), "plant": (10, 2, 0, 9), "guests": (10, 3, 0, 9), "public": (198, 51, 100, 9)}
NAMES = ("www", "own", "old", "cname", "none", "ns1", "x.own", "")
TYPES = ("A", "AAAA", "TXT", "ANY", "NSEC", "RRSIG", "CNAME", "MX")


@pytest.mark.parametrize("denial", DENIALS)
def test_what_any_view_lacks_is_granted(tmp_path: Path, denial: str) -> None:
    asking = asking_of(TREE, tmp_path, denial, "example.com")
    check = RequestCheck(SignedContent(asking.view.snapshot, asking.view.table))
    seen: dict[str, set[Unsigned]] = {}
    for view, address in ADDRESSES.items():
        asking.given.clear()
        for name in NAMES:
            for qtype in TYPES:
                asking.wire(f"{name}.example.com".lstrip("."), qtype, client=Client(bytes(address), 40_000))
        seen[view] = set(asking.given)
        assert [one for one in seen[view] if check.judge(one).verdict is Verdict.REFUSED] == []
    own = Unsigned(APEX, encode_canonical("www.example.com"), TYPE_A, 30, (bytes((10, 0, 0, 1)),))
    assert own in seen["office"] and own not in seen["public"]
    assert check.judge(own).verdict is Verdict.LASTING


def test_each_views_answers_are_made_ready(tmp_path: Path) -> None:
    asking = asking_of(TREE, tmp_path, "nsec", "example.com")
    kept = PlayedKept(tmp_path)
    filling = Filling(kept)
    filling.follow(SignedContent(asking.view.snapshot, asking.view.table), 1000.0)
    signed = fill(filling, kept, 1001.0)
    answers = {(one.owner, one.rdatas[0]) for one in signed if one.rtype == TYPE_A}
    www = encode_canonical("www.example.com")
    assert answers >= {(www, bytes((10, 0, 0, 1))), (www, bytes((192, 0, 2, 80)))}
