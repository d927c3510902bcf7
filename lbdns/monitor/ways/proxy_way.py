"""A way through a proxy: SOCKS5 (RFC 1928, RFC 1929) or HTTP's CONNECT (RFC 9110 section 9.3.6).

| what happens                                              | whose trouble it is                                   |
|-----------------------------------------------------------|-------------------------------------------------------|
| no connection to the proxy, no greeting, another protocol | the proxy's: the network is down                      |
| it does not take user and password (SOCKS5; CONNECT: 407) | the proxy's                                           |
| it does not know CONNECT (405, 501)                       | the proxy's                                           |
| "refused", "host unreachable", "general failure" (SOCKS5) | the endpoint's, as if it had been reached directly    |
| 500, 502, 503 and 504 to CONNECT                          | the endpoint's                                        |
| "not allowed", address type not supported, 403            | the endpoint's: it cannot be probed there             |

Written over `Stream`, whose deadlines, bounds and phases probes have already. python-socks, the library for this,
raises one error for all of the above, reads the answer to CONNECT in one piece whatever it comes in, and takes 200
alone.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import random
import re
import socket
import struct
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from lbdns.health.reasons import Reason
from lbdns.health.way_faults import WayFault, fault_text
from lbdns.model.proxy_place import parse_proxy
from lbdns.model.targets_document import NetworkTarget, is_name
from lbdns.monitor.probes.result import ProbeFailure, Target
from lbdns.monitor.probes.stream import Stream
from lbdns.monitor.ways.opener_client import Opening
from lbdns.monitor.ways.way import End, Way

if TYPE_CHECKING:
    from lbdns.monitor.resolving import Resolved

LOOK_TIMEOUT_S: Final = 3.0
HEAD_BYTES_MAX: Final = 16 * 1024
LENGTH_MAX: Final = 255  # of a name, a user, a password in SOCKS5
_VERSION, _AUTH_VERSION, _CONNECT = 5, 1, 1
_NO_AUTH, _PASSWORD, _NONE_ACCEPTED = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_STATUS: Final = re.compile(rb"HTTP/1\.[0-9] +([1-5][0-9]{2})(?:[ \t].*)?\r?\n")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")

REPLIES: Final = {
    1: (Reason.TCP_FAILED, "general failure"),
    2: (Reason.CONFIG_ERROR, "not allowed by its rules"),
    3: (Reason.NETWORK_UNREACHABLE, "network unreachable"),
    4: (Reason.NO_ROUTE, "host unreachable"),
    5: (Reason.TCP_FAILED, "connection refused"),
    6: (Reason.NO_ROUTE, "TTL expired"),
    7: (Reason.CONFIG_ERROR, "command not supported"),
    8: (Reason.CONFIG_ERROR, "address type not supported"),
}
"""RFC 1928 section 6: of each reply the reason and the words."""
STATUSES: Final = {
    500: Reason.TCP_FAILED,
    502: Reason.TCP_FAILED,
    503: Reason.TCP_FAILED,
    504: Reason.TCP_TIMEOUT,
    403: Reason.CONFIG_ERROR,
}
"""Answers to CONNECT that speak of the endpoint; others that refuse are "Other failure"."""
_NOT_CONNECT: Final = frozenset({405, 501})


class ProxyWay(Way):
    """A way that a proxy carries on; `resolvers` look up its name, where it has one."""

    def __init__(self, target: NetworkTarget, opening: Opening) -> None:
        """Describe it; nothing is opened yet."""
        super().__init__(target, opening)
        self.place = parse_proxy(target.proxy)
        self.resolvers: tuple[str, ...] = ()
        self._found: Resolved | None = None
        self._finding = asyncio.Lock()

    @property
    def resolves(self) -> bool:
        """Hostnames go to the proxy as they are."""
        return True

    def told(self, fault: WayFault) -> str:
        """Return a fault of this way in words."""
        return fault_text(fault, proxy=str(self.place))

    async def open(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Return a socket to connect to the proxy; raises ProbeFailure for what a proxy does not carry."""
        if kind != socket.SOCK_STREAM:
            raise ProbeFailure(Reason.CONFIG_ERROR, f"proxy {self.place} carries TCP alone")
        return await super().open(family, kind, protocol)

    async def begins_at(self, address: str, port: int) -> End:
        """Return where the proxy is; raises WayDown where its name has no address."""
        place = self.place
        return (await self._address() if is_name(place.host) else place.host), place.port

    async def _address(self) -> str:
        # Needed by who has a proxy with a name alone.
        from lbdns.monitor.resolving import NameSources

        async with self._finding:
            now_s = time.monotonic()
            if self._found is None or now_s >= self._found.again_s:
                outcome = await NameSources(self.resolvers).look_up(self.place.host, now_s, self._found)
                if outcome.resolved is not None:
                    self._found = outcome.resolved
            if self._found is None or not self._found.addresses:
                raise self.down(WayFault.PROXY_UNKNOWN)
            return self._found.addresses[0]

    def failed(self, error: OSError) -> ProbeFailure:
        """Return what a failure to connect to the proxy means."""
        faults = {errno.ECONNREFUSED: WayFault.PROXY_REFUSES, errno.ETIMEDOUT: WayFault.PROXY_SILENT}
        return self.down(faults.get(error.errno or 0, WayFault.PROXY_UNREACHABLE))

    async def carry_on(self, stream: Stream, target: Target) -> None:
        """Have the proxy connect to a target; raises WayDown, ProbeFailure."""
        if self.place.scheme == "http":
            await self._connect_http(stream, target)
            return
        await self._greet(stream)
        await self._connect_socks(stream, target)

    async def _greet(self, stream: Stream) -> None:
        """Agree on who one is; that the proxy is silent here, or closes, is its own trouble."""
        user, password = self.place.user.encode()[:LENGTH_MAX], self.place.password.encode()[:LENGTH_MAX]
        methods = bytes([_NO_AUTH, _PASSWORD] if user else [_NO_AUTH])
        try:
            await stream.send(bytes([_VERSION, len(methods)]) + methods)
            version, method = await _exactly(stream, 2)
            if version != _VERSION or method not in (*methods, _NONE_ACCEPTED):
                raise self.down(WayFault.PROXY_INVALID)
            if method == _NONE_ACCEPTED:
                raise self.down(WayFault.PROXY_DENIES)
            if method == _PASSWORD:
                await stream.send(bytes([_AUTH_VERSION, len(user)]) + user + bytes([len(password)]) + password)
                _, denied = await _exactly(stream, 2)
                if denied:
                    raise self.down(WayFault.PROXY_DENIES)
        except ProbeFailure as failure:
            if failure.reason is Reason.NETWORK_DOWN:
                raise
            raise self.down(WayFault.PROXY_INVALID) from None

    async def _connect_socks(self, stream: Stream, target: Target) -> None:
        stream.reason = Reason.TCP_TIMEOUT  # what the proxy is silent about now is the endpoint
        await stream.send(bytes([_VERSION, _CONNECT, 0]) + _encoded(target.address) + struct.pack(">H", target.port))
        version, reply, _, kind = await _exactly(stream, 4)
        if version != _VERSION:
            raise self.down(WayFault.PROXY_INVALID)
        if reply:
            reason, told = REPLIES.get(reply, (Reason.OTHER, f"reply {reply}"))
            raise ProbeFailure(reason, f"proxy {self.place}: {told}")
        length = (await _exactly(stream, 1))[0] if kind == _NAME else {_IPV4: 4, _IPV6: 16}.get(kind)
        if length is None:
            raise self.down(WayFault.PROXY_INVALID)
        await _exactly(stream, length + 2)

    async def _connect_http(self, stream: Stream, target: Target) -> None:
        stream.reason = Reason.TCP_TIMEOUT
        host = f"[{target.address}]" if ":" in target.address else target.address
        lines = [f"CONNECT {host}:{target.port} HTTP/1.1", f"Host: {host}:{target.port}"]
        if self.place.user:
            both = f"{self.place.user}:{self.place.password}".encode()
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(both).decode()}")
        await stream.send("\r\n".join([*lines, "", ""]).encode())
        head = await _head(stream)
        found = _STATUS.match(head)
        if found is None:
            raise self.down(WayFault.PROXY_INVALID) if head else ProbeFailure(Reason.RESET, f"proxy {self.place}")
        status = int(found[1])
        if 200 <= status < 300:
            return
        if status == 407:
            raise self.down(WayFault.PROXY_DENIES)
        if status in _NOT_CONNECT:
            raise self.down(WayFault.PROXY_INVALID)
        raise ProbeFailure(STATUSES.get(status, Reason.OTHER), f"proxy {self.place} answers {status}")

    async def _look(self) -> WayFault:
        loop = asyncio.get_running_loop()
        ends = list(self.ends)
        with Stream(loop, loop.time() + LOOK_TIMEOUT_S) as stream:
            try:
                if ends:
                    address, port = random.choice(ends)
                    await stream.connect(Target(address, port, way=self))
                else:
                    await stream.begin(Target("", 0, way=self))
            except ProbeFailure as failure:
                if failure.reason is not Reason.NETWORK_DOWN:
                    return WayFault.NONE
                return getattr(failure, "fault", WayFault.PROXY_SILENT)
        return WayFault.NONE


def _encoded(host: str) -> bytes:
    if is_name(host):
        name = host.encode()[:LENGTH_MAX]
        return bytes([_NAME, len(name)]) + name
    packed = ip_address(host.partition("%")[0]).packed
    return bytes([_IPV4 if len(packed) == 4 else _IPV6]) + packed


async def _exactly(stream: Stream, count: int) -> bytes:
    """Return so many bytes; raises ProbeFailure where the proxy closes before."""
    data = b""
    while len(data) < count:
        more = await stream.receive(count - len(data))
        if not more:
            raise ProbeFailure(Reason.RESET, "the proxy closed")
        data += more
    return data


async def _head(stream: Stream) -> bytes:
    """Return the head of an answer, and take nothing of what follows it from the stream; cut short where it ends."""
    head = b""
    while len(head) < HEAD_BYTES_MAX:
        seen = await stream.receive(HEAD_BYTES_MAX, socket.MSG_PEEK)
        ended = _HEAD_END.search(head + seen)
        head += await stream.receive(ended.end() - len(head) if ended else len(seen) or 1)
        if ended or not seen:
            return head
    return head
