"""From a configuration to the targets document, which lies beside the snapshot whose slots it names."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.memo import BySequence
from lbdns.model.balancer import LoadBalancer
from lbdns.model.bus_access import bus_access
from lbdns.model.configuration import Configuration
from lbdns.model.fleet_terms import BusAccess, FleetTerms
from lbdns.model.needed_names import must_resolve
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings
from lbdns.model.subscribing import subscriptions_of
from lbdns.model.targets_document import (
    BalancerSpec,
    EndpointSpec,
    NetworkTarget,
    PoolTarget,
    TargetsHead,
    Vantage,
    encode_balancer,
    encode_pool,
    is_name,
)
from lbdns.model.virtual_network import NetworkTable, VirtualNetwork
from lbdns.publish.balancer_parts import BalancerParts
from lbdns.publish.edited_text import EditedText
from lbdns.snapshot.compile.compiler import site_of
from lbdns.snapshot.slots import Slots

log = logging.getLogger("lbdns.publish")
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
        self.pools: BySequence[Pool, _PoolPart] = BySequence()
        self.balancers = BalancerParts(_encode_balancer)
        self._about: tuple[object, ...] = ()
        self._pools_text: EditedText | None = None
        self._count = 0  # of its parts
        self._slots = Slots()

    def answered(self, pool: str) -> Answered:
        """Return whether hostnames of a pool are answered as addresses."""
        return pool in self.balancers.flattened.keys, pool in self.balancers.at_apex.keys

    def see_pools(
        self, configuration: Configuration, slots: Slots, bring: Callable[[Pool, _PoolPart], None]
    ) -> EditedText:
        """Return the parts of all pools, after having `bring` bring those up to date that may be others: those that
        came alone, where no more than these may be."""
        pools = [*configuration.pools.values()]
        parts = self.pools.of_all(pools, lambda _: _PoolPart())
        flattened, at_apex = self.balancers.flattened, self.balancers.at_apex
        tallies = flattened, flattened.version, at_apex, at_apex.version
        ids, by_tokens = configuration.pool_ids, configuration.pools_by_tokens
        about = *tallies, ids, by_tokens, configuration.virtual_networks, configuration.routes
        known, came = self._pools_text, self.pools.came
        self._pools_text = None  # in case that something is raised
        if known is not None and about == self._about and self._are_those_that_came(slots):
            for pool, part in zip(self.pools.came_of, came, strict=True):
                bring(pool, part)
            if came or self.pools.went:
                known = known.replaced(self.pools.first, len(self.pools.went), [*map(_DATA, came)])
        else:
            for pool, part in zip(pools, parts, strict=True):
                bring(pool, part)
            texts = [*map(_DATA, parts)]
            known = EditedText.of_parts(texts) if known is None else known.replaced(0, self._count, texts)
        self._pools_text, self._count, self._about, self._slots = known, len(parts), about, slots
        return known

    def _are_those_that_came(self, slots: Slots) -> bool:
        """Whether no pool but those that came has another slot, or an endpoint with another slot or tenant."""
        before, changes = self._slots, slots.since(self._slots)
        if changes is None:
            return before.endpoint is slots.endpoint and before.pool is slots.pool and before.tenant is slots.tenant
        names = {one.name for one in self.pools.came_of}
        return names.issuperset(changes.pool) and all(pool in names for pool, *_ in changes.endpoint)


class _PoolPart:
    """A pool's part of the document, and what that rests on beside the pool."""

    __slots__ = ("basis", "data")

    def __init__(self) -> None:
        self.basis: tuple[tuple[int, ...], Answered, Owned, Networks] | None = None
        self.data = b""


def targets_head(configuration: Configuration, slots: Slots, generation: int, table_path: Path) -> TargetsHead:
    """Return all of the document but pools and load balancers."""
    settings = configuration.settings
    return TargetsHead(
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


@without_cyclic_collection()
def targets_parts(
    configuration: Configuration, slots: Slots, generation: int, table_path: Path, memo: TargetsMemo
) -> tuple[TargetsHead, EditedText, EditedText]:
    """Return the document in parts: its head, with monitors and groups as configured, the list of pools and endpoints
    with their health table slots, and that of load balancers; a list that is as `memo` knows it is the very same."""
    head = targets_head(configuration, slots, generation, table_path)
    table = NetworkTable.of(configuration.virtual_networks, configuration.routes)
    memo.balancers.see(configuration.load_balancers, frozenset(zone.apex for zone in configuration.zones))
    ids, by_tokens = configuration.pool_ids, configuration.pools_by_tokens

    def bring(pool: Pool, part: _PoolPart) -> None:
        owned = ids.get(pool.name, ""), pool.name not in by_tokens
        networks = tuple(map(table.network_of, pool.origins)) if table.names else ()
        _bring_up_to_date(part, pool, slots, memo.answered(pool.name), owned, networks)

    return head, memo.see_pools(configuration, slots, bring), memo.balancers.text


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


def _encode_balancer(load_balancer: LoadBalancer) -> bytes:
    pools = tuple(sorted(load_balancer.candidate_names()))
    fallback = load_balancer.fallback_pool
    others = tuple(sorted(load_balancer.fallback_names() - {fallback}))
    return encode_balancer(BalancerSpec(load_balancer.label, pools, fallback, load_balancer.type, others))


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


def _bring_up_to_date(
    part: _PoolPart, pool: Pool, slots: Slots, answered: Answered, owned: Owned, networks: Networks
) -> None:
    """Have a pool's part of the document say what is so now. MX and SRV give names back, and so does an endpoint that
    is not to be flattened, save at an apex."""
    keys = [*map(pool.endpoint_key, pool.origins)]
    numbers = (slots.pool[pool.name], *chain.from_iterable((slots.endpoint[key], slots.tenant[key]) for key in keys))
    basis = numbers, answered, owned, networks
    if part.basis != basis:
        part.basis = basis
        part.data = encode_pool(_pool(pool, numbers[0], numbers[1:], answered, owned, networks))


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
