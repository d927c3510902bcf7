"""Checks of monitors, monitor groups and pools that no field alone can answer for: warnings about what will not act."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from lbdns.base.errors import LbdnsError, Problem
from lbdns.base.key_pair import check_key_pair
from lbdns.base.probe_types import OWN_FIELDS, acts, types_with
from lbdns.base.wording import counted, listed
from lbdns.config.checks.checked_pools import CheckedPools
from lbdns.config.checks.network_checks import check_networks
from lbdns.config.yaml.objects import Objects
from lbdns.config.yaml.source import Placed
from lbdns.model import bounds
from lbdns.model.monitors import Monitor, MonitorGroup
from lbdns.model.pool import Pool
from lbdns.model.probe_networks import refused_words
from lbdns.model.settings import Settings
from lbdns.places.pops import region_at


def check_pools(objects: Objects, settings: Settings, known: CheckedPools) -> Iterator[Problem]:
    """Yield what an operator should know about monitors, monitor groups and pools. `known`: what was found of pools
    under the same settings."""
    vantages = _VantageRegions(settings)
    yield from check_networks(objects)
    for monitor in objects.monitors.values():
        yield from _check_monitor(monitor)
    for group in objects.monitor_groups.values():
        yield from _check_group(group)
    for pool, checked in known.telling(objects.pools):
        if checked.problems is None:
            checked.problems = (*_check_pool(pool), *_check_reach(pool, settings))
            checked.tells = bool(checked.problems or pool.item.check_regions)
        yield from checked.problems
        if pool.item.check_regions:
            yield from _check_regions(pool, vantages)


class _VantageRegions:
    """The regions that this server probes from; they are looked up when a pool asks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.is_one_of_several = settings.fleet is not None

    @cached_property
    def known(self) -> frozenset[str]:
        """The region of each vantage point: its own, else that of the PoP."""
        pop, points = self._settings.pop, self._settings.vantage_points
        here = region_at(pop.code, pop.country, pop.region)
        return frozenset({one.region or here for one in points} if points else {here}) - {""}

    @cached_property
    def elsewhere(self) -> frozenset[str] | None:
        """The regions of the other machines of the fleet, None where none is known here."""
        # Needed by who is in a fleet alone.
        from lbdns.fleet.known_regions import known_regions

        return known_regions(self._settings.state_dir())


def _check_regions(placed: Placed[Pool], vantages: _VantageRegions) -> Iterator[Problem]:
    """Check that somebody probes from the regions that a pool asks for, and say who does where nobody is there."""
    asked = placed.item.check_regions or ()
    if not placed.knows("check_regions") or bounds.ALL_REGIONS in asked or vantages.known >= set(asked):
        return
    if vantages.is_one_of_several:
        yield from _check_fleet_regions(placed, vantages, asked)
        return
    lacking = listed([region for region in asked if region not in vantages.known])
    if vantages.known.isdisjoint(asked):
        who = "every vantage point of this server probes the pool"
    else:
        who = f"those in {listed([region for region in asked if region in vantages.known])} alone probe the pool"
    yield placed.source.warning(("check_regions",), f"no vantage point stands in {lacking}: {who}")


def _check_fleet_regions(placed: Placed[Pool], vantages: _VantageRegions, asked: Sequence[str]) -> Iterator[Problem]:
    """Say that no machine of the fleet stands in a region, as far as this one knows others: they come and go."""
    elsewhere = vantages.elsewhere
    if elsewhere is None or (lacking := [one for one in asked if one not in vantages.known | elsewhere]) == []:
        return
    there = [one for one in asked if one not in lacking]
    yield placed.source.warning(
        ("check_regions",),
        f"no machine of the fleet that was heard within a day stands in {listed(lacking)}: "
        + (f"those in {listed(there)} alone probe the pool" if there else "all machines probe the pool"),
    )


def _check_monitor(placed: Placed[Monitor]) -> Iterator[Problem]:
    monitor, source = placed.item, placed.source
    longest_s = monitor.timeout * (1 + monitor.retries)
    if longest_s > monitor.interval and placed.knows("interval", "timeout", "retries"):
        parts = f"timeout {monitor.timeout} s, {counted(monitor.retries, 'retry', 'retries')}"
        message = f"a probe may take {longest_s} s ({parts}), longer than the interval of {monitor.interval} s"
        yield source.warning(("interval",), message)
    if monitor.client_certificate is not None and placed.knows("client_certificate", "client_key"):
        try:
            check_key_pair(Path(monitor.client_certificate), Path(monitor.client_key or monitor.client_certificate))
        except LbdnsError as error:
            yield source.problem(("client_certificate",), str(error))
    if monitor.probe_zone:
        yield source.warning(("probe_zone",), "does not act: lbdns probes as itself; a Host header names what is asked")
    if not placed.knows("type"):
        return
    for field in OWN_FIELDS:
        if acts(monitor.type, field):
            continue
        default = Monitor.model_fields[field].get_default(call_default_factory=True)
        if getattr(monitor, field) not in (default, "", "connection_established"):
            message = f"{field} does not act with type {monitor.type}; it is for {' and '.join(types_with(field))}"
            yield source.warning((field,), message)


def _check_reach(placed: Placed[Pool], settings: Settings) -> Iterator[Problem]:
    """Check that the addresses of a monitored pool may be probed; where a hostname leads shows when it is probed."""
    pool = placed.item
    if (pool.monitor is None and pool.monitor_group is None) or not placed.knows("origins"):
        return
    for index, endpoint in enumerate(pool.origins):
        if endpoint.ip is not None and settings.probe_networks.refuses(endpoint.address):
            message = f"{refused_words(endpoint.address)}; its probes will fail with: Monitor config error"
            yield placed.source.warning(("origins", index, "address"), message)


def _check_group(placed: Placed[MonitorGroup]) -> Iterator[Problem]:
    members = placed.item.members
    if placed.knows("members") and not any(member.enabled and not member.monitoring_only for member in members):
        message = (
            "no member votes, since each is disabled or monitoring_only; endpoints stay unknown, which counts as down"
        )
        yield placed.source.warning(("members",), message)


def _check_pool(placed: Placed[Pool]) -> Iterator[Problem]:
    pool, source = placed.item, placed.source
    if pool.networks:
        yield source.warning(("networks",), "does not act: there is one network")
    if pool.health_sources:
        yield source.warning(("health_sources",), "does not act: health is what the vantage points agree on")
    if not placed.knows("origins"):
        return
    used = sum(endpoint.is_used for endpoint in pool.origins)
    addressed = " at a host's address" if any(one.enabled and one.is_placeholder for one in pool.origins) else ""
    if used == 0:
        yield source.warning(("origins",), f"no origin is enabled{addressed}, so the pool is always critical")
    elif used < pool.minimum_origins and placed.knows("minimum_origins"):
        message = f"more than the {counted(used, 'origin')} enabled{addressed}, so the pool is always critical"
        yield source.warning(("minimum_origins",), f"{pool.minimum_origins} is {message}")
    seen: set[str] = set()
    for index, endpoint in enumerate(pool.origins):
        if endpoint.name in seen:
            message = f'"{endpoint.name}" is the name of two origins; hashing and health reports cannot tell them apart'
            yield source.warning(("origins", index, "name"), message)
        seen.add(endpoint.name)
        if endpoint.is_placeholder:
            place = f'"{endpoint.address}" is no host\'s address'
            message = f"{place}: nobody answers there, so it is neither probed nor answered"
            yield source.warning(("origins", index, "address"), message)
