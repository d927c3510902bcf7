"""Hostnames of endpoints: resolved in the background, kept while resolution fails, written to the health table.

    the zones served here, where they hold the name -> the hosts file and DNS, in the order of nsswitch.conf

    unresolved --(answer)--> good until its TTL --(no answer)--> stale, asked again every few seconds, still used
    stale --(an hour of that)--> unresolved

A stale answer is given out with the 30 seconds of RFC 8767 section 4. A TTL of less than a second counts as one. Only
DNS fails that way: what the zones here or the hosts file do not say any more is gone at once.

dnspython is loaded when DNS is first asked: where every endpoint has an address, the worker has no use for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from lbdns.mapped.columns import RESOLVED_MAX
from lbdns.model.socket_address import parse_resolver
from lbdns.monitor import hosts_file
from lbdns.monitor.hosts_file import LOOPBACK, Addresses, SystemNames, is_localhost

if TYPE_CHECKING:
    import dns.asyncresolver
    from dns._asyncbackend import Backend  # dns.asyncbackend has it, and does not say so to type checkers

    from lbdns.monitor.own_names import OwnAnswer, OwnNames

TTL_MIN_S: Final = 1.0
TTL_MAX_S: Final = 3600.0  # a name is asked for again at least this often
STEERED_S: Final = 1.0  # how soon a decision of a load balancer here is made again
STALE_TTL_S: Final = 30.0
STALE_MAX_S: Final = 3600.0
RETRY_FIRST_S: Final = 1.0
RETRY_MAX_S: Final = 15.0
QUERY_S: Final = 4.0  # for one look-up over all resolvers
LOOKUPS_MAX: Final = 64  # at a time
DRAW_BITS: Final = 64

log = logging.getLogger("lbdns.monitor")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name resolves to: canonical address texts, until when, and when to ask again (seconds of CLOCK_MONOTONIC).

    `may_be_stale`: DNS said so, whose silence ends nothing at once.
    """

    v4: tuple[str, ...] = ()
    v6: tuple[str, ...] = ()
    expiry_s: float = 0.0
    again_s: float = 0.0
    may_be_stale: bool = True

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of them, IPv4 first."""
        return self.v4 + self.v6


class Outcome(NamedTuple):
    """What a look-up came to: addresses, or the problem. `is_final`: nobody else will say otherwise by itself."""

    resolved: Resolved | None
    problem: str = ""
    is_final: bool = False


class Sources(Protocol):
    """Who is asked for a hostname."""

    own: OwnNames | None

    async def look_up(self, name: str, now_s: float, known: Resolved | None = None) -> Outcome:
        """Ask for both families; an answer for either is one. `known`: what an earlier look-up came to."""
        ...


class NameSources:
    """Who is asked for a hostname, in which order."""

    def __init__(self, servers: Sequence[str], own: OwnNames | None = None, system: SystemNames | None = None) -> None:
        """Ask `servers` ("IP" or "IP:PORT"; none: the system's) in the place of DNS, and before it the zones of `own`.

        Raises a refusal, a ValueError, for what is no resolver.
        """
        self.own = own
        self._system = system or SystemNames()
        for server in servers:
            parse_resolver(server)
        self._servers = tuple(servers)
        self._resolver: dns.asyncresolver.Resolver | None = None

    async def look_up(self, name: str, now_s: float, known: Resolved | None = None) -> Outcome:
        """Ask for both families; an answer for either is one. `known`: what an earlier look-up came to."""
        if self.own is None or not self.own.holds(name):
            return await self._ask_system(name, now_s, known)
        return await self._ask_zones(self.own, name, now_s, known)

    async def _ask_zones(self, own: OwnNames, name: str, now_s: float, known: Resolved | None) -> Outcome:
        way = own.loop_of(name)
        if way:
            return Outcome(None, f"it leads back to itself by load balancers here: {' -> '.join(way)}", is_final=True)
        answers = own.ask(name, int(now_s), secrets.randbits(DRAW_BITS))
        if all(answer.beyond == name for answer in answers):
            return await self._ask_system(name, now_s, known)
        names = {answer.beyond for answer in answers if answer.beyond}
        beyond = {one: await self._ask_system(one, now_s, known) for one in names}
        families = [self._of_answer(answer, beyond.get(answer.beyond), now_s) for answer in answers]
        v4, v6 = (outcome.resolved or Resolved() for outcome in families)
        parts = [outcome.resolved for outcome in families if outcome.resolved is not None]
        if not v4.v4 and not v6.v6:
            return next((one for one in families if not one.is_final and one.problem), families[0])
        return Outcome(
            Resolved(
                v4.v4,
                v6.v6,
                min(part.expiry_s for part in parts),
                min(part.again_s for part in parts),
                any(part.may_be_stale for part in parts),
            )
        )

    def _of_answer(self, answer: OwnAnswer, beyond: Outcome | None, now_s: float) -> Outcome:
        """Return what the zones here say in one family, with what others say of the name that it leads to."""
        if beyond is None and not answer.addresses:
            return Outcome(None, answer.problem, is_final=True)
        here = _good_for(now_s, answer.ttl_s, STEERED_S if answer.balancers else 0.0)
        if beyond is None:
            found = tuple(answer.addresses[:RESOLVED_MAX])
            return Outcome(replace(here, v4=found, v6=found))
        if beyond.resolved is None:
            return beyond
        until_s = min(here.expiry_s, beyond.resolved.expiry_s)
        return Outcome(replace(beyond.resolved, expiry_s=until_s, again_s=min(here.again_s, beyond.resolved.again_s)))

    async def _ask_system(self, name: str, now_s: float, known: Resolved | None) -> Outcome:
        failures = []
        order = self._system.order
        if self._servers and all(step.service != hosts_file.DNS for step in order):
            order = (*order, hosts_file.Step(hosts_file.DNS))
        for step in order:
            failure = hosts_file.NOT_FOUND
            if step.service == hosts_file.FILES:
                outcome = _of_hosts_file(self._system.find(name), now_s)
            elif is_localhost(name):
                outcome = _of_hosts_file(LOOPBACK, now_s)
            else:
                if self._resolver is None:
                    self._resolver = make_resolver(self._servers)
                outcome, failure = await ask_dns(self._resolver, name, now_s, known)
            if outcome.resolved is not None:
                return outcome
            failures.append(outcome)
            if failure in step.ends_at:
                break
        # That DNS is silent says more than that the hosts file does not have a name.
        return next((one for one in failures if not one.is_final), failures[-1])


async def ask_dns(
    resolver: dns.asyncresolver.Resolver,
    name: str,
    now_s: float,
    known: Resolved | None,
    backend: Backend | None = None,
) -> tuple[Outcome, str]:
    """Return what DNS says, and of what kind its failure is for nsswitch.conf; `backend` opens sockets.

    One family's failure is not the other's answer: what was `known` of it stays for this round.
    """
    answers = await asyncio.gather(*(_ask(resolver, name, kind, backend) for kind in ("A", "AAAA")))
    ttls = [ttl_s for addresses, ttl_s, _, _ in answers if addresses]
    if not ttls:
        problem = next((problem for _, _, problem, _ in answers if problem), "it has no addresses")
        return Outcome(None, problem), next((kind for *_, kind in answers if kind), hosts_file.NOT_FOUND)
    (v4, _, problem4, _), (v6, _, problem6, _) = answers
    if known is not None and known.may_be_stale:
        v4, v6 = (known.v4 if problem4 else v4), (known.v6 if problem6 else v6)
    until_s = now_s + min(max(min(ttls), TTL_MIN_S), TTL_MAX_S)
    return Outcome(Resolved(v4, v6, until_s, until_s)), ""


def _of_hosts_file(found: Addresses, now_s: float) -> Outcome:
    if not any(found):
        return Outcome(None, "the hosts file does not have it", is_final=True)
    v4, v6 = found
    return Outcome(replace(_good_for(now_s, TTL_MAX_S, 0.0), v4=v4[:RESOLVED_MAX], v6=v6[:RESOLVED_MAX]))


def _good_for(now_s: float, ttl_s: float, again_in_s: float) -> Resolved:
    """Return, without addresses, how long what is said here is good for, and when to ask again: before it has run out,
    as nobody but us is asked."""
    good_s = min(max(ttl_s, TTL_MIN_S), TTL_MAX_S)
    return Resolved((), (), now_s + good_s, now_s + (again_in_s or max(good_s / 2, TTL_MIN_S)), may_be_stale=False)


class HostNames:
    """The hostnames in use, each looked up by a task of its own."""

    def __init__(
        self,
        changed: Callable[[str], None],
        failed: Callable[[str, str], None],
        elsewhere: Callable[[Sequence[str]], Sources] | None = None,
    ) -> None:
        """`changed(name)` hears of a new answer or expiry, `failed(name, problem)` of a look-up without any address to
        use. `elsewhere`: returns who is asked where that is neither zones here nor this system, given resolvers."""
        self._changed = changed
        self._failed = failed
        self._system = SystemNames()
        self._elsewhere = elsewhere
        self._sources: Sources = NameSources((), None, self._system)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wakes: dict[str, asyncio.Event] = {}
        self._found: dict[str, Resolved] = {}
        self._quiet: frozenset[str] = frozenset()
        self._permits = asyncio.Semaphore(LOOKUPS_MAX)

    def adopt(
        self, names: Iterable[str], servers: Sequence[str], quiet: Iterable[str] = (), own: OwnNames | None = None
    ) -> None:
        """Look up exactly these names, in the zones of `own` and with these resolvers ("IP" or "IP:PORT"; none: the
        system's). What stands in those zones, or stood, is asked for at once: it may be another now.

        Nobody needs the addresses of `quiet` ones: that they do not resolve is nothing to complain about.
        """
        self._quiet = frozenset(quiet)
        wanted = set(names)
        for name in self._tasks.keys() - wanted:
            self._tasks.pop(name).cancel()
            self._wakes.pop(name)
            self._found.pop(name, None)
        before, self._sources = self._sources.own, self._sources_of(servers, own)
        for name, wake in self._wakes.items():
            if any(one is not None and one.holds(name) for one in (before, own)):
                wake.set()
        for name in sorted(wanted - self._tasks.keys()):
            self._wakes[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._keep(name, self._wakes[name]))

    def _sources_of(self, servers: Sequence[str], own: OwnNames | None) -> Sources:
        return self._elsewhere(servers) if self._elsewhere else NameSources(servers, own, self._system)

    def ask_again(self) -> None:
        """Ask for all names at once: the network that they are in is back."""
        for wake in self._wakes.values():
            wake.set()

    def follow_system(self) -> None:
        """Ask at once for the names of which the hosts file, or who is asked first, says another thing than before; to
        be called every second or so."""
        before = self._system.content
        if not self._system.refresh():
            return
        own = self._sources.own
        for name, wake in self._wakes.items():
            if self._system.differs(before, name) or (own is not None and own.holds(name)):
                wake.set()

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

    async def _keep(self, name: str, wake: asyncio.Event) -> None:
        failing_since_s = 0.0
        retry_s = RETRY_FIRST_S
        while True:
            async with self._permits:
                wake.clear()
                outcome = await self._sources.look_up(name, time.monotonic(), self.found(name))
            if outcome.resolved is not None:
                if failing_since_s:
                    self._log(logging.INFO, name, f"resolves again: {', '.join(outcome.resolved.addresses)}")
                failing_since_s, retry_s = 0.0, RETRY_FIRST_S
                self._found[name] = outcome.resolved
                self._changed(name)
                pause_s = max(outcome.resolved.again_s - time.monotonic(), TTL_MIN_S)
            else:
                now_s = time.monotonic()
                is_kept = self.found(name).may_be_stale and not outcome.is_final and bool(self.addresses(name))
                if not failing_since_s:
                    failing_since_s = now_s
                    kept = "its last addresses stay in use for an hour" if is_kept else "it has no address"
                    self._log(logging.WARNING, name, f"does not resolve ({outcome.problem}): {kept}")
                is_over = now_s - failing_since_s > STALE_MAX_S
                self._fail(name, now_s, outcome.problem, is_kept, is_over)
                pause_s = retry_s
                retry_s = min(retry_s * 2, RETRY_MAX_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), pause_s)

    def _log(self, level: int, name: str, told: str) -> None:
        log.log(logging.DEBUG if name in self._quiet else level, "endpoint name %s %s", name, told)

    def _fail(self, name: str, now_s: float, problem: str, is_kept: bool, is_over: bool) -> None:
        if is_kept and not is_over:
            self._found[name] = replace(self.found(name), expiry_s=now_s + STALE_TTL_S)
            self._changed(name)
            return
        if self._found.pop(name, None) is not None:
            if is_kept:
                self._log(logging.ERROR, name, "has not resolved for an hour: its addresses are given up")
            self._changed(name)
        self._failed(name, problem)


async def _ask(
    resolver: dns.asyncresolver.Resolver, name: str, kind: str, backend: Backend | None
) -> tuple[tuple[str, ...], float, str, str]:
    """Return (addresses, TTL, problem, what nsswitch.conf calls it); a name without records of this kind is no
    problem."""
    import dns.exception
    import dns.resolver

    try:
        answer = await resolver.resolve(
            name + ".", kind, raise_on_no_answer=False, search=False, lifetime=QUERY_S, backend=backend
        )
    except dns.resolver.NXDOMAIN:
        return (), 0.0, "no such name", hosts_file.NOT_FOUND
    except dns.exception.Timeout:
        return (), 0.0, "no resolver answers", hosts_file.UNAVAILABLE
    except (dns.exception.DNSException, OSError, ValueError) as error:
        return (), 0.0, str(error).partition("\n")[0] or type(error).__name__, hosts_file.TRY_AGAIN
    if answer.rrset is None:
        return (), 0.0, "", ""
    addresses = sorted({str(ip_address(record.address)) for record in answer.rrset})
    return tuple(addresses[:RESOLVED_MAX]), float(answer.chaining_result.minimum_ttl), "", ""


def make_resolver(servers: Sequence[str]) -> dns.asyncresolver.Resolver:
    """Return a resolver that asks `servers`, or the system's where none are given; it keeps no cache of its own.

    Raises a refusal, a ValueError, for what is no resolver.
    """
    import dns.asyncresolver
    import dns.nameserver
    import dns.resolver

    if not servers:
        with contextlib.suppress(dns.resolver.NoResolverConfiguration):
            return dns.asyncresolver.Resolver()
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [dns.nameserver.Do53Nameserver(*parse_resolver(server)) for server in servers]
    return resolver
