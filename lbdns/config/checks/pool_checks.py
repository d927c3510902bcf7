"""Checks of monitors, monitor groups and pools that no field alone can answer for: warnings about what will not act."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lbdns.base.errors import LbdnsError, Problem
from lbdns.base.key_pair import check_key_pair
from lbdns.base.probe_types import OWN_FIELDS, acts, types_with
from lbdns.base.wording import counted
from lbdns.config.yaml.objects import Objects
from lbdns.config.yaml.source import Placed
from lbdns.model.monitors import Monitor, MonitorGroup
from lbdns.model.pool import Pool


def check_pools(objects: Objects) -> Iterator[Problem]:
    """Yield what an operator should know about monitors, monitor groups and pools."""
    for monitor in objects.monitors.values():
        yield from _check_monitor(monitor)
    for group in objects.monitor_groups.values():
        yield from _check_group(group)
    for pool in objects.pools.values():
        yield from _check_pool(pool)


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
    if not placed.knows("type"):
        return
    for field in OWN_FIELDS:
        if acts(monitor.type, field):
            continue
        default = Monitor.model_fields[field].get_default(call_default_factory=True)
        if getattr(monitor, field) not in (default, "", "connection_established"):
            message = f"{field} does not act with type {monitor.type}; it is for {' and '.join(types_with(field))}"
            yield source.warning((field,), message)


def _check_group(placed: Placed[MonitorGroup]) -> Iterator[Problem]:
    members = placed.item.members
    if placed.knows("members") and not any(member.enabled and not member.monitoring_only for member in members):
        message = (
            "no member votes, since each is disabled or monitoring_only; endpoints stay unknown, which counts as down"
        )
        yield placed.source.warning(("members",), message)


def _check_pool(placed: Placed[Pool]) -> Iterator[Problem]:
    pool, source = placed.item, placed.source
    if not placed.knows("origins"):
        return
    enabled = sum(endpoint.enabled for endpoint in pool.origins)
    if enabled == 0:
        yield source.warning(("origins",), "no origin is enabled, so the pool is always critical")
    elif enabled < pool.minimum_origins and placed.knows("minimum_origins"):
        message = f"more than the {counted(enabled, 'origin')} enabled, so the pool is always critical"
        yield source.warning(("minimum_origins",), f"{pool.minimum_origins} is {message}")
    seen: set[str] = set()
    for index, endpoint in enumerate(pool.origins):
        if endpoint.name in seen:
            message = f'"{endpoint.name}" is the name of two origins; hashing and health reports cannot tell them apart'
            yield source.warning(("origins", index, "name"), message)
        seen.add(endpoint.name)
        if endpoint.virtual_network_id:
            message = "a virtual network does not act in DNS: the address is answered as it is"
            yield source.warning(("origins", index, "virtual_network_id"), message)
