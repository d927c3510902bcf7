"""The `udp_icmp` probe: a ping, then a datagram that must not be refused."""

from __future__ import annotations

import asyncio
import errno
import socket
from dataclasses import dataclass
from typing import Final

from lbdns.health.reasons import Reason
from lbdns.model.monitor_terms import MonitorTerms
from lbdns.monitor.probes.icmp import PAYLOAD, failed, ping
from lbdns.monitor.probes.result import ProbeFailure, Result, Target, failure_of

# A refusal takes the round trip that the ping took, and a little more on a busy host.
UDP_WAIT_S: Final = 0.2
UDP_WAIT_ROUND_TRIPS: Final = 4


@dataclass(frozen=True, slots=True)
class UdpProbe:
    """A ping, then one datagram: healthy unless "port unreachable" comes back. The round trip is the ping's."""

    async def run(self, target: Target, deadline_s: float) -> Result:
        """Ping the address, then knock at the port."""
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        phases: tuple[tuple[str, int], ...] = ()
        try:
            rtt_us = await ping(loop, target, deadline_s)
            phases = (("ping", rtt_us),)
            knock_s = loop.time()
            wait_s = min(UDP_WAIT_S + UDP_WAIT_ROUND_TRIPS * rtt_us / 1e6, deadline_s - knock_s)
            await knock(loop, target, wait_s)
        except ProbeFailure as failure:
            return failed(failure, int((loop.time() - start_s) * 1e6), phases)
        took_us = int((loop.time() - knock_s) * 1e6)
        return Result(True, Reason.NO_FAILURES, 0, rtt_us, "", (*phases, ("udp", took_us)))


def make(monitor: MonitorTerms) -> UdpProbe:
    """Return the probe, for which a monitor has no settings."""
    return UdpProbe()


async def knock(loop: asyncio.AbstractEventLoop, target: Target, wait_s: float) -> None:
    """Send one datagram and wait for what comes back; raises ProbeFailure where that is "port unreachable"."""
    family = socket.AF_INET6 if ":" in target.address else socket.AF_INET
    with await _datagram_socket(family, target) as sock:
        try:
            if target.source:
                sock.bind((target.source, 0))
            sock.connect((target.address, target.port))
            sock.send(PAYLOAD)
            async with asyncio.timeout(max(wait_s, 0.0)):
                await loop.sock_recv(sock, 512)
        except TimeoutError:
            return  # silence is consent: most UDP services answer no stranger
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                raise ProbeFailure(Reason.UDP_UNREACHABLE) from None
            raise failure_of(error) from None


async def _datagram_socket(family: int, target: Target) -> socket.socket:
    if target.way is None:
        return socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        return await target.way.open(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise failure_of(error) from None
