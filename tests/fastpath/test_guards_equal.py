"""Guards on both roads: the same bytes, the same counts, whatever was asked before, by whom and with which cookie."""

from __future__ import annotations

from array import array
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.answer.answer import Road
from lbdns.answer.limit_reply import Limited, limit_reply
from lbdns.answer.rate_table import RateTable
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import halves
from lbdns.config.loading import parse
from lbdns.fastpath.layout import DEFERRED, DROPPED
from lbdns.fastpath.templates import add_templates
from lbdns.mapped.counter_words import COOKIE_STANDINGS, COOKIE_VALID
from lbdns.mapped.rate_room import fresh_rates
from lbdns.mapped.rate_words import RATE_DROPPED, RATE_TRUNCATED, RATE_WITHIN
from tests.answer import world
from tests.answer.lanes import COOKIE_SECRETS, compiled_view
from tests.answer.mutations import good_messages, mutate
from tests.answer.packets import OPTION_COOKIE, OPTION_ECS, header, opt, option, query, subnet
from tests.answer.replies import Reply
from tests.fastpath.lanes import Lane, Served

NOW_S, UNIX_S = 1_000_000, 1_700_000_000
CLIENTS = [
    bytes((192, 0, 2, 7)),
    bytes((192, 0, 2, 200)),
    bytes((203, 0, 113, 99)),
    bytes((198, 51, 100, 1)),
    bytes.fromhex("20010db8000000000000000000000053"),
    bytes.fromhex("20010db8000000ff0000000000000053"),
    bytes.fromhex("20010db8000100000000000000000053"),
]
NAMES = [
    "static.example.com.", "www.example.com.", "nothing.example.com.", "text.example.com.", "x.sub.example.com.",
    "full.big.test.", "example.edu.", "foo.bar.example.", "one.old.example.com.", "loop1.example.com.",
]  # fmt: skip
ACCESS = {
    "example.com": {"access": {"query": [{"network": "192.0.2.0/25"}, {"network": "2001:db8::/48"}, {"key": "ns2"}]}},
    "big.test": {"access": {"query": [{"key": "ns2"}]}},
}
KEYS = [{"name": "ns2", "algorithm": "hmac-sha256", "secret": "c2VjcmV0c2VjcmV0c2VjcmV0"}]


class Both:
    """A view behind both roads, each with a table of its own, that must never differ."""

    def __init__(self, lane: Lane, folder: Path, **settings: Any) -> None:
        tree = dict(world.configuration(world.write_geodata(folder / "places.mmdb")))
        tree["settings"] = {**tree.get("settings", {}), **settings}
        made = compiled_view(parse(tree, folder).configuration, folder)
        self.view = ServingView(add_templates(made.snapshot, made), made.table)
        self.fast = Served(lane, self.view)
        self._words = fresh_rates()
        self._rates = RateTable(self._words)
        self._fast_words = memoryview(array("Q", self._words.tolist()))
        server = self.fast.server
        server.limit_by(lane.table_class(self._fast_words))
        self.said: list[Limited] = []
        self.standings = [0] * len(COOKIE_STANDINGS)
        self.barred = self.deferred = 0

    def ask(self, message: bytes, client: bytes, now_us: int, draw: int, unix_s: int = UNIX_S) -> bytes | None:
        """Ask both roads; return what the client gets."""
        server = self.fast.server
        server.unix_s, server.now_us = unix_s, now_us
        fast = self.fast.ask(message, client, now_us // 1_000_000, draw)
        road, asker = Road(), Client(client, 40_000)
        reply = respond(self.view, message, asker, Transport.UDP, now_us // 1_000_000, draw, road, unix_s)
        limited = Limited(RATE_WITHIN, None)
        if reply is not None:
            limited = limit_reply(self.view, self._rates, road, asker, reply, now_us, draw)
        self.said.append(limited)
        self.standings[road.cookie] += 1
        self.barred += road.is_barred
        if fast == DEFERRED:
            self.deferred += 1
            self._fast_words[:] = self._words
            return limited.reply
        assert (None if fast == DROPPED else fast) == limited.reply, message.hex()
        assert server.limited == limited.verdict
        if limited.verdict != RATE_WITHIN:
            assert server.answer_class == limited.answer_class
        assert server.is_barred is bool(road.is_barred)
        return limited.reply

    def check_tables(self) -> None:
        """Assert that both roads have counted alike."""
        assert self._fast_words == self._words


def cookie_for(view: ServingView, client: bytes, unix_s: int, chance: Random) -> bytes:
    """Return a Cookie option's data: the client's alone, a good one, an old one, one of others, or damage."""
    kind = chance.randrange(6)
    own = chance.randbytes(8)
    if kind == 0:
        return own
    if kind == 1:
        return own + chance.randbytes(chance.choice((8, 16, 24, 32)))
    if kind == 2:
        return chance.randbytes(chance.choice((0, 7, 9, 15, 41)))
    made_s = unix_s - chance.choice((0, 10, 1799, 1801, 3599, 3601, -299, -301))
    asked = query("example.edu.", edns=opt(option(OPTION_COOKIE, own))).wire
    wire = respond(view, asked, Client(client, 9), Transport.UDP, NOW_S, 0, unix_s=made_s)
    assert wire is not None
    return Reply(wire).options().get(OPTION_COOKIE, own)


def drawn_message(both: Both, chance: Random, client: bytes, good: list[bytes]) -> bytes:
    """Return a query with or without cookie, of any kind, some of them damaged."""
    if chance.random() < 0.2:
        return mutate(chance.choice(good), chance, good)
    options = []
    if chance.random() < 0.7:
        options.append(option(OPTION_COOKIE, cookie_for(both.view, client, UNIX_S, chance)))
    if chance.random() < 0.1:
        options.append(option(OPTION_COOKIE, chance.randbytes(8)))
    if chance.random() < 0.3:
        options.append(option(OPTION_ECS, subnet("203.0.113.0/24")))
    chance.shuffle(options)
    record = opt(*options, size=chance.choice((512, 1232)), version=chance.choice((0,) * 9 + (1,)))
    if chance.random() < 0.1:
        return header(counts=(0, 0, 0, 1)) + record
    name = chance.choice(NAMES)
    if name.startswith("nothing"):
        name = f"{chance.getrandbits(32)}.{name}"
    return query(
        name, chance.choice(("A", "AAAA", "MX", "TXT", "ANY")), edns=record if chance.random() < 0.9 else b""
    ).wire


@pytest.mark.parametrize("slip", [1, 2, 0])
@pytest.mark.parametrize("mode", ["on", "off", "never"])
def test_random_queries(lane: Lane, tmp_path: Path, slip: int, mode: str) -> None:
    limit = {"per_second": 2, "instant": 2, "slip": slip}
    both = Both(lane, tmp_path, rate_limit=limit, cookies=mode, keys=KEYS, zones=ACCESS)
    chance = Random(f"{slip} {mode}")
    good = good_messages()
    now_us = NOW_S * 1_000_000
    for _ in range(3_000 if lane.name == "compiled" else 400):
        now_us += chance.choice((0, 0, 0, 100, 5_000, 200_000))
        client = chance.choice(CLIENTS)
        both.ask(drawn_message(both, chance, client, good), client, now_us, chance.getrandbits(64))
    both.check_tables()
    verdicts = [one.verdict for one in both.said]
    assert both.deferred < len(verdicts) / 2
    assert both.barred
    assert verdicts.count(RATE_WITHIN) > 50
    assert (verdicts.count(RATE_TRUNCATED) > 20) is (slip > 0)
    assert (verdicts.count(RATE_DROPPED) > 10) is (slip != 1)
    if mode == "never":
        assert both.standings[0] == len(verdicts)
    else:
        assert min(both.standings) > 10


def test_a_valid_cookie_is_not_limited(lane: Lane, tmp_path: Path) -> None:
    """With `off` nothing hangs on it."""
    for mode, is_exempt in (("on", True), ("off", False)):
        folder = tmp_path / mode
        folder.mkdir()
        both = Both(lane, folder, rate_limit={"per_second": 1, "instant": 1}, cookies=mode)
        first = both.ask(query("static.example.com.", edns=opt(option(OPTION_COOKIE, bytes(8)))).wire, CLIENTS[0], 0, 1)
        assert first is not None
        message = query(
            "static.example.com.", edns=opt(option(OPTION_COOKIE, Reply(first).options()[OPTION_COOKIE]))
        ).wire
        replies = [both.ask(message, CLIENTS[0], 0, draw) for draw in range(20)]
        assert both.standings[COOKIE_VALID] == 20
        assert [Reply(wire or b"").tc for wire in replies] == [not is_exempt] * 20
        assert all(OPTION_COOKIE in Reply(wire or b"").options() for wire in replies)


def test_what_is_truncated_says_no_more_than_the_question(lane: Lane, tmp_path: Path) -> None:
    both = Both(lane, tmp_path, rate_limit={"per_second": 1, "instant": 1})
    edns = opt(option(OPTION_COOKIE, bytes(8)), option(OPTION_ECS, subnet("203.0.113.0/24")))
    for name, rcode in (("static", "NOERROR"), ("x.nothing", "NXDOMAIN"), ("x.sub", "NOERROR")):
        asked = query(f"{name}.example.com.", edns=edns)
        both.ask(asked.wire, CLIENTS[0], 0, 1)
        reply = Reply(both.ask(asked.wire, CLIENTS[0], 0, 1) or b"")
        assert (reply.tc, reply.rcode, reply.answer, reply.authority) == (True, rcode, [], [])
        assert reply.question == asked.asks
        assert set(reply.options()) == {OPTION_COOKIE, OPTION_ECS}
    plain = query("static.example.com.").wire
    reply = Reply(both.ask(plain, CLIENTS[0], 0, 1) or b"")
    assert (reply.tc, reply.answer, reply.counts) == (True, [], [1, 0, 0, 0])


@pytest.mark.parametrize(
    ("client", "zone", "is_let"),
    [
        (CLIENTS[0], "static.example.com.", True),
        (CLIENTS[1], "static.example.com.", False),
        (CLIENTS[2], "static.example.com.", False),
        (CLIENTS[4], "static.example.com.", True),
        (CLIENTS[6], "static.example.com.", False),
        (CLIENTS[0], "full.big.test.", False),
        (CLIENTS[2], "foo.bar.example.", True),
        (CLIENTS[2], "example.edu.", True),
    ],
)
def test_who_may_ask(lane: Lane, tmp_path: Path, client: bytes, zone: str, is_let: bool) -> None:
    both = Both(lane, tmp_path, keys=KEYS, zones=ACCESS)
    for asked in (query(zone, edns=True), query(f"x.{zone}", "TXT", edns=True), query(zone, "ANY", edns=True)):
        reply = Reply(both.ask(asked.wire, client, 0, 1) or b"")
        assert (reply.ede != 18) is is_let
        if not is_let:
            assert (reply.rcode, reply.aa, reply.answer, reply.authority) == ("REFUSED", False, [], [])
    assert both.deferred == 0
    assert len(COOKIE_SECRETS) == 3
    assert halves(client)
