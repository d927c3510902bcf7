"""The `http` and `https` probes.

aiohttp was measured first: 210 to 235 us of processor time for a bare GET on loopback, with nothing scheduled or
judged, against 60 to 70 us for this client's sockets. 30,000 endpoints every 10 s within one core leave 333 us for
everything, so plain HTTP/1.1 goes over `Stream` and `Response`. It also knows in which phase a probe failed, which
the failure reasons need.

What a hostile endpoint gets: bounded reads, three redirects, and those to itself alone. A redirect keeps the endpoint's
address, whatever name it points at, because the endpoint is what is being judged; schemes are http and https.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import re
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import idna

from lbdns import __version__
from lbdns.base.errors import LbdnsError
from lbdns.base.probe_types import PROBE_TYPES
from lbdns.health.reasons import Reason
from lbdns.model.monitor_terms import MonitorTerms, parse_expected_codes
from lbdns.monitor.probes.http1 import BadResponse, Response
from lbdns.monitor.probes.result import ProbeFailure, Result, Target
from lbdns.monitor.probes.stream import Stream
from lbdns.monitor.trust import CertifiedClient, client_context

REDIRECTS_MAX: Final = 3
CERTIFIED_MAX: Final = 256  # clients with certificates whose contexts are kept
REDIRECT_CODES: Final = frozenset({301, 302, 303, 307, 308})
LOCATION_CHARS_MAX: Final = 2048
_URI_CHARS: Final = "".join(map(chr, range(0x21, 0x7F)))
OP_LEGACY_SERVER_CONNECT: Final = 0x4
"""OpenSSL's, which `ssl` names from Python 3.12 on: servers of that age know no secure renegotiation (RFC 5746)."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
DEFAULT_PORTS: Final = {row.name: row.default_port for row in PROBE_TYPES.values() if row.module == "http"}
POOL_ID_CHARS: Final = 16  # of a pool's id in the user agent, as the v4 API's documents have it


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """One GET, HEAD or OPTIONS; healthy where the code is among `codes` and the body holds `body`.

    `codes` are ranges (first, last), both included; `body` is compared without regard to case, in the first 10 KB;
    `header` are (name, value) pairs to send as they stand, Host left out (the target has it).
    """

    scheme: str = "http"
    method: str = "GET"
    path: str = "/"
    header: tuple[tuple[str, str], ...] = ()
    codes: tuple[tuple[int, int], ...] = ((200, 200),)
    body: str = ""
    follow_redirects: bool = False
    allow_insecure: bool = False
    client_certificate: str = ""
    client_key: str = ""

    async def run(self, target: Target, deadline_s: float) -> Result:
        """Send the request, follow redirects where told to, and judge the answer."""
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        phases: list[tuple[str, int]] = []
        try:
            code, detail = await self._exchange(loop, target, deadline_s, phases)
            reason = Reason.NO_FAILURES
        except ProbeFailure as failure:
            reason, code, detail = failure.reason, failure.code, failure.detail
        rtt_us = int((loop.time() - start_s) * 1e6)
        return Result(reason is Reason.NO_FAILURES, reason, code, rtt_us, detail, tuple(phases))

    async def _exchange(
        self, loop: asyncio.AbstractEventLoop, target: Target, deadline_s: float, phases: list[tuple[str, int]]
    ) -> tuple[int, str]:
        """Return (code, "") of the answer that passes; raises ProbeFailure with what does not."""
        scheme, path = self.scheme, self.path
        for _ in range(REDIRECTS_MAX + 1):
            answer = await self._one(loop, target, deadline_s, scheme, path, phases)
            if not self._follows(answer):
                return self._judge(answer), ""
            scheme, target, path = _redirected(scheme, target, path, answer.location)
        raise ProbeFailure(Reason.CODE_MISMATCH, f"more than {REDIRECTS_MAX} redirects", answer.status)

    async def _one(
        self,
        loop: asyncio.AbstractEventLoop,
        target: Target,
        deadline_s: float,
        scheme: str,
        path: str,
        phases: list[tuple[str, int]],
    ) -> Response:
        """One request on one connection; the head always, the body as far as it can change the verdict: not at all
        where nothing is expected of it, however it goes on or ends."""
        answer = Response(self.method)
        with Stream(loop, deadline_s) as stream:
            stream.phases = phases
            await stream.connect(target)
            stream.reason = Reason.HTTP_TIMEOUT
            if scheme == "https":
                await stream.start_tls(self._tls(), server_name(target))
            await stream.send(self._request(target, path))
            try:
                while not answer.status:
                    answer.feed(await stream.receive())
                stream.phase("answer")
                if self.body and self._matches(answer.status) and not self._follows(answer):
                    answer.want_body()
                    while not (answer.done or self._holds_body(answer)):
                        answer.feed(await stream.receive())
            except BadResponse as bad:
                raise ProbeFailure(Reason.HTTP_INVALID, str(bad), answer.status) from None
            except ProbeFailure as failure:
                failure.code = answer.status
                raise
            stream.phase("body")
        return answer

    def _tls(self) -> ssl.SSLContext:
        if not self.client_certificate:
            return tls_context(self.allow_insecure)
        try:
            client = certified_client(self.allow_insecure, self.client_certificate, self.client_key)
        except LbdnsError as error:
            raise ProbeFailure(Reason.CONFIG_ERROR, str(error)) from None
        return client.context()

    def _follows(self, answer: Response) -> bool:
        return self.follow_redirects and answer.status in REDIRECT_CODES and bool(answer.location)

    def _request(self, target: Target, path: str) -> bytes:
        agent = f"User-Agent: {user_agent(target.pool_id)}"
        lines = [f"{self.method} {path} HTTP/1.1", f"Host: {target.host}", agent, "Accept: */*"]
        lines += [f"{name}: {value}" for name, value in self.header]
        lines += ["Connection: close", "", ""]
        return "\r\n".join(lines).encode("utf-8")

    def _judge(self, answer: Response) -> int:
        if not self._matches(answer.status):
            raise ProbeFailure(Reason.CODE_MISMATCH, f"got {answer.status}", answer.status)
        if self.body and not self._holds_body(answer):
            raise ProbeFailure(
                Reason.BODY_MISMATCH, f"not in the first {len(answer.body)} bytes of the body", answer.status
            )
        return answer.status

    def _matches(self, code: int) -> bool:
        return any(first <= code <= last for first, last in self.codes)

    def _holds_body(self, answer: Response) -> bool:
        return self.body.casefold() in answer.body.decode("utf-8", "replace").casefold()


def user_agent(pool_id: str) -> str:
    """Return how probes name themselves; the beginning of a pool's id tells its owner whose they are."""
    return f"lbdns/{__version__} (health check{f'; pool-id: {pool_id[:POOL_ID_CHARS]}' if pool_id else ''})"


def make(monitor: MonitorTerms) -> HttpProbe:
    """Return the probe that a monitor's settings describe; the model has checked them."""
    return HttpProbe(
        scheme=monitor.type,
        method=monitor.method,
        path=monitor.path,
        header=tuple(
            (name, value)
            for name, values in monitor.header.items()
            for value in values
            if name.lower() not in ("host", "connection")
        ),
        codes=parse_expected_codes(monitor.expected_codes),
        body=monitor.expected_body,
        follow_redirects=monitor.follow_redirects,
        allow_insecure=monitor.allow_insecure,
        client_certificate=monitor.client_certificate or "",
        client_key=monitor.client_key or monitor.client_certificate or "",
    )


def _redirected(scheme: str, target: Target, path: str, location: str) -> tuple[str, Target, str]:
    """Return where a redirect leads: always to the same address, with another name, port, scheme or path.

    `location` is latin-1, as it came. What is no character of a URI is escaped as clients of the web do: a space, and
    the octets of UTF-8; a host in UTF-8 becomes its A-labels.
    """
    try:
        if len(location) > LOCATION_CHARS_MAX:
            raise ValueError("too long")
        if _CONTROL.search(location.strip(" \t")):
            raise ValueError("malformed")
        given = location.strip(" \t").encode("latin-1").decode("utf-8", "surrogateescape")
        parts = urlsplit(urljoin(f"{scheme}://{target.host}{path}", given))
        if parts.scheme not in DEFAULT_PORTS:
            raise ValueError(f"to scheme {parts.scheme[:20]!r}")
        host, port = _host_and_port(parts.scheme, parts.netloc.rpartition("@")[2])
        where = _escaped(parts.path or "/") + (f"?{_escaped(parts.query)}" if parts.query else "")
    except ValueError as error:
        raise ProbeFailure(Reason.HTTP_INVALID, f"redirect refused: {error}") from None
    # The Host header's port says what the client believes; where it says nothing new the connection's own port stays.
    if scheme == parts.scheme and (host, port) == _host_and_port(scheme, target.host):
        return scheme, target, where
    named = host if port == DEFAULT_PORTS[parts.scheme] else f"{host}:{port}"
    return parts.scheme, replace(target, port=port, host=named), where


def _host_and_port(scheme: str, authority: str) -> tuple[str, int]:
    """Return a host in lower case and in ASCII, brackets and all, and its port; raises ValueError."""
    parts = urlsplit(f"//{authority}")
    host = authority.removesuffix(f":{parts.port}") if parts.port is not None else authority.removesuffix(":")
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode("ascii")
    if not host or not all("!" <= char <= "~" for char in host):
        raise ValueError("malformed")
    return host.lower(), parts.port or DEFAULT_PORTS[scheme]


def _escaped(part: str) -> str:
    return quote(part, safe=_URI_CHARS, errors="surrogateescape")


def server_name(target: Target) -> str:
    """Return the name for SNI and the certificate: the Host header's without its port, else the address."""
    host = target.host
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name = host.rpartition(":")[0] if host.count(":") == 1 else host
    return name.rstrip(".") or target.address


def host_header(address: str, port: int, scheme: str) -> str:
    """Return what Host says where nobody set it: the address or name, with the port unless it is the scheme's own."""
    try:
        text = f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    except ValueError:
        text = address
    return text if port == DEFAULT_PORTS[scheme] else f"{text}:{port}"


@functools.lru_cache(maxsize=2)
def tls_context(allow_insecure: bool) -> ssl.SSLContext:
    """Return the context for probes; the two live as long as the process, since they are slow to make."""
    return _new_context(allow_insecure)


@functools.lru_cache(maxsize=CERTIFIED_MAX)
def certified_client(allow_insecure: bool, certificate: str, key: str) -> CertifiedClient:
    """Return the client that shows a certificate, kept as contexts are; raises LbdnsError, each time anew."""
    return CertifiedClient(_new_context(allow_insecure), Path(certificate), Path(key))


def _new_context(allow_insecure: bool) -> ssl.SSLContext:
    """Return a new context. `allow_insecure` reaches endpoints that nothing newer than TLS 1.0 was built for: their
    signatures are below what OpenSSL's security levels from 1 on take."""
    context = client_context(allow_insecure)
    if allow_insecure:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED  # TLS 1.0: contexts refuse SSL by themselves
        context.options |= OP_LEGACY_SERVER_CONNECT
    return context
