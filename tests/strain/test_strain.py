"""The load that soaks and faults are held against: what it calls right, wrong and lost."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import dns.message
import dns.rrset
import pytest

from tests.strain.asking import LOST_S, Asker
from tests.strain.served import FALLBACK, PAIR, SPARE, ZONE, Served, any_of, in_order
from tests.strain.truth import PLAIN, Question, addresses

pytestmark = pytest.mark.slow


class Answering:
    """A server of one answer, which can be changed, or fall silent."""

    def __init__(self) -> None:
        self.address = "192.0.2.1"
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(0.1)
        self.is_silent = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                octets, client = self.sock.recvfrom(4096)
                query = dns.message.from_wire(octets)
            except Exception:
                continue
            if not self.is_silent and query.question:
                reply = dns.message.make_response(query)
                name = str(query.question[0].name)
                reply.answer.append(dns.rrset.from_text(name, 30, "IN", "A", self.address))
                self.sock.sendto(reply.to_wire(), client)

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        self.sock.close()


@pytest.fixture
def answering() -> Iterator[Answering]:
    with closing(Answering()) as made:
        yield made


def test_replies_are_held_against_what_is_right_at_the_time(answering: Answering) -> None:
    question = Question("www.example.com", "A", [addresses("192.0.2.1")], roads=(PLAIN,))
    asker = Asker(answering.sock.getsockname(), [question], 200.0, 1)
    asker.start_udp()
    time.sleep(0.3)
    tally = asker.take()
    assert tally.counts[PLAIN] > 10 and not tally.counts["wrong"] and not tally.lost
    question.begin([addresses("192.0.2.2")])
    answering.address = "192.0.2.2"
    time.sleep(0.2)
    question.settle([addresses("192.0.2.2")], grace_s=0.1)
    time.sleep(0.2)
    assert not asker.take().counts["wrong"]
    answering.address = "192.0.2.1"
    time.sleep(0.2)
    tally = asker.take()
    assert tally.counts["wrong"] > 5 and "192.0.2.1, not" in tally.wrong[0].text
    answering.address = "192.0.2.2"
    answering.is_silent = True
    time.sleep(0.2)
    answering.is_silent = False
    time.sleep(LOST_S)
    asker.stop()
    assert 5 < len(asker.take().lost) < 100


def test_right_answers_follow_from_which_endpoints_are_down() -> None:
    first, second = PAIR
    judge = in_order(PAIR, SPARE)
    assert judge(frozenset()) == [addresses(*PAIR)]
    assert judge(frozenset({first})) == [addresses(second)]
    assert judge(frozenset(PAIR)) == [addresses(*SPARE)]
    assert judge(frozenset((*PAIR, *SPARE))) == [addresses(FALLBACK)]
    assert any_of(PAIR, SPARE)(frozenset({first})) == [addresses(second), addresses(*SPARE)]


def test_answers_of_before_and_after_are_right_while_an_endpoint_changes() -> None:
    served = Served(other_zones=1)
    question = next(one for one in served.questions if one.name == f"off.{ZONE}")
    down = frozenset({PAIR[0]})
    served.endpoints_change(down)
    now_s = time.monotonic()
    assert question.allows(addresses(*PAIR), now_s) and question.allows(addresses(PAIR[1]), now_s)
    served.endpoints_changed(down, 0.0)
    assert not question.allows(addresses(*PAIR), time.monotonic() + 1.0)
    assert question.allows(addresses(PAIR[1]), time.monotonic() + 1.0)
