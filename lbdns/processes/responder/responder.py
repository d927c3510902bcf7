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
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, count, repeat
from pathlib import Path
from typing import TypeVar

from lbdns.answer.rate_table import RateTable
from lbdns.base.accepting import Acceptor, streams
from lbdns.base.connection_room import Standing
from lbdns.base.errors import LbdnsError
from lbdns.base.garbage import SELDOM
from lbdns.base.log import log_uncaught, start_log
from lbdns.base.words import RESPONDER_MODULE
from lbdns.mapped.control import Control
from lbdns.mapped.counters import open_counters
from lbdns.mapped.level_words import DEFERRED_WAITING, TCP_IDLE, TCP_WAITING
from lbdns.mapped.rate_room import open_rates
from lbdns.mapped.run_directory import RunDirectory
from lbdns.processes.beats import at_each_beat
from lbdns.processes.responder.asked_signatures import AskedSignatures
from lbdns.processes.responder.datagram_port import DatagramPort
from lbdns.processes.responder.errands import Errands
from lbdns.processes.responder.fast_port import (
    FastPort,
    RoundsPort,
    deferred_sources,
    load_loop,
    parts_of,
    yield_to_fast_path,
)
from lbdns.processes.responder.fast_streams import FastStreams
from lbdns.processes.responder.hand_over import HandOver
from lbdns.processes.responder.ready_thread import ReadyThread
from lbdns.processes.responder.sample_shares import SampleShares
from lbdns.processes.responder.signature_client import SignatureClient
from lbdns.processes.responder.taps import Taps
from lbdns.processes.responder.tcp_port import CONNECTIONS_MAX, TcpPort
from lbdns.processes.responder.tls_door import TlsDoor
from lbdns.processes.responder.turns import Turns
from lbdns.processes.responder.view_answerer import ViewAnswerer
from lbdns.processes.responder.view_in_force import Views
from lbdns.processes.responder.waiting_spare import WaitingSpare
from lbdns.processes.responder.xdp_port import FramePort
from lbdns.processes.sockets import ResponderDuty, listener_set

DRAIN_S = 2.0  # for messages under way over TCP
DRAIN_BATCHES = 200  # of datagrams that had arrived when the stop came
FAULT_LOG_S = 10.0
FAULT_QUERY_BYTES = 512
BEAT_S = 0.2
READY_BYTE = b"1"
Item = TypeVar("Item")

log = logging.getLogger("lbdns.processes")


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
        self._fast_ports: list[RoundsPort] = []
        self._ports: list[tuple[socket.socket, DatagramPort]] = []
        # The bound is the server's; the kernel spreads connections over the workers.
        self._tcp = TcpPort(
            answerer,
            connections_max=-(-CONNECTIONS_MAX // duty.count),
            is_proxy=answerer.is_proxy,
            note_header=answerer.note_header,
            fast=None if loop_class is None else FastStreams(answerer),
        )
        if loop_class is None:
            self._ports = [
                (listener.udp, DatagramPort(listener.udp, answerer, listener.address)) for listener in held.listeners
            ]
        else:
            answerer.is_behind_fast_path = True
            known = loop_class.known_networks()
            self._tcp.note_network = known.note
            makers: list[Callable[..., RoundsPort]] = [
                partial(FastPort, loop_class, listener.udp, listener=listener.address) for listener in held.listeners
            ]
            makers += [partial(FramePort, run, queue) for queue in held.queues]
            self._fast_ports += [
                make(
                    answerer.views,
                    answerer,
                    open_counters(run.counters(duty.index, part), True),
                    room,
                    thread,
                    known,
                    sampler=shares.samplers[part],
                    tap=taps.taps[part],
                    follow_tap=partial(taps.follow, part),
                    rates=answerer.rates,
                )
                for part, make, room, thread in zip(count(1), makers, padded(duty.rooms), padded(threads), strict=False)
            ]
        self._tcp.turns = Turns([self._tcp, *deferred_sources(self._fast_ports), self._tcp.streams])
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
        door = TlsDoor(self._answerer.views)
        acceptors += [
            Acceptor(one.tcp, door.taker(self._tcp.at(one.address)), f"TLS on {one.address}", door.room.give_way)
            for one in self._held.tls
            if self._stays
        ]
        if not self._stays:
            self._stop.set()
        if wake_fd is not None:
            loop.add_reader(wake_fd, self._wake, wake_fd)
        if self._fast_ports:
            yield_to_fast_path()
        hand_over = HandOver(self._run, self._held, self._stop)
        tasks = [asyncio.create_task(one) for one in (hand_over.keep(), at_each_beat(BEAT_S, self._beat))]
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
        await asyncio.gather(self._tcp.drain(DRAIN_S), self._answerer.pending.drain(DRAIN_S))

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

    def _beat(self) -> None:
        self._answerer.beat(self._levels())
        if self._tcp.fast:
            self._tcp.fast.follow()
        self._share_out()


def padded(found: Sequence[Item]) -> Iterator[Item | None]:
    """Yield all of them, and None from then on."""
    return chain(found, repeat(None))


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Return what the supervisor says on the command line; `ps` shows it to people."""
    parser = argparse.ArgumentParser(prog=RESPONDER_MODULE, description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the state directory")
    parser.add_argument("--index", type=int, default=0, help="which of the responders this is, from 0")
    parser.add_argument("--count", type=int, default=1, help="how many responders there are")
    parser.add_argument("--listen", action="append", default=[], metavar="ADDRESS=UDPFD,TCPFD")
    parser.add_argument("--tls", action="append", default=[], metavar="ADDRESS=TCPFD")
    parser.add_argument("--queue", type=int, action="append", default=[], help="of a network card, to be read as well")
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
        control = Control.attach(run.control)
        if is_spare:
            called = wait_as_spare(said, control, run)
            if called is None:
                return 0
            views, duty, threads = called
            ready_fd = None
            start_log(f"responder {duty.index}", said.log)
        else:
            views = Views(control, run)
            plain, tls = ([text.partition("=")[0] for text in texts] for texts in (said.listen, said.tls))
            texts = [text.partition("=")[2] for text in (*said.listen, *said.tls)]
            held = listener_set(plain, [int(number) for text in texts for number in text.split(",")], tls, said.queue)
            duty = ResponderDuty(said.index, said.count, held, tuple(said.room_fd), not said.finish)
        parts = parts_of(duty.held.thread_count)
        shares, taps = SampleShares(run, duty.index, parts), Taps(run, duty.index, parts)
        words = open_counters(run.counters(duty.index, 0), writable=True)
        asked = AskedSignatures(SignatureClient(lambda: run.signer, words))
        answerer = ViewAnswerer(views, words, shares.samplers[0], taps, asked, Errands(run), shared_rates(run))
        worker = Responder(run, duty, answerer, shares, taps, threads)
    except (LbdnsError, OSError) as error:
        log.error("cannot start: %s", error)
        return 1
    if not is_spare:
        settle()
    asyncio.run(worker.serve(ready_fd, said.wake_fd))
    return 0


def wait_as_spare(
    said: argparse.Namespace, control: Control, run: RunDirectory
) -> tuple[Views, ResponderDuty, list[ReadyThread]] | None:
    """Return what is to be served, and on which sockets, once the supervisor says it, and the threads that waited with
    this process; None where that is never. Raises LbdnsError where nothing can be served."""
    spare = WaitingSpare(said.channel_fd, said.wake_fd, said.beat_fd)
    # At a server's start there is nothing to serve yet.
    views = Views(control, run) if control.generation else None
    settle()
    threads = [ReadyThread() for _ in range(parts_of(said.threads) - 1)]
    if not say_ready(said.ready_fd) or not spare.first_generation(control):
        return None
    views = views or Views(control, run)
    duty = spare.duty(views)
    return None if duty is None else (views, duty, threads)


def shared_rates(run: RunDirectory) -> RateTable | None:
    """Return the table in which all responders count, None where it cannot be had: then each counts by itself."""
    try:
        return RateTable(open_rates(run.rates))
    except (OSError, ValueError) as error:
        log.warning("the replies of this process are limited by themselves: %s", error)
        return None


def settle() -> None:
    """Let what start-up made stay: the collector need not walk it again and again, and the rest seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)


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
