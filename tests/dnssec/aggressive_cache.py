"""What a resolver that uses NSEC and NSEC3 records aggressively (RFC 8198) makes of all the replies that it ever got.

Whatever it may say by itself must be what the server would say: a load balancer's answer must never be denied, nor
given for another name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.message
import dns.name
import dns.rrset
from dns.rdatatype import RdataType

from tests.dnssec.naive_validator import Bogus, Denials, encloser_by, own_labels, types_of, wildcard_below

OPT_OUT = 1


@dataclass
class AggressiveCache:
    """NSEC and NSEC3 records and the RRsets of wildcards, from replies that were valid."""

    apex: dns.name.Name
    denials: Denials = field(init=False)
    wildcards: dict[tuple[dns.name.Name, RdataType], dns.rrset.RRset] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.denials = Denials(self.apex, {}, {})

    def keep(self, reply: dns.message.Message) -> None:
        """Take up what a reply has that may be kept."""
        for records in reply.authority:
            if records.rdtype == RdataType.NSEC and records.ttl:
                self.denials.nsec[records.name] = records[0]
            if records.rdtype == RdataType.NSEC3 and records.ttl and not records[0].flags & OPT_OUT:
                self.denials.nsec3[records.name.labels[0].decode().upper()] = records[0]
        for section in (reply.answer, reply.additional):
            for records in section:
                if records.rdtype == RdataType.RRSIG:
                    self._keep_wildcard(section, records)

    def _keep_wildcard(self, section: list[dns.rrset.RRset], signatures: dns.rrset.RRset) -> None:
        name = signatures.name
        labels = signatures[0].labels
        is_wildcard = name.labels[0] == b"*"
        if labels == own_labels(name) and not is_wildcard:
            return
        owner = name if is_wildcard and labels == own_labels(name) else wildcard_below(name.split(labels + 1)[1])
        for one in section:
            if one.name == name and one.rdtype == signatures.covers and one.ttl:
                self.wildcards[owner, one.rdtype] = one

    def says(self, name: dns.name.Name, rtype: RdataType) -> str | dns.rrset.RRset | None:
        """Return what the cache answers by itself: `nodata`, `nxdomain`, a wildcard's RRset, None for nothing."""
        if self.denials.nsec3:
            return self._says_by_hash(name, rtype)
        nsec = self.denials.nsec
        if name in nsec:
            types = types_of(nsec[name])
            is_cut = RdataType.NS in types and RdataType.SOA not in types
            return "nodata" if not {rtype, RdataType.CNAME} & types and not is_cut else None
        covering = self.denials.covering(name)
        if covering is None:
            return None
        owner, record = covering
        following = record.next  # type: ignore[attr-defined]
        if following.is_subdomain(name):
            return "nodata"
        wildcard = wildcard_below(encloser_by(name, owner, following))
        if (wildcard, rtype) in self.wildcards:
            return self.wildcards[wildcard, rtype]
        if wildcard in nsec:
            return "nodata" if not {rtype, RdataType.CNAME} & types_of(nsec[wildcard]) else None
        return "nxdomain" if self.denials.covering(wildcard) is not None else None

    def _says_by_hash(self, name: dns.name.Name, rtype: RdataType) -> str | dns.rrset.RRset | None:
        types = self.denials.matching(name)
        if types is not None:
            is_cut = RdataType.NS in types and RdataType.SOA not in types
            return "nodata" if not {rtype, RdataType.CNAME} & types and not is_cut else None
        try:
            encloser, _ = self.denials.encloser3(name)
        except Bogus:
            return None
        wildcard = wildcard_below(encloser)
        if (wildcard, rtype) in self.wildcards:
            return self.wildcards[wildcard, rtype]
        types = self.denials.matching(wildcard)
        if types is not None:
            return "nodata" if not {rtype, RdataType.CNAME} & types else None
        return "nxdomain" if self.denials.covers_hash(wildcard) else None
