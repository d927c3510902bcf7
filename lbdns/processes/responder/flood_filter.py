"""A filter of a UDP socket (classic BPF, SO_ATTACH_FILTER), for which no privilege is needed: the kernel runs it for
each datagram before that takes a place in the socket's queue.

    of a network that floods? -> of each so manieth drawn at random? -> with a server cookie at its end? -> dropped
       '- no: kept                  '- yes: kept                           '- yes: kept

Octets are counted from the UDP header on; those of the IP header are at numbers of their own. What is dropped counts
as dropped by the socket.

    struct sock_filter { u16 code; u8 jt, jf; u32 k; }      struct sock_fprog { u16 len; struct sock_filter *filter; }
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

from lbdns.base.networks import NETWORK_BITS_V4, NETWORK_BITS_V6
from lbdns.dns.codes import HEADER_BYTES, OPTION_COOKIE
from lbdns.dns.cookie_words import CLIENT_COOKIE_BYTES, COOKIE_BYTES, VERSION_1

# Linux's numbers (asm-generic/socket.h, linux/filter.h, linux/bpf_common.h); Python has no names for them.
_ATTACH, _DETACH, _MEMORY = 26, 27, 55  # SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_MEMINFO
_MEMORY_WORDS: Final = struct.Struct("=9I")
_INSTRUCTION: Final = struct.Struct("=HBBI")
_IN_QUEUE, _QUEUE_MOST, _DROPPED = 0, 1, 8  # SK_MEMINFO_RMEM_ALLOC, _RCVBUF, _DROPS
_IP_HEADER: Final = 0xFFF00000  # SKF_NET_OFF
_RANDOM: Final = 0xFFFFF000 + 56  # SKF_AD_OFF + SKF_AD_RANDOM
_LOAD_WORD: Final = 0x20  # BPF_LD, _W, _ABS
_LOAD_WORD_AT_X: Final = 0x40  # BPF_IND
_LOAD_OCTET_AT_X: Final = 0x50
_LOAD_LENGTH: Final = 0x80
_AND, _SUBTRACT, _TO_X = 0x54, 0x14, 0x07
_EQUAL, _AT_LEAST, _JUMP = 0x15, 0x35, 0x05  # BPF_JMP, _K
_RETURN: Final = 0x06

_UDP_BYTES: Final = 8
_SOURCE_V4, _SOURCE_V6 = 12, 8  # in the IP header
_WORD_BITS: Final = 32
_WHOLE: Final = 0xFFFFFFFF
_REST_V4: Final = _WORD_BITS - NETWORK_BITS_V4
_REST_V6: Final = 2 * _WORD_BITS - NETWORK_BITS_V6
_OPTION_HEAD_BYTES: Final = 4
_STAMPED_BYTES: Final = COOKIE_BYTES - CLIENT_COOKIE_BYTES
_PASSED, _DRAWN, _DROP, _KEEP = "passed", "drawn", "drop", "keep"


class _FilterStep(NamedTuple):
    """An instruction: its code and number, and the labels to go on at where a comparison holds, and where not; "" is
    the next one."""

    code: int
    number: int = 0
    then: str = ""
    otherwise: str = ""
    label: str = ""


def flood_filter(family: int, networks: Mapping[int, int], keeps_cookies: bool) -> bytes:
    """Return the program for a socket of a family, which takes IPv4 or IPv6 alone. `networks`: the first bits of their
    addresses as numbers (/24 and /56, base/networks.py), and for each of how many datagrams one is kept, a power of
    two; `keeps_cookies`: whether all is kept that ends with an option COOKIE of 24 octets, version 1."""
    return _assembled(
        [
            *(_of_v4(networks) if family == socket.AF_INET else _of_v6(networks)),
            _FilterStep(_JUMP, then=_KEEP, label=_PASSED),
            *(step for one_in in sorted(set(networks.values())) for step in _drawing_steps(one_in)),
            _FilterStep(_LOAD_LENGTH, label=_DRAWN),
            *(_cookie_steps() if keeps_cookies else ()),
            _FilterStep(_RETURN, 0, label=_DROP),
            _FilterStep(_RETURN, _WHOLE, label=_KEEP),
        ]
    )


def _of_v4(networks: Mapping[int, int]) -> list[_FilterStep]:
    tests = [_FilterStep(_EQUAL, network << _REST_V4, then=f"1 in {one_in}") for network, one_in in networks.items()]
    return [_FilterStep(_LOAD_WORD, _IP_HEADER + _SOURCE_V4), _FilterStep(_AND, _WHOLE << _REST_V4 & _WHOLE), *tests]


def _of_v6(networks: Mapping[int, int]) -> list[_FilterStep]:
    steps: list[_FilterStep] = []
    labels = [*(f"network {index}" for index in range(len(networks))), _PASSED]
    for (network, one_in), label, following in zip(networks.items(), labels, labels[1:], strict=False):
        high, low = divmod(network << _REST_V6, 1 << _WORD_BITS)
        steps += [
            _FilterStep(_LOAD_WORD, _IP_HEADER + _SOURCE_V6, label=label),
            _FilterStep(_EQUAL, high, otherwise=following),
            _FilterStep(_LOAD_WORD, _IP_HEADER + _SOURCE_V6 + _WORD_BITS // 8),
            _FilterStep(_AND, _WHOLE << _REST_V6 & _WHOLE),
            _FilterStep(_EQUAL, low, then=f"1 in {one_in}"),
        ]
    return steps


def _drawing_steps(one_in: int) -> list[_FilterStep]:
    return [
        _FilterStep(_LOAD_WORD, _RANDOM, label=f"1 in {one_in}"),
        _FilterStep(_AND, one_in - 1),
        _FilterStep(_EQUAL, 0, then=_KEEP),
        _FilterStep(_JUMP, then=_DRAWN),
    ]


def _cookie_steps() -> list[_FilterStep]:
    """Return what keeps a datagram whose last octets are the option; its length is loaded."""
    option_bytes = _OPTION_HEAD_BYTES + COOKIE_BYTES
    return [
        _FilterStep(_AT_LEAST, _UDP_BYTES + HEADER_BYTES + option_bytes, otherwise=_DROP),
        _FilterStep(_SUBTRACT, option_bytes),
        _FilterStep(_TO_X),
        _FilterStep(_LOAD_WORD_AT_X, 0),
        _FilterStep(_EQUAL, OPTION_COOKIE << 16 | COOKIE_BYTES, otherwise=_DROP),
        _FilterStep(_LOAD_OCTET_AT_X, option_bytes - _STAMPED_BYTES),
        _FilterStep(_EQUAL, VERSION_1, then=_KEEP),
    ]


def _assembled(steps: list[_FilterStep]) -> bytes:
    places = {step.label: number for number, step in enumerate(steps) if step.label}

    def ahead(label: str, number: int) -> int:
        return places[label] - number - 1 if label else 0

    rows = []
    for number, (code, value, then, otherwise, _) in enumerate(steps):
        if code == _JUMP:
            rows.append(_INSTRUCTION.pack(code, 0, 0, ahead(then, number)))
        else:
            rows.append(_INSTRUCTION.pack(code, ahead(then, number), ahead(otherwise, number), value))
    return b"".join(rows)


def attach(sock: socket.socket, program: bytes) -> None:
    """Have a socket take what a program keeps, in place of the one before; raises OSError."""
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // _INSTRUCTION.size, ctypes.addressof(code))
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH, head)


def detach(sock: socket.socket) -> None:
    """Have a socket take everything, whoever had it take less; raises OSError."""
    with contextlib.suppress(FileNotFoundError):  # it has no filter
        sock.setsockopt(socket.SOL_SOCKET, _DETACH, 0)


class QueueState(NamedTuple):
    """How much memory what waits in a socket takes, in bytes, how much it may, and how many datagrams were dropped
    since it was made, modulo 2^32, as there was no room or a filter said so."""

    waiting: int
    most: int
    dropped: int


def queue_state(sock: socket.socket) -> QueueState:
    """Return how it stands; raises OSError."""
    words = _MEMORY_WORDS.unpack(sock.getsockopt(socket.SOL_SOCKET, _MEMORY, _MEMORY_WORDS.size))
    return QueueState(words[_IN_QUEUE], words[_QUEUE_MOST], words[_DROPPED])
