"""What checking a configuration leaves for the next time: the problems of load balancers about which nothing changed.

Kept by the identity of the placed object, and given again while all else that its checks look at is the same: this
server's place, databases and lists, the pools that it refers to, and for some of them the zones. `unchanged` tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import is_

from lbdns.base.errors import Problem
from lbdns.base.memo import ByObject
from lbdns.config.yaml.source import Placed
from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.name import encode_canonical
from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings


class Checked:
    """One load balancer: the pools that it names, its own name (wire, lower case), and the problems found last."""

    __slots__ = ("about_fields", "about_zone", "names", "wire")

    def __init__(self, balancer: LoadBalancer) -> None:
        self.names = tuple(balancer.named_pools())  # a set takes three times as much, and there may be 100,000
        # The model has checked the name, so it always has one.
        self.wire = encode_canonical(balancer.name)
        self.about_fields: tuple[Problem, ...] | None = None
        self.about_zone: tuple[Problem, ...] | None = None


class CheckMemo:
    """Kept by whoever checks again and again, one check at a time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._balancers: ByObject[Checked] = ByObject()
        self._settings: Settings | None = None
        self._pools: Mapping[str, Placed[Pool]] = {}
        self._zones: tuple[ZoneDraft, ...] | None = None
        self._signed: frozenset[bytes] = frozenset()
        self._changed: set[str] = set()
        self._is_elsewhere = self._has_other_zones = self._has_other_lists = True

    def __len__(self) -> int:
        """How many load balancers are kept."""
        return len(self._balancers)

    @contextmanager
    def checking(
        self,
        settings: Settings,
        pools: Mapping[str, Placed[Pool]],
        zones: Iterable[ZoneDraft] | None,
        signed: frozenset[bytes] = frozenset(),
    ) -> Iterator[None]:
        """Check with these, of which pools and zones stay as they are; what is not asked for is dropped at the end.

        `zones`: all that are hosted; None: some are not known. `signed`: which of them are signed, by apex.
        """
        drafts = None if zones is None else tuple(zones)
        before = self._settings
        self._is_elsewhere = before is None or (before.pop, before.geodata) != (settings.pop, settings.geodata)
        self._has_other_lists = before is None or before.lists != settings.lists
        self._has_other_zones = drafts is None or self._zones is None or not _are_same(drafts, self._zones)
        known = self._pools
        self._changed = {name for name, placed in pools.items() if known.get(name) is not placed}
        self._changed.update(known.keys() - pools.keys())
        self._has_other_zones |= signed != self._signed
        self._settings, self._pools, self._zones, self._signed = settings, dict(pools), drafts, signed
        with self._balancers.round():
            yield

    def of(self, placed: Placed[LoadBalancer]) -> Checked:
        """Return what is kept of a load balancer, without the problems that may not be the same any more."""
        found = self._balancers.find(placed)
        if found is None:
            found = Checked(placed.item)
            self._balancers.keep(placed, found)
        elif self._is_elsewhere or not self._changed.isdisjoint(found.names):
            found.about_fields = found.about_zone = None
        else:
            if self._has_other_lists and placed.item.has_rules:
                found.about_fields = None
            if self._has_other_zones:
                found.about_zone = None
        return found


def _are_same(some: tuple[ZoneDraft, ...], others: tuple[ZoneDraft, ...]) -> bool:
    return len(some) == len(others) and all(map(is_, some, others))
