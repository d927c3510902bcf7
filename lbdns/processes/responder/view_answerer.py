"""What answers the messages of a responder's slow path: each batch from one view, each answer counted, sampled, tapped.

What is answered later than at once is counted when it is there, and a stream when it begins.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from typing import NamedTuple

from lbdns.answer.answer import Road
from lbdns.answer.exchange import Exchange
from lbdns.answer.limit_reply import limit_reply
from lbdns.answer.proxy_clients import is_proxy, pass_header
from lbdns.answer.rate_table import RateTable
from lbdns.answer.reply import Answer, Client, Transport
from lbdns.answer.respond import finish, respond
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import DRAW_BITS
from lbdns.answer.zone_stream import ZoneStream
from lbdns.dns.codes import (
    FLAG_QR,
    FLAG_RD,
    HEADER_BYTES,
    NOERROR,
    NOTIMP,
    OPCODE_MASK,
    RCODE_MASK,
    SERVFAIL,
)
from lbdns.dns.name import checked_name_end
from lbdns.fastpath.counting import count_decision, count_limited
from lbdns.fastpath.sampled_road import sample_answered
from lbdns.fastpath.sampling import Sampler, begin_batch, is_due, no_sampler, take
from lbdns.fastpath.stream_rounds import StreamRounds
from lbdns.fastpath.tapped_road import tap_answered
from lbdns.fastpath.tapping import is_tapped
from lbdns.mapped.counter_words import (
    BARRED_COUNT,
    BEAT_NS,
    COOKIES_FIRST,
    DATAGRAMS,
    DROPPED_COUNT,
    PROXIED_COUNT,
    TCP_MESSAGES,
    UNPROXIED_COUNT,
)
from lbdns.mapped.counters import Counters, count_reply, count_word
from lbdns.mapped.rate_room import fresh_rates
from lbdns.mapped.rate_words import RATE_WITHIN
from lbdns.mapped.tap_ring import Tap
from lbdns.processes.responder.asked_signatures import AskedSignatures
from lbdns.processes.responder.datagram_port import RespondOne
from lbdns.processes.responder.later_reply import LaterReply, LaterWork, PendingReplies, Reply
from lbdns.processes.responder.taps import Taps, set_local
from lbdns.processes.responder.view_in_force import Views

FAULT_LOG_S = 10.0
FAULT_QUERY_BYTES = 512

log = logging.getLogger("lbdns.processes")


class _Asked(NamedTuple):
    """A message that is being answered: from which view, whose, how it came and when, with which draw."""

    view: ServingView
    client: Client
    transport: Transport
    message: bytes
    draw: int
    query_ns: int


class ViewAnswerer:
    """Answers each batch from one view, at one time, with fresh draws."""

    def __init__(
        self,
        views: Views,
        words: memoryview,
        sampler: Sampler | None = None,
        taps: Taps | None = None,
        signatures: AskedSignatures | None = None,
        work: LaterWork | None = None,
        rates: RateTable | None = None,
    ) -> None:
        """Answer from what `views` has in force; `words`: the counters of the slow path; `sampler`: by which it
        samples, `taps`: what it copies for dnstap, `signatures`: who has those that are lacking, `work`: who does what
        takes longer; none by default. `rates`: where it counts the replies to networks of clients, by itself without.
        """
        self.views = views
        self._counters = Counters(words)
        self._sampler = sampler or no_sampler()
        self._taps = taps
        self._tap = taps.taps[0] if taps else Tap()
        self._signatures = signatures
        self._work = work
        self.rates = rates or RateTable(fresh_rates())
        self.pending = PendingReplies()
        self._watched_view: ServingView | None = None
        self._fault_logged_at = -FAULT_LOG_S
        self.is_behind_fast_path = False

    def beat(self, levels: Mapping[int, int]) -> None:
        """Show that the thread of the slow path has its turns, and how much waits for it (mapped/level_words.py)."""
        for word, level in levels.items():
            self._counters.words[word] = level
        self.show_life()

    def show_life(self) -> None:
        self._counters.words[BEAT_NS] = time.monotonic_ns()

    def stream_rounds(self, incoming: memoryview, outgoing: memoryview) -> StreamRounds:
        """Return the fast path over TCP, whose replies are counted, sampled and tapped with those given here."""
        seed = random.getrandbits(DRAW_BITS)
        return StreamRounds(self._counters, self._sampler, self._tap, seed, incoming, outgoing, time.time_ns)

    def udp_batch(self, listener: str = "") -> RespondOne:
        """Return the function that answers the next batch of datagrams that came to a listener, `IP:PORT`."""
        return self._batch(Transport.UDP, listener)

    def tcp_batch(self, listener: str = "") -> RespondOne:
        """Return the function that answers the next batch of messages over TCP that came to a listener."""
        return self._batch(Transport.TCP, listener)

    def _batch(self, transport: Transport, listener: str) -> RespondOne:
        view = self.views.current()
        now_s, unix_s = int(time.monotonic()), int(time.time())
        draw = random.getrandbits
        signatures = self._signatures if view.signatures is not None else None
        self.begin_watching(view, listener)

        def respond_one(message: bytes, address: bytes, port: int) -> Reply:
            client = Client(address, port)
            if transport is Transport.UDP and is_proxy(view, address):
                size, client = pass_header(message, client)
                if not self.is_behind_fast_path and not self.note_header(size):
                    count_word(self._counters, DATAGRAMS, 1)
                    count_word(self._counters, DROPPED_COUNT, 1)
                if size < 0:
                    return None
                message, address = message[size:], client.address
            query_ns = time.time_ns() if self._tap.share else 0
            asked = _Asked(view, client, transport, message, draw(DRAW_BITS), query_ns)
            road = Road() if signatures is None else signatures.begin(address)

            def answer(on: Road) -> bytes | None:
                known = view.listener_view(listener)
                return respond(view, message, client, transport, now_s, asked.draw, on, unix_s, known)

            try:
                reply = answer(road)
                if road.lacking and signatures is not None:
                    road, reply = signatures.complete(road, reply, answer, address)
                if road.stream is not None or road.update is not None or road.notice is not None:
                    return self._later(asked, road, reply)
            except Exception:
                reply = self._fault(message)
            if reply is not None and transport is Transport.UDP:
                reply = self._limit(asked, road, reply)
            self._note(asked, road, reply)
            return reply

        return respond_one

    def is_proxy(self, address: bytes) -> bool:
        """Return whether an address is a proxy's, as the settings in force have it."""
        return is_proxy(self.views.current(), address)

    def note_header(self, size: int) -> bool:
        """Count what a proxy sent by what came of its header; return whether it is answered."""
        count_word(self._counters, PROXIED_COUNT if size >= 0 else UNPROXIED_COUNT, 1)
        return size >= 0

    def _limit(self, asked: _Asked, road: Road, reply: bytes) -> bytes | None:
        """Return what a client gets of a reply over UDP, None where it is not sent."""
        now_us = time.monotonic_ns() // 1000
        limited = limit_reply(asked.view, self.rates, road, asked.client, reply, now_us, asked.draw)
        if limited.verdict != RATE_WITHIN:
            count_limited(self._counters, limited.verdict, limited.answer_class)
        return limited.reply

    def _later(self, asked: _Asked, road: Road, reply: bytes | None) -> Reply:
        """Return the reply to what is answered by more than `reply`, which is what there is of it at once."""
        if road.notice is not None and self._work is not None:
            self._work.notified(road.notice)
        if road.stream is not None:
            self._note(asked, road, None, NOERROR)
            return self._stream(road.stream, asked.client.address)
        if road.update is not None:
            exchange, address = road.update, asked.client.address
            if self._work is not None and self.pending.has_room(address):
                return self._update(asked, road, exchange, self._work)
            refusal = Answer(NOTIMP if self._work is None else SERVFAIL, is_authoritative=False)
            reply = finish(exchange, refusal)
        self._note(asked, road, reply)
        return reply

    def _stream(self, stream: ZoneStream, address: bytes) -> LaterReply:
        """Return a stream, which begins at once or, where what it sends is to be looked for, when a thread has that."""
        later = LaterReply(lambda: stream.next_message(int(time.time())))
        if stream.is_prepared:
            return later
        return later._replace(pending=self.pending.begin(address, self._prepare(stream)).pending)

    async def _prepare(self, stream: ZoneStream) -> None:
        """Have a stream prepared, so that it can begin."""
        try:
            await asyncio.to_thread(stream.prepare)
        except Exception:
            log.exception("lbdns failed on a zone transfer")

    def _update(self, asked: _Asked, road: Road, exchange: Exchange, work: LaterWork) -> LaterReply:
        """Return the reply to an UPDATE, which comes when it is done."""
        later, settle = self.pending.wait(asked.client.address)

        def complete(said: Answer | bytes | None) -> None:
            try:
                reply: bytes | None = finish(exchange, said) if isinstance(said, Answer) else said
            except Exception:
                reply = self._fault(asked.message)
            self._note(asked, road, reply)
            settle(reply)

        try:
            work.update(exchange, road.view, complete)
        except Exception:
            settle(self._fault(asked.message))
        return later

    def _note(self, asked: _Asked, road: Road, reply: bytes | None, begun: int | None = None) -> None:
        """Count, sample and tap a reply; `begun`: the RCODE of one whose messages follow, where it is none yet."""
        self._count(asked, road, reply, begun)
        try:
            view, client, transport = asked.view, asked.client, asked.transport
            if reply is not None and is_due(self._sampler) and take(self._sampler):
                sample_answered(self._sampler, view, client, transport, road, reply, time.time_ns())
            if is_tapped(self._tap, asked.draw):
                self._tap.query_ns = asked.query_ns
                tap_answered(self._tap, view, client, transport, road, asked.message, reply, time.time_ns())
        except Exception:  # who watches costs no answer
            self._fault(asked.message)
        self.show_life()  # a turn that has much to answer is no silence

    def _count(self, asked: _Asked, road: Road, reply: bytes | None, begun: int | None) -> None:
        """Count a reply as the fast path counts its own; what the fast path deferred it has counted as a datagram."""
        if asked.transport is Transport.TCP:
            count_word(self._counters, TCP_MESSAGES, 1)
        elif not self.is_behind_fast_path:
            count_word(self._counters, DATAGRAMS, 1)
        if begun is not None:
            count_reply(self._counters, begun, asked_type(asked.message))
            return
        if reply is None:
            count_word(self._counters, DROPPED_COUNT, 1)
            return
        count_reply(self._counters, reply[3] & RCODE_MASK, asked_type(reply))
        if road.cookie:
            count_word(self._counters, COOKIES_FIRST + road.cookie, 1)
        if road.is_barred:
            count_word(self._counters, BARRED_COUNT, 1)
        if road.decision is not None:
            count_decision(self._counters, asked.view.steering, road.decision)

    def begin_watching(self, view: ServingView, listener: str) -> None:
        """Sample and tap as the view says, from a listener."""
        if view is not self._watched_view:
            self._watched_view = view
            self._sampler.set_privacy(*view.sampled_bits)
            if self._taps:
                self._taps.follow(0, view)
        if self._tap.share:
            set_local(self._tap, listener)
        begin_batch(self._sampler, time.monotonic_ns())

    def _fault(self, message: bytes) -> bytes | None:
        """Answer SERVFAIL where lbdns itself failed on a query, and say so in the log, not more often than bearable.

        `respond` raises for nothing that a client sends; this is the wall behind it, so that a fault costs one answer.
        """
        if time.monotonic() - self._fault_logged_at > FAULT_LOG_S:
            self._fault_logged_at = time.monotonic()
            log.exception("lbdns failed on the query %s", message[:FAULT_QUERY_BYTES].hex())
        if len(message) < HEADER_BYTES:
            return None
        flags = FLAG_QR | int.from_bytes(message[2:4]) & (OPCODE_MASK | FLAG_RD)
        return message[:2] + (flags | SERVFAIL).to_bytes(2) + bytes(HEADER_BYTES - 4)


def asked_type(message: bytes) -> int:
    """Return the type in a message's question, 0 where it has none."""
    end = checked_name_end(message, HEADER_BYTES) if message[5] else None
    return 0 if end is None else int.from_bytes(message[end : end + 2])
