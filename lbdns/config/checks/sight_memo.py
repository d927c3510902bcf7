"""What everybody sees, kept from one check to the next: little of it is another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from operator import attrgetter, methodcaller
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.memo import unlike_pairs
from lbdns.config.checks.checked_balancer import Checked
from lbdns.config.yaml.source import Placed
from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.master.zone_checks import ZoneIndex, check_zone
from lbdns.dns.name import WILDCARD_LABEL
from lbdns.model.balancer import LoadBalancer

BalancersByName = dict[bytes, dict[str, Placed[LoadBalancer]]]
"""Enabled load balancers by name (wire, lower case) and type."""
_ABOUT_NAME: Final = attrgetter("name", "type", "view", "enabled")
_WIRE: Final = attrgetter("wire")
_IS_WILDCARD: Final = methodcaller("startswith", WILDCARD_LABEL)


class PlainBalancers(Mapping[bytes, Mapping[str, Placed[LoadBalancer]]]):
    """Enabled load balancers by name and type, sorted when one is looked for: few checks look for any."""

    def __init__(self, placed: Sequence[Placed[LoadBalancer]], checked: Sequence[Checked]) -> None:
        """Describe plain ones."""
        self._placed = placed
        self._checked = checked

    @cached_property
    def _sorted(self) -> BalancersByName:
        found: BalancersByName = {}
        for placed, checked in zip(self._placed, self._checked, strict=True):
            if placed.item.enabled:
                found.setdefault(checked.wire, {})[placed.item.type] = placed
        return found

    def __getitem__(self, name: bytes) -> Mapping[str, Placed[LoadBalancer]]:
        return self._sorted[name]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._sorted)

    def __len__(self) -> int:
        return len(self._sorted)

    def has_wildcards(self) -> bool:
        """Whether any stands at a wildcard, an enabled one or not."""
        return any(map(_IS_WILDCARD, map(_WIRE, self._checked)))

    def address_names(self) -> frozenset[bytes]:
        """Return the names that they answer with addresses."""
        return frozenset(
            checked.wire
            for placed, checked in zip(self._placed, self._checked, strict=True)
            if placed.item.enabled and placed.item.type == "A"
        )


class SightMemo:
    """Kept by whoever checks again and again."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._placed: Sequence[Placed[LoadBalancer]] = ()
        self._names: frozenset[bytes] = frozenset()
        self._indexes: dict[bytes, ZoneIndex] = {}
        self._problems: dict[bytes, tuple[ZoneIndex, tuple[Problem, ...]]] = {}

    def balancers(self, placed: Sequence[Placed[LoadBalancer]], checked: Sequence[Checked]) -> PlainBalancers:
        """Return the load balancers that are enabled, by name and type; all of them are plain ones."""
        found = PlainBalancers(placed, checked)
        if not self._have_same_names(placed):
            self._names = found.address_names()
        self._placed = tuple(placed)
        return found

    def _have_same_names(self, placed: Sequence[Placed[LoadBalancer]]) -> bool:
        """Whether load balancers are those of before but for what is no matter of names."""
        if len(placed) != len(self._placed):
            return False
        pairs = unlike_pairs(self._placed, placed)
        return all(_ABOUT_NAME(before.item) == _ABOUT_NAME(now.item) for before, now in pairs)

    @property
    def names(self) -> frozenset[bytes]:
        """The names that those returned last answer with addresses: the same object as long as they are the same."""
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
