"""Messages that are to be told of by dnstap, in shared memory: one writer, one reader, a ring that never overwrites.

What has no room is counted and left out: a reader that is slow, dead or absent costs the writer a comparison. It takes
no lock, calls nothing and waits for nobody. tap_words.py says where what stands. Runs interpreted and compiled (types
in the `.pxd`).
"""

from __future__ import annotations

from lbdns.mapped.fence import read_fence, write_fence
from lbdns.mapped.sample_words import *
from lbdns.mapped.tap_words import *

NO_ROOM = memoryview(bytearray(8))
"""The ring of one that taps nothing."""


class Tap:
    """What one thread taps. `share`: of 2^64 exchanges so many, 0 for none.

    Before `put_exchange` the caller sets who asked where, when, and what part of `query_ns`, `response_ns` is known.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.share = 0
        self.octets = NO_ROOM
        self.words = NO_ROOM.cast("Q")
        self.size = 0
        self.owner = 0
        self.query_ns = 0
        self.response_ns = 0
        self.version = 4
        self.transport = TRANSPORT_UDP
        self.client_high = 0
        self.client_low = 0
        self.client_port = 0
        self.local_high = 0
        self.local_low = 0
        self.local_port = 0

    def attach(self, room: memoryview, owner: int) -> None:
        """Write to a file's bytes, while `share` is 0; `owner`: this process's id."""
        octets = room.cast("B")
        self.octets = octets
        self.words = words = octets.cast("Q")
        self.size = words[TAP_HEAD_SIZE]
        self.owner = owner
        words[TAP_HEAD_OWNER] = owner


def is_ready(tap: Tap, size: int) -> bool:
    """Return whether there is room for `size` octets, at one piece, and this process is the one that writes."""
    head = tap.words[TAP_HEAD_WRITTEN]
    free = tap.size - (head - tap.words[TAP_HEAD_READ])
    left = tap.size - head % tap.size
    wanted = size if size <= left else left + size
    return wanted <= free and tap.words[TAP_HEAD_OWNER] == tap.owner


def put_exchange(
    tap: Tap,
    zone: memoryview | bytes,
    zone_at: int,
    zone_bytes: int,
    query: memoryview | bytes,
    query_at: int,
    query_bytes: int,
    reply: memoryview | bytearray,
    reply_at: int,
    reply_bytes: int,
) -> None:
    """Write a record about a query and its reply (`reply_bytes` 0: none), or count that it has no room."""
    size = TAP_RECORD_HEAD + zone_bytes + query_bytes + reply_bytes
    size += -size % TAP_ALIGNMENT
    if not is_ready(tap, size):
        tap.words[TAP_HEAD_LOST] += 1
        return
    read_fence()
    head = tap.words[TAP_HEAD_WRITTEN]
    left = tap.size - head % tap.size
    if size > left:
        put_number(tap, TAP_HEAD_BYTES + head % tap.size + TAP_SIZE, 4, left)
        tap.octets[TAP_HEAD_BYTES + head % tap.size + TAP_KIND] = TAP_PADDING
        head += left
    at = TAP_HEAD_BYTES + head % tap.size
    put_number(tap, at + TAP_SIZE, 4, size)
    tap.octets[at + TAP_KIND] = TAP_EXCHANGE
    tap.octets[at + TAP_VERSION] = tap.version
    tap.octets[at + TAP_TRANSPORT] = tap.transport
    tap.octets[at + TAP_ZONE_BYTES] = zone_bytes
    put_number(tap, at + TAP_QUERY_NS, 8, tap.query_ns)
    put_number(tap, at + TAP_RESPONSE_NS, 8, tap.response_ns)
    put_number(tap, at + TAP_CLIENT, 8, tap.client_high)
    put_number(tap, at + TAP_CLIENT + 8, 8, tap.client_low)
    put_number(tap, at + TAP_LOCAL, 8, tap.local_high)
    put_number(tap, at + TAP_LOCAL + 8, 8, tap.local_low)
    put_number(tap, at + TAP_CLIENT_PORT, 2, tap.client_port)
    put_number(tap, at + TAP_LOCAL_PORT, 2, tap.local_port)
    put_number(tap, at + TAP_QUERY_BYTES, 2, query_bytes)
    put_number(tap, at + TAP_REPLY_BYTES, 2, reply_bytes)
    at += TAP_RECORD_HEAD
    for index in range(zone_bytes):
        tap.octets[at + index] = zone[zone_at + index]
    at += zone_bytes
    for index in range(query_bytes):
        tap.octets[at + index] = query[query_at + index]
    at += query_bytes
    for index in range(reply_bytes):
        tap.octets[at + index] = reply[reply_at + index]
    write_fence()
    tap.words[TAP_HEAD_WRITTEN] = head + size


def put_number(tap: Tap, at: int, octets: int, value: int) -> None:
    """Write a number, low octet first."""
    for index in range(octets):
        tap.octets[at + index] = value >> (8 * index) & 0xFF
