"""The corpus of the coverage-guided fuzzer, replayed on both forms of the fast path."""

from __future__ import annotations

from random import Random

from lbdns.answer.answer import Road
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.fastpath.layout import DEFERRED, DROPPED
from lbdns.steering.kernel import numbers
from lbdns.steering.kernel.numbers import NO_VERDICT, SELECT_SET
from tests.answer.mutations import sound_message
from tests.fastpath.fuzz_check import CLIENTS, PORT, Checker, read_corpus
from tests.fastpath.fuzz_guided import kernel_functions
from tests.fastpath.lanes import KERNEL, Lane, interpreted_lane

CORPUS_MIN = 50  # fewer cannot be what a fuzzer has found: the file is gone or damaged


def test_the_corpus_holds_the_invariant_and_reaches_every_outcome(lane: Lane, view: ServingView) -> None:
    datagrams = read_corpus()
    assert len(datagrams) > CORPUS_MIN
    checker = Checker(view, [lane])
    said = [checker.check(datagram) for datagram in datagrams]
    assert DROPPED in said
    assert DEFERRED in said
    rcodes = {reply[3] & 15 for reply in said if isinstance(reply, bytes)}
    assert rcodes == {0, 1, 3, 4, 5, 6}


def test_what_the_fuzzer_is_guided_by_is_the_kernel() -> None:
    """Whatever wraps `serve`: without its functions a fuzzer sees no input that is unlike another."""
    found = {function.__module__ for function in kernel_functions(interpreted_lane().kernel_serve)}
    whole = {f"interpreted_{name}" for name in KERNEL}
    assert found <= whole
    steering = ("steering.kernel.decide", "steering.kernel.message_tests")
    assert {f"interpreted_{name}" for name in ("fastpath.read", "fastpath.write", *steering)} <= found


def test_what_is_fuzzed_has_every_test_of_texts(view: ServingView) -> None:
    flags = {numbers.TEST_UPPER, numbers.TEST_ANY_CASE}
    named = {name: value for name, value in vars(numbers).items() if name.startswith("TEST_")}
    known = {value for name, value in named.items() if name not in ("TEST_UPPER", "TEST_ANY_CASE")}
    assert set(view.columns["test_op"]) == known
    assert flags <= set(view.columns["test_flags"]) and SELECT_SET in view.columns["lb_select"]


def test_sound_messages_reach_what_rules_decide(view: ServingView) -> None:
    chance = Random("sound messages")
    verdicts = []
    for number in range(400):
        road = Road()
        respond(
            view, sound_message(chance), Client(CLIENTS[number % len(CLIENTS)], PORT), Transport.UDP, 1, number, road
        )
        verdicts.append(road.decision is not None and road.decision.verdict != NO_VERDICT)
    assert sum(verdicts) > 50


def test_every_prefix_of_a_datagram_holds_the_invariant(lane: Lane, view: ServingView) -> None:
    """Whatever is cut off: the reader stops at the end of the datagram, which guards follow."""
    checker = Checker(view, [lane])
    for datagram in read_corpus()[-20:]:
        for length in range(len(datagram)):
            checker.check(datagram[:length])
