"""Compile a checked configuration into a snapshot: pools and endpoints, load balancers by policy, places, zones."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.progress import STEP, report
from lbdns.dns.zone import Zone
from lbdns.mapped.blob import Blob
from lbdns.mapped.columns import empty_columns
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings
from lbdns.places.geodata import Geodata
from lbdns.places.place import Place
from lbdns.places.pops import pop_place, region_at
from lbdns.snapshot.compile.balancer_rows import BalancerRow, balancer_row
from lbdns.snapshot.compile.compile_memo import CompileMemo, NameColumns, Placed
from lbdns.snapshot.compile.place_classes import PlaceClasses, place_index
from lbdns.snapshot.compile.pool_rows import PoolRow, append_pool, pool_row
from lbdns.snapshot.compile.tries import Tries
from lbdns.snapshot.compile.zone_columns import compile_zones
from lbdns.snapshot.slots import Slots
from lbdns.steering.kernel.numbers import LB_APEX, LB_GIVES_CNAME, NO_RULES
from lbdns.steering.policies.context import Context, Site
from lbdns.steering.policies.plan import Candidates

NAME_COLUMNS = (
    "table",
    "name_row",
    "rrset_type",
    "rrset_ttl",
    "rrset_rdata_start",
    "rrset_rdata_count",
    "rdata_offset",
    "rdata_length",
    "zone_apex",
    "blob",
)
"""What the zones fill, the blob among it: they come last."""

Columns = dict[str, "array[int]"]


def site_of(settings: Settings) -> Site:
    """Return this server's PoP: its code's place, with what the settings override."""
    pop = settings.pop
    known = pop_place(pop.code) if pop.code else None
    latitude = pop.latitude if pop.latitude is not None else (known.latitude if known else None)
    longitude = pop.longitude if pop.longitude is not None else (known.longitude if known else None)
    country = pop.country or (known.country if known else "")
    subdivision = known.subdivision if known and known.country == country else ""
    region = region_at(pop.code, pop.country, pop.region)
    return Site(pop.code or "", Place(country, subdivision, latitude, longitude), region)


@without_cyclic_collection()
def compile_snapshot(
    configuration: Configuration,
    geodata: Geodata,
    slots: Slots,
    generation: int,
    layout_id: int = 0,
    memo: CompileMemo | None = None,
) -> Snapshot:
    """Return the snapshot of a checked configuration; its rows refer to health table slots by `slots`.

    `memo`: what compiling the configuration before has left; it takes up what this one leaves.
    """
    memo = memo or CompileMemo()
    site = site_of(configuration.settings)
    index = place_index(geodata.tree)
    columns = empty_columns()
    blob = Blob(columns["blob"])
    with memo.compiling(site, index) as tries:
        pools = [_pool_row(pool, memo) for pool in configuration.pools.values()]
        for row in pools:
            append_pool(columns, blob, row, slots)
        classes = PlaceClasses(columns, index, site.place, tries)
        context = Context(site, index.units, configuration.pools)
        compiler = _Compiler(columns, blob, slots, context, pools, classes, memo)
        placed = compiler.append_all(configuration)
        tries.finish()
    zones = (*configuration.zones, *(one.zone for one in configuration.unready))
    names = _compile_names(columns, blob, zones, placed, memo)
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
    columns["nsid"].frombytes(site.code.encode())
    finished = {name: memoryview(column).toreadonly() for name, column in columns.items()}
    return Snapshot({**finished, **_trie_columns(tries), **names}, meta)


def _pool_row(pool: Pool, memo: CompileMemo) -> PoolRow:
    row = memo.pools.find(pool)
    if row is None:
        row = pool_row(pool)
        memo.pools.keep(pool, row)
    return row


def _trie_columns(tries: Tries) -> dict[str, memoryview]:
    return {
        "trie_root": tries.roots.data.toreadonly(),
        "trie_nodes": tries.nodes.data.toreadonly(),
    }


def _compile_names(
    columns: Columns, blob: Blob, zones: Sequence[Zone], placed: list[Placed], memo: CompileMemo
) -> Mapping[str, memoryview]:
    """Return NAME_COLUMNS: those of the last compile where they would be the same."""
    texts = blob.offsets()
    if memo.names is None or not memo.names.rests_on(zones, placed, texts):
        memo.names = None  # not kept beside those that take its place
        compile_zones(columns, blob, zones, placed)
        memo.names = NameColumns(
            zones, placed, texts, {name: memoryview(columns[name]).toreadonly() for name in NAME_COLUMNS}
        )
    return memo.names.columns


@dataclass
class _Compiler:
    """Appends load balancers; lists and tries that are equal are stored once, and kept once by the memo."""

    columns: Columns
    blob: Blob
    slots: Slots
    context: Context
    pools: Sequence[PoolRow]
    classes: PlaceClasses
    memo: CompileMemo
    lists: dict[tuple[Candidates, int], int] = field(default_factory=dict)
    alike: dict[tuple[Candidates, ...], tuple[Candidates, ...]] = field(default_factory=dict)
    pool_index: dict[str, int] = field(default_factory=dict)
    cname_pools: set[str] = field(default_factory=set)

    def append_all(self, configuration: Configuration) -> list[Placed]:
        """Append all load balancers that are enabled; return where they stand."""
        self.pool_index = {name: index for index, name in enumerate(configuration.pools)}
        self.cname_pools = {row.name for row in self.pools if row.gives_cname}
        apexes = {zone.apex for zone in configuration.zones}
        placed: list[Placed] = []
        for number, load_balancer in enumerate(configuration.load_balancers):
            if number % STEP == 0:
                report("compiling load balancers", number, len(configuration.load_balancers))
            if load_balancer.enabled:
                row = self._row(load_balancer)
                self._append(load_balancer, row, is_apex=row.owner in apexes)
                placed.append((row.owner, load_balancer.type, len(placed)))
        return placed

    def _row(self, load_balancer: LoadBalancer) -> BalancerRow:
        self.context.many_partitions = self.classes.has_many_partitions
        row = self.memo.balancers.find(load_balancer)
        if row is None or not row.reads.hold(self.context):
            row = balancer_row(load_balancer, self.context)
            row = row._replace(lists=self.alike.setdefault(row.lists, row.lists))
            self.memo.keep_row(load_balancer, row)
        return row

    def _append(self, load_balancer: LoadBalancer, row: BalancerRow, is_apex: bool) -> None:
        """Append one load balancer, with the lists and tries that it needs."""
        fallback = self.pool_index[load_balancer.fallback_pool]
        fallback_hashes = self.pools[fallback].hashed_as_fallback[row.is_sticky]
        numbers = [self._list(candidates, row.is_sticky, fallback_hashes) for candidates in row.lists]
        columns = self.columns
        columns["lb_select"].append(row.select)
        columns["lb_flags"].append(row.flags | self._place_flags(load_balancer, is_apex))
        columns["lb_ttl"].append(load_balancer.ttl)
        columns["lb_fallback"].append(fallback)
        columns["lb_slot"].append(self.slots.load_balancer[load_balancer.name, load_balancer.type])
        columns["lb_text"].append(self.blob.add_text(load_balancer.name))
        columns["lb_policy"].append(row.policy)
        columns["lb_rules"].append(NO_RULES)
        columns["lb_hit_start"].append(len(columns["hit_slot"]))
        self.classes.append(row.select, row.pop_list, row.cut, numbers)

    def _place_flags(self, load_balancer: LoadBalancer, is_apex: bool) -> int:
        """Return what of a load balancer's flags hangs on the zones and on its pools' endpoints."""
        if is_apex:
            return LB_APEX
        is_asked = load_balancer.type == "A" and self.cname_pools
        return LB_GIVES_CNAME if is_asked and not self.cname_pools.isdisjoint(load_balancer.pool_names()) else 0

    def _list(self, candidates: Candidates, is_sticky: bool, fallback_hashes: int) -> int:
        """Return the number of a candidate list, stored once per hashing flags."""
        pools = [self.pool_index[name] for name, _ in candidates]
        flags = fallback_hashes
        for pool in pools:
            flags |= self.pools[pool].hashed[is_sticky]
        number = self.lists.get((candidates, flags))
        if number is None:
            columns = self.columns
            number = self.lists[candidates, flags] = len(columns["list_start"])
            columns["list_start"].append(len(columns["member_pool"]))
            columns["list_count"].append(len(candidates))
            columns["list_flags"].append(flags)
            columns["member_pool"].extend(pools)
            columns["member_weight"].extend([weight for _, weight in candidates])
        return number
