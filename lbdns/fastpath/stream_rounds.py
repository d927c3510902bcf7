"""The fast path over TCP: messages of a connection, answered where they were read, one behind the other.

    length, message, length, message, ... -> serve each -> count it, sample some -> length, reply, length, reply, ...
                                               '- the first that is for the slow path ends the round

A round is of one connection, and bounded: so many messages, so much room for replies. What gets no reply is the slow
path's too, which closes the connection. It runs in the thread of the event loop, whose counters and samples it
writes; the road of each message is that of a datagram (`serve.py`), with `is_stream` set.
"""

from __future__ import annotations

from collections.abc import Callable

from lbdns.fastpath.counting import count_served
from lbdns.fastpath.layout import *
from lbdns.fastpath.read import Server
from lbdns.fastpath.sampling import Sampler, is_due, sample_served, take
from lbdns.fastpath.serve import serve
from lbdns.fastpath.tapping import is_tapped, tap_served
from lbdns.mapped.counter_words import *
from lbdns.mapped.counters import Counters
from lbdns.mapped.sample_words import *
from lbdns.mapped.stream_words import *
from lbdns.mapped.tap_ring import Tap
from lbdns.steering.kernel.hashing import mix64
from lbdns.steering.kernel.numbers import *


class StreamRounds:
    """Answers messages of one connection at a time. After `answer`, `taken` octets of `incoming` have been answered;
    `is_left`: the message behind them is whole, and the slow path's."""

    def __init__(
        self,
        counters: Counters,
        sampler: Sampler,
        tap: Tap,
        seed: int,
        incoming: memoryview,
        outgoing: memoryview,
        clock: Callable[[], int],
    ) -> None:
        """Read from `incoming` and write to `outgoing`; `seed`: 64 random bits; `clock`: nanoseconds of the day."""
        self.counters = counters
        self.sampler = sampler
        self.tap = tap
        self.random = seed
        self.incoming = incoming
        self.outgoing = outgoing
        self.room = len(outgoing)
        self.clock = clock
        self.taken = 0
        self.is_left = False

    def adopt(self, server: Server) -> None:
        """Have a Server answer messages here."""
        server.is_stream = True
        server.incoming = self.incoming
        server.outgoing = self.outgoing

    def answer(self, server: Server, size: int, messages_max: int, version: int, high: int, low: int, port: int) -> int:
        """Answer the messages in the first `size` octets of `incoming`, no more than so many, which a client sent;
        return how many octets of replies stand in `outgoing`. The Server is told the time."""
        server.query.resolver_version = version
        server.query.resolver_high = high
        server.query.resolver_low = low
        server.client_port = port
        at = 0
        end = 0
        self.is_left = False
        if self.tap.share:
            self.tap.query_ns = self.clock()
        for _ in range(messages_max):
            if at + STREAM_LENGTH_BYTES > size or end + STREAM_LENGTH_BYTES + OUT_BYTES > self.room:
                break
            length = self.incoming[at] << 8 | self.incoming[at + 1]
            if at + STREAM_LENGTH_BYTES + length > size:
                break
            self.random = (self.random + GOLDEN_64) & MASK_64
            server.query.draw_base = mix64(self.random)
            reply = serve(server, at + STREAM_LENGTH_BYTES, length, end + STREAM_LENGTH_BYTES)
            if reply <= 0:
                self.is_left = True
                break
            self.outgoing[end] = (reply >> 8) & 0xFF
            self.outgoing[end + 1] = reply & 0xFF
            self.note(server, at + STREAM_LENGTH_BYTES, length, end + STREAM_LENGTH_BYTES, reply)
            at += STREAM_LENGTH_BYTES + length
            end += STREAM_LENGTH_BYTES + reply
        self.taken = at
        return end

    def note(self, server: Server, start: int, length: int, base: int, size: int) -> int:
        """Count a reply, copy it for dnstap, sample it; return its length."""
        self.counters.words[TCP_MESSAGES] += 1
        self.counters.words[STREAM_REPLIES] += 1
        count_served(self.counters, server, size)
        if is_tapped(self.tap, server.query.draw_base):
            self.tap.response_ns = self.clock()
            self.tap.transport = TRANSPORT_TCP
            self.tap.version = server.query.resolver_version
            self.tap.client_high = server.query.resolver_high
            self.tap.client_low = server.query.resolver_low
            self.tap.client_port = server.client_port
            tap_served(self.tap, server, start, length, base, size)
        if is_due(self.sampler) and take(self.sampler):
            self.sampler.unix_ns = self.clock()
            sample_served(self.sampler, server, base)
        return size
