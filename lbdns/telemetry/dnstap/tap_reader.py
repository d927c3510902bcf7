"""What a thread put into its ring for dnstap (mapped/tap_ring.py), read by the one who reads it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lbdns.mapped.fence import read_fence
from lbdns.mapped.sample_words import TRANSPORT_TCP
from lbdns.mapped.tap_room import open_tap
from lbdns.mapped.tap_words import (
    TAP_EXCHANGE,
    TAP_HEAD_BROKEN,
    TAP_HEAD_BYTES,
    TAP_HEAD_READ,
    TAP_HEAD_SIZE,
    TAP_HEAD_WRITTEN,
    TAP_PADDING,
    TAP_RECORD_HEAD,
)

# TAP_SIZE to TAP_REPLY_BYTES, in their order.
_HEAD: Final = struct.Struct("<IBBBBQQ16s16sHHHH")


@dataclass(frozen=True, slots=True)
class TappedExchange:
    """A query and its reply, b"" where there is none. `client`, `local`: packed addresses, `local` b"" where it is not
    known; ports are 0 then. `zone`: of the answer, in wire form, b"" where none was asked. Times are unix ns."""

    is_tcp: bool
    client: bytes
    client_port: int
    local: bytes
    local_port: int
    query_ns: int
    response_ns: int
    zone: bytes
    query: bytes
    reply: bytes


class TapReader:
    """One thread's ring. A record that makes no sense, of a writer that was killed, costs what is in the ring."""

    def __init__(self, path: Path) -> None:
        """Go on where the reader before stopped; raises OSError or ValueError."""
        self.path = path
        self.inode = path.stat().st_ino
        self._room = open_tap(path)
        self._words = self._room.cast("Q")
        self._size = self._words[TAP_HEAD_SIZE]

    def read(self, limit: int) -> list[TappedExchange]:
        """Return the next exchanges, at most `limit`; their room is the writer's again."""
        found: list[TappedExchange] = []
        at, end = self._words[TAP_HEAD_READ], self._words[TAP_HEAD_WRITTEN]
        read_fence()
        while at < end and len(found) < limit:
            start = TAP_HEAD_BYTES + at % self._size
            size, kind = struct.unpack_from("<IB", self._room, start)
            if not 8 <= size <= self._size - at % self._size or size % 8 or kind not in (TAP_EXCHANGE, TAP_PADDING):
                self.count(TAP_HEAD_BROKEN, 1)
                at = end
                break
            if kind == TAP_EXCHANGE:
                found.append(self._exchange(start))
            at += size
        self._words[TAP_HEAD_READ] = at
        return found

    def count(self, word: int, by: int) -> None:
        """Add to one of the head's words that are the reader's."""
        self._words[word] += by

    def _exchange(self, start: int) -> TappedExchange:
        (
            *_,
            version,
            transport,
            zone_bytes,
            query_ns,
            response_ns,
            client,
            local,
            client_port,
            local_port,
            query_bytes,
            reply_bytes,
        ) = _HEAD.unpack_from(self._room, start)
        zone = start + TAP_RECORD_HEAD
        query = zone + zone_bytes
        reply = query + query_bytes
        return TappedExchange(
            is_tcp=transport == TRANSPORT_TCP,
            client=packed(client, version),
            client_port=client_port,
            local=packed(local, version) if any(local) else b"",
            local_port=local_port,
            query_ns=query_ns,
            response_ns=response_ns,
            zone=bytes(self._room[zone:query]),
            query=bytes(self._room[query:reply]),
            reply=bytes(self._room[reply : reply + reply_bytes]),
        )


def packed(words: bytes, version: int) -> bytes:
    """Return an address, 4 or 16 octets, from its two words, each low octet first."""
    whole = words[7::-1] + words[:7:-1]
    return whole[:4] if version == 4 else whole
