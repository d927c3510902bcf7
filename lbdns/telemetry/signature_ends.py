"""When the signatures of published records are made anew, and end: what a snapshot and the settings say together."""

from __future__ import annotations

from typing import NamedTuple

from lbdns.mapped.snapshot_file import RENEWAL
from lbdns.telemetry.server_facts import ServerFacts


class FirstExpiry(NamedTuple):
    """Of the signature that is to be made anew first: when that is, and when it ends at the soonest; unix seconds."""

    renewal_s: float
    ends_s: float

    def passed(self, now_s: float) -> float:
        """Return which part of the time between has passed, less than 0 before it."""
        return (now_s - self.renewal_s) / max(self.ends_s - self.renewal_s, 1.0)


def first_expiry(facts: ServerFacts) -> FirstExpiry | None:
    """Return it; None where nothing is signed."""
    renewal_s = facts.published.snapshot.meta.get(RENEWAL, 0)
    if not renewal_s or not facts.signing.zones:
        return None
    settings = facts.published.configuration.settings.dnssec
    left_s = min(settings.policy_of(one.zone).renew_s for one in facts.signing.zones)
    return FirstExpiry(renewal_s, renewal_s + left_s)
