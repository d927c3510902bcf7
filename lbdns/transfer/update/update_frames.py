"""What travels between responders and who changes zones: frames as those of the signer, numbers big-endian.

    updates.sock   responder --ASK: who, how, and the UPDATE as it came--> supervisor
                             <--SAID: RCODE and why | HANDED: the primary's own reply--

Replies come in any order; each has the number of its request.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from lbdns.dns.codes import TCP_BYTES_MAX
from lbdns.dnssec.signer.signer_frames import Frame, FrameError, encode_frame
from lbdns.transfer.update.update_section import UpdateOutcome

ASK: Final = 11
SAID: Final = 12
HANDED: Final = 13
UPDATE_FRAME_BYTES_MAX: Final = TCP_BYTES_MAX + 1024
_HEAD: Final = struct.Struct("!HBBBB")  # port, by TCP, octets of the address, of the key's name, of the view's name
_RCODE: Final = struct.Struct("!H")


class AskedFor(NamedTuple):
    """An UPDATE that a responder was sent: from which address (packed) and port, over TCP or UDP, well signed by which
    key (wire format, lower case; b"" for none), in which view ("" for none); and the message as it came."""

    address: bytes
    port: int
    is_tcp: bool
    key: bytes
    view: str
    message: bytes


def encode_ask(number: int, asked: AskedFor) -> bytes:
    """Return the frame that asks for an update."""
    view = asked.view.encode()
    head = _HEAD.pack(asked.port, asked.is_tcp, len(asked.address), len(asked.key), len(view))
    return encode_frame(ASK, number, b"".join((head, asked.address, asked.key, view, asked.message)))


def decode_ask(frame: Frame) -> AskedFor:
    """Return what a frame asks for; raises FrameError."""
    body = frame.body
    if frame.kind != ASK or len(body) < _HEAD.size:
        raise FrameError("a frame that asks for no update")
    port, is_tcp, *sizes = _HEAD.unpack_from(body)
    parts, at = [], _HEAD.size
    for size in sizes:
        parts.append(body[at : at + size])
        at += size
    if at > len(body):
        raise FrameError("a frame that is cut short")
    address, key, view = parts
    return AskedFor(address, port, bool(is_tcp), key, view.decode(errors="replace"), body[at:])


def encode_said(number: int, said: UpdateOutcome | bytes) -> bytes:
    """Return the frame that says what became of an update: the outcome, or another server's whole reply."""
    if isinstance(said, bytes):
        return encode_frame(HANDED, number, said)
    return encode_frame(SAID, number, _RCODE.pack(said.rcode) + said.why.encode())


def decode_said(frame: Frame) -> UpdateOutcome | bytes:
    """Return what a frame says became of an update; raises FrameError."""
    if frame.kind == HANDED:
        return frame.body
    if frame.kind != SAID or len(frame.body) < _RCODE.size:
        raise FrameError("a frame that says nothing of an update")
    return UpdateOutcome(_RCODE.unpack_from(frame.body)[0], frame.body[_RCODE.size :].decode(errors="replace"))
