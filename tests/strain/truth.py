"""What a server may answer: for each question the replies that its configuration and its endpoints' health allow.

A change is told in two steps, so that no reply of the time between is called wrong:

    question.begin(after)          # before it is made: what was right stays right, and what comes is right too
    question.settle(after)         # when it is made: after `grace_s` nothing else is right any more
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

FOREVER_S = float("inf")
GRACE_S = 2.0  # for a generation to be adopted, and what was asked before to be answered

PLAIN, NSID, TCP = "plain", "nsid", "tcp"
ROADS = (PLAIN, NSID, TCP)
"""UDP as most ask; UDP with an option that few send (NSID, RFC 5001); TCP, which is the slow path's."""

_NSID_OPTION = dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")


class Reply(NamedTuple):
    """What counts of a reply: its RCODE, whether it is cut short, and its answers as "TYPE data"."""

    rcode: str
    tc: bool
    answers: frozenset[str]


def reply_of(*answers: str, rcode: str = "NOERROR", tc: bool = False) -> Reply:
    """Return a reply; each answer is "TYPE data"."""
    return Reply(rcode, tc, frozenset(answers))


def addresses(*texts: str) -> Reply:
    """Return a reply of A records."""
    return reply_of(*(f"A {text}" for text in texts))


NO_DATA = reply_of()
NX_DOMAIN = reply_of(rcode="NXDOMAIN")


class MalformedReply(Exception):
    """A reply that is no reply to the question."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on one road: the octets of its query behind the ID."""

    road: str
    octets: bytes


class Question:
    """A name and a type, a client's network where it matters, and what may be answered."""

    def __init__(self, name: str, rdtype: str, right: Iterable[Reply], ecs: str = "", roads: Iterable[str] = ROADS):
        """Describe a question; `right` are the replies that are right from the beginning."""
        self.name = name
        self.rdtype = rdtype
        self.ecs = ecs
        self.right: dict[Reply, float] = dict.fromkeys(right, FOREVER_S)
        self.asked = [Asked(road, self._query(road)) for road in roads]

    def __str__(self) -> str:
        return f"{self.name} {self.rdtype}{f' for {self.ecs}' if self.ecs else ''}"

    def _query(self, road: str) -> bytes:
        options: list[dns.edns.Option] = [dns.edns.ECSOption.from_text(self.ecs)] if self.ecs else []
        if road == NSID:
            options.append(_NSID_OPTION)
        message = dns.message.make_query(
            self.name, self.rdtype, use_edns=0 if options else None, options=options or None
        )
        return message.to_wire()[2:]

    def begin(self, right: Iterable[Reply]) -> None:
        """Have these be right from now on too."""
        self.right = {**self.right, **dict.fromkeys(right, FOREVER_S)}

    def settle(self, right: Iterable[Reply], grace_s: float = GRACE_S) -> None:
        """Have nothing but these be right once `grace_s` seconds have passed."""
        now_s, wanted = time.monotonic(), set(right)
        kept = {reply: until_s for reply, until_s in self.right.items() if until_s > now_s - 60.0}
        until_s = now_s + grace_s
        self.right = {
            **{reply: min(until, until_s) for reply, until in kept.items()},
            **dict.fromkeys(wanted, FOREVER_S),
        }

    def allows(self, reply: Reply, sent_s: float) -> bool:
        """Whether a reply to a query that was sent at a monotonic time is right."""
        until_s = self.right.get(reply)
        return until_s is not None and sent_s <= until_s

    def read(self, octets: bytes) -> Reply:
        """Return what counts of a reply; raises MalformedReply where it is none to this question."""
        try:
            message = dns.message.from_wire(octets)
        except Exception as error:  # whatever dnspython cannot read
            raise MalformedReply(f"{type(error).__name__}: {error}") from error
        if not message.flags & dns.flags.QR:
            raise MalformedReply("not a response")
        asked = [(str(one.name), dns.rdatatype.to_text(one.rdtype)) for one in message.question]
        if asked != [(f"{self.name.rstrip('.')}.", self.rdtype)]:
            raise MalformedReply(f"its question is {asked}")
        answers = (f"{dns.rdatatype.to_text(rrset.rdtype)} {rdata}" for rrset in message.answer for rdata in rrset)
        return Reply(dns.rcode.to_text(message.rcode()), bool(message.flags & dns.flags.TC), frozenset(answers))


def show(replies: Iterable[Reply]) -> str:
    """Return replies for people."""
    return " or ".join(
        f"{one.rcode}{' TC' if one.tc else ''} {', '.join(sorted(one.answers)) or 'empty'}" for one in replies
    )
