"""The nouns of probing: where a probe goes, what it found, and how it says so."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Protocol

from lbdns.health.reasons import REASONS, Reason
from lbdns.health.way_faults import WayFault


class Carrier(Protocol):
    """By which way probes leave for a virtual network, as a target has it: ways/way.py."""

    fault: WayFault

    @property
    def is_given(self) -> bool:
        """Whether it is another one than the machine's own routing."""
        ...

    @property
    def resolves(self) -> bool:
        """Whether hostnames go through it as they are."""
        ...

    async def open(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Return a socket that leaves by this way; raises ProbeFailure, OSError."""
        ...

    async def begins_at(self, address: str, port: int) -> tuple[str, int]:
        """Return where a connection to an address begins."""
        ...

    async def carry_on(self, stream: Any, target: Target) -> None:
        """Go on from there to a target."""
        ...

    def failed(self, error: OSError) -> ProbeFailure:
        """Return what a failure to connect means."""
        ...

    async def suspected(self) -> WayFault:
        """Return what is wrong with it, after a probe failed as it would by the way's fault."""
        ...

    def down_text(self, fault: WayFault) -> str:
        """Return what is said of an endpoint behind it while it is at fault."""
        ...

    def join(self, address: str, port: int) -> None:
        """Take it that one more check probes an end of it."""
        ...

    def leave(self, address: str, port: int) -> None:
        """Take it that one less does."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """One address to probe. `host` is what a Host header says (text, may carry a port); `source` a local address.

    `pool_id`: of the one pool that the probe is for, where it is for one that has an id. `way`: into the virtual
    network that it stands in; None: by the machine's own routing.
    """

    address: str
    port: int
    host: str = ""
    source: str = ""
    pool_id: str = ""
    way: Carrier | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What one probe found: `code` is the answer's (0: none came), `rtt_us` the whole exchange's time.

    `phases` are (name, microseconds) in the order they happened; `detail` says more than the reason, for people.
    `silent` marks a time-out that has no reason of its own, such as a ping without a reply.
    """

    healthy: bool
    reason: Reason
    code: int = 0
    rtt_us: int = 0
    detail: str = ""
    phases: tuple[tuple[str, int], ...] = ()
    silent: bool = False

    @property
    def text(self) -> str:
        """The reason in words, with the detail where there is one."""
        if self.reason is Reason.NETWORK_DOWN and self.detail:
            return self.detail
        return f"{REASONS[self.reason]} ({self.detail})" if self.detail else REASONS[self.reason]


class Probe(Protocol):
    """One way of finding out whether an address is healthy."""

    async def run(self, target: Target, deadline_s: float) -> Result:
        """Probe `target`, ending by `deadline_s` (the running loop's clock); never raises but when cancelled."""
        ...


class ProbeFailure(Exception):
    """What ends a probe early; probes turn it into a `Result` and let it no further."""

    def __init__(self, reason: Reason, detail: str = "", code: int = 0) -> None:
        super().__init__(reason, detail, code)
        self.reason = reason
        self.detail = detail
        self.code = code


_ERRNO_REASONS = {
    errno.ECONNREFUSED: Reason.TCP_FAILED,
    errno.ETIMEDOUT: Reason.TCP_TIMEOUT,
    errno.EHOSTUNREACH: Reason.NO_ROUTE,
    errno.EHOSTDOWN: Reason.NO_ROUTE,
    errno.ENETUNREACH: Reason.NETWORK_UNREACHABLE,
    errno.ENETDOWN: Reason.NETWORK_UNREACHABLE,
    errno.EAFNOSUPPORT: Reason.NETWORK_UNREACHABLE,
    errno.ECONNRESET: Reason.RESET,
    errno.EPIPE: Reason.RESET,
    errno.ECONNABORTED: Reason.RESET,
}

# X509_V_ERR_HOSTNAME_MISMATCH, _EMAIL_MISMATCH, _IP_ADDRESS_MISMATCH (openssl/x509_vfy.h)
_NAME_MISMATCH_CODES = frozenset({62, 63, 64})

# The peer speaks another version of TLS, or none at all; the names are OpenSSL's.
_PROTOCOL_WORDS = (
    "WRONG_VERSION_NUMBER",
    "UNSUPPORTED_PROTOCOL",
    "PROTOCOL_VERSION",
    "NO_PROTOCOLS_AVAILABLE",
    "WRONG_SSL_VERSION",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "UNEXPECTED_MESSAGE",
    "PACKET_LENGTH_TOO_LONG",
)


def failure_of(error: OSError) -> ProbeFailure:
    """Translate what the socket layer or OpenSSL raised into a reason in operators' words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        named = error.verify_code in _NAME_MISMATCH_CODES
        return ProbeFailure(Reason.TLS_NAME_MISMATCH if named else Reason.TLS_UNTRUSTED, error.verify_message or "")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return ProbeFailure(Reason.TLS_HANDSHAKE, "connection closed")
    if isinstance(error, ssl.SSLError):
        said = error.reason or ""
        if "UNRECOGNIZED_NAME" in said:
            return ProbeFailure(Reason.TLS_UNRECOGNIZED_NAME)
        protocol = any(word in said for word in _PROTOCOL_WORDS)
        return ProbeFailure(Reason.TLS_PROTOCOL if protocol else Reason.TLS_HANDSHAKE, said.lower().replace("_", " "))
    reason = _ERRNO_REASONS.get(error.errno or 0, Reason.OTHER)
    return ProbeFailure(reason, "" if reason is not Reason.OTHER else (error.strerror or str(error)))
