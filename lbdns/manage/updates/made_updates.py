"""Updates that were made a moment ago, or by the run before: the same again is not made again, as long as it stands.

Who is not answered sends the same octets again, and would be told YXDOMAIN of his own record if they were made anew.
But octets may be the same and mean another update: without a signature, or with one of the same second, a client adds,
deletes and adds again. So the same octets are the same update as long as what stands at the names that it speaks of is
what it left there; where anybody has changed that since, it is made anew. Either way the zone is as it asks for.

Of refusals by permission nothing is kept: they are judged anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.dns.codes import NOERROR, NXDOMAIN, NXRRSET, TYPE_SOA, YXDOMAIN, YXRRSET
from lbdns.dns.update_message import UpdateMessage
from lbdns.manage.store.item import Change
from lbdns.manage.store.records.record_bodies import record_rrset
from lbdns.manage.store.sqlite import Store
from lbdns.manage.updates.updated_zone import UpdatedZone
from lbdns.transfer.update.update_section import DONE, UpdateOutcome

REMEMBERED_S: Final = 60.0
REMEMBERED_MAX: Final = 20_000
LATER_MAX: Final = 1024
"""Revisions after the updates that a run before stored last: where there are more, these were long ago."""
_KEPT: Final = (NOERROR, NXDOMAIN, NXRRSET, YXDOMAIN, YXRRSET)

Names = frozenset[bytes]
Mark = tuple[str, tuple[tuple[bytes, int, int, tuple[bytes, ...]], ...]]
"""A zone, and what stands at some of its names: owner, type, TTL in seconds, data."""


class MadeUpdate(NamedTuple):
    """An update, what was said of it, the names that it speaks of, and what it left there."""

    digest: bytes
    outcome: UpdateOutcome
    names: Names
    mark: Mark


def names_of(message: UpdateMessage) -> Names:
    """Return the names that an update speaks of."""
    return frozenset(one.owner for one in (*message.prerequisites, *message.updates))


def made_update(digest: bytes, outcome: UpdateOutcome, message: UpdateMessage, zone: UpdatedZone) -> MadeUpdate:
    """Return an update that was made just now, on a zone that is as it left it."""
    names = names_of(message)
    return MadeUpdate(digest, outcome, names, _mark(zone, names))


def _mark(zone: UpdatedZone, names: Names) -> Mark:
    """Return what tells the records at some names from all others; an SOA changes with every update, and does not
    count."""
    held = [
        (name, rdtype, rrset.ttl, tuple(sorted(rrset.rdatas)))
        for name in names
        for rdtype, rrset in zone.node(name).items()
        if rdtype != TYPE_SOA
    ]
    return zone.zone.id, tuple(sorted(held))


class MadeUpdates:
    """Those of the last REMEMBERED_S."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with none; `clock` gives seconds."""
        self._clock = clock
        self._made: OrderedDict[bytes, tuple[float, MadeUpdate]] = OrderedDict()

    def note(self, made: Iterable[MadeUpdate]) -> None:
        """Take updates as made and in force."""
        now_s = self._clock()
        for one in made:
            if one.digest and one.outcome.rcode in _KEPT:
                self._made[one.digest] = now_s, one
                self._made.move_to_end(one.digest)
        while self._made:
            since_s, _ = next(iter(self._made.values()))
            if since_s >= now_s - REMEMBERED_S and len(self._made) <= REMEMBERED_MAX:
                break
            self._made.popitem(last=False)

    def known(self, digest: bytes, zone: UpdatedZone) -> UpdateOutcome | None:
        """Return what was said of an update that stands, None where it is to be made."""
        since_s, made = self._made.get(digest, (0.0, None))
        if made is None or since_s < self._clock() - REMEMBERED_S or _mark(zone, made.names) != made.mark:
            return None
        return made.outcome

    def recall(self, store: Store, zone_of: Callable[[str], UpdatedZone | None]) -> None:
        """Take those as made that a run before stored last, and whose names nobody has changed since: it may be that
        nobody was answered."""
        try:
            last = store.last_updates
            first = min(last.values(), default=store.head)
            if store.head - first >= LATER_MAX:
                return
            changes = {one.number: one.changes for one in store.feed(first - 1)} if last else {}
        except LbdnsError:  # those revisions are kept no more
            return
        changed = {number: _changed(number_changes) for number, number_changes in changes.items()}
        for update, number in last.items():
            zone = zone_of(_zone_id(changes.get(number, ())))
            later = {key for after, keys in changed.items() if after > number for key in keys}
            if zone is None or changed[number] & later:
                continue
            names = frozenset(owner for _, owner in changed[number])
            self.note([MadeUpdate(bytes.fromhex(update), DONE, names, _mark(zone, names))])


def _changed(changes: Iterable[Change]) -> frozenset[tuple[str, bytes]]:
    """Return the zones and names whose records some changes are about."""
    items = [one.item for one in changes]
    return frozenset((item.zone_id, record_rrset(item)[0]) for item in items if item.kind is Kind.RECORD)


def _zone_id(changes: Iterable[Change]) -> str:
    """Return the zone that an update changed, "" where none is told."""
    return next((one.item.id for one in changes if one.item.kind is Kind.ZONE), "")
