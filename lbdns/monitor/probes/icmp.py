"""The `icmp_ping` probe, and the ping that `udp_icmp` begins with.

Pings go out through the kernel's unprivileged ping sockets where those are allowed, else through raw ones. Where
neither is, the monitor cannot work and says what to allow.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from dataclasses import dataclass
from typing import Final

from icmplib import AsyncSocket, ICMPRequest, ICMPv4Socket, ICMPv6Socket
from icmplib.exceptions import (
    DestinationUnreachable,
    ICMPLibError,
    SocketPermissionError,
    TimeExceeded,
    TimeoutExceeded,
)
from icmplib.sockets import ICMPSocket

from lbdns.health.reasons import Reason
from lbdns.model.monitor_terms import MonitorTerms
from lbdns.monitor.probes.result import Carrier, ProbeFailure, Result, Target, failure_of

PAYLOAD: Final = b"lbdns health check"

WHAT_TO_ALLOW: Final = (
    "pings need the sysctl net.ipv4.ping_group_range to include this process's group, or the capability CAP_NET_RAW"
)

_sequence = itertools.count()


@dataclass(frozen=True, slots=True)
class PingProbe:
    """One echo request and its reply."""

    async def run(self, target: Target, deadline_s: float) -> Result:
        """Ping the target's address."""
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        try:
            rtt_us = await ping(loop, target, deadline_s)
        except ProbeFailure as failure:
            return failed(failure, int((loop.time() - start_s) * 1e6), ())
        return Result(True, Reason.NO_FAILURES, 0, rtt_us, "", (("ping", rtt_us),))


def make(monitor: MonitorTerms) -> PingProbe:
    """Return the probe, for which a monitor has no settings."""
    return PingProbe()


def failed(failure: ProbeFailure, took_us: int, phases: tuple[tuple[str, int], ...]) -> Result:
    """Return the result of a probe that ended in or after its ping."""
    silent = failure.detail == _NO_REPLY
    return Result(False, failure.reason, 0, took_us, failure.detail, phases, silent)


_NO_REPLY = "no reply to the ping"


async def ping(loop: asyncio.AbstractEventLoop, target: Target, deadline_s: float) -> int:
    """Return the round-trip time in microseconds; raises ProbeFailure."""
    request = ICMPRequest(target.address, id=os.getpid() & 0xFFFF, sequence=next(_sequence) & 0xFFFF, payload=PAYLOAD)
    try:
        with AsyncSocket(await _ping_socket(target)) as sock:
            # Connected, a raw socket sees this host's packets alone, and the errors that concern them.
            sock.sock.connect((target.address, 0))
            sock.send(request)
            reply = await sock.receive(request, max(deadline_s - loop.time(), 0.0))
            reply.raise_for_status()
            return max(int((reply.time - request.time) * 1e6), 1)
    except SocketPermissionError:
        raise ProbeFailure(Reason.CONFIG_ERROR, WHAT_TO_ALLOW) from None
    except TimeoutExceeded:
        raise ProbeFailure(Reason.OTHER, _NO_REPLY) from None
    except (DestinationUnreachable, TimeExceeded) as error:
        raise ProbeFailure(Reason.NO_ROUTE, str(error)) from None
    except ICMPLibError as error:
        cause = error.__context__
        raise (failure_of(cause) if isinstance(cause, OSError) else ProbeFailure(Reason.OTHER, str(error))) from None
    except OSError as error:
        raise failure_of(error) from None


async def _ping_socket(target: Target) -> ICMPv4Socket | ICMPv6Socket:
    if target.way is not None:
        return await _ping_socket_of(target.way, target)
    kind = ICMPv6Socket if ":" in target.address else ICMPv4Socket
    try:
        return kind(target.source or None, privileged=False)
    except SocketPermissionError:
        return kind(target.source or None, privileged=True)


async def _ping_socket_of(way: Carrier, target: Target) -> ICMPv4Socket | ICMPv6Socket:
    is_v6 = ":" in target.address
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if is_v6 else (socket.AF_INET, socket.IPPROTO_ICMP)
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            sock = await way.open(family, kind, protocol)
        except PermissionError:
            continue
        return (_GivenV6 if is_v6 else _GivenV4)(sock, target.source)
    raise SocketPermissionError(True)


class _Given(ICMPSocket):  # type: ignore[misc]
    """A socket for pings that somebody else has opened."""

    def __init__(self, sock: socket.socket, source: str) -> None:
        self._given = sock
        super().__init__(source or None, privileged=sock.type == socket.SOCK_RAW)

    def _create_socket(self, type: int) -> socket.socket:
        return self._given


class _GivenV4(_Given, ICMPv4Socket):  # type: ignore[misc]
    pass


class _GivenV6(_Given, ICMPv6Socket):  # type: ignore[misc]
    pass
