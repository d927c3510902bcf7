"""Compile a checked configuration into a snapshot: pools and endpoints, load balancers by policy, places, zones."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import partial
from typing import Any

from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.progress import STEP, report
from lbdns.dns.zone import RRset
from lbdns.mapped.blob import Blob
from lbdns.mapped.columns import empty_columns
from lbdns.mapped.snapshot_file import (
    ACCESS,
    KEYS,
    LISTENERS,
    RENEWAL,
    SAMPLES,
    SECONDARY_ZONES,
    SIGNED,
    TAPPED,
    TLS,
    VIEWS,
    Snapshot,
)
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.dnstap_settings import tapped_share
from lbdns.model.sample_settings import sample_row
from lbdns.model.settings import Settings
from lbdns.model.tls_settings import tls_row
from lbdns.model.view_names import view_numbers
from lbdns.places.geodata import Geodata
from lbdns.places.place import Place
from lbdns.places.pops import pop_place, region_at
from lbdns.snapshot.compile.access_rows import access_rows
from lbdns.snapshot.compile.balancer_rows import BalancerRow, PlannedRow, balancer_row
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.flat_rows import NO_FLATS
from lbdns.snapshot.compile.guard_columns import append_askers, append_guards
from lbdns.snapshot.compile.name_columns import NameBasis, NameColumns, compile_names
from lbdns.snapshot.compile.name_patch import patched_names
from lbdns.snapshot.compile.place_classes import PlaceClasses, PlaceIndex, place_index
from lbdns.snapshot.compile.pool_rows import append_pool, pool_row
from lbdns.snapshot.compile.row_numbers import Numbering, RowNumbers, append_rows
from lbdns.snapshot.compile.rule_columns import RuleColumns
from lbdns.snapshot.compile.signed_zones import SnapshotSigning, stand
from lbdns.snapshot.compile.steering_columns import Steering, SteeringBasis, basis_of, own_columns
from lbdns.snapshot.compile.steering_patch import patched
from lbdns.snapshot.compile.transferred_zones import CompiledZones, TransferredZones, ZoneTransfers
from lbdns.snapshot.compile.tries import Tries
from lbdns.snapshot.compile.variant_rows import VariantRows
from lbdns.snapshot.compile.view_columns import append_views, key_rows, listener_rows
from lbdns.snapshot.compile.view_zones import ViewedZones
from lbdns.snapshot.compile.zone_columns import BY_NAME, Placed
from lbdns.snapshot.slots import Slots, rule_keys
from lbdns.steering.kernel.numbers import LB_GIVES_CNAME, LB_VARIES, NO_RULES, SELECT_SET
from lbdns.steering.policies.context import Context, Site
from lbdns.steering.policies.plan import Candidates
from lbdns.steering.policies.what_steers import steered_of
from lbdns.steering.rules.address_ranges import Lists

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
    signing: SnapshotSigning | None = None,
    transfers: ZoneTransfers | None = None,
    cookie_secrets: Sequence[bytes] = (),
) -> Snapshot:
    """Return the snapshot of a checked configuration; its rows refer to health table slots by `slots`.

    `memo`: what compiling the configuration before has left; it takes up what this one leaves. `signing`: signs the
    zones that are to be, None where none is; what it raises goes through. `transfers`: settles what is transferred,
    None where nothing is. `cookie_secrets`: those that the server has of itself, where the settings say none.
    """
    memo = memo or CompileMemo()
    site = site_of(configuration.settings)
    index = place_index(geodata.tree)
    viewed = memo.views.see(configuration)
    zones = viewed.zones if viewed else (*configuration.zones, *(one.zone for one in configuration.unready))
    basis = basis_of(configuration, site, index, slots, viewed, zones, cookie_secrets, memo.enabled)
    steering = _steering(configuration, geodata, basis, memo)
    if signing is not None:
        standing = stand(zones, steering.placed, steering.balancers, steering.families, signing.apexes)
        zones = signing.sign(zones, standing)
    meta: dict[str, Any] = {
        "generation": generation,
        "layout_id": layout_id,
        "pop": site.code,
        "region": site.region,
        "place": [site.place.country, site.place.subdivision, site.place.latitude, site.place.longitude],
        "load_balancers": len(basis.balancers),
        "pools": len(configuration.pools),
        "zones": len(configuration.zones),
        KEYS: key_rows(configuration),
        ACCESS: access_rows(configuration.transfer_policies),
        LISTENERS: listener_rows(configuration.settings),
        VIEWS: list(view_numbers(configuration.settings.views)),
        SAMPLES: sample_row(configuration.settings.samples),
        TAPPED: tapped_share(configuration.settings.dnstap),
        TLS: tls_row(configuration.settings.tls),
        SECONDARY_ZONES: [one.apex.hex() for one in configuration.transfer_policies.secondaries],
    }
    transferred = TransferredZones(zones, NO_FLATS, {})
    rows = viewed.rows if viewed else None
    if transfers is not None:
        seal = _unsealed if signing is None else partial(signing.seal, zones)
        without_names = partial(_without_names, steering, meta)
        transferred = transfers.settle(CompiledZones(zones, steering.placed, rows, without_names, seal))
        zones = tuple(transferred.zones)
    known, memo.names = memo.names, None  # not kept beside those that take its place
    memo.names = _names(steering.blob, NameBasis(zones, steering.placed, rows, transferred.flats), known)
    signed_here = [(one.apex, one.signed) for one in zones if one.signed and not one.signed.is_elsewhere]
    meta |= {
        **transferred.meta,
        RENEWAL: min((one.renewal_s for _, one in signed_here), default=0),
        SIGNED: [(apex.hex(), one.keys_digest, one.ttl_max_s) for apex, one in signed_here],
    }
    return Snapshot({**_beside_names(steering), **memo.names.columns}, meta)


def _steering(configuration: Configuration, geodata: Geodata, basis: SteeringBasis, memo: CompileMemo) -> Steering:
    """Return the columns of steering: those of the last compile, altered where little is another."""
    known = memo.steering
    if known is not None and basis.is_same(known.basis):
        return known
    memo.steering = patched(known, basis, configuration.pools, memo) if known is not None else None
    if memo.steering is None:
        memo.steering = _compile_steering(configuration, geodata, basis, memo)
    return memo.steering


def _names(blob: memoryview, basis: NameBasis, known: NameColumns | None) -> NameColumns:
    """Return the columns of names: those of the last compile, altered where few names are others."""
    if known is None:
        return compile_names(blob, basis)
    if known.basis.is_same(basis) and known.stand_after(blob):
        return known
    return patched_names(blob, basis, known) or compile_names(blob, basis)


def _compile_steering(
    configuration: Configuration, geodata: Geodata, basis: SteeringBasis, memo: CompileMemo
) -> Steering:
    site, index, slots, settings = basis.site, basis.index, basis.slots, basis.settings
    columns = empty_columns()
    blob = Blob(columns["blob"])
    with memo.compiling(site, index) as tries:
        pools = memo.pools.of_all(basis.pools, pool_row)
        for row in pools:
            append_pool(columns, blob, row, slots)
        numbering = Numbering(columns, pools, PlaceClasses(columns, index, site.place, tries))
        context = Context(site, index.units, configuration.pools, memo.parts, numbering.classes.has_many_partitions)
        compiler = _Compiler(columns, blob, slots, context, numbering, memo)
        placed = compiler.append_all(configuration, basis.viewed)
        compiler.append_rules(tries, index, geodata, settings.networks)
        append_views(columns, settings.views, settings.trusted_resolvers, tries)
        append_guards(columns, settings, basis.secrets, tries)
        append_askers(columns, basis.apexes[1], basis.policies, tries)
        tries.finish()
    columns["nsid"].frombytes(site.code.encode())
    finished = {name: memoryview(column).toreadonly() for name, column in columns.items()}
    return Steering(
        basis,
        own_columns(finished),
        tries,
        finished["blob"],
        placed,
        compiler.balancers,
        {row.name: row.families for row in pools},
        frozenset(row.name for row in pools if row.gives_cname),
        any(one.has_rules for one in basis.balancers),
        range(len(basis.balancers)),
    )


def _trie_columns(tries: Tries) -> dict[str, memoryview]:
    return {
        "trie_root": tries.roots.data.toreadonly(),
        "trie_nodes": tries.nodes.data.toreadonly(),
    }


def _unsealed(zone: int, rrsets: Sequence[RRset], kept: Sequence[RRset]) -> Sequence[RRset]:
    """Return RRsets of a zone that is not signed."""
    return rrsets


def _without_names(steering: Steering, meta: dict[str, Any]) -> Snapshot:
    """Return a snapshot of what is compiled before names are."""
    return Snapshot({**_beside_names(steering), "blob": steering.blob}, meta)


def _beside_names(steering: Steering) -> dict[str, memoryview]:
    """Return all columns; those of names have no rows."""
    unfilled = {name: memoryview(column) for name, column in empty_columns().items()}
    return {**unfilled, **steering.columns, **_trie_columns(steering.tries)}


class _Compiler:
    """Appends load balancers, then what their rules and pool sets make of them; lists of candidates that are equal are
    kept once by the memo."""

    def __init__(
        self, columns: Columns, blob: Blob, slots: Slots, context: Context, numbering: Numbering, memo: CompileMemo
    ) -> None:
        self._columns = columns
        self._blob = blob
        self._slots = slots
        self._context = context
        self._numbering = numbering
        self._memo = memo
        self._alike: dict[tuple[Candidates, ...], tuple[Candidates, ...]] = {}
        self._rules = RuleColumns(columns, blob, context.site.region, memo.rules)
        self._variants: VariantRows
        self.balancers: list[LoadBalancer] = []  # of each row

    def append_all(self, configuration: Configuration, viewed: ViewedZones | None) -> list[Placed]:
        """Append all load balancers that are enabled; return where they stand.

        One that views see at an apex and elsewhere has a row for each.
        """
        enabled = [one for one in configuration.load_balancers if one.enabled]
        at_apex = viewed.rows_by_position(len(enabled)) if viewed else None
        count = sum(map(len, at_apex)) if at_apex else len(enabled)
        self._variants = VariantRows(self._columns, self._numbering, self._context, count)
        apexes = {zone.apex for zone in configuration.zones}
        placed: list[Placed] = []
        rows: list[RowNumbers] = []
        flags: list[int] = []
        numbers: dict[tuple[int, bool], int] = {}
        for position, load_balancer in enumerate(enabled):
            if position % STEP == 0:
                report("compiling load balancers", position, len(enabled))
                append_rows(self._columns, rows, flags)  # few at a time: all of them would be a tenth of the process
                rows, flags = [], []
            row = self._planned(load_balancer)
            for is_apex in (row.owner in apexes,) if at_apex is None else at_apex[position]:
                number = len(self.balancers)
                rows.append(self._numbers(load_balancer, row.planned, is_apex))
                self.balancers.append(load_balancer)
                flags.append(self._append(load_balancer, number, rows[-1], is_apex))
                if viewed is None:
                    placed.append((BY_NAME, row.owner, load_balancer.type, number))
                else:
                    numbers[position, is_apex] = number
        append_rows(self._columns, rows, flags)
        for one in viewed.standing if viewed else ():
            placed.append((one.instance, one.owner, one.kind, numbers[one.position, one.is_apex]))
        return placed

    def append_rules(self, tries: Tries, index: PlaceIndex, geodata: Geodata, lists: Lists) -> None:
        """Append decision tables and variants: all load balancers are there."""
        self._rules.finish(self._variants, tries, index, geodata, lists)
        self._variants.append_all()

    def _planned(self, load_balancer: LoadBalancer) -> BalancerRow:
        row = self._memo.balancers.find(load_balancer)
        if row is None or not row.reads.hold(self._context):
            row = balancer_row(load_balancer, self._context)
            lists = row.planned.lists
            row = row._replace(planned=row.planned._replace(lists=self._alike.setdefault(lists, lists)))
            self._memo.keep_row(load_balancer, row)
        return row

    def _numbers(self, load_balancer: LoadBalancer, row: PlannedRow, is_apex: bool) -> RowNumbers:
        """Return a row with the lists and tries that it needs."""
        if row.select == SELECT_SET:
            steered = steered_of(load_balancer)
            return self._variants.row_with_sets(steered, row, is_apex, len(load_balancer.rules))
        return self._numbering.steering(row, is_apex)

    def _append(self, load_balancer: LoadBalancer, number: int, row: RowNumbers, is_apex: bool) -> int:
        """Append which load balancer a row is of; return the row's flags that variants do not have."""
        columns = self._columns
        varies = row.select == SELECT_SET
        columns["lb_hit_start"].append(len(columns["hit_slot"]))
        if load_balancer.has_rules:
            varies |= self._rules.add(load_balancer, number, row, is_apex)
            columns["hit_slot"].extend([self._slots.rule[key] for key in rule_keys(load_balancer)])
        columns["lb_slot"].append(self._slots.load_balancer[load_balancer.label, load_balancer.type])
        columns["lb_text"].append(self._blob.add_text(load_balancer.label))
        columns["lb_rules"].append(NO_RULES)
        gives_cname = not is_apex and self._numbering.gives_cname(load_balancer)
        return (LB_VARIES if varies else 0) | (LB_GIVES_CNAME if gives_cname else 0)
