"""Who made an object: an operator on this machine, by the UNIX socket or by files, or who holds a token.

    the operator: creates or replaces it; or changes the field that says where probes go   -> the operator's
    the operator: changes another field of it                                              -> whose it was
    a token: changes anything of it                                                        -> the token's
    the operator: brings an earlier revision back                                          -> whose it was then

What a token had a hand in does not probe this machine's loopback (model/probe_networks.py). A hand in where hostnames
lead counts too: in the zones and load balancers here, where an endpoint's name stands in one of the zones. So does one
in the way to an address: in a route, or in the virtual network that it leads to. No token has a proxy on the loopback.
So it is with the destinations of messages, which policies name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.kinds import BALANCING, DESTINATIONS, PROBING, REACHING, Kind
from lbdns.base.words import STORED
from lbdns.manage.store.item import Change, Item
from lbdns.manage.store.state import Items, State
from lbdns.model.pool import NO_HOST
from lbdns.model.probe_networks import ReachTerms, refused_words
from lbdns.model.proxy_place import parse_proxy
from lbdns.model.targets_document import is_name
from lbdns.model.virtual_network import NetworkRoute, NetworkTable, VirtualNetwork

WHERE: Final = {
    Kind.POOL: "origins",
    Kind.MONITOR_GROUP: "members",
    Kind.VIRTUAL_NETWORK: "via",
    Kind.WEBHOOK: "url",
    Kind.PAGERDUTY: "events_url",
}
"""The field that says where probes and messages go. A monitor has none: whoever changed it last made it."""


def is_adopted(before: Item, fields: Iterable[str]) -> bool:
    """Tell whether an object is the operator's once an operator has changed some fields of it."""
    where = WHERE.get(before.kind)
    return before.is_local or where is None or where in fields


def matters(kind: Kind) -> bool:
    """Tell whether it is of any account who made an object of a kind."""
    return kind in REACHING


def out_of_reach(item: Item, networks: ReachTerms) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    """Yield a sentence for each address of a pool that is not probed because of who made it, and the way to it."""
    if item.kind is not Kind.POOL or item.is_local or not item.body.keys() & {"monitor", "monitor_group"}:
        return
    for index, origin in enumerate(item.body.get("origins", ())):
        address = origin["address"]
        if address in NO_HOST:
            continue  # it is not probed, and that is told elsewhere
        if not is_name(address) and networks.refuses(address, is_local=False) and not networks.refuses(address):
            yield f"{refused_words(address, is_local=False)}; its probes will fail", ("origins", index, "address")


def has_foreign_part(zone: Item, records: Items) -> bool:
    """Tell whether a token had a hand in a zone or one of its records."""
    return not zone.is_local or not all(record.is_local for record in records.values())


def pools_by_tokens(state: State, are_local: bool, has_foreign_zones: bool) -> frozenset[str]:
    """Return the names of the pools that a token had a hand in: in the pool, its monitor, its group or one of that, or
    in where its hostnames lead. `are_local`: it had none in any object but zones and records; `has_foreign_zones`: it
    had one in one of the zones."""
    if not has_foreign_zones and are_local:
        return frozenset()
    by_tokens: set[str] = set()
    for kind in BALANCING:  # in the order of reference
        if kind in PROBING:
            by_tokens |= {
                id for id, item in state.all(kind).items() if not item.is_local or by_tokens & item.references()
            }
    pools = state.all(Kind.POOL)
    networks = state.all(Kind.VIRTUAL_NETWORK)
    if not by_tokens.isdisjoint(networks) or not all(item.is_local for item in state.all(Kind.ROUTE).values()):
        table = _table(state)
        by_tokens |= {id for id, pool in pools.items() if id not in by_tokens and _is_routed(pool, table)}
    if has_foreign_zones or not all(item.is_local for item in state.all(Kind.LOAD_BALANCER).values()):
        by_tokens |= {id for id, pool in pools.items() if id not in by_tokens and _is_led_here(pool, state)}
    return frozenset(item.name for id, item in pools.items() if id in by_tokens)


def destinations_by_tokens(state: State) -> frozenset[str]:
    """Return the ids of the destinations of messages that a token had a hand in."""
    kinds = (kind for kind in BALANCING if kind.area == DESTINATIONS)
    return frozenset(id for kind in kinds for id, item in state.all(kind).items() if not item.is_local)


def _is_led_here(pool: Item, state: State) -> bool:
    """Tell whether the zones here say where one of a pool's hostnames leads."""
    names = (str(origin["address"]).lower().rstrip(".") for origin in pool.body.get("origins", ()))
    return any(is_name(name) and state.zone_of(name) is not None for name in names)


def _table(state: State) -> NetworkTable:
    """Return which network addresses are in, networks by their ids."""
    networks = {
        id: VirtualNetwork(name=item.name, is_default_network=item.body.get("is_default_network", False))
        for id, item in state.all(Kind.VIRTUAL_NETWORK).items()
    }
    routes = state.all(Kind.ROUTE).values()
    return NetworkTable.of(
        networks, [NetworkRoute(network=one.name, virtual_network=one.body.get("virtual_network_id")) for one in routes]
    )


def _is_routed(pool: Item, table: NetworkTable) -> bool:
    """Tell whether a pool has an address that names no network and is in one."""
    origins = pool.body.get("origins", ())
    unnamed = (str(one["address"]) for one in origins if "virtual_network_id" not in one)
    return any(not is_name(address) and table.candidates(ip_address(address)) for address in unnamed)


def ways_by_tokens(changes: Iterable[Change], networks: ReachTerms) -> Iterator[Problem]:
    """Yield the mistakes of proxies that a token has a hand in: where they are has to be known, and not the loopback or
    another place that no token may reach."""
    for change in changes:
        item = change.after
        if item is None or item.kind is not Kind.VIRTUAL_NETWORK or item.is_local:
            continue
        proxy = item.body.get("via", {}).get("proxy")
        host = parse_proxy(proxy).host if proxy else ""
        if not host:
            continue
        if is_name(host):
            why = f"{host} is a name, and may lead to this machine; the proxy of a token has an IP address"
        elif networks.refuses(host, is_local=False):
            why = refused_words(host, is_local=False)
        else:
            continue
        at = (item.kind.section, item.name, "via", "proxy")
        yield Problem(STORED, 0, f"{item.kind.section}.{item.name}.via.proxy", why, at=at)
