"""A signed zone as its RFCs say it, slowly and with dnspython: which names have which types, and who follows whom."""

from __future__ import annotations

from collections.abc import Iterable

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.NSEC
import dns.rdtypes.ANY.NSEC3
import dns.rrset

from lbdns.dns.zone import RRset, Zone
from lbdns.snapshot.compile.signed_zones import BalancerStanding

HIDDEN = {"A": {"A", "AAAA", "CNAME"}, "MX": {"MX"}, "SRV": {"SRV"}}
"""What a load balancer takes from the records at its name (docs/semantics.md)."""


def type_text(rtype: int) -> str:
    """Return a type's mnemonic as dnspython has it."""
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rtype))


def name_of(wire: bytes) -> dns.name.Name:
    """Return a name of dnspython."""
    return dns.name.from_wire(wire, 0)[0]


def rrset_of(rrset: RRset) -> dns.rrset.RRset:
    """Return an RRset of dnspython."""
    return dns.rrset.from_rdata_list(
        name_of(rrset.owner),
        rrset.ttl,
        [
            dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.RdataType.make(rrset.type), rdata, 0, len(rdata))
            for rdata in rrset.rdatas
        ],
    )


def signatures_of(rrset: RRset) -> dns.rrset.RRset:
    """Return the RRSIG records of an RRset."""
    return rrset_of(RRset(rrset.owner, dns.rdatatype.RRSIG, rrset.ttl, rrset.signatures))


class NaiveZone:
    """What a zone with load balancers is to be, signed."""

    def __init__(self, zone: Zone, standing: Iterable[BalancerStanding], key_types: Iterable[str]) -> None:
        self.apex = name_of(zone.apex)
        found: dict[dns.name.Name, set[str]] = {self.apex: set(key_types)}
        for rrset in zone.rrsets:
            found.setdefault(name_of(rrset.owner), set()).add(type_text(rrset.type))
        for one in standing:
            owner = name_of(one.owner)
            found[owner] = found.get(owner, set()) - HIDDEN[one.kind] | {type_text(t) for t in one.types}
        cuts = {owner for owner, types in found.items() if "NS" in types and owner != self.apex}
        self.cuts = cuts
        self.types: dict[dns.name.Name, set[str]] = {}
        for owner, types in found.items():
            if any(owner != cut and owner.is_subdomain(cut) for cut in cuts):
                continue
            self.types[owner] = types & {"NS", "DS"} if owner in cuts else types

    def must_be_signed(self, rrset: RRset) -> bool:
        """Return whether an RRset is to have a signature."""
        owner, rtype = name_of(rrset.owner), type_text(rrset.type)
        if rtype == "NSEC3":
            return True
        if owner not in self.types:
            return False
        return owner not in self.cuts or rtype in ("DS", "NSEC")

    def bitmap(self, owner: dns.name.Name, with_nsec: bool) -> set[str]:
        """Return the types that a record of denial at a name lists."""
        types = set(self.types[owner])
        if with_nsec:
            return types | {"RRSIG", "NSEC"}
        return types if owner in self.cuts and "DS" not in types else types | {"RRSIG"}

    def names_with_empty(self) -> set[dns.name.Name]:
        """Return the names with records and those above them, in the zone."""
        found = set(self.types)
        for owner in self.types:
            while owner != self.apex:
                owner = owner.parent()
                found.add(owner)
        return found

    def check(self, signed: Zone) -> None:
        """Assert that a signed zone has the chain that it is to have, and signatures where it is to."""
        denials = {}
        for rrset in signed.rrsets:
            assert bool(rrset.signatures) == self.must_be_signed(rrset), rrset
            if rrset.type == dns.rdatatype.NSEC:
                denials[name_of(rrset.owner)] = rrset_of(rrset)[0]
        assert signed.signed is not None
        if not signed.signed.nsec3:
            self._check_nsec(denials)
            return
        assert not denials
        self._check_nsec3({h: r for h, r in signed.signed.nsec3})

    def _check_nsec(self, found: dict[dns.name.Name, dns.rdata.Rdata]) -> None:
        assert set(found) == set(self.types)
        names = sorted(found)  # dnspython's names are ordered as DNSSEC has it
        for position, owner in enumerate(names):
            record = found[owner]
            assert isinstance(record, dns.rdtypes.ANY.NSEC.NSEC)
            assert record.next == names[(position + 1) % len(names)]
            assert _types_in(record) == self.bitmap(owner, with_nsec=True)

    def _check_nsec3(self, found: dict[bytes, RRset]) -> None:
        by_owner = {
            dns.name.Name((dns.dnssec.nsec3_hash(name, None, 0, 1).encode(), *self.apex.labels)): name
            for name in self.names_with_empty()
        }
        assert {name_of(rrset.owner) for rrset in found.values()} == set(by_owner)
        hashes = sorted(found)
        assert list(found) == hashes
        for position, hashed in enumerate(hashes):
            record = rrset_of(found[hashed])[0]
            assert isinstance(record, dns.rdtypes.ANY.NSEC3.NSEC3)
            assert (record.algorithm, record.flags, record.iterations, record.salt) == (1, 0, 0, b"")
            assert record.next == hashes[(position + 1) % len(hashes)]
            name = by_owner[name_of(found[hashed].owner)]
            wanted = self.bitmap(name, with_nsec=False) if name in self.types else set()
            assert _types_in(record) == wanted


def _types_in(record: dns.rdtypes.ANY.NSEC.NSEC | dns.rdtypes.ANY.NSEC3.NSEC3) -> set[str]:
    return {
        type_text(window << 8 | octet << 3 | bit)
        for window, octets in record.windows
        for octet, value in enumerate(octets)
        for bit in range(8)
        if value & 0x80 >> bit
    }


def check_signatures(rrsets: Iterable[RRset], dnskeys: dns.rrset.RRset, now_s: int) -> int:
    """Validate every signature with dnspython; return how many there were."""
    count = 0
    for rrset in rrsets:
        if rrset.signatures:
            dns.dnssec.validate(rrset_of(rrset), signatures_of(rrset), {dnskeys.name: dnskeys}, now=now_s)
            count += len(rrset.signatures)
    return count
