"""A flip of what many load balancers share: who asks in the next moment finds everything signed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import dns.flags
import dns.message
import pytest

from lbdns.answer.answer import Road
from lbdns.answer.reply import Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import TYPE_A
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.signer.demand_signing import DemandSigning
from lbdns.dnssec.signer.filling import SCAN_S
from lbdns.dnssec.signer.foresight import Verdict
from lbdns.dnssec.signer.steered_foresight import SteeredForesight
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.signature_table import SignatureTable, SignatureWriter, create_signatures, slots_for
from tests.dnssec.held_keys import TERMS, HeldKeys
from tests.dnssec.in_process import NOW_S, SomeKeys, signed_view
from tests.dnssec.signed_asking import CLIENT

APEX = encode_canonical("example.com")
EACH = 25
SLOT_BYTES = 18 + 64
QUESTIONS = 400


def origins(*addresses: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"name": f"e{place}", "address": one, **fields} for place, one in enumerate(addresses)]


def weighted(*addresses: str) -> list[dict[str, Any]]:
    return [{**one, "weight": (place + 1) / 10} for place, one in enumerate(origins(*addresses))]


ZONE = "$TTL 300\n@ SOA ns hostmaster 1 7200 900 1209600 60\n@ NS ns\nns A 192.0.2.53\nm1 A 192.0.2.1\n"
SHARED = "198.51.100.1"
POOLS = {
    "all": {"origins": origins(SHARED, "198.51.100.2", "2001:db8::1"), "monitor": "web"},
    "one": {"origins": weighted(SHARED, "198.51.100.2", "198.51.100.3"), "monitor": "web"},
    "lone": {"origins": origins(SHARED), "monitor": "web"},
    "last": {"origins": origins("203.0.113.1")},
    "mail": {"origins": origins("m1.example.com", "m2.example.net", priority=5)},
}
KINDS: dict[str, dict[str, Any]] = {
    "all": {"default_pools": ["all"]},
    "one": {"default_pools": ["one"]},
    "over": {"default_pools": ["lone", "all"]},
    "rand": {"default_pools": ["lone", "one", "all"], "steering_policy": "random"},
    "geo": {"default_pools": ["all"], "steering_policy": "geo", "pop_pools": {"AMS": ["lone", "one"]}},
    "held": {"default_pools": ["all"], "session_affinity": "ip_cookie"},
    "rule": {"default_pools": ["all"], "rules": [{"condition": "ip.src in {192.0.2.0/24}", "overrides": {"ttl": 7}}]},
    "mx": {"default_pools": ["mail"], "fallback_pool": "mail", "type": "MX"},
}
BALANCERS = [
    {"name": f"{kind}{number}.example.com", "fallback_pool": "last", "ttl": 20, **fields}
    for kind, fields in KINDS.items()
    for number in range(EACH)
]
TREE = {
    "settings": {"pop": {"code": "AMS"}},
    "zones": {"example.com": ZONE},
    "monitors": {"web": {"type": "tcp", "port": 80}},
    "pools": POOLS,
    "load_balancers": BALANCERS,
}


class Server:
    """A responder and a signer in one thread, with a clock."""

    def __init__(self, folder: Path) -> None:
        keys = SomeKeys.make("example.com")
        path = folder / "signatures.bin"
        create_signatures(path, slots_for(len(BALANCERS)), SLOT_BYTES)
        view = signed_view(TREE, folder, keys)
        self.now_s = 50_000.0
        self.signing = DemandSigning(HeldKeys(keys), lambda apex: TERMS, lambda: float(NOW_S), lambda: self.now_s)
        self.signing.table = SignatureWriter(path)
        self.foresight = SteeredForesight(self.signing, lambda: self.now_s)
        for column in ("endpoint_state", "pool_state"):
            view.table.columns[column][:] = bytes((1,)) * len(view.table.columns[column])
        self.view = ServingView(view.snapshot, view.table, SignatureTable(path))
        self.foresight.follow(view.snapshot, view.table)

    def lacks(self, question: tuple[str, str], draw: int) -> list[Unsigned]:
        """Answer a question; return what would have to be signed first."""
        query = dns.message.make_query(*question, use_edns=0, ednsflags=dns.flags.DO, payload=1232)
        road = Road()
        assert respond(self.view, query.to_wire(), CLIENT, Transport.UDP, int(self.now_s), draw, road)
        return road.lacking

    def ask(self, question: tuple[str, str], draw: int) -> int:
        """Answer a question, by what the signer gives where it has to be asked; return how much that was."""
        lacking = self.lacks(question, draw)
        for wanted in lacking:
            verdict = self.foresight.judge(wanted)
            assert verdict is not Verdict.REFUSED
            assert self.signing.signatures(wanted, verdict)
            self.foresight.noted(wanted)
        assert not lacking or not self.lacks(question, draw)
        return len(lacking)

    def fill(self) -> int:
        """Let the signer do what it wants to; return how many signatures it made."""
        self.now_s += 1
        made = self.signing.counts.made
        while True:
            following = self.foresight.following()
            if following is not None:
                assert self.signing.signatures(*following, is_asked=False)
            elif self.foresight.is_idle:
                return self.signing.counts.made - made

    def flip(self, address: str, is_up: bool) -> None:
        """Let an address be up or down in every pool that has it, and pools that have no other with it."""
        columns, table = self.view.columns, self.view.table.columns
        packed = bytes(map(int, address.split(".")))
        for endpoint in range(len(columns["endpoint_slot"])):
            if bytes(columns["endpoint_address"][16 * endpoint : 16 * endpoint + 4]) == packed:
                table["endpoint_state"][columns["endpoint_slot"][endpoint]] = 1 if is_up else 2
                pool = max(row for row, at in enumerate(columns["pool_endpoint_start"]) if at <= endpoint)
                if columns["pool_endpoint_count"][pool] == 1:
                    table["pool_state"][columns["pool_slot"][pool]] = 1 if is_up else 2


QUESTION_LIST = [
    (str(one["name"]), qtype) for one in BALANCERS for qtype in (("MX",) if one.get("type") == "MX" else ("A", "AAAA"))
]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server whose load balancers were all asked lately, and whose signer had time since."""
    found = Server(tmp_path)
    found.fill()
    for question in QUESTION_LIST:
        assert found.ask(question, 0) == 0
    found.now_s += SCAN_S
    found.fill()
    return found


def lacking_of(server: Server, chance: Random) -> int:
    """Return how many of random questions lack something."""
    asked = [chance.choice(QUESTION_LIST) for _ in range(QUESTIONS)]
    return sum(bool(server.lacks(one, chance.getrandbits(64))) for one in asked)


def test_the_next_moment_after_a_flip_is_signed(server: Server) -> None:
    """Down, and up again, and another: each time before the signer has done anything."""
    chance = Random(17)
    assert lacking_of(server, chance) == 0
    for address, is_up in ((SHARED, False), (SHARED, True), ("198.51.100.2", False), (SHARED, False)):
        server.flip(address, is_up)
        assert lacking_of(server, chance) == 0
        server.fill()


def test_two_flips_at_once_are_signed_as_they_are_asked(server: Server) -> None:
    """What was further away lacks once, and is there afterwards."""
    server.flip(SHARED, is_up=False)
    server.flip("198.51.100.2", is_up=False)
    assert sum(server.ask(question, 1) for question in QUESTION_LIST) > 0
    assert sum(server.ask(question, 1) for question in QUESTION_LIST) == 0


def test_who_asks_by_the_generation_before_is_granted(server: Server, tmp_path: Path) -> None:
    """As long as there is none between: responders take up a new one each in its own moment."""
    before = Unsigned(APEX, encode_canonical("over0.example.com"), TYPE_A, 20, (b"\xcb\0\x71\1",))
    assert server.foresight.judge(before) is Verdict.LASTING
    tree = {**TREE, "pools": {**POOLS, "last": {"origins": origins("203.0.113.2")}}}
    for number, verdict in enumerate((Verdict.LASTING, Verdict.REFUSED)):
        view = signed_view(tree, tmp_path / str(number), SomeKeys.make("example.com"))
        server.foresight.follow(view.snapshot, view.table)
        assert server.foresight.judge(before) is verdict
        assert server.foresight.judge(replace(before, rdatas=(b"\xcb\0\x71\2",))) is Verdict.LASTING
