"""The `smtp` probe (RFC 5321): greeting 220, HELO 250, QUIT 221.

Over `Stream` and not aiosmtplib, which keeps as many reply lines as a server cares to send.
"""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import dataclass
from typing import Final

from lbdns.health.reasons import Reason
from lbdns.model.monitor_terms import MonitorTerms
from lbdns.monitor.probes.result import ProbeFailure, Result, Target
from lbdns.monitor.probes.stream import Stream

REPLY_BYTES_MAX: Final = 8 * 1024

# The last line of a reply; those before it have "-" behind the code.
_REPLY = re.compile(rb"(?:[2-5][0-9]{2}-[^\n]*\n)*([2-5][0-9]{2})(?: [^\n]*)?\r?\n")


@dataclass(frozen=True, slots=True)
class SmtpProbe:
    """One conversation in which nothing is sent to anybody."""

    async def run(self, target: Target, deadline_s: float) -> Result:
        """Greet and leave."""
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        with Stream(loop, deadline_s) as stream:
            reason, code, detail = Reason.NO_FAILURES, 0, ""
            try:
                await stream.connect(target)
                await _expect(stream, "greeting", 220)
                await stream.send(f"HELO {_own_name()}\r\n".encode())
                code = await _expect(stream, "HELO", 250)
                await stream.send(b"QUIT\r\n")
                await _expect(stream, "QUIT", 221)
            except ProbeFailure as failure:
                reason, code, detail = failure.reason, failure.code, failure.detail
            rtt_us = int((loop.time() - start_s) * 1e6)
            return Result(reason is Reason.NO_FAILURES, reason, code, rtt_us, detail, tuple(stream.phases))


def make(monitor: MonitorTerms) -> SmtpProbe:
    """Return the probe, for which a monitor has no settings."""
    return SmtpProbe()


async def _expect(stream: Stream, step: str, wanted: int) -> int:
    """Read one reply and return its code; raises ProbeFailure where it is another."""
    reply = b""
    while not (found := _REPLY.match(reply)):
        data = await stream.receive()
        reply += data
        if not data or len(reply) > REPLY_BYTES_MAX:
            told = "closed without an answer" if not data else "reply too long"
            raise ProbeFailure(Reason.OTHER, f"{step}: {told}")
        if reply[:1] not in (b"2", b"3", b"4", b"5"):
            raise ProbeFailure(Reason.OTHER, f"{step}: not SMTP")
    stream.phase(step)
    code = int(found[1])
    if code != wanted:
        raise ProbeFailure(Reason.CODE_MISMATCH, f"{step} got {code}, expected {wanted}", code)
    return code


def _own_name() -> str:
    """This machine's name as HELO wants it: without what would end the line."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname()) or "localhost"
