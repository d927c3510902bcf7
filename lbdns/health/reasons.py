"""Why a probe failed, in the words that operators know; the table keeps the index, never the text.

The order is part of the table's format: append, never insert.
"""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """One result of a probe; the value is the byte kept in the table."""

    NO_FAILURES = 0
    TCP_FAILED = 1
    TCP_TIMEOUT = 2
    HTTP_TIMEOUT = 3
    CODE_MISMATCH = 4
    BODY_MISMATCH = 5
    TLS_UNTRUSTED = 6
    TLS_NAME_MISMATCH = 7
    TLS_PROTOCOL = 8
    TLS_UNRECOGNIZED_NAME = 9
    TLS_HANDSHAKE = 10
    NO_ROUTE = 11
    NETWORK_UNREACHABLE = 12
    HTTP_INVALID = 13
    DNS_UNKNOWN_HOST = 14
    RESET = 15
    CONFIG_ERROR = 16
    OTHER = 17
    UDP_UNREACHABLE = 18
    NETWORK_DOWN = 19


REASONS: tuple[str, ...] = (
    "No failures",
    "TCP connection failed",
    "TCP timeout",
    "HTTP timeout occurred",
    "Response code mismatch error",
    "Response body mismatch error",
    "TLS untrusted certificate error",
    "TLS name mismatch error",
    "TLS protocol error",
    "TLS unrecognized name error",
    "TLS handshake failure",
    "No route to host",
    "Network unreachable",
    "HTTP invalid response",
    "DNS unknown host",
    "Connection reset by peer",
    "Monitor config error",
    "Other failure",
    "UDP port unreachable",
    "Virtual network is down",
)

# Only these make a probe run again at once: an answer that does not match is an answer.
TIMEOUTS: frozenset[Reason] = frozenset({Reason.TCP_TIMEOUT, Reason.HTTP_TIMEOUT})


def reason_text(index: int) -> str:
    """Return the words for a table byte; one written by a newer release reads "Other failure"."""
    return REASONS[index] if 0 <= index < len(REASONS) else REASONS[Reason.OTHER]
