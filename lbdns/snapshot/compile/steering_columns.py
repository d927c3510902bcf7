"""The columns that say how answers are steered: all but those of names. What they rest on, and what is kept of them.

They are the same again while what they rest on is; where little of that is another, steering_patch.py alters them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lbdns.base.memo import ByObject, Chosen, are_same
from lbdns.dns.zone import Zone
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings
from lbdns.model.transfer_policy import TransferPolicies
from lbdns.snapshot.compile.balancer_rows import BalancerRow
from lbdns.snapshot.compile.name_columns import NAME_COLUMNS
from lbdns.snapshot.compile.place_classes import PlaceIndex
from lbdns.snapshot.compile.tries import Tries
from lbdns.snapshot.compile.view_zones import ViewedZones
from lbdns.snapshot.compile.zone_columns import Placed
from lbdns.snapshot.slots import Slots
from lbdns.steering.policies.context import Site

SLOT_KINDS: Final = ("endpoint", "pool", "load_balancer", "rule")


@dataclass(frozen=True, slots=True)
class SteeringBasis:
    """What the columns of steering rest on. `balancers`: those that are enabled; `apexes`: of the zones that are
    configured, and of all that have rows; `secrets`: the server's own, for cookies."""

    site: Site
    index: PlaceIndex
    settings: Settings
    balancers: Sequence[LoadBalancer]
    pools: tuple[Pool, ...]
    slots: Slots
    viewed: ViewedZones | None
    apexes: tuple[tuple[bytes, ...], tuple[bytes, ...]]
    policies: TransferPolicies
    secrets: Sequence[bytes]

    def surrounds_alike(self, other: SteeringBasis) -> bool:
        """Whether all is the same but load balancers, pools and slots."""
        same = self.index is other.index and self.settings is other.settings and self.viewed is other.viewed
        return (
            same
            and self.site == other.site
            and self.apexes == other.apexes
            and self.policies == other.policies
            and self.secrets == other.secrets
        )

    def is_same(self, other: SteeringBasis) -> bool:
        """Whether nothing at all is another."""
        return (
            self.surrounds_alike(other)
            and are_same(self.balancers, other.balancers)
            and are_same(self.pools, other.pools)
            and all(getattr(self.slots, kind) is getattr(other.slots, kind) for kind in SLOT_KINDS)
        )


def basis_of(
    configuration: Configuration,
    site: Site,
    index: PlaceIndex,
    slots: Slots,
    viewed: ViewedZones | None,
    zones: Sequence[Zone],
    secrets: Sequence[bytes],
    enabled: Chosen[LoadBalancer],
) -> SteeringBasis:
    """Return what the columns of a configuration's steering rest on; `zones`: all that have rows."""
    return SteeringBasis(
        site,
        index,
        configuration.settings,
        enabled.of(configuration.load_balancers),
        tuple(configuration.pools.values()),
        slots,
        viewed,
        (tuple([zone.apex for zone in configuration.zones]), tuple([zone.apex for zone in zones])),
        configuration.transfer_policies,
        tuple(secrets),
    )


@dataclass(frozen=True, slots=True)
class Steering:
    """The columns of steering, and what names go on from.

    `columns`: all but NAME_COLUMNS and those of tries. `blob`: what they put into the blob. `placed`: where load
    balancers stand; `balancers`: those of the rows; `families`: those of the pools; `cname_pools`: the pools with an
    endpoint that is answered as a CNAME. `has_rules`: whether any load balancer has rules or pool sets, so that there
    are rows beside theirs. `rows`: of the load balancers of the basis, by their positions, where there are no views;
    `free`: rows whose load balancers are no more; `gone`: how many have gone
    since all was compiled.
    """

    basis: SteeringBasis
    columns: Mapping[str, memoryview]
    tries: Tries
    blob: memoryview
    placed: Sequence[Placed]
    balancers: Sequence[LoadBalancer]
    families: Mapping[str, int]
    cname_pools: frozenset[str]
    has_rules: bool
    rows: Sequence[int]
    free: tuple[int, ...] = ()
    gone: int = 0
    _readers: dict[str, list[int]] = field(default_factory=dict)

    def readers(self, plans: ByObject[BalancerRow]) -> Mapping[str, Sequence[int]]:
        """Return the rows of the load balancers whose plans looked at each pool, by its name; where a plan is not kept,
        all that the load balancer names. Worked out when it is asked for first: a load balancer that is altered reads
        no more, and rows that are free now, or another's, may be among them."""
        if not self._readers:
            for at, one in zip(self.rows, self.basis.balancers, strict=True):
                plan = plans.find(one)
                for name in one.named_pools() if plan is None else [read for read, _ in plan.reads.pools]:
                    self._readers.setdefault(name, []).append(at)
        return self._readers

    def note_reader(self, at: int, plan: BalancerRow) -> None:
        """Note a load balancer that came, by its row, where readers are known."""
        for name, _ in plan.reads.pools if self._readers else ():
            self._readers.setdefault(name, []).append(at)

    def mapped(self, snapshot: Snapshot) -> Steering:
        """Return the same with the columns that a snapshot has mapped, so that they are not in this process's memory
        as well."""
        columns = {name: snapshot.columns[name] for name in self.columns}
        return replace(self, columns=columns, blob=snapshot.columns["blob"][: len(self.blob)])


def own_columns(columns: Mapping[str, memoryview]) -> dict[str, memoryview]:
    """Return those of some columns that are of steering and have rows."""
    return {name: column for name, column in columns.items() if name not in NAME_COLUMNS and len(column)}
