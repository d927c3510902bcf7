"""What checking a configuration leaves for the next time: the problems of load balancers about which nothing changed.

Kept by the identity of the placed object, and given again while all else that its checks look at is the same: this
server's place, databases and lists, the pools that it refers to, and for some of them the zones. There may be 100,000,
so what is asked of all of them is asked without a call for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import compress
from operator import attrgetter, ne, not_

from lbdns.base.memo import ByObject
from lbdns.config.checks.checked_balancer import Checked
from lbdns.config.checks.checked_pool import CheckedPool
from lbdns.config.checks.order_memo import OrderMemo
from lbdns.config.checks.sight_memo import SightMemo
from lbdns.config.yaml.source import Placed
from lbdns.dns.codes import TYPE_DNAME, TYPE_NS
from lbdns.dns.master.draft import ZoneDraft
from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings

_NAMES, _WIRE = attrgetter("names"), attrgetter("wire")


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
        self._is_elsewhere = self._has_other_lists = True
        self._other_owners: frozenset[bytes] | None = None  # where the zones have something else; None: anywhere
        self._last: tuple[Sequence[Placed[LoadBalancer]], list[Checked]] = ((), [])
        self.order = OrderMemo()
        self.sights = SightMemo()
        self.pools: ByObject[CheckedPool] = ByObject()

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
        is_signed_alike = signed == self._signed
        self._other_owners = _other_owners(self._zones, drafts) if is_signed_alike else None
        known = self._pools
        self._changed = {name for name, placed in pools.items() if known.get(name) is not placed}
        self._changed.update(known.keys() - pools.keys())
        self._settings, self._pools, self._zones, self._signed = settings, dict(pools), drafts, signed
        self._last = ((), [])
        if before is not settings:
            self.pools.clear()
        with self._balancers.round(), self.pools.round():
            yield
        self._last = ((), [])

    def of(self, placed: Placed[LoadBalancer]) -> Checked:
        """Return what is kept of a load balancer; its problems may be those of before."""
        return self._balancers.of_all((placed,), Checked)[0]

    def of_all(self, those: Sequence[Placed[LoadBalancer]]) -> list[Checked]:
        """Return what is kept of load balancers, in their order, without the problems that may not be the same any
        more. Of the list that was asked for last, what was returned then."""
        if those is self._last[0]:
            return self._last[1]
        found = self._balancers.of_all(those, Checked)
        self._forget_other(found)
        self._last = those, found
        return found

    def _forget_other(self, those: Sequence[Checked]) -> None:
        """Forget the problems that may not be the same any more."""
        other = those if self._is_elsewhere else ()
        if self._changed and not self._is_elsewhere:
            other = [*compress(those, map(not_, map(self._changed.isdisjoint, map(_NAMES, those))))]
        for one in other:
            one.about_fields = one.about_zone = None
        if self._has_other_lists:
            for one in those:
                one.about_fields = None if one.has_rules else one.about_fields
        owners = self._other_owners
        for one in those if owners is None else compress(those, map(owners.__contains__, map(_WIRE, those))):
            one.about_zone = None


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
