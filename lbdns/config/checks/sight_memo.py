"""What everybody sees, kept from one check to the next: little of it is another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress, count
from operator import is_not
from typing import Final

from lbdns.base.errors import Problem
from lbdns.config.checks.checked_balancer import Checked
from lbdns.config.yaml.source import Placed
from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.master.zone_checks import ZoneIndex, check_zone
from lbdns.model.balancer import LoadBalancer

BalancersByName = dict[bytes, dict[str, Placed[LoadBalancer]]]
"""Enabled load balancers by name (wire, lower case) and type."""
ALTERED_MAX: Final = 1000
"""Load balancers that are others, beyond which all are looked at anew."""


class SightMemo:
    """Kept by whoever checks again and again."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._placed: Sequence[Placed[LoadBalancer]] = ()
        self._checked: Sequence[Checked] = ()
        self._balancers: BalancersByName = {}
        self._names: frozenset[bytes] = frozenset()
        self._indexes: dict[bytes, ZoneIndex] = {}
        self._problems: dict[bytes, tuple[ZoneIndex, tuple[Problem, ...]]] = {}

    def balancers(self, placed: Sequence[Placed[LoadBalancer]], checked: Sequence[Checked]) -> BalancersByName:
        """Return the load balancers that are enabled, by name and type; all of them are plain ones."""
        altered = self._altered(placed, checked)
        has_same_names = altered is not None and len(placed) == len(self._placed)
        if altered is None:
            self._balancers, altered = {}, range(len(placed))
        elif altered:
            self._balancers = dict(self._balancers)
        for at in altered:
            if placed[at].item.enabled:
                wire = checked[at].wire
                there = self._balancers.get(wire)
                of_type = {checked[at].key[1]: placed[at]}
                self._balancers[wire] = of_type if there is None else {**there, **of_type}
        if not has_same_names:
            self._names = frozenset(name for name, by_type in self._balancers.items() if "A" in by_type)
        self._placed, self._checked = tuple(placed), checked
        return self._balancers

    def _altered(self, placed: Sequence[Placed[LoadBalancer]], checked: Sequence[Checked]) -> Sequence[int] | None:
        """Return where load balancers are others than before, or new; None where all are to be looked at."""
        known = len(self._placed)
        if len(placed) < known:
            return None
        altered = [*compress(count(), map(is_not, self._placed, placed))]
        for at in altered:
            same = self._checked[at].key == checked[at].key
            if not same or self._placed[at].item.enabled != placed[at].item.enabled:
                return None
        altered.extend(range(known, len(placed)))
        return altered if len(altered) <= ALTERED_MAX else None

    @property
    def seen(self) -> BalancersByName:
        """What `balancers` returned last."""
        return self._balancers

    @property
    def names(self) -> frozenset[bytes]:
        """The names that they answer with addresses: the same object as long as they are the same."""
        return self._names

    def index(self, draft: ZoneDraft, names: frozenset[bytes]) -> ZoneIndex:
        """Return a zone's index; `names`: of the load balancers that answer with addresses."""
        found = self._indexes.get(draft.apex)
        if found is None or found.draft is not draft or found.balanced is not names:
            found = self._indexes[draft.apex] = ZoneIndex(draft, names)
        return found

    def problems(self, zones: Mapping[bytes, ZoneIndex]) -> dict[bytes, tuple[Problem, ...]]:
        """Return what is wrong with each zone, by its apex; what is kept of others is dropped."""
        before, self._problems = self._problems, {}
        self._indexes = {apex: index for apex, index in self._indexes.items() if apex in zones}
        for apex, index in zones.items():
            known = before.get(apex)
            is_known = known is not None and known[0] is index
            self._problems[apex] = known if known is not None and is_known else (index, tuple(check_zone(index)))
        return {apex: found for apex, (_, found) in self._problems.items()}
