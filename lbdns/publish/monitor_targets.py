"""From a configuration to the targets document, which lies beside the snapshot whose slots it names."""

from __future__ import annotations

import logging
import os
from collections.abc import Container, Iterator, Mapping
from itertools import compress
from operator import attrgetter, ne
from pathlib import Path
from typing import Final, TypeVar

from lbdns.base.errors import LbdnsError
from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.memo import ByObject
from lbdns.dns.name import encode_canonical
from lbdns.model.balancer import LoadBalancer
from lbdns.model.bus_access import BusAccess, bus_access
from lbdns.model.configuration import Configuration
from lbdns.model.fleet_terms import FleetTerms
from lbdns.model.needed_names import answered_pools, must_resolve
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings
from lbdns.model.subscription import subscriptions_of
from lbdns.model.targets_document import (
    BalancerSpec,
    EndpointSpec,
    NetworkTarget,
    PoolTarget,
    TargetsHead,
    Vantage,
    encode_balancer,
    encode_document,
    encode_pool,
    is_name,
)
from lbdns.model.virtual_network import NetworkTable, VirtualNetwork
from lbdns.snapshot.compile.compiler import site_of
from lbdns.snapshot.slots import Slots

Key = TypeVar("Key")

log = logging.getLogger("lbdns.publish")
_FLATTENED: Final = attrgetter("flattened")
_DATA: Final = attrgetter("data")

Owned = tuple[str, bool]
"""A pool's id, and whether nobody but operators on this machine had a hand in it."""
Answered = tuple[bool, bool]
"""Whether hostnames of a pool are answered as addresses: flattened ones, the others as well."""
Networks = tuple[str, ...]
"""The virtual network of each endpoint of a pool; empty where there are no networks."""


class TargetsMemo:
    """The encoded parts of pools and load balancers, for whoever writes the document again and again, one at a time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.pools: ByObject[tuple[tuple[int, ...], Answered, Owned, Networks, bytes]] = ByObject()
        self.balancers: ByObject[_Balancer] = ByObject()
        self.about: tuple[object, ...] = ()
        self.slots = Slots()

    def others(self, configuration: Configuration, slots: Slots, about: tuple[object, ...]) -> Container[str]:
        """Return the names of the pools that may have other parts, though they themselves are those of before; `about`:
        what all of them rest on."""
        if self.about != about:
            return configuration.pools
        changed = {*_differing(self.slots.pool, slots.pool)}
        for had, has in ((self.slots.endpoint, slots.endpoint), (self.slots.tenant, slots.tenant)):
            changed.update(pool for pool, *_ in _differing(had, has))
        return changed


class _Balancer:
    """What the document and its pools take from one load balancer; `data` is empty where it is disabled."""

    __slots__ = ("data", "flattened", "owner")

    def __init__(self, load_balancer: LoadBalancer) -> None:
        candidates = load_balancer.candidate_names()
        self.owner = encode_canonical(load_balancer.name)
        self.flattened = tuple(answered_pools(load_balancer))
        self.data = encode_balancer(_balancer(load_balancer, candidates)) if load_balancer.enabled else b""


@without_cyclic_collection()
def encode_targets(
    configuration: Configuration, slots: Slots, generation: int, table_path: Path, memo: TargetsMemo
) -> bytes:
    """Return the document: monitors and groups as configured, pools and endpoints with their health table slots."""
    settings = configuration.settings
    head = TargetsHead(
        fleet=_fleet_terms(settings),
        generation=generation,
        table=table_path,
        monitors=configuration.monitors,
        monitor_groups=configuration.monitor_groups,
        resolvers=settings.resolvers,
        vantage_points=vantages_of(settings),
        subscriptions=subscriptions_of(configuration),
        account_id=configuration.account_id,
        probe_networks=settings.probe_networks,
        networks=tuple(
            network_target(one, slots.network[name]) for name, one in configuration.virtual_networks.items()
        ),
    )
    table = NetworkTable.of(configuration.virtual_networks, configuration.routes)
    apexes = {zone.apex for zone in configuration.zones}
    with memo.pools.round(), memo.balancers.round():
        balancers = memo.balancers.of_all(configuration.load_balancers, _Balancer)
        flattened = frozenset().union(*map(_FLATTENED, balancers))
        at_apex = frozenset().union(*(one.flattened for one in balancers if one.owner in apexes))
        ids, by_tokens = configuration.pool_ids, configuration.pools_by_tokens
        kept = [*map(memo.pools.find, configuration.pools.values())]
        about = flattened, at_apex, ids, by_tokens, configuration.virtual_networks, configuration.routes
        others = memo.others(configuration, slots, about)
        pools = [
            found[4]
            if found is not None and pool.name not in others
            else _pool_data(
                pool,
                slots,
                (pool.name in flattened, pool.name in at_apex),
                (ids.get(pool.name, ""), pool.name not in by_tokens),
                tuple(map(table.network_of, pool.origins)) if table.names else (),
                memo,
            )
            for pool, found in zip(configuration.pools.values(), kept, strict=True)
        ]
        memo.about, memo.slots = about, slots
    return encode_document(head, pools, [*filter(None, map(_DATA, balancers))])


def _differing(before: Mapping[Key, int], now: Mapping[Key, int]) -> Iterator[Key]:
    """Yield the keys that have another number now, or none before."""
    return iter(()) if before is now else compress(now, map(ne, now.values(), map(before.get, now)))


def vantages_of(settings: Settings) -> tuple[Vantage, ...]:
    """Return where probes are sent from: this server itself, where no vantage point is configured. A machine of a fleet
    is called by its name, and its vantage points MACHINE/NAME."""
    region, points = site_of(settings).region, settings.vantage_points
    machine = settings.fleet.name if settings.fleet is not None else ""
    before = f"{machine}/" if machine else ""
    return tuple(Vantage(before + one.name, one.region or region, one.source or "") for one in points) or (
        Vantage(machine, region) if machine else Vantage(region=region),
    )


def _fleet_terms(settings: Settings) -> FleetTerms | None:
    """Return the terms on which the monitor worker takes part; one that cannot reach the bus goes by its own probes."""
    fleet = settings.fleet
    if fleet is None:
        return None
    try:
        access = bus_access(fleet, settings.state_dir())
    except LbdnsError as error:
        log.error("health is not shared: %s", error)
        access = BusAccess(fleet.name, fleet.id)
    return FleetTerms(access, fleet.probe_from)


def _balancer(load_balancer: LoadBalancer, candidates: frozenset[str]) -> BalancerSpec:
    pools = tuple(sorted(candidates))
    fallback = load_balancer.fallback_pool
    others = tuple(sorted(load_balancer.fallback_names() - {fallback}))
    return BalancerSpec(load_balancer.label, pools, fallback, load_balancer.type, others)


def network_target(network: VirtualNetwork, slot: int) -> NetworkTarget:
    """Return a virtual network's part of the document, with the slot of its health."""
    via = network.via
    return NetworkTarget(
        name=network.name,
        slot=slot,
        source=(via and via.source) or "",
        device=(via and via.device) or "",
        namespace=(via and via.namespace) or "",
        proxy=(via and via.proxy) or "",
        id=network.uuid,
    )


def _pool_data(
    pool: Pool, slots: Slots, answered: Answered, owned: Owned, networks: Networks, memo: TargetsMemo
) -> bytes:
    """Return a pool's part of the document. MX and SRV give names back, and so does an endpoint that is not to be
    flattened, save at an apex."""
    numbers = (
        slots.pool[pool.name],
        *[
            number
            for key in map(pool.endpoint_key, pool.origins)
            for number in (
                slots.endpoint[key],
                slots.tenant[key],
            )
        ],
    )
    found = memo.pools.find(pool)
    if found is None or found[:4] != (numbers, answered, owned, networks):
        made = _pool(pool, numbers[0], numbers[1:], answered, owned, networks)
        found = (numbers, answered, owned, networks, encode_pool(made))
        memo.pools.keep(pool, found)
    return found[4]


def _pool(
    pool: Pool, slot: int, numbers: tuple[int, ...], answered: Answered, owned: Owned, networks: Networks
) -> PoolTarget:
    """`numbers`: slot and tenant of each endpoint."""
    id, is_local = owned
    return PoolTarget(
        name=pool.name,
        slot=slot,
        enabled=pool.enabled,
        minimum_origins=pool.minimum_origins,
        monitor=pool.monitor,
        monitor_group=pool.monitor_group,
        endpoints=tuple(
            EndpointSpec(
                pool=pool.name,
                name=endpoint.name,
                slot=endpoint_slot,
                address=endpoint.address,
                is_name=is_name(endpoint.address),
                enabled=endpoint.is_used,
                port=endpoint.port,
                host=endpoint.host,
                identity=tenant,
                must_resolve=must_resolve(pool, endpoint, *answered),
                network=network,
            )
            for endpoint, endpoint_slot, tenant, network in zip(
                pool.origins, numbers[::2], numbers[1::2], networks or ("",) * len(pool.origins), strict=True
            )
        ),
        check_regions=pool.check_regions or (),
        notification_filter=pool.notification_filter,
        id=id,
        is_local=is_local,
    )


def write_targets(
    configuration: Configuration,
    slots: Slots,
    generation: int,
    table_path: Path,
    path: Path,
    memo: TargetsMemo | None = None,
) -> None:
    """Write the targets document to `path`, whole or not at all, readable by its owner alone (headers may hold
    secrets)."""
    partial = path.with_name(path.name + ".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(encode_targets(configuration, slots, generation, table_path, memo or TargetsMemo()))
    os.replace(partial, path)
