"""What the monitor worker works on: a targets document with its pools and their monitors brought together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, TypeVar

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import join_path
from lbdns.mapped.run_directory import all_targets_paths
from lbdns.model.filter_terms import FilterTerms
from lbdns.model.fleet_terms import FleetTerms
from lbdns.model.monitor_terms import MonitorTerms
from lbdns.model.probe_networks import DEFAULT, ReachTerms
from lbdns.model.subscription import Subscription
from lbdns.model.targets_document import (
    BalancerSpec,
    EditedHead,
    EndpointSpec,
    NetworkTarget,
    PoolTarget,
    TargetsHead,
    Vantage,
    decode_document,
    decode_head,
    with_lists,
)
from lbdns.model.term_reader import BadTerm
from lbdns.monitor.edited_specs import KeptSpecs, SpecsEdit, edited
from lbdns.monitor.listed_parts import ListedParts, PartsReading

Spec = TypeVar("Spec")
_GENERATION = re.compile(rb'"generation": ?\d+')
"""Stands once in a document, before all that it says of the work."""


@dataclass(frozen=True, slots=True)
class Member:
    """A monitor's part in judging a pool's endpoints; a pool with a single monitor has one member."""

    name: str
    monitor: MonitorTerms
    votes: bool = True
    must_be_healthy: bool = False

    def __hash__(self) -> int:
        return hash((self.name, self.votes, self.must_be_healthy))


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """One pool as configured; `members` judge its endpoints, and nobody does where it has no monitor."""

    name: str
    slot: int
    enabled: bool
    minimum_origins: int
    monitored: bool
    members: tuple[Member, ...]
    check_regions: tuple[str, ...]
    endpoints: tuple[EndpointSpec, ...]
    notification_filter: FilterTerms | None = None
    id: str = ""
    is_local: bool = True


@dataclass(frozen=True, slots=True)
class Targets:
    """One generation's work."""

    generation: int
    table: Path
    resolvers: tuple[str, ...]
    pools: tuple[PoolSpec, ...]
    balancers: tuple[BalancerSpec, ...]
    vantages: tuple[Vantage, ...]
    subscriptions: tuple[Subscription, ...] = ()
    account_id: str = ""
    probe_networks: ReachTerms = DEFAULT
    networks: tuple[NetworkTarget, ...] = ()
    fleet: FleetTerms | None = None


class LoadedTargets(NamedTuple):
    """A document's content, a digest of all of it but the generation's number, its head and lists, what the head says
    in place of parts of these, and how many documents before it had the same digest."""

    targets: Targets
    digest: bytes
    head: EditedHead
    pools: ListedParts[PoolSpec]
    balancers: ListedParts[BalancerSpec]
    pool_edits: Sequence[SpecsEdit[PoolSpec]] = ()
    balancer_edits: Sequence[SpecsEdit[BalancerSpec]] = ()
    repeats: int = 0


def load_targets(path: Path, generation: int, known: LoadedTargets | None = None) -> LoadedTargets:
    """Read the document of a generation; raises LbdnsError saying what is wrong with it. `known`: one that was read
    before, whose parts are taken where they are the same."""
    try:
        data = path.read_bytes()
        digest = blake2b(_GENERATION.sub(b"", data, count=1)).digest()
        if known is not None and known.digest == digest:
            targets = replace(known.targets, generation=generation)
            return known._replace(targets=targets, repeats=known.repeats + 1)
        return _load(path.parent, data, digest, known)
    except OSError as error:
        raise LbdnsError(f"{path}: cannot read what to probe: {error.strerror}") from error
    except BadTerm as error:
        told = ": ".join([*filter(None, [join_path(*error.location)]), str(error)])
        raise LbdnsError(f"{path}: not a targets document of this release: {told}") from error
    except LookupError as error:
        raise LbdnsError(
            f"{path}: not a targets document of this release: it has no monitor or group {error}"
        ) from error


def _load(folder: Path, data: bytes, digest: bytes, known: LoadedTargets | None) -> LoadedTargets:
    """Return what a document and its lists beside it say; parts of lists that `known` has are not read anew."""
    head = decode_head(data)
    if head.pools_of == 0:
        targets = parse_targets(data)
        return LoadedTargets(targets, digest, head, ListedParts(targets.pools), ListedParts(targets.balancers))
    before = known and known.head
    is_judged_alike = before and (head.monitors, head.monitor_groups) == (before.monitors, before.monitor_groups)
    known_pools = known.pools if known is not None and is_judged_alike else None
    known_balancers = known and known.balancers
    _, of_pools, of_balancers = all_targets_paths(folder, head.generation)
    are_same = before is not None and before.pools_of == head.pools_of
    new_pools, all_pools = _unread(of_pools, known_pools, are_same)
    are_same = before is not None and before.load_balancers_of == head.load_balancers_of
    new_balancers, all_balancers = _unread(of_balancers, known_balancers, are_same)
    found = parse_targets(with_lists(data, new_pools, new_balancers))
    kept_pools = KeptSpecs(known.pool_edits if known is not None else ())
    kept_balancers = KeptSpecs(known.balancer_edits if known is not None else ())
    pools, balancers = all_pools(kept_pools.same(found.pools)), all_balancers(kept_balancers.same(found.balancers))
    members = _Members(head)
    pool_edits = [
        SpecsEdit(one.at, one.count, kept_pools.same([_pool(pool, members) for pool in one.parts]))
        for one in head.pool_edits
    ]
    balancer_edits = [SpecsEdit(one.at, one.count, kept_balancers.same(one.parts)) for one in head.load_balancer_edits]
    targets = replace(found, pools=edited(pools.specs, pool_edits), balancers=edited(balancers.specs, balancer_edits))
    return LoadedTargets(targets, digest, head, pools, balancers, pool_edits, balancer_edits)


def _unread(
    path: Path, known: ListedParts[Spec] | None, is_same: bool
) -> tuple[bytes, Callable[[Sequence[Spec]], ListedParts[Spec]]]:
    """Return the text of a list's parts that are not known, and what makes the list of what they say."""
    if known is not None and is_same:
        return b"", lambda found: known
    reading = PartsReading(_inner(path), known)
    return reading.new, reading.whole


def _inner(path: Path) -> bytes:
    """Return what stands in a list, without its brackets."""
    return path.read_bytes()[1:-1]


def parse_targets(data: bytes) -> Targets:
    """Return a document's content; raises BadTerm where it is malformed, LookupError where it names a monitor
    or a group that it has not got."""
    document = decode_document(data)
    members = _Members(document)
    return Targets(
        generation=document.generation,
        table=document.table,
        resolvers=document.resolvers,
        pools=tuple([_pool(pool, members) for pool in document.pools]),
        balancers=document.load_balancers,
        vantages=document.vantage_points,
        subscriptions=document.subscriptions,
        account_id=document.account_id,
        probe_networks=document.probe_networks,
        networks=document.networks,
        fleet=document.fleet,
    )


class _Members:
    """Who judges a pool: the one member for a monitor, or those of a group that are enabled."""

    def __init__(self, document: TargetsHead) -> None:
        monitors = document.monitors
        self._of_monitor = {name: (Member(name, monitor),) for name, monitor in monitors.items()}
        self._of_group = {
            name: tuple(
                Member(one.monitor, monitors[one.monitor], not one.monitoring_only, one.must_be_healthy)
                for one in group.members
                if one.enabled
            )
            for name, group in document.monitor_groups.items()
        }

    def of(self, pool: PoolTarget) -> tuple[Member, ...]:
        """Return a pool's members, none where it has no monitor; raises LookupError."""
        if pool.monitor is not None:
            return self._of_monitor[pool.monitor]
        return self._of_group[pool.monitor_group] if pool.monitor_group is not None else ()


def _pool(pool: PoolTarget, members: _Members) -> PoolSpec:
    return PoolSpec(
        name=pool.name,
        slot=pool.slot,
        enabled=pool.enabled,
        minimum_origins=pool.minimum_origins,
        monitored=pool.monitor is not None or pool.monitor_group is not None,
        members=members.of(pool),
        check_regions=pool.check_regions,
        endpoints=pool.endpoints,
        notification_filter=pool.notification_filter,
        id=pool.id,
        is_local=pool.is_local,
    )
