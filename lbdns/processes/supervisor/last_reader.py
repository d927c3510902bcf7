"""Sockets that are closed before any process has read them: what came to them meanwhile is answered here.

    bound for a change --(it does not happen)--> retired: nothing more comes --> what waits is answered --> closed

They joined the group of the sockets that are served, and got their share of what was asked since. It may be for want of
processes that nobody reads them: so it is this one that does, from the generation in force.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
from collections.abc import Iterable, Sequence
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.mapped.control import Control
from lbdns.mapped.counter_words import WORD_COUNT
from lbdns.mapped.run_directory import RunDirectory
from lbdns.processes.sockets import Listener, TlsListener

HEAR_S: Final = 0.05  # for connections that wait to be accepted, and what they ask

log = logging.getLogger("lbdns.processes")


async def close_unread(listeners: Iterable[Listener | TlsListener], run: RunDirectory) -> None:
    """Answer what waits in sockets that nobody reads, as far as anything is in force, and close them."""
    left = []
    for one in listeners:
        if isinstance(one, TlsListener):
            one.close()
        elif one.udp.fileno() >= 0:
            left.append(one)
    for one in left:
        one.retire()
    try:
        if left:
            await _answer(left, run)
    except (LbdnsError, OSError, ValueError, KeyError) as error:  # nothing was ever served here, say
        log.debug("what waits in sockets that are closed is not answered: %s", error)
    finally:
        for one in left:
            one.close()


async def _answer(listeners: Sequence[Listener], run: RunDirectory) -> None:
    control = Control.attach(run.control)
    if not control.generation:
        return
    # A responder's modules, which few supervisors ever need.
    from lbdns.base.accepting import Acceptor, streams
    from lbdns.processes.responder.datagram_port import DatagramPort
    from lbdns.processes.responder.responder import DRAIN_BATCHES, DRAIN_S
    from lbdns.processes.responder.tcp_port import TcpPort
    from lbdns.processes.responder.view_answerer import ViewAnswerer
    from lbdns.processes.responder.view_in_force import Views

    uncounted = memoryview(mmap.mmap(-1, WORD_COUNT * 8)).cast("Q")
    answerer = ViewAnswerer(Views(control, run), uncounted)
    tcp = TcpPort(answerer, is_proxy=answerer.is_proxy, note_header=answerer.note_header)
    acceptors = [
        Acceptor(one.tcp, streams(tcp.at(one.address)), f"TCP on {one.address}, to be closed", tcp.room.give_way)
        for one in listeners
    ]
    try:
        for one in listeners:
            DatagramPort(one.udp, answerer, one.address).drain(DRAIN_BATCHES)
        await asyncio.sleep(HEAR_S)
    finally:
        for acceptor in acceptors:
            acceptor.close()
    await tcp.drain(DRAIN_S)
