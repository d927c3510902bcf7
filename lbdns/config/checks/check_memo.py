"""What checking a configuration leaves for the next time: the problems of load balancers about which nothing changed.

They are given again while all else that their checks look at is the same: this server's place, databases and lists, the
pools that they refer to, and for some of them the zones. There may be 100,000, so what changed says of which the
problems are found anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import compress
from operator import attrgetter, ne
from typing import Any, Final

from lbdns.base.kinds import Kind
from lbdns.base.memo import BySequence
from lbdns.config.checks.checked_balancer import Checked
from lbdns.config.checks.checked_balancers import CheckedBalancers
from lbdns.config.checks.checked_pools import CheckedPools
from lbdns.config.checks.order_memo import OrderMemo
from lbdns.config.checks.sight_memo import SightMemo
from lbdns.config.yaml.source import Placed
from lbdns.dns.codes import TYPE_DNAME, TYPE_NS
from lbdns.dns.master.draft import ZoneDraft
from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings

_ITEM: Final = attrgetter("item")


class KeptItems:
    """What a configuration has of objects and their places, kept for the next: of the very same mapping or sequence it
    is the very same again."""

    def __init__(self) -> None:
        """Begin with none."""
        self._listed: dict[Kind, BySequence[Placed[Any], Any]] = {}
        self._keyed: dict[Kind, tuple[Mapping[str, Placed[Any]], dict[str, Any]]] = {}

    def listed(self, kind: Kind, those: Sequence[Placed[Any]]) -> tuple[Any, ...]:
        """Return the objects of a kind that is kept in a list."""
        found = self._listed.setdefault(kind, BySequence()).of_all(those, _ITEM)
        return found if isinstance(found, tuple) else tuple(found)

    def keyed(self, kind: Kind, those: Mapping[str, Placed[Any]]) -> dict[str, Any]:
        """Return the objects of a kind by name."""
        known = self._keyed.get(kind)
        if known is None or known[0] is not those:
            known = self._keyed[kind] = those, dict(zip(those, map(_ITEM, those.values()), strict=True))
        return known[1]


class CheckMemo:
    """Kept by whoever checks again and again, one check at a time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.balancers = CheckedBalancers()
        self._settings: Settings | None = None
        self._pools: Mapping[str, Placed[Pool]] = {}
        self._zones: tuple[ZoneDraft, ...] | None = None
        self._signed: frozenset[bytes] = frozenset()
        self.order = OrderMemo()
        self.sights = SightMemo()
        self.pools = CheckedPools()
        self.items = KeptItems()

    def __len__(self) -> int:
        """How many load balancers are kept."""
        return len(self.balancers)

    @contextmanager
    def checking(
        self,
        settings: Settings,
        pools: Mapping[str, Placed[Pool]],
        balancers: Sequence[Placed[LoadBalancer]],
        zones: Iterable[ZoneDraft] | None,
        signed: frozenset[bytes] = frozenset(),
    ) -> Iterator[None]:
        """Check with these, of which pools, load balancers and zones stay as they are.

        `zones`: all that are hosted; None: some are not known. `signed`: which of them are signed, by apex.
        """
        drafts = None if zones is None else tuple(zones)
        before, known = self._settings, self._pools
        try:
            self.balancers.see(balancers)
            if before is None or (before.pop, before.geodata) != (settings.pop, settings.geodata):
                self.balancers.forget(self.balancers.checked)
            elif pools is not known:
                changed = {name for name, placed in pools.items() if known.get(name) is not placed}
                self.balancers.forget_users(changed | (known.keys() - pools.keys()))
            if before is None or before.lists != settings.lists:
                self.balancers.forget_plans()
            self.balancers.forget_at(_other_owners(self._zones, drafts) if signed == self._signed else None)
            if before is not settings:
                self.pools.clear()
            self._settings, self._pools, self._zones, self._signed = settings, pools, drafts, signed
            yield
        except BaseException:
            self.balancers = CheckedBalancers()  # what changed is not known of all
            raise

    def of_all(self, those: Sequence[Placed[LoadBalancer]]) -> Sequence[Checked]:
        """Return what is kept of load balancers, in their order, without the problems that may not be the same any
        more."""
        return self.balancers.see(those)


def _other_owners(before: Sequence[ZoneDraft] | None, now: Sequence[ZoneDraft] | None) -> frozenset[bytes] | None:
    """Return where the zones have other records than before; None where it is not known, or may count elsewhere too:
    what is below a delegation or a DNAME is another's."""
    if before is None or now is None or len(before) != len(now):
        return None
    found: set[bytes] = set()
    for one, other in zip(before, now, strict=True):
        if one is other:
            continue
        if (one.apex, one.view, one.is_overlay) != (other.apex, other.view, other.is_overlay):
            return None
        owners = _differing(one.nodes, other.nodes)
        if _leads_away(one, owners) or _leads_away(other, owners):
            return None
        found |= owners
    return frozenset(found)


def _differing(before: Mapping[bytes, object], now: Mapping[bytes, object]) -> set[bytes]:
    """Return the keys at which two mappings differ."""
    found = set(compress(now, map(ne, map(before.get, now), now.values())))
    return found | (before.keys() - now.keys())


def _leads_away(draft: ZoneDraft, owners: Iterable[bytes]) -> bool:
    """Tell whether a delegation or a DNAME stands at one of some names."""
    types = (rrset.type for owner in owners if owner != draft.apex for rrset in draft.nodes.get(owner, ()))
    return any(rtype in (TYPE_NS, TYPE_DNAME) for rtype in types) or draft.rrset(draft.apex, TYPE_DNAME) is not None
