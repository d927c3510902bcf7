"""Checks of virtual networks and routes, and of who stands in them: each address in one, each network reachable.

| what                                                                       |          |
|----------------------------------------------------------------------------|----------|
| more networks or routes than there may be                                  | mistake  |
| one id of two networks                                                     | mistake  |
| a second default network                                                   | mistake  |
| a route to the default network, where there is none; one that is there twice | mistake |
| a proxy whose own address is behind itself, or behind others round to it   | mistake  |
| an endpoint's address that routes to several networks hold alike           | mistake  |
| two endpoints of a pool at one address of one network                      | mistake  |
| a probe that is no connection, of an endpoint behind a proxy               | mistake  |
| routes of the same addresses to two networks                               | notice   |
| a private address that names no network and that no route holds            | notice   |
| an interface, a namespace or an address that this machine has not          | notice   |
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from lbdns.base.errors import Problem
from lbdns.base.probe_types import PROBE_TYPES
from lbdns.base.wording import listed
from lbdns.config.checks.local_ways import missing_here
from lbdns.config.yaml.objects import Objects
from lbdns.config.yaml.source import Placed
from lbdns.model import bounds
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Pool
from lbdns.model.proxy_place import parse_proxy
from lbdns.model.virtual_network import NetworkTable, is_private


def check_networks(objects: Objects) -> Iterator[Problem]:
    """Yield what is wrong with networks and routes, and with the endpoints in them."""
    if not objects.virtual_networks and not objects.routes:
        return
    networks = {name: placed.item for name, placed in objects.virtual_networks.items()}
    table = NetworkTable.of(networks, [placed.item for placed in objects.routes])
    yield from _counts(objects)
    yield from _ids(objects)
    yield from _defaults(objects)
    yield from _routes(objects, table)
    yield from _loops(objects, table)
    yield from _ways(objects)
    if not networks:
        return
    udp = {name: one.item for name, one in objects.monitors.items() if not PROBE_TYPES[one.item.type].is_tcp}
    proxied = {name: str(parse_proxy(one.via.proxy)) for name, one in networks.items() if one.via and one.via.proxy}
    for pool in objects.pools.values():
        if pool.knows("origins"):
            yield from _addresses(pool, table)
            if udp and proxied:
                yield from _carried(pool, table, proxied, _monitors_of(pool.item, objects, udp))


def _counts(objects: Objects) -> Iterator[Problem]:
    """Tell of the first object beyond what a configuration may have."""
    for found, most in (
        ([*objects.virtual_networks.values()], bounds.MAX_VIRTUAL_NETWORKS),
        (objects.routes, bounds.MAX_ROUTES),
    ):
        if len(found) > most:
            source = found[most].source
            yield source.problem((), f"{len(found):,} {source.section.replace('_', ' ')}; expected at most {most:,}")


def _ids(objects: Objects) -> Iterator[Problem]:
    names: dict[str, str] = {}
    for name, placed in objects.virtual_networks.items():
        other = names.setdefault(placed.item.uuid, name)
        if other != name:
            yield placed.source.problem(
                ("id",), f'{placed.item.uuid} is the id of "{other}" already; an id is one network\'s'
            )


def _defaults(objects: Objects) -> Iterator[Problem]:
    first = ""
    for name, placed in objects.virtual_networks.items():
        if not placed.item.is_default_network or not placed.knows("is_default_network"):
            continue
        if first:
            message = f'"{first}" is the default network already; one is, so take this from one of the two'
            yield placed.source.problem(("is_default_network",), message)
        first = first or name


def _routes(objects: Objects, table: NetworkTable) -> Iterator[Problem]:
    names: dict[str, list[str]] = {}
    for placed in objects.routes:
        route, source = placed.item, placed.source
        if not placed.knows("network", "virtual_network"):
            continue
        if route.virtual_network is None and not table.default:
            message = "names no virtual network, and there is no default network; name one, or make one the default"
            yield source.problem(("network",), message)
            continue
        name = route.virtual_network or table.default
        there = names.setdefault(route.network, [])
        if name in there:
            yield source.problem(("network",), f'{route.network} is a route to "{name}" already; keep one')
        elif there and table.default not in (name, *there):
            message = (
                f"{route.network} is a route to {listed(there)} as well: endpoints there have to name their network"
            )
            yield source.warning(("network",), message)
        there.append(name)


def _loops(objects: Objects, table: NetworkTable) -> Iterator[Problem]:
    """Yield a mistake for each network whose proxy stands behind itself, be it by others."""
    behind: dict[str, str] = {}  # network -> the network in which its proxy is
    addresses: dict[str, IPv4Address | IPv6Address] = {}
    for name, placed in objects.virtual_networks.items():
        via = placed.item.via
        if via is None or via.proxy is None or not placed.knows("via"):
            continue
        address = _address(parse_proxy(via.proxy).host)
        found = table.candidates(address) if address is not None else ()
        if address is not None and found:
            behind[name], addresses[name] = found[0], address
    for name in behind:
        way = [name]
        while (after := behind.get(way[-1])) is not None and after not in way:
            way.append(after)
        if after != name:
            continue
        through = f"through {listed(way[1:])} and back" if len(way) > 1 else "through the network itself"
        message = (
            f"a loop: routes lead to the proxy {addresses[name]} {through}, so that nothing is ever reached; "
            "give the proxy an address that no such route holds"
        )
        yield objects.virtual_networks[name].source.problem(("via", "proxy"), message)


def _ways(objects: Objects) -> Iterator[Problem]:
    for placed in objects.virtual_networks.values():
        if placed.item.via is not None and placed.knows("via"):
            for field, message in missing_here(placed.item.via):
                yield placed.source.warning(("via", field), message)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return IPv6Address(host) if ":" in host else IPv4Address(host)
    except ValueError:
        return None


def _addresses(placed: Placed[Pool], table: NetworkTable) -> Iterator[Problem]:
    """Check that each endpoint is in one network, and alone at its address there."""
    first: dict[tuple[str, str], int] = {}
    for index, endpoint in enumerate(placed.item.origins):
        at = ("origins", index, "address")
        ip = endpoint.ip
        network = table.network_of(endpoint)
        if ip is not None and endpoint.virtual_network is None and not endpoint.is_placeholder:
            candidates = table.candidates(ip)
            if len(candidates) > 1:
                message = f"routes to {listed([*candidates])} hold {ip} alike; name its virtual_network"
                yield placed.source.problem(at, message)
                continue
            if is_private(ip) and (not candidates or not table.is_routed(ip)):
                where = f'it is taken to be in the default network "{network}"' if network else "it is in none"
                message = f"{ip} is private, names no virtual_network, and no route holds it: {where}"
                yield placed.source.warning(at, message)
        before = first.setdefault((endpoint.address, network), index)
        if before != index and placed.item.origins[before].address_key != endpoint.address_key:
            other = placed.item.origins[before].name
            message = f'{endpoint.address} in "{network}" is the address of "{other}" already; it is unique in its pool'
            yield placed.source.problem(at, message)


def _monitors_of(pool: Pool, objects: Objects, among: dict[str, Monitor]) -> list[str]:
    """Return the names of the monitors of a pool that are among some."""
    if pool.monitor is not None:
        return [pool.monitor] if pool.monitor in among else []
    group = objects.monitor_groups.get(pool.monitor_group or "")
    members = group.item.members if group is not None and group.knows("members") else ()
    return [one.monitor for one in members if one.enabled and one.monitor in among]


def _carried(
    placed: Placed[Pool], table: NetworkTable, proxied: dict[str, str], monitors: list[str]
) -> Iterator[Problem]:
    """Check that proxies carry the probes of a pool's endpoints."""
    for index, endpoint in enumerate(placed.item.origins if monitors else ()):
        network = table.network_of(endpoint)
        if network in proxied and endpoint.is_used:
            message = (
                f'"{network}" is reached by the proxy {proxied[network]}, which carries connections alone: '
                f"the monitor {listed(monitors)} cannot probe through it"
            )
            yield placed.source.problem(("origins", index), message)
