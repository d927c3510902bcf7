"""The corpus of the coverage-guided fuzzer, replayed on both forms of the fast path."""

from __future__ import annotations

from lbdns.answer.serving_view import ServingView
from lbdns.fastpath.layout import DEFERRED, DROPPED
from tests.fastpath.fuzz_check import Checker, read_corpus
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
    assert {f"interpreted_{name}" for name in ("fastpath.read", "fastpath.write", "steering.kernel.decide")} <= found


def test_every_prefix_of_a_datagram_holds_the_invariant(lane: Lane, view: ServingView) -> None:
    """Whatever is cut off: the reader stops at the end of the datagram, which guards follow."""
    checker = Checker(view, [lane])
    for datagram in read_corpus()[-20:]:
        for length in range(len(datagram)):
            checker.check(datagram[:length])
