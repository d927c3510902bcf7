"""The `ldap` probe (RFC 4511 section 4.2): an anonymous bind that succeeds, then an unbind.

The two messages never change and the answer's first dozen bytes tell all, so this sits on `Stream`: the LDAP clients
at hand block a thread (ldap3) or need a C library (bonsai).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from lbdns.health.reasons import Reason
from lbdns.model.monitor_terms import MonitorTerms
from lbdns.monitor.probes.result import ProbeFailure, Result, Target
from lbdns.monitor.probes.stream import Stream

# LDAPMessage { 1, BindRequest { version 3, name "", simple "" } } and LDAPMessage { 2, UnbindRequest }, in BER.
BIND: Final = bytes.fromhex("300c020101600702010304008000")
UNBIND: Final = bytes.fromhex("30050201024200")
ANSWER_BYTES_MAX: Final = 4096
_SEQUENCE, _INTEGER, _ENUMERATED, _BIND_RESPONSE = 0x30, 0x02, 0x0A, 0x61


@dataclass(frozen=True, slots=True)
class LdapProbe:
    """One anonymous bind."""

    async def run(self, target: Target, deadline_s: float) -> Result:
        """Bind and unbind; the result's code is LDAP's (0: success)."""
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        with Stream(loop, deadline_s) as stream:
            reason, code, detail = Reason.NO_FAILURES, 0, ""
            try:
                await stream.connect(target)
                await stream.send(BIND)
                answer = b""
                while (found := _result_code(answer)) is None:
                    data = await stream.receive()
                    if not data:
                        raise ProbeFailure(Reason.OTHER, "closed without an answer")
                    answer += data
                    if len(answer) > ANSWER_BYTES_MAX:
                        raise ProbeFailure(Reason.OTHER, "answer too long")
                stream.phase("bind")
                code = found
                if code:
                    raise ProbeFailure(Reason.CODE_MISMATCH, f"bind got result {code}, expected 0", code)
                await stream.send(UNBIND)
            except ProbeFailure as failure:
                reason, code, detail = failure.reason, failure.code, failure.detail
            rtt_us = int((loop.time() - start_s) * 1e6)
            return Result(reason is Reason.NO_FAILURES, reason, code, rtt_us, detail, tuple(stream.phases))


def make(monitor: MonitorTerms) -> LdapProbe:
    """Return the probe, for which a monitor has no settings."""
    return LdapProbe()


def _result_code(data: bytes) -> int | None:
    """Return the result of a BindResponse; None where more bytes are needed; raises ProbeFailure where it is none."""
    at = 0
    # LDAPMessage's head, messageID 1, BindResponse's head, resultCode.
    for tag, value in ((_SEQUENCE, None), (_INTEGER, b"\x01"), (_BIND_RESPONSE, None), (_ENUMERATED, None)):
        head = _head(data, at, tag)
        if head is None:
            return None
        start, length = head
        if tag in (_INTEGER, _ENUMERATED):
            if length != 1:
                raise ProbeFailure(Reason.OTHER, "not LDAP")
            if len(data) <= start:
                return None
            if value is not None and data[start : start + 1] != value:
                raise ProbeFailure(Reason.OTHER, "not LDAP")
            at = start + 1
        else:
            at = start
    return data[at - 1]


def _head(data: bytes, at: int, tag: int) -> tuple[int, int] | None:
    """Return (where the value starts, its length) of the BER element at `at`; None where more bytes are needed."""
    if len(data) > at and data[at] != tag:
        raise ProbeFailure(Reason.OTHER, "not LDAP")
    if len(data) < at + 2:
        return None
    short = data[at + 1]
    if short < 0x80:
        return at + 2, short
    extra = short & 0x7F
    if not 1 <= extra <= 4:
        raise ProbeFailure(Reason.OTHER, "not LDAP")
    if len(data) < at + 2 + extra:
        return None
    return at + 2 + extra, int.from_bytes(data[at + 2 : at + 2 + extra], "big")
