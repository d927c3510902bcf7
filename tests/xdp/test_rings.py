"""The rings of a queue's socket, set up at a cable of the test's own."""

from __future__ import annotations

import errno
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.mapped.counters import Counters, open_counters
from lbdns.mapped.query_room import map_query_room
from lbdns.processes.responder.xdp_port import load_frame_loop
from lbdns.xdp.attachment import Attachment, Interface, open_socket
from tests.namespaces import inside
from tests.xdp.wire import HOST4, Wire, laid

pytestmark = pytest.mark.process

SOL_XDP, XDP_MAX_TX_SKB_BUDGET = 283, 9
MAC = bytes.fromhex("020000000001")
ROOM, WITHOUT = 512, 32  # frames: what the ring of replies holds, and what a kernel sends by one call that is not asked


def attached(wire: Wire) -> Attachment:
    """Return the filter at the server's end of a cable."""
    try:
        return Attachment(
            Interface(wire.server_end, socket.if_nametoindex(wire.server_end), MAC, 1500, 1), [(HOST4, 53)]
        )
    except LbdnsError as error:
        pytest.skip(f"this kernel has no XDP for us: {error}")


def is_known() -> bool:
    """Return whether the kernel can be asked to send more by one call; without rings it never does."""
    with open_socket() as sock:
        try:
            sock.setsockopt(SOL_XDP, XDP_MAX_TX_SKB_BUDGET, ROOM)
        except OSError as error:
            return error.errno != errno.ENOPROTOOPT
    return True


def test_a_batch_of_replies_leaves_by_one_call(tmp_path: Path) -> None:
    with laid() as wire:
        loop_class = load_frame_loop()
        assert loop_class is not None
        filtered = inside(wire.server, lambda: attached(wire))
        counters = Counters(open_counters(tmp_path / "counters", True))
        loop = loop_class(counters, 1, map_query_room(None, loop_class.room_bytes()))
        given = inside(wire.server, open_socket).detach()
        index, copies = filtered.interface.index, not filtered.is_native
        loop.rings.give(given, os.dup(filtered.sockets), index, 0, copies)
        loop.stop()  # it sets the rings up, finds no frame, and returns
        with ThreadPoolExecutor(1) as pool:  # whose sleeps it sets, for what that starts too
            pool.submit(loop.run).result()
        loop.close()
        filtered.close()
        assert loop.rings.failure == 0
        assert loop.rings.at_once == (ROOM if is_known() else WITHOUT)
