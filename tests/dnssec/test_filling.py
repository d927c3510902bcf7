"""In which order answers are signed before they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import TYPE_A, TYPE_AAAA, TYPE_NSEC
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.signer import asked_lately
from lbdns.dnssec.signer import filling as filling_module
from lbdns.dnssec.signer.asked_lately import Subject
from lbdns.dnssec.signer.filling import LATELY_S, LOOK_S, SCAN_S, SWEEP_S, Filling
from lbdns.dnssec.signer.request_check import BY_CNAME
from lbdns.dnssec.signer.signed_content import SignedContent
from lbdns.dnssec.unsigned import Unsigned
from tests.dnssec.in_process import SomeKeys, signed_view
from tests.dnssec.played_kept import PlayedKept, fill

ZONE = "$TTL 300\n@ SOA ns hostmaster 1 7200 900 1209600 60\n@ NS ns\nns A 192.0.2.53\n"
BALANCERS = 5
ORIGINS = [{"name": f"e{number}", "address": f"198.51.100.{number}"} for number in (1, 2)]


def balancer(name: str) -> dict[str, Any]:
    return {"name": name, "default_pools": ["main"], "fallback_pool": "spare", "ttl": 20}


TREE: dict[str, Any] = {
    "zones": {"example.com": ZONE, "plain.test": ZONE},
    "monitors": {"web": {"type": "tcp", "port": 80}},
    "pools": {
        "main": {"origins": ORIGINS, "monitor": "web"},
        "spare": {"origins": [{"name": "s", "address": "203.0.113.1"}]},
    },
    "load_balancers": [
        *(balancer(f"b{number}.example.com") for number in range(BALANCERS)),
        balancer("*.apps.example.com"),
        balancer("www.plain.test"),
    ],
}
START_S = 100_000.0


class Rig:
    """A filling of one signed zone with a clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = PlayedKept(folder)
        self.filling = Filling(self.kept)
        self.now_s = START_S
        self.view: ServingView
        self.content: SignedContent
        self.publish("first")

    def publish(self, name: str, tree: dict[str, Any] = TREE) -> None:
        """Take up a generation, all healthy."""
        self.view = signed_view(tree, self.folder / name, SomeKeys.make("example.com"))
        columns = self.view.table.columns
        for column in ("endpoint_state", "pool_state"):
            columns[column][:] = bytes((1,)) * len(columns[column])
        self.content = SignedContent(self.view.snapshot, self.view.table)
        self.filling.follow(self.content, self.now_s)

    def fill(self, after_s: float = LOOK_S * 2) -> list[Unsigned]:
        self.now_s += after_s
        return fill(self.filling, self.kept, self.now_s)

    def subject(self, name: str, qtype: int = TYPE_A) -> Subject:
        owner = encode_canonical(name)
        (instance,) = self.content.instances[encode_canonical("example.com")]
        found = self.content.subject_at(instance, owner, qtype)
        assert found is not None
        return found

    def ask(self, name: str, qtype: int = TYPE_A) -> Subject:
        found = self.subject(name, qtype)
        self.filling.asked(found, self.now_s)
        return found

    def flip(self, endpoint: int) -> None:
        """Let an endpoint of the pool go up or down."""
        states = self.view.table.columns["endpoint_state"]
        states[self.view.columns["endpoint_slot"][endpoint]] ^= 3


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A filling to which nothing has happened."""
    yield Rig(tmp_path)


def owners(those: list[Unsigned]) -> list[bytes]:
    return list(dict.fromkeys(one.owner for one in those))


def records(those: list[Unsigned]) -> set[tuple[bytes, ...]]:
    return {one.rdatas for one in those if one.rtype == TYPE_A}


BOTH, FIRST, SECOND = (b"\xc6\x33\x64\1", b"\xc6\x33\x64\2"), (b"\xc6\x33\x64\1",), (b"\xc6\x33\x64\2",)
SPARE = (b"\xcb\x00\x71\1",)


def test_who_was_not_asked_gets_what_he_answers_now(rig: Rig) -> None:
    """Both families of each own name of the signed zone: addresses, and for want of those a denial."""
    signed = rig.fill()
    assert sorted((one.owner, one.rtype) for one in signed) == sorted(
        (encode_canonical(f"b{number}.example.com"), rtype)
        for number in range(BALANCERS)
        for rtype in (TYPE_A, TYPE_NSEC)
    )
    assert records(signed) == {BOTH}
    assert rig.fill() == []


def test_not_more_of_them_than_a_share_of_the_table(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling_module, "UNASKED_SHARE", 1 << 10)  # of 4096 slots
    rig.kept.table, table = None, rig.kept.table
    assert rig.fill() == []  # nowhere to put it: nothing is wanted
    rig.kept.table = table
    assert len(rig.fill()) == 4


def test_who_was_asked_comes_first_with_what_is_one_flip_away(rig: Rig) -> None:
    rig.now_s += 1
    rig.ask("b3.example.com")
    rig.now_s += SCAN_S
    rig.ask("b1.example.com")
    signed = rig.fill()
    assert owners(signed)[:2] == [encode_canonical("b1.example.com"), encode_canonical("b3.example.com")]
    assert [one.rdatas for one in signed[:2]] == [BOTH, BOTH]
    flips = signed[2 : 2 + 2 * 3]
    assert owners(flips) == owners(signed)[:2]
    assert records(flips[:3]) == records(flips[3:]) == {FIRST, SECOND, SPARE}


def test_most_asked_first_among_those_of_one_time(rig: Rig) -> None:
    for name, times in (("b1", 1), ("b4", 3), ("b2", 2)):
        for _ in range(times):
            rig.ask(f"{name}.example.com")
    rig.filling.follow(rig.content, rig.now_s)
    assert owners(rig.fill())[:3] == [encode_canonical(f"{name}.example.com") for name in ("b4", "b2", "b1")]


def test_after_a_flip_all_is_there_and_its_neighbours_are_wanted(rig: Rig) -> None:
    subjects = [rig.ask(f"b{number}.example.com") for number in range(BALANCERS)]
    rig.fill()
    rig.flip(0)
    rig.content.changed_pools()
    for subject in subjects:
        assert all(rig.kept.kept_slot(one) is not None for one in rig.content.now(subject))
    rig.flip(0)
    rig.content.changed_pools()
    rig.flip(0)
    assert records(rig.fill()) == set()  # nobody up, one up, the fallback: each was one flip away or is now
    rig.flip(1)
    rig.fill()
    for subject in subjects:
        those = [*rig.content.now(subject), *rig.content.near(subject)]
        assert all(rig.kept.kept_slot(one) is not None for one in those)


def test_readers_marks_say_who_is_asked(rig: Rig) -> None:
    """What was put there unasked, and is sent later, is of somebody who is asked."""
    (wanted,) = [one for one in rig.fill() if one.owner == encode_canonical("b2.example.com") and one.rtype == TYPE_A]
    rig.now_s += 2 * SCAN_S
    rig.kept.send(wanted, rig.now_s)
    signed = rig.fill(SCAN_S)
    assert owners(signed) == [wanted.owner]
    assert records(signed) == {FIRST, SECOND, SPARE}


def test_what_nears_its_end_is_made_anew_by_the_next_sweep(rig: Rig) -> None:
    rig.ask("b0.example.com")
    signed = rig.fill()
    renewed = [one for one in signed if one.owner == encode_canonical("b0.example.com") and one.rtype == TYPE_A]
    rig.kept.due.update(renewed)
    assert rig.fill() == []
    assert set(rig.fill(SWEEP_S)) == set(renewed)


def test_who_is_asked_no_longer_is_let_go(rig: Rig) -> None:
    rig.ask("b0.example.com")
    rig.kept.due.update(rig.fill())
    assert rig.fill(LATELY_S + SWEEP_S) == []


def test_a_publication_keeps_who_is_asked(rig: Rig) -> None:
    rig.ask("b4.example.com")
    rig.fill()
    more = {**TREE, "load_balancers": [balancer("a.example.com"), *TREE["load_balancers"]]}
    changed = {**more, "pools": {**TREE["pools"], "spare": {"origins": [{"name": "s", "address": "203.0.113.9"}]}}}
    rig.publish("second", changed)
    signed = rig.fill()
    assert owners(signed)[0] == encode_canonical("b4.example.com")
    assert signed[0].rdatas == (b"\xcb\x00\x71\x09",)
    assert owners(signed)[1:] == [encode_canonical("a.example.com")]


def test_a_name_that_a_client_chose_is_made_ready_when_it_comes_again(rig: Rig) -> None:
    rig.fill()
    rig.ask("one.apps.example.com")
    assert rig.fill() == []
    rig.ask("one.apps.example.com")
    signed = rig.fill()
    assert owners(signed) == [encode_canonical("one.apps.example.com")]
    assert records(signed) == {BOTH, FIRST, SECOND, SPARE}


def test_names_that_clients_choose_are_forgotten_for_others(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that came first gives way; what is in the table of it is nobody's then."""
    monkeypatch.setattr(asked_lately, "CHOSEN_MAX", 2)
    rig.fill()
    for name in ("one", "one", "two", "three", "three"):
        rig.ask(f"{name}.apps.example.com")
    assert owners(rig.fill()) == [encode_canonical("three.apps.example.com")]
    rig.ask("one.apps.example.com")
    assert rig.fill(SWEEP_S) == []  # asked once, as far as known
    rig.ask("one.apps.example.com")
    assert owners(rig.fill()) == [encode_canonical("one.apps.example.com")]


def test_what_is_asked_by_cname_is_left_to_who_asks(rig: Rig) -> None:
    rig.fill()
    subject = rig.subject("b0.example.com")
    rig.filling.asked(subject._replace(kind=BY_CNAME), rig.now_s)
    assert rig.fill() == []


def test_a_call_looks_at_so_much_and_no_more(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.fill()
    monkeypatch.setattr(filling_module, "EXAMINED_MAX", 2)
    for number in range(BALANCERS):
        rig.ask(f"b{number}.example.com", TYPE_AAAA)
    rig.now_s += 1
    assert rig.filling.following(rig.now_s) is None
    assert not rig.filling.is_idle
