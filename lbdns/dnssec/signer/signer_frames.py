"""What travels to the signer and back: frames, each of a head and a body. Numbers are big-endian.

    signer.sock   responder --REQUEST: RRsets--> signer --REPLY: signatures of each, or none--> responder
    channel       supervisor --BULK: keys and octets--> signer --BULK: signatures--> supervisor
                  either way --WORDS: JSON-->

A frame that is longer than FRAME_BYTES_MAX, or that does not hold what its kind does, ends the connection that it came
by (FrameError). Nobody waits for the rest of a frame: who reads collects what has come.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.dns.name import checked_name_end
from lbdns.dnssec.unsigned import Unsigned

REQUEST: Final = 1
REPLY: Final = 2
BULK: Final = 3
WORDS: Final = 4
FRAME_BYTES_MAX: Final = 16 << 20
"""Of what the supervisor sends: lots of what is to be signed."""
REQUEST_BYTES_MAX: Final = 1 << 18
"""Of what a responder sends: some RRsets, one of which may be as long as a message."""
REQUEST_ITEMS_MAX: Final = 64

_HEAD: Final = struct.Struct("!IBI")  # bytes of the body, kind, number of the request
_COUNT: Final = struct.Struct("!I")
_RRSET: Final = struct.Struct("!HIH")  # type, TTL, records
_LENGTH: Final = struct.Struct("!H")
_WANTED: Final = struct.Struct("!QI")  # id of the key, octets


class FrameError(LbdnsError):
    """A frame that says what none says."""


class Frame(NamedTuple):
    """One frame: its kind, the number that a reply has of its request, its body."""

    kind: int
    number: int
    body: bytes


def encode_frame(kind: int, number: int, body: bytes) -> bytes:
    """Return a frame."""
    return _HEAD.pack(len(body), kind, number) + body


class FrameReader:
    """Collects what comes by one connection and cuts it into frames."""

    def __init__(self, bytes_max: int) -> None:
        """Refuse a body of more than `bytes_max` octets."""
        self._bytes_max = bytes_max
        self._collected = bytearray()

    def take(self, octets: bytes | memoryview) -> Iterator[Frame]:
        """Yield the frames that are whole now; raises FrameError."""
        self._collected += octets
        at, size = 0, len(self._collected)
        try:
            while size - at >= _HEAD.size:
                length, kind, number = _HEAD.unpack_from(self._collected, at)
                if length > self._bytes_max:
                    raise FrameError(f"a frame of {length} bytes")
                if size - at - _HEAD.size < length:
                    return
                body = bytes(memoryview(self._collected)[at + _HEAD.size : at + _HEAD.size + length])
                at += _HEAD.size + length
                yield Frame(kind, number, body)
        finally:
            del self._collected[:at]


def encode_words(words: Any, number: int = 0) -> bytes:
    """Return a frame of JSON."""
    return encode_frame(WORDS, number, json.dumps(words, separators=(",", ":")).encode())


def decode_words(body: bytes) -> Any:
    """Return what a frame of JSON says; raises FrameError."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise FrameError(f"a frame that is no JSON: {error}") from None


def encode_request(number: int, wanted: Sequence[Unsigned]) -> bytes:
    """Return the frame that asks for signatures over RRsets: the first REQUEST_ITEMS_MAX of them, and no more than a
    frame holds."""
    parts: list[bytes] = []
    size = _COUNT.size
    for one in wanted[:REQUEST_ITEMS_MAX]:
        part = _encode_rrset(one)
        size += len(part)
        if size > REQUEST_BYTES_MAX:
            break
        parts.append(part)
    return encode_frame(REQUEST, number, _COUNT.pack(len(parts)) + b"".join(parts))


def _encode_rrset(one: Unsigned) -> bytes:
    parts = [one.apex, one.owner, _RRSET.pack(one.rtype, one.ttl, len(one.rdatas))]
    for rdata in one.rdatas:
        parts += (_LENGTH.pack(len(rdata)), rdata)
    return b"".join(parts)


def decode_request(body: bytes) -> list[Unsigned]:
    """Return the RRsets that a frame asks for; raises FrameError."""
    reading = _Reading(body)
    (count,) = reading.unpack(_COUNT)
    if not 0 < count <= REQUEST_ITEMS_MAX:
        raise FrameError(f"a request for {count} RRsets")
    found = []
    for _ in range(count):
        apex, owner = reading.name(), reading.name()
        rtype, ttl, records = reading.unpack(_RRSET)
        found.append(Unsigned(apex, owner, rtype, ttl, tuple(reading.counted() for _ in range(records))))
    reading.end()
    return found


def encode_reply(number: int, given: Sequence[Sequence[bytes]]) -> bytes:
    """Return the frame with the data of the RRSIG records of each RRset that was asked for: none where they are
    refused."""
    parts = [_COUNT.pack(len(given))]
    for signatures in given:
        parts.append(_LENGTH.pack(len(signatures)))
        for rdata in signatures:
            parts += (_LENGTH.pack(len(rdata)), rdata)
    return encode_frame(REPLY, number, b"".join(parts))


def decode_reply(body: bytes) -> list[tuple[bytes, ...]]:
    """Return what `encode_reply` was given; raises FrameError."""
    reading = _Reading(body)
    (count,) = reading.unpack(_COUNT)
    if count > REQUEST_ITEMS_MAX:
        raise FrameError(f"a reply about {count} RRsets")
    found = []
    for _ in range(count):
        (signatures,) = reading.unpack(_LENGTH)
        found.append(tuple(reading.counted() for _ in range(signatures)))
    reading.end()
    return found


def encode_bulk(number: int, wanted: Sequence[tuple[int, bytes | memoryview]]) -> bytes:
    """Return the frame that asks for signatures over octets, each by the key of an id."""
    heads = b"".join(_WANTED.pack(key_id, len(data)) for key_id, data in wanted)
    return encode_frame(BULK, number, b"".join((_COUNT.pack(len(wanted)), heads, *(data for _, data in wanted))))


def decode_bulk(body: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield id of the key and octets of each signature that is asked for; raises FrameError."""
    count = count_of(body)
    at = _COUNT.size + count * _WANTED.size
    whole = memoryview(body)
    if at > len(body):
        raise FrameError("a lot that is cut short")
    for key_id, size in _WANTED.iter_unpack(whole[_COUNT.size : at]):
        if at + size > len(body):
            raise FrameError("a lot that is cut short")
        yield key_id, whole[at : at + size]
        at += size


def count_of(body: bytes) -> int:
    """Return how many a frame's body has; raises FrameError."""
    if len(body) < _COUNT.size:
        raise FrameError("a frame that is cut short")
    return int(_COUNT.unpack_from(body)[0])


def encode_signatures(number: int, signatures: Sequence[bytes]) -> bytes:
    """Return the frame with signatures, in the order in which they were asked for."""
    heads = b"".join(_LENGTH.pack(len(one)) for one in signatures)
    return encode_frame(BULK, number, b"".join((_COUNT.pack(len(signatures)), heads, *signatures)))


def decode_signatures(body: bytes) -> list[bytes]:
    """Return what `encode_signatures` was given; raises FrameError."""
    count = count_of(body)
    at = _COUNT.size + count * _LENGTH.size
    found = []
    for (size,) in _LENGTH.iter_unpack(memoryview(body)[_COUNT.size : at]):
        found.append(body[at : at + size])
        at += size
    if len(found) != count or at != len(body):
        raise FrameError("signatures that are cut short")
    return found


class _Reading:
    """Reads a body from its beginning to its end; raises FrameError where that comes too early, or too late."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def unpack(self, shape: struct.Struct) -> tuple[int, ...]:
        """Return numbers."""
        return shape.unpack(self._octets(shape.size))

    def counted(self) -> bytes:
        """Return octets that stand behind their number."""
        return self._octets(self.unpack(_LENGTH)[0])

    def name(self) -> bytes:
        """Return a name in wire form."""
        end = checked_name_end(self._body, self._at)
        if end is None:
            raise FrameError("a frame without the name that was to be there")
        return self._octets(end - self._at)

    def end(self) -> None:
        """Find nothing more."""
        if self._at != len(self._body):
            raise FrameError("a frame with more than it says")

    def _octets(self, count: int) -> bytes:
        begin, self._at = self._at, self._at + count
        if self._at > len(self._body):
            raise FrameError("a frame that is cut short")
        return self._body[begin : self._at]
