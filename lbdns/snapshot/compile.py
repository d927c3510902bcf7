"""Compile a checked configuration into a snapshot: pools and endpoints, load balancers by policy, places, zones."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address

import numpy as np

from lbdns.geo import Geodata, Place, regions
from lbdns.geo.pops import pop_place
from lbdns.model import Configuration, Endpoint, LoadBalancer, Pool, Settings
from lbdns.progress import STEP, report
from lbdns.snapshot.classes import PlaceClasses, place_index, unit_vectors
from lbdns.snapshot.columns import Blob, empty_columns
from lbdns.snapshot.file import Snapshot
from lbdns.snapshot.slots import Slots
from lbdns.snapshot.wirenames import wire_name
from lbdns.snapshot.zones import compile_zones
from lbdns.steering.layout import (
    ENDPOINT_FLATTEN,
    ENDPOINT_HOSTNAME,
    FAMILY_A,
    FAMILY_AAAA,
    FAMILY_NAMED,
    LB_APEX,
    LB_ECS_PREFERRED,
    LB_RESOLVER_LOCATES,
    LB_STICKY,
    LIST_HASHED,
    POOL_ENABLED,
    POOL_HAS_ENDPOINT,
    POOL_HASH,
    POOL_LOCATED,
    POOL_MONITORED,
    SHAPE_ONE,
    SHAPE_ZERO,
    SHED_BY_DRAW,
    SHED_BY_HASH,
)
from lbdns.steering.plan import Candidates, Context, Site
from lbdns.steering.policies import POLICIES, plan, prefers_ecs

FAMILIES = (FAMILY_A, FAMILY_AAAA, FAMILY_NAMED)
SHED_SCALE = 1 << 32
TRIE_NODES_MAX = 8_000_000  # 64 MB: beyond it load balancers share the finest trie of their unit, unmerged

Columns = dict[str, "array[int]"]


def name_hash(name: str) -> int:
    """Return the 64-bit hash that stands for a pool's or endpoint's name in rendezvous hashing and shedding."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


def site_of(settings: Settings) -> Site:
    """Return this server's PoP: its code's place, with what the settings override."""
    pop = settings.pop
    known = pop_place(pop.code) if pop.code else None
    latitude = pop.latitude if pop.latitude is not None else (known.latitude if known else None)
    longitude = pop.longitude if pop.longitude is not None else (known.longitude if known else None)
    country = pop.country or (known.country if known else "")
    subdivision = known.subdivision if known and known.country == country else ""
    region = pop.region or regions.region_of(country, subdivision)
    return Site(pop.code or "", Place(country, subdivision, latitude, longitude), region)


def compile_snapshot(
    configuration: Configuration, geodata: Geodata, slots: Slots, generation: int, layout_id: int = 0
) -> Snapshot:
    """Return the snapshot of a checked configuration; its rows refer to health table slots by `slots`."""
    columns = empty_columns()
    blob = Blob(columns["blob"])
    site = site_of(configuration.settings)
    pool_index = {name: index for index, name in enumerate(configuration.pools)}
    for pool in configuration.pools.values():
        _append_pool(columns, blob, pool, slots)
    index = place_index(geodata.tree)
    classes = PlaceClasses(columns, index, site.place)
    context = Context(site, index.units, configuration.pools)
    compiler = _Compiler(columns, blob, slots, context, pool_index, classes)
    apexes = {zone.apex for zone in configuration.zones}
    placed = []
    for number, load_balancer in enumerate(configuration.load_balancers):
        if number % STEP == 0:
            report("compiling load balancers", number, len(configuration.load_balancers))
        if not load_balancer.enabled:
            continue
        owner = wire_name(load_balancer.name)
        placed.append((owner, load_balancer.type, len(columns["lb_ttl"])))
        compiler.append(load_balancer, is_apex=owner in apexes)
    compile_zones(columns, blob, configuration.zones, placed)
    meta = {
        "generation": generation,
        "layout_id": layout_id,
        "pop": site.code,
        "region": site.region,
        "place": [site.place.country, site.place.subdivision, site.place.latitude, site.place.longitude],
        "load_balancers": len(placed),
        "pools": len(configuration.pools),
        "zones": len(configuration.zones),
    }
    return Snapshot.of(columns, meta)


def _append_pool(columns: Columns, blob: Blob, pool: Pool, slots: Slots) -> None:
    enabled = [endpoint for endpoint in pool.origins if endpoint.enabled]
    hashes = pool.origin_steering.policy == "hash"
    flags = POOL_ENABLED if pool.enabled else 0
    flags |= POOL_MONITORED if pool.monitor or pool.monitor_group else 0
    flags |= POOL_HAS_ENDPOINT if enabled else 0
    flags |= POOL_HASH if hashes else 0
    flags |= POOL_LOCATED if pool.latitude is not None else 0
    columns["pool_slot"].append(slots.pool[pool.name])
    columns["pool_flags"].append(flags)
    columns["pool_endpoint_start"].append(len(columns["endpoint_slot"]))
    columns["pool_endpoint_count"].append(len(pool.origins))
    columns["pool_hash"].append(name_hash(pool.name))
    columns["pool_minimum"].append(pool.minimum_origins)
    columns["pool_text"].append(blob.add_text(pool.name))
    vector = unit_vectors(np.array([pool.latitude or 0.0]), np.array([pool.longitude or 0.0]))
    columns["pool_vector"].frombytes(vector.tobytes())
    shedding = pool.load_shedding
    for percent, policy in (
        (shedding.default_percent, shedding.default_policy),
        (shedding.session_percent, shedding.session_policy),
    ):
        columns["pool_shed_threshold"].append(round(percent / 100 * SHED_SCALE))
        columns["pool_shed_policy"].append(SHED_BY_HASH if policy == "hash" else SHED_BY_DRAW)
    addresses = [endpoint.ip for endpoint in pool.origins]
    families = [families_of(ip) for ip in addresses]
    for family in FAMILIES:
        weights = [
            endpoint.weight_hundredths
            for endpoint, bits in zip(pool.origins, families, strict=True)
            if endpoint.enabled and bits & 1 << family
        ]
        shape = SHAPE_ONE if len(set(weights)) > 1 else 0
        shape |= SHAPE_ZERO if not any(weights) else 0
        columns["pool_shape"].append(shape)
    for endpoint, ip in zip(pool.origins, addresses, strict=True):
        _append_endpoint(columns, blob, endpoint, ip, slots.endpoint[pool.name, endpoint.name, endpoint.address])


def families_of(ip: IPv4Address | IPv6Address | None) -> int:
    """Return the families an endpoint can answer, as bits: an address its own, a hostname all three."""
    if ip is None:
        return 1 << FAMILY_A | 1 << FAMILY_AAAA | 1 << FAMILY_NAMED
    return 1 << (FAMILY_A if ip.version == 4 else FAMILY_AAAA)


def _append_endpoint(
    columns: Columns, blob: Blob, endpoint: Endpoint, ip: IPv4Address | IPv6Address | None, slot: int
) -> None:
    columns["endpoint_slot"].append(slot)
    columns["endpoint_weight"].append(endpoint.weight_hundredths)
    columns["endpoint_families"].append(families_of(ip) if endpoint.enabled else 0)
    flags = 0 if ip is not None else ENDPOINT_HOSTNAME
    columns["endpoint_flags"].append(flags | (ENDPOINT_FLATTEN if endpoint.flatten_cname else 0))
    columns["endpoint_hash"].append(name_hash(endpoint.name))
    columns["endpoint_address"].frombytes((ip.packed if ip is not None else b"").ljust(16, b"\0"))
    columns["endpoint_target"].append(blob.add(wire_name(endpoint.address)) if ip is None else 0)
    columns["endpoint_port"].append(endpoint.port)
    columns["endpoint_priority"].append(endpoint.priority)
    columns["endpoint_enabled"].append(endpoint.enabled)
    columns["endpoint_text"].append(blob.add_text(endpoint.name))


@dataclass
class _Compiler:
    """Appends load balancers; lists and tries that are equal are stored once."""

    columns: Columns
    blob: Blob
    slots: Slots
    context: Context
    pool_index: Mapping[str, int]
    classes: PlaceClasses
    lists: dict[tuple[Candidates, int], int] = field(default_factory=dict)
    hashing: dict[tuple[int, bool, bool], int] = field(default_factory=dict)

    def append(self, load_balancer: LoadBalancer, is_apex: bool) -> None:
        """Append one load balancer's row, with the lists and tries that it needs."""
        if self.classes.has_many_partitions and not self.context.has_many_partitions:
            self.context = replace(self.context, has_many_partitions=True)
        made = plan(load_balancer, self.context)
        sticky = load_balancer.session_affinity == "ip_cookie"
        fallback = self.pool_index[load_balancer.fallback_pool]
        fallback_hashes = self._hashing_families(fallback, sticky, as_fallback=True)
        numbers = [self._list(candidates, sticky, fallback_hashes) for candidates in made.lists]
        columns = self.columns
        columns["lb_select"].append(made.select)
        flags = LB_ECS_PREFERRED if prefers_ecs(load_balancer) else 0
        flags |= LB_RESOLVER_LOCATES if load_balancer.location_strategy.mode == "resolver_ip" else 0
        flags |= (LB_STICKY if sticky else 0) | (LB_APEX if is_apex else 0)
        columns["lb_flags"].append(flags)
        columns["lb_ttl"].append(load_balancer.ttl)
        columns["lb_fallback"].append(fallback)
        columns["lb_slot"].append(self.slots.load_balancer[load_balancer.name, load_balancer.type])
        columns["lb_text"].append(self.blob.add_text(load_balancer.name))
        columns["lb_policy"].append(POLICIES.index(load_balancer.effective_policy))
        self.classes.append(made, numbers)

    def _list(self, candidates: Candidates, sticky: bool, fallback_hashes: int) -> int:
        """Return the number of a candidate list, stored once per hashing flags."""
        columns = self.columns
        flags = fallback_hashes
        for name, _ in candidates:
            flags |= self._hashing_families(self.pool_index[name], sticky, as_fallback=False)
        number = self.lists.get((candidates, flags))
        if number is None:
            number = self.lists[candidates, flags] = len(columns["list_start"])
            columns["list_start"].append(len(columns["member_pool"]))
            columns["list_count"].append(len(candidates))
            columns["list_flags"].append(flags)
            columns["member_pool"].extend(self.pool_index[name] for name, _ in candidates)
            columns["member_weight"].extend(weight for _, weight in candidates)
        return number

    def _hashing_families(self, pool: int, sticky: bool, as_fallback: bool) -> int:
        """Return what `_find_hashing_families` found, once for each pool and role."""
        key = (pool, sticky, as_fallback)
        found = self.hashing.get(key)
        if found is None:
            found = self.hashing[key] = self._find_hashing_families(pool, sticky, as_fallback)
        return found

    def _find_hashing_families(self, pool: int, sticky: bool, as_fallback: bool) -> int:
        """Return the families (LIST_HASHED << family) in which a hash of the source address can change this pool's
        part."""
        columns = self.columns
        threshold = columns["pool_shed_threshold"][pool * 2 + sticky]
        by_hash = columns["pool_shed_policy"][pool * 2 + sticky] == SHED_BY_HASH
        flags = 0
        if not as_fallback and by_hash and 0 < threshold < SHED_SCALE:
            flags |= LIST_HASHED << FAMILY_A | LIST_HASHED << FAMILY_AAAA | LIST_HASHED << FAMILY_NAMED
        if sticky or columns["pool_flags"][pool] & POOL_HASH:
            start = columns["pool_endpoint_start"][pool]
            families = columns["endpoint_families"][start : start + columns["pool_endpoint_count"][pool]]
            flags_of = columns["endpoint_flags"][start : start + len(families)]
            for family in FAMILIES:
                # A hostname may have several addresses, of which a sticky client gets one by its hash.
                several = sticky and family != FAMILY_NAMED
                ways = sum(
                    (bits >> family & 1) * (2 if several and marks & ENDPOINT_HOSTNAME else 1)
                    for bits, marks in zip(families, flags_of, strict=True)
                )
                if ways > 1:
                    flags |= LIST_HASHED << family
        return flags
