"""A responder process: reads the sockets that it inherited, answers from the view in force, until it is told to stop.

It needs nobody to go on: where the supervisor has died it serves the last generation and the health that the monitor
worker writes, and hands its sockets to the next supervisor that asks (responder-PID.sock in the run directory).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path

from lbdns.answer.answer import Road
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import DRAW_BITS
from lbdns.base.accepting import Acceptor, streams
from lbdns.base.connection_room import Standing
from lbdns.base.errors import LbdnsError
from lbdns.base.log import log_uncaught, start_log
from lbdns.base.words import RESPONDER_MODULE
from lbdns.dns.codes import FLAG_QR, FLAG_RD, HEADER_BYTES, OPCODE_MASK, RCODE_MASK, SERVFAIL
from lbdns.dns.name import checked_name_end
from lbdns.fastpath.counting import count_decision
from lbdns.fastpath.sampled_road import sample_answered
from lbdns.fastpath.sampling import Sampler, begin_batch, is_due, no_sampler, take
from lbdns.fastpath.tapped_road import tap_answered
from lbdns.fastpath.tapping import is_tapped
from lbdns.mapped.control import Control
from lbdns.mapped.counter_words import BEAT_NS, DATAGRAMS, DROPPED_COUNT, TCP_MESSAGES
from lbdns.mapped.counters import Counters, count_reply, count_word, open_counters
from lbdns.mapped.level_words import DEFERRED_WAITING, TCP_IDLE, TCP_WAITING
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.tap_ring import Tap
from lbdns.processes.responder.asked_signatures import AskedSignatures
from lbdns.processes.responder.datagram_port import DatagramPort, RespondOne
from lbdns.processes.responder.fast_port import FastPort, deferred_sources, load_loop, parts_of, yield_to_fast_path
from lbdns.processes.responder.hand_over import HandOver
from lbdns.processes.responder.ready_thread import ReadyThread
from lbdns.processes.responder.sample_shares import SampleShares
from lbdns.processes.responder.signature_client import SignatureClient
from lbdns.processes.responder.taps import Taps, set_local
from lbdns.processes.responder.tcp_port import CONNECTIONS_MAX, TcpPort
from lbdns.processes.responder.turns import Turns
from lbdns.processes.responder.view_in_force import Views
from lbdns.processes.responder.waiting_spare import wait_for_duty
from lbdns.processes.sockets import ResponderDuty, listener_set

DRAIN_S = 2.0  # for messages under way over TCP
DRAIN_BATCHES = 200  # of datagrams that had arrived when the stop came
FAULT_LOG_S = 10.0
FAULT_QUERY_BYTES = 512
BEAT_S = 0.2
READY_BYTE = b"1"

log = logging.getLogger("lbdns.processes")


class ViewAnswerer:
    """Answers each batch from one view, at one time, with fresh draws."""

    def __init__(
        self,
        views: Views,
        words: memoryview,
        sampler: Sampler | None = None,
        taps: Taps | None = None,
        signatures: AskedSignatures | None = None,
    ) -> None:
        """Answer from what `views` has in force; `words`: the counters of the slow path; `sampler`: by which it
        samples, `taps`: what it copies for dnstap, `signatures`: who has those that are lacking; none by default."""
        self.views = views
        self._counters = Counters(words)
        self._sampler = sampler or no_sampler()
        self._taps = taps
        self._tap = taps.taps[0] if taps else Tap()
        self._signatures = signatures
        self._watched_view: ServingView | None = None
        self._fault_logged_at = -FAULT_LOG_S
        self.is_behind_fast_path = False

    def beat(self, levels: Mapping[int, int]) -> None:
        """Show that the thread of the slow path has its turns, and how much waits for it (mapped/level_words.py)."""
        for word, level in levels.items():
            self._counters.words[word] = level
        self._show_life()

    def _show_life(self) -> None:
        self._counters.words[BEAT_NS] = time.monotonic_ns()

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
        self._begin_watching(view, listener)

        def respond_one(message: bytes, address: bytes, port: int) -> bytes | None:
            drawn, client = draw(DRAW_BITS), Client(address, port)
            road = Road() if signatures is None else signatures.begin(address)
            if self._tap.share:
                self._tap.query_ns = time.time_ns()

            def answer(on: Road) -> bytes | None:
                known = view.listener_view(listener)
                return respond(view, message, client, transport, now_s, drawn, on, unix_s, known)

            try:
                reply = answer(road)
                if road.lacking and signatures is not None:
                    road, reply = signatures.complete(road, reply, answer, address)
            except Exception:
                reply = self._fault(message)
            self._count(view, road, reply, transport)
            try:
                if reply is not None and is_due(self._sampler) and take(self._sampler):
                    sample_answered(self._sampler, view, client, transport, road, reply, time.time_ns())
                if is_tapped(self._tap, drawn):
                    tap_answered(self._tap, view, client, transport, road, message, reply, time.time_ns())
            except Exception:  # who watches costs no answer
                self._fault(message)
            self._show_life()  # a turn that has much to answer is no silence
            return reply

        return respond_one

    def _count(self, view: ServingView, road: Road, reply: bytes | None, transport: Transport) -> None:
        """Count a reply as the fast path counts its own; what the fast path deferred it has counted as a datagram."""
        if transport is Transport.TCP:
            count_word(self._counters, TCP_MESSAGES, 1)
        elif not self.is_behind_fast_path:
            count_word(self._counters, DATAGRAMS, 1)
        if reply is None:
            count_word(self._counters, DROPPED_COUNT, 1)
            return
        count_reply(self._counters, reply[3] & RCODE_MASK, asked_type(reply))
        if road.decision is not None:
            count_decision(self._counters, view.steering, road.decision)

    def _begin_watching(self, view: ServingView, listener: str) -> None:
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


def asked_type(reply: bytes) -> int:
    """Return the type in a reply's question, 0 where it has none."""
    end = checked_name_end(reply, HEADER_BYTES) if reply[5] else None
    return 0 if end is None else int.from_bytes(reply[end : end + 2])


class Responder:
    """One responder: its sockets, the way to stop it, the way to take its sockets over."""

    def __init__(
        self,
        run: RunDirectory,
        duty: ResponderDuty,
        answerer: ViewAnswerer,
        shares: SampleShares,
        taps: Taps,
        threads: Sequence[ReadyThread] = (),
    ) -> None:
        """Prepare to serve; nothing is read yet. `shares`: what each thread samples; `taps`: what it copies for
        dnstap; `threads` wait for work of the fast path."""
        self._shares = shares
        self._stays = duty.stays
        held = self._held = duty.held
        self._run = run
        self._answerer = answerer
        loop_class = load_loop()
        self._fast_ports: list[FastPort] = []
        self._ports: list[tuple[socket.socket, DatagramPort]] = []
        # The bound is the server's; the kernel spreads connections over the workers.
        self._tcp = TcpPort(answerer, connections_max=-(-CONNECTIONS_MAX // duty.count))
        if loop_class is None:
            self._ports = [
                (listener.udp, DatagramPort(listener.udp, answerer, listener.address)) for listener in held.listeners
            ]
        else:
            answerer.is_behind_fast_path = True
            known = loop_class.known_networks()
            self._tcp.note_network = known.note
            self._fast_ports = [
                FastPort(
                    loop_class,
                    listener.udp,
                    answerer.views,
                    answerer,
                    open_counters(run.counters(duty.index, part), True),
                    room,
                    thread,
                    known,
                    listener.address,
                    shares.samplers[part],
                    taps.taps[part],
                    partial(taps.follow, part),
                )
                for part, (listener, room, thread) in enumerate(
                    zip_longest(held.listeners, duty.rooms, threads[: len(held.listeners)]), start=1
                )
            ]
        self._tcp.turns = Turns([self._tcp, *deferred_sources(self._fast_ports)])
        self._stop = asyncio.Event()

    async def serve(self, ready_fd: int | None, wake_fd: int | None) -> None:
        """Answer until SIGTERM or until a new supervisor says so, or not at all where the duty is to finish.

        Then finish what has come and return."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._share_out()
        for fast_port in self._fast_ports:
            fast_port.start(self._tcp.turns)
        for sock, port in self._ports:
            loop.add_reader(sock, port.read_batch)
        acceptors = [
            Acceptor(one.tcp, streams(self._tcp.at(one.address)), f"TCP on {one.address}", self._tcp.room.give_way)
            for one in self._held.listeners
            if self._stays
        ]
        if not self._stays:
            self._stop.set()
        if wake_fd is not None:
            loop.add_reader(wake_fd, self._wake, wake_fd)
        if self._fast_ports:
            yield_to_fast_path()
        hand_over = HandOver(self._run, self._held, self._stop)
        tasks = [asyncio.create_task(one) for one in (hand_over.keep(), self._beat())]
        if ready_fd is not None and not say_ready(ready_fd):
            # Not to serve on: the next supervisor may have looked for orphans already.
            log.warning("stopping: the supervisor ended before this responder was ready")
            self._stop.set()
        await self._stop.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for acceptor in acceptors:
            acceptor.close()
        for sock, port in self._ports:
            loop.remove_reader(sock)
            port.drain(DRAIN_BATCHES)
        for fast_port in self._fast_ports:
            await fast_port.stop()
        await self._tcp.drain(DRAIN_S)

    def _wake(self, wake_fd: int) -> None:
        """The supervisor has published something; the slow path sees that by itself."""
        os.eventfd_read(wake_fd)
        for fast_port in self._fast_ports:
            fast_port.wake()

    def _levels(self) -> Mapping[int, int]:
        return {
            DEFERRED_WAITING: sum(port.waiting for port in self._fast_ports),
            TCP_WAITING: self._tcp.room.at(Standing.WAITING),
            TCP_IDLE: self._tcp.room.at(Standing.IDLE),
        }

    def _share_out(self) -> None:
        self._shares.share_out(self._answerer.views.current().samples_per_second, time.monotonic())

    async def _beat(self) -> None:
        while True:
            self._answerer.beat(self._levels())
            self._share_out()
            await asyncio.sleep(BEAT_S)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return what the supervisor says on the command line; `ps` shows it to people."""
    parser = argparse.ArgumentParser(prog=RESPONDER_MODULE, description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the state directory")
    parser.add_argument("--index", type=int, default=0, help="which of the responders this is, from 0")
    parser.add_argument("--count", type=int, default=1, help="how many responders there are")
    parser.add_argument("--listen", action="append", default=[], metavar="ADDRESS=UDPFD,TCPFD")
    parser.add_argument("--room-fd", type=int, action="append", default=[], help="for each: queries in hand")
    parser.add_argument("--channel-fd", type=int, help="a spare process: which responder it is to be comes this way")
    parser.add_argument("--beat-fd", type=int, help="a spare process: where it shows that it lives")
    parser.add_argument("--threads", type=int, default=0, help="a spare process: how many threads are to wait with it")
    parser.add_argument("--finish", action="store_true", help="answer what is in hand, and end")
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("--wake-fd", type=int)
    parser.add_argument("--log", choices=("text", "json"), default="text")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; the exit status is 0 then."""
    said = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    is_spare = said.channel_fd is not None
    start_log("spare responder" if is_spare else f"responder {said.index}", said.log)
    log_uncaught()
    ready_fd: int | None = said.ready_fd
    threads: list[ReadyThread] = []
    try:
        run = RunDirectory(said.state)
        views = Views(Control.attach(run.control), run)
        if is_spare:
            settle()
            threads = [ReadyThread() for _ in range(said.threads)]
            if not say_ready(said.ready_fd):
                return 0
            ready_fd = None
            duty = wait_for_duty(said.channel_fd, said.wake_fd, said.beat_fd, views)
            if duty is None:
                return 0
            start_log(f"responder {duty.index}", said.log)
        else:
            addresses = [text.partition("=")[0] for text in said.listen]
            descriptors = [int(number) for text in said.listen for number in text.partition("=")[2].split(",")]
            duty = ResponderDuty(
                said.index, said.count, listener_set(addresses, descriptors), tuple(said.room_fd), not said.finish
            )
        parts = parts_of(len(duty.held.listeners))
        shares, taps = SampleShares(run, duty.index, parts), Taps(run, duty.index, parts)
        words = open_counters(run.counters(duty.index, 0), writable=True)
        asked = AskedSignatures(SignatureClient(lambda: run.signer, words))
        answerer = ViewAnswerer(views, words, shares.samplers[0], taps, asked)
        worker = Responder(run, duty, answerer, shares, taps, threads)
    except (LbdnsError, OSError) as error:
        log.error("cannot start: %s", error)
        return 1
    if not is_spare:
        settle()
    asyncio.run(worker.serve(ready_fd, said.wake_fd))
    return 0


def settle() -> None:
    """Let what start-up made stay: the collector need not walk it again and again."""
    gc.collect()
    gc.freeze()


def say_ready(ready_fd: int) -> bool:
    """Tell the supervisor; False where it has ended."""
    try:
        os.write(ready_fd, READY_BYTE)
    except BrokenPipeError:
        return False
    finally:
        os.close(ready_fd)
    return True


if __name__ == "__main__":
    sys.exit(main())
