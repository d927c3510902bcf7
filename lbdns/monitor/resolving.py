"""Hostnames of endpoints: resolved in the background, kept while resolution fails, written to the health table.

    unresolved --(answer)--> good until its TTL --(no answer)--> stale, asked again every few seconds, still used
    stale --(an hour of that)--> unresolved

A stale answer is given out with the 30 seconds of RFC 8767 section 4. A TTL of less than a second counts as one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

from lbdns.mapped.columns import RESOLVED_MAX
from lbdns.model.socket_address import parse_resolver

TTL_MIN_S: Final = 1.0
TTL_MAX_S: Final = 3600.0  # a name is asked for again at least this often
STALE_TTL_S: Final = 30.0
STALE_MAX_S: Final = 3600.0
RETRY_FIRST_S: Final = 1.0
RETRY_MAX_S: Final = 15.0
QUERY_S: Final = 4.0  # for one look-up over all resolvers
LOOKUPS_MAX: Final = 64  # at a time

log = logging.getLogger("lbdns.monitor")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name resolves to: canonical address texts, and until when (unix seconds)."""

    v4: tuple[str, ...] = ()
    v6: tuple[str, ...] = ()
    expiry_s: float = 0.0

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them, IPv4 first."""
        return self.v4 + self.v6


class HostNames:
    """The hostnames in use, each looked up by a task of its own."""

    def __init__(self, changed: Callable[[str], None], failed: Callable[[str], None]) -> None:
        """`changed(name)` hears of a new answer or expiry, `failed(name)` of a look-up without any address to use."""
        self._changed = changed
        self._failed = failed
        self._servers: tuple[str, ...] | None = None
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._found: dict[str, Resolved] = {}
        self._quiet: frozenset[str] = frozenset()
        self._permits = asyncio.Semaphore(LOOKUPS_MAX)

    def adopt(self, names: Iterable[str], servers: Sequence[str], quiet: Iterable[str] = ()) -> None:
        """Look up exactly these names, with these resolvers ("IP" or "IP:PORT"; none: the system's).

        Nobody needs the addresses of `quiet` ones: that they do not resolve is nothing to complain about.
        """
        self._quiet = frozenset(quiet)
        if tuple(servers) != self._servers:
            self._servers = tuple(servers)
            self._resolver = make_resolver(servers)
        wanted = set(names)
        for name in self._tasks.keys() - wanted:
            self._tasks.pop(name).cancel()
            self._found.pop(name, None)
        for name in sorted(wanted - self._tasks.keys()):
            self._tasks[name] = asyncio.create_task(self._keep(name))

    def seed(self, name: str, resolved: Resolved) -> None:
        """Start from what an earlier worker found."""
        if resolved.addresses:
            self._found.setdefault(name, resolved)

    def found(self, name: str) -> Resolved:
        """Return what a name resolves to now; nothing where it never did."""
        return self._found.get(name, Resolved())

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return the addresses of a name; none where it never resolved."""
        return self.found(name).addresses

    async def close(self) -> None:
        """Stop looking up."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _keep(self, name: str) -> None:
        failing_since_s = 0.0
        retry_s = RETRY_FIRST_S
        while True:
            async with self._permits:
                resolved, problem = await look_up(self._resolver, name, time.time(), self.found(name))
            if resolved is not None:
                if failing_since_s:
                    self._log(logging.INFO, name, f"resolves again: {', '.join(resolved.addresses)}")
                failing_since_s, retry_s = 0.0, RETRY_FIRST_S
                self._found[name] = resolved
                self._changed(name)
                await asyncio.sleep(max(resolved.expiry_s - time.time(), TTL_MIN_S))
                continue
            now_s = time.time()
            if not failing_since_s:
                failing_since_s = now_s
                kept = "its last addresses stay in use for an hour" if self.addresses(name) else "it has no address"
                self._log(logging.WARNING, name, f"does not resolve ({problem}): {kept}")
            self._fail(name, now_s, now_s - failing_since_s > STALE_MAX_S)
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, RETRY_MAX_S)

    def _log(self, level: int, name: str, told: str) -> None:
        log.log(logging.DEBUG if name in self._quiet else level, "endpoint name %s %s", name, told)

    def _fail(self, name: str, now_s: float, too_long: bool) -> None:
        found = self.found(name)
        if found.addresses and not too_long:
            self._found[name] = Resolved(found.v4, found.v6, now_s + STALE_TTL_S)
            self._changed(name)
            return
        if self._found.pop(name, None) is not None:
            self._log(logging.ERROR, name, "has not resolved for an hour: its addresses are given up")
            self._changed(name)
        self._failed(name)


async def look_up(
    resolver: dns.asyncresolver.Resolver, name: str, now_s: float, known: Resolved | None = None
) -> tuple[Resolved | None, str]:
    """Ask for both families; an answer for either is one. Returns what was found, or None and why nothing was.

    One family's failure is not the other's answer: what was `known` of it stays for this round.
    """
    answers = await asyncio.gather(_ask(resolver, name, "A"), _ask(resolver, name, "AAAA"))
    ttls = [ttl_s for addresses, ttl_s, _ in answers if addresses]
    if not ttls:
        return None, next((problem for _, _, problem in answers if problem), "it has no addresses")
    (v4, _, problem4), (v6, _, problem6) = answers
    if known is not None:
        v4, v6 = (known.v4 if problem4 else v4), (known.v6 if problem6 else v6)
    ttl_s = min(max(min(ttls), TTL_MIN_S), TTL_MAX_S)
    return Resolved(v4, v6, now_s + ttl_s), ""


async def _ask(resolver: dns.asyncresolver.Resolver, name: str, kind: str) -> tuple[tuple[str, ...], float, str]:
    """Return (addresses, TTL, problem); a name without records of this kind is no problem."""
    try:
        answer = await resolver.resolve(name + ".", kind, raise_on_no_answer=False, search=False, lifetime=QUERY_S)
    except dns.resolver.NXDOMAIN:
        return (), 0.0, "no such name"
    except dns.exception.Timeout:
        return (), 0.0, "no resolver answers"
    except (dns.exception.DNSException, OSError, ValueError) as error:
        return (), 0.0, str(error).partition("\n")[0] or type(error).__name__
    if answer.rrset is None:
        return (), 0.0, ""
    addresses = sorted({str(ip_address(record.address)) for record in answer.rrset})
    return tuple(addresses[:RESOLVED_MAX]), float(answer.chaining_result.minimum_ttl), ""


def make_resolver(servers: Sequence[str]) -> dns.asyncresolver.Resolver:
    """Return a resolver that asks `servers`, or the system's where none are given; it keeps no cache of its own.

    Raises a refusal, a ValueError, for what is no resolver.
    """
    if not servers:
        with contextlib.suppress(dns.resolver.NoResolverConfiguration):
            return dns.asyncresolver.Resolver()
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [dns.nameserver.Do53Nameserver(*parse_resolver(server)) for server in servers]
    return resolver
