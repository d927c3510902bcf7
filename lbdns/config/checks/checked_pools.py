"""What is kept of all pools from one check to the next, and what follows from all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, compress
from operator import attrgetter
from typing import Final

from lbdns.base.kinds import Kind
from lbdns.base.memo import BySequence, KeyCounts
from lbdns.config.checks.checked_pool import CheckedPool, Families
from lbdns.config.yaml.source import Placed
from lbdns.model.pool import Pool

Pools = Mapping[str, Placed[Pool]]
_TELLS: Final = attrgetter("tells")
_FAMILIES: Final = attrgetter("families")


class CheckedPools:
    """Kept by whoever checks again and again. While the pools are the very same mapping, none of them is looked at."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: BySequence[Placed[Pool], CheckedPool] = BySequence()
        self._pools: Pools = {}
        self._checked: Sequence[CheckedPool] = ()
        self._named: KeyCounts[tuple[Kind, str]] = KeyCounts()
        self._unknown_count = 0  # pools of which it is not known at once what they name
        self._telling: Sequence[tuple[Placed[Pool], CheckedPool]] | None = None
        self._of_families: KeyCounts[tuple[bool, bool]] = KeyCounts()
        self._families: tuple[dict[str, Families | None], bool] | None = None

    def clear(self) -> None:
        """Drop everything."""
        self._kept.clear()
        self._take({}, ())

    def telling(self, pools: Pools) -> Sequence[tuple[Placed[Pool], CheckedPool]]:
        """Return the pools that are to be checked, and those about which there is something to say, in their order."""
        self._see(pools)
        known = self._telling
        if known is None or not all(map(_TELLS, [checked for _, checked in known])):
            pairs = zip(pools.values(), self._checked, strict=True)
            known = self._telling = [*compress(pairs, map(_TELLS, self._checked))]
        return known

    def families(self, pools: Pools) -> tuple[dict[str, Families | None], bool]:
        """Return the address families of pools by name, and whether those that are known are the same ones."""
        self._see(pools)
        if self._families is None:
            found = dict(zip(pools, map(_FAMILIES, self._checked), strict=True))
            self._families = found, len(self._of_families.keys) < 2
        return self._families

    def naming_others(self, pools: Pools, declared: set[tuple[Kind, str]]) -> Iterable[Placed[Pool]]:
        """Return the pools that name something that is not declared, and those of which it is not known at once."""
        self._see(pools)
        if not self._unknown_count and self._named.keys <= declared:
            return ()
        named = [one.names for one in self._checked]
        return compress(pools.values(), [names is None or not declared.issuperset(names) for names in named])

    def _see(self, pools: Pools) -> None:
        if pools is not self._pools:
            self._take(pools, self._kept.of_all([*pools.values()], CheckedPool))

    def _take(self, pools: Pools, checked: Sequence[CheckedPool]) -> None:
        came, went = self._kept.came, self._kept.went
        self._named.change(_named_by(came), _named_by(went))
        self._of_families.change(_families_of(came), _families_of(went))
        self._unknown_count += sum(one.names is None for one in came) - sum(one.names is None for one in went)
        self._pools, self._checked, self._telling, self._families = pools, checked, None, None


def _families_of(those: Iterable[CheckedPool]) -> Iterable[tuple[bool, bool]]:
    return ((one.families.has_ipv4, one.families.has_ipv6) for one in those if one.families is not None)


def _named_by(those: Iterable[CheckedPool]) -> Iterable[tuple[Kind, str]]:
    return chain.from_iterable(one.names or () for one in those)
