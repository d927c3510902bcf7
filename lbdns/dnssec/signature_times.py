"""From when to when signatures hold, and when they are made anew.

Signatures end at times that lie on a grid, of which each owner name has a phase of its own. So they are made anew
evenly spread over time, in steps, however many were made at once.

    made at any time of a step       .-- made anew: the next one ends a period later
    |<------- at least renew_s ----->|<-------- renew_s -------->|
    |            at most life_s                                  ends
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol
from zlib import crc32

STEPS: Final = 28
"""Into so many steps the time is cut in which all signatures are made anew once: of six hours, where that is a week."""
NSEC_TTL_MAX_S: Final = 60
"""Of a zone with load balancers, unless the policy says otherwise: one that was just added stays unseen so long behind
resolvers that make denials of their own from NSEC records (RFC 8198)."""
_MODULUS: Final = 1 << 32
_HALF: Final = 1 << 31


def denial_ttl_s(negative_s: int, has_balancers: bool, wanted_s: int | None) -> int:
    """Return the TTL of the records that deny in a zone: never more than a denial holds, `negative_s` (RFC 9077).

    `wanted_s`: what the policy says, None where it says nothing.
    """
    if wanted_s is None:
        return min(negative_s, NSEC_TTL_MAX_S) if has_balancers else negative_s
    return min(negative_s, wanted_s)


class SigningPolicy(Protocol):
    """What a zone's policy says of signing (DnssecPolicy of lbdns/model/dnssec_settings.py); seconds."""

    @property
    def denial(self) -> str:
        """`nsec`, `nsec3` or `compact`."""

    @property
    def nsec_ttl(self) -> int | None:
        """The TTL of NSEC and NSEC3 records, None where it follows from the zone."""

    @property
    def dnskey_ttl(self) -> int:
        """The TTL of records of keys."""

    @property
    def inception_s(self) -> int:
        """How far back signatures begin."""

    @property
    def key_inception_s(self) -> int:
        """How far back signatures over records of keys begin."""

    @property
    def life_s(self) -> int:
        """How long a signature holds at most."""

    @property
    def renew_s(self) -> int:
        """How long a signature has yet to hold when it is made anew."""


@dataclass(frozen=True)
class SignatureTimes:
    """The times of the signatures that are made at `now_s` (unix) under a policy."""

    policy: SigningPolicy
    now_s: int

    @cached_property
    def _ends(self) -> tuple[int, ...]:
        """The ends of signatures by phase: the first of the grid that leaves more than renew_s."""
        period_s = max(STEPS, self.policy.life_s - self.policy.renew_s)
        soonest_s = self.now_s + self.policy.renew_s
        ends = []
        for step in range(STEPS):
            phase_s = step * period_s // STEPS
            ends.append(soonest_s + period_s - (soonest_s - phase_s) % period_s)
        return tuple(ends)

    def expiration_s(self, owner: bytes) -> int:
        """Return when signatures over an owner's records end."""
        return self._ends[crc32(owner) % STEPS]

    def inception_s(self, is_of_keys: bool) -> int:
        """Return from when on signatures hold."""
        return self.now_s - (self.policy.key_inception_s if is_of_keys else self.policy.inception_s)

    def is_due(self, expiration: int, inception: int) -> bool:
        """Return whether a signature with these fields is to be made anew: it has no more than renew_s left, or is not
        valid yet, as the clock was set back."""
        return self.left_s(expiration) <= self.policy.renew_s or self.left_s(inception) > 0

    def holds(self, expiration: int, inception: int) -> bool:
        """Return whether a signature with these fields is valid."""
        return self.left_s(inception) <= 0 < self.left_s(expiration)

    def left_s(self, field: int) -> int:
        """Return how far a time in a signature's field lies ahead (RFC 4034 section 3.1.5: serial numbers)."""
        return (field - self.now_s + _HALF) % _MODULUS - _HALF
