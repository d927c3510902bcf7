"""What a server knows of its signing at a moment, for those who show it: how zones stand, what the signer did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lbdns.dnssec.zone_status import ZoneStatus


@dataclass(frozen=True, slots=True)
class SigningFacts:
    """Zones that have keys, by the signer's last word, and its counts since it began, by name:

    table_slots, table_used   places of the table of signatures, and those that are taken
    evicted, no_place         signatures that gave way to others, and that found no place
    made, found               of those that an answer lacked or may lack next: made, or there already
    refused, failed           asked for without right, or not to be made; `problem` says why
    bulk                      made of what is published
    """

    zones: tuple[ZoneStatus, ...] = ()
    counts: Mapping[str, Any] = field(default_factory=dict)

    def states(self) -> Counter[str]:
        """Return how many zones there are in each state."""
        return Counter(str(one.status) for one in self.zones)

    def keys(self) -> Counter[tuple[str, str]]:
        """Return how many keys there are of each role and state."""
        return Counter((str(key.role), str(key.state)) for one in self.zones for key in one.keys)

    def next_step(self) -> ZoneStatus | None:
        """Return the zone whose next step comes first, of those where it is a matter of time."""
        timed = [one for one in self.zones if one.next_at_s is not None]
        return min(timed, key=lambda one: one.next_at_s or 0.0, default=None)


NOTHING_SIGNED: Final = SigningFacts()
