"""What everybody sees, kept from one check to the next: little of it is another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from functools import cached_property

from lbdns.base.errors import Problem
from lbdns.config.checks.checked_balancers import CheckedBalancers
from lbdns.config.yaml.source import Placed
from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.master.zone_checks import ZoneIndex, check_hosts, check_records
from lbdns.model.balancer import LoadBalancer

Problems = tuple[Problem, ...]
BalancersByName = dict[bytes, dict[str, Placed[LoadBalancer]]]
"""Enabled load balancers by name (wire, lower case) and type."""


class PlainBalancers(Mapping[bytes, Mapping[str, Placed[LoadBalancer]]]):
    """Enabled load balancers by name and type, sorted when one is looked for: few checks look for any."""

    def __init__(self, those: CheckedBalancers) -> None:
        """Describe plain ones."""
        self._checked = those.checked
        self.has_wildcards = those.have_wildcards
        """Whether any stands at a wildcard, an enabled one or not."""

    @cached_property
    def _sorted(self) -> BalancersByName:
        found: BalancersByName = {}
        for one in self._checked:
            if one.placed.item.enabled:
                found.setdefault(one.wire, {})[one.placed.item.type] = one.placed
        return found

    def __getitem__(self, name: bytes) -> Mapping[str, Placed[LoadBalancer]]:
        return self._sorted[name]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._sorted)

    def __len__(self) -> int:
        return len(self._sorted)


class SightMemo:
    """Kept by whoever checks again and again."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._names: tuple[object, Set[bytes]] = (None, frozenset())
        self._indexes: dict[bytes, ZoneIndex] = {}
        # By the zone's apex: of which index, what is wrong with its records, and with the hosts that they point to.
        self._problems: dict[bytes, tuple[ZoneIndex, Problems, Problems]] = {}

    def balancers(self, those: CheckedBalancers) -> PlainBalancers:
        """Return the load balancers that are enabled, by name and type; all of them are plain ones."""
        answered = those.answered
        if self._names[0] != (answered, answered.version):
            self._names = (answered, answered.version), answered.keys
        return PlainBalancers(those)

    @property
    def names(self) -> Set[bytes]:
        """The names that those returned last answer with addresses: the same object as long as they are the same."""
        return self._names[1]

    def index(self, draft: ZoneDraft, names: Set[bytes]) -> ZoneIndex:
        """Return a zone's index; `names`: of the load balancers that answer with addresses."""
        found = self._indexes.get(draft.apex)
        if found is None or found.draft is not draft:
            found = self._indexes[draft.apex] = ZoneIndex(draft, names)
        elif found.balanced is not names:
            found = self._indexes[draft.apex] = found.beside(names)
        return found

    def problems(self, zones: Mapping[bytes, ZoneIndex]) -> dict[bytes, Problems]:
        """Return what is wrong with each zone, by its apex; what is kept of others is dropped."""
        before, self._problems = self._problems, {}
        self._indexes = {apex: index for apex, index in self._indexes.items() if apex in zones}
        for apex, index in zones.items():
            self._problems[apex] = _checked(index, before.get(apex))
        return {apex: (*of_records, *of_hosts) for apex, (_, of_records, of_hosts) in self._problems.items()}


def _checked(
    index: ZoneIndex, known: tuple[ZoneIndex, Problems, Problems] | None
) -> tuple[ZoneIndex, Problems, Problems]:
    """Return what is wrong with a zone: what is known of its draft is not looked for again."""
    if known is not None and known[0] is index:
        return known
    is_of_draft = known is not None and known[0].draft is index.draft
    of_records = known[1] if known is not None and is_of_draft else tuple(check_records(index))
    return index, of_records, tuple(check_hosts(index))
