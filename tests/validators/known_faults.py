"""What a validating resolver gets wrong of anybody's zone: narrow rules, each with the script in findings/ that shows
it behind another authoritative server. A trial counts and prints whatever a rule explains."""

from __future__ import annotations

from typing import NamedTuple

from tests.validators.questions import Question
from tests.validators.resolvers import PowerDns, Unbound
from tests.validators.signed_world import CHAINED, COMPACT, HASHED

DNAMES = frozenset({"old", "steered", "away"})
DENIED_COMPACTLY = frozenset({(COMPACT, dname) for dname in DNAMES} | {(CHAINED, "steered")})
"""Zones and DNAMEs in them whose targets are denied each by a record of its own: those below a wildcard load balancer
are so in a zone with an NSEC chain too."""


class KnownFault(NamedTuple):
    """A fault of other people's: what it is, who has it, and what shows it."""

    name: str
    resolver: str
    finding: str


NSEC3_BELOW_DNAME = KnownFault("NXDOMAIN below a DNAME", PowerDns.name, "powerdns-nsec3-below-dname")
"""Made of NSEC3 records in its cache, without a look at the types of the one that matches the closest encloser, a DNAME
among them (RFC 5155 section 8.3)."""
BELOW_ASTERISK = KnownFault("SERVFAIL below an asterisk", Unbound.name, "unbound-compact-below-asterisk")
"""As it asks label by label it meets the denial of the name that begins with the asterisk, takes it along, and finds
that one to prove nothing, before it looks at the right one (RFC 9824 has a record for each name)."""


def known_fault(resolver: str, question: Question, rcode: str, is_alias_wanted: bool) -> KnownFault | None:
    """Return the fault that explains a wrong reply without data, None where none does.

    `is_alias_wanted`: the right answer is an alias at the name asked.
    """
    labels = question.name.lower().rstrip(".").split(".")
    apex, dname, below = ".".join(labels[-2:]), "".join(labels[-3:-2]), labels[:-3]
    if dname not in DNAMES or not below:
        return None
    if (resolver, rcode, apex) == (NSEC3_BELOW_DNAME.resolver, "NXDOMAIN", HASHED) and is_alias_wanted:
        return NSEC3_BELOW_DNAME
    is_compact = (apex, dname) in DENIED_COMPACTLY
    if (resolver, rcode) == (BELOW_ASTERISK.resolver, "SERVFAIL") and is_compact and "*" in below[1:]:
        return BELOW_ASTERISK
    return None
