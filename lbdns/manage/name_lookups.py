"""Hostnames that lead nowhere, told to whoever changes or checks a configuration: looked up as the monitor worker does
it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Final

from lbdns.dns.name import encode_canonical, longest_match
from lbdns.model.configuration import Configuration
from lbdns.model.needed_names import needed_hostnames
from lbdns.model.pool import Pool
from lbdns.monitor.own_names import OwnNames
from lbdns.monitor.resolving import NameSources, Outcome
from lbdns.monitor.unserved_names import UnservedNames
from lbdns.publish.explaining import Addresses
from lbdns.publish.publisher import Published

LOOKUPS_S: Final = 2.0  # for all of them together
LOOKUPS_MAX: Final = 1000  # of one configuration; the others are not looked up
ROUNDS_MAX: Final = 4  # a load balancer's name has addresses once those of its endpoints' hostnames are known

Told = tuple[tuple[str | int, ...], str]
"""Where in a pool, and what is said of it."""
WHOLE_POOL: Final = ("origins",)
"""Where it is told that a pool has nothing to answer with."""


def names_of(published: Published) -> NameSources:
    """Return who is asked for the hostnames of what is served."""
    own = OwnNames.of_configuration(published.snapshot, published.table, published.configuration)
    return NameSources(published.configuration.settings.resolvers, own)


async def look_up_all(
    names: NameSources, hostnames: Iterable[str], within_s: float | None = None
) -> dict[str, Outcome]:
    """Return what hostnames come to, all asked for at once; within LOOKUPS_S where nothing else is said."""
    now_s = time.monotonic()
    tasks = {name: asyncio.create_task(names.look_up(name, now_s)) for name in dict.fromkeys(hostnames)}
    if tasks:
        await asyncio.wait(tasks.values(), timeout=LOOKUPS_S if within_s is None else within_s)
    too_slow = Outcome(None, f"no answer within {LOOKUPS_S:g} s")
    found = {name: task.result() if task.done() else too_slow for name, task in tasks.items()}
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    return found


async def unresolved_names(configuration: Configuration) -> dict[str, dict[str, str]]:
    """Return, by pool, the hostnames whose addresses somebody needs and that lead nowhere, each with why; to be asked
    of a configuration that is not served here."""
    found = await look_up_needed(configuration)
    lost: dict[str, dict[str, str]] = {}
    for pool, endpoint in needed_hostnames(configuration):
        outcome = found.get(endpoint.address)
        if outcome is not None and outcome.resolved is None:
            lost.setdefault(pool.name, {})[endpoint.address] = outcome.problem
    return lost


async def needed_addresses(configuration: Configuration) -> dict[str, Addresses]:
    """Return what those resolve to that lead somewhere, as `explain_configuration` takes it."""
    found = await look_up_needed(configuration)
    resolved = {name: outcome.resolved for name, outcome in found.items() if outcome.resolved is not None}
    return {name: (_packed(one.v4), _packed(one.v6), int(one.expiry_s)) for name, one in resolved.items()}


def _packed(addresses: Iterable[str]) -> list[bytes]:
    return [ip_address(one).packed for one in addresses]


async def look_up_needed(configuration: Configuration) -> dict[str, Outcome]:
    """Return what the hostnames come to whose addresses somebody needs, of a configuration that is not served here.

    Those of endpoints that name a virtual network are looked up in it, by whoever probes there.
    """
    hostnames = (one.address for _, one in needed_hostnames(configuration) if one.virtual_network is None)
    needed = list(dict.fromkeys(hostnames))[:LOOKUPS_MAX]
    ends_s = time.monotonic() + LOOKUPS_S
    with contextlib.ExitStack() as cleanup:
        own = cleanup.enter_context(UnservedNames(configuration)) if _stands_here(configuration, needed) else None
        names = NameSources(configuration.settings.resolvers, None if own is None else own.names)
        found = await look_up_all(names, needed)
        for _ in range(ROUNDS_MAX):
            if own is None:
                break
            for name, outcome in found.items():
                if outcome.resolved is not None:
                    own.put(name, outcome.resolved.v4, outcome.resolved.v6, int(outcome.resolved.expiry_s))
            steered = [name for name, outcome in found.items() if outcome.resolved is None and outcome.is_final]
            found |= await look_up_all(names, steered, max(ends_s - time.monotonic(), 0.0))
    return found


def _stands_here(configuration: Configuration, hostnames: Iterable[str]) -> bool:
    apexes = {zone.apex: zone for zone in configuration.zones}
    return any(longest_match(encode_canonical(name), apexes) is not None for name in hostnames)


def tell_of_pool(pool: Pool, problems: Mapping[str, str]) -> Iterator[Told]:
    """Yield what to tell of a pool, where in it: each of its hostnames that leads nowhere, with why, and that all
    do."""
    lost = {one.address for one in pool.hostnames if one.address in problems}
    for index, endpoint in enumerate(pool.origins):
        if endpoint.address in lost:
            where = ("origins", index, "address")
            yield where, f"{endpoint.address} does not resolve ({problems[endpoint.address]}); answers leave it out"
    if lost and len(lost) == sum(endpoint.is_used for endpoint in pool.origins):
        yield WHOLE_POOL, "no origin resolves, so the pool is passed over until one does"
