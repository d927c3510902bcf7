"""A validator of answers, slow and obvious: RFC 4035 section 5, RFC 5155 section 8, RFC 6840, RFC 9824, told anew.

    Validator(apex, dnskeys, now_s).check(reply, name, qtype)

raises Bogus where a resolver with the zone's keys should not believe the reply, and returns what it is a proof of. It
works on dnspython's messages and shares nothing with what made them.
"""

from __future__ import annotations

from base64 import b32hexencode
from collections.abc import Iterable
from dataclasses import dataclass

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.node
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.rrset
from dns.dnssectypes import NSEC3Hash
from dns.rdata import Rdata
from dns.rdatatype import RdataType

NXNAME = 128
ASTERISK = dns.name.Name((b"*",))


class Bogus(AssertionError):
    """A reply that no validator may believe; the text says why."""


def types_of(record: Rdata) -> set[int]:
    """Return the types in the bitmap of an NSEC or NSEC3 record."""
    return {
        window * 256 + octet * 8 + bit
        for window, octets in record.windows  # type: ignore[attr-defined]
        for octet, value in enumerate(octets)
        for bit in range(8)
        if value & (0x80 >> bit)
    }


def wildcard_below(name: dns.name.Name) -> dns.name.Name:
    """Return the wildcard right below a name."""
    return ASTERISK.concatenate(name)


def own_labels(name: dns.name.Name) -> int:
    """Return the number of labels that a signature counts: without the root's and a leading asterisk."""
    return len(name.labels) - 1 - (name.labels[0] == b"*")


def encloser_by(name: dns.name.Name, owner: dns.name.Name, following: dns.name.Name) -> dns.name.Name:
    """Return the closest encloser of a name that an NSEC record covers: what it shares most labels with."""
    shared = max(name.fullcompare(one)[2] for one in (owner, following))
    return name.split(shared)[1]


@dataclass
class Denials:
    """The NSEC and NSEC3 records of a reply, their signatures checked."""

    apex: dns.name.Name
    nsec: dict[dns.name.Name, Rdata]
    nsec3: dict[str, Rdata]

    def matching(self, name: dns.name.Name) -> set[int] | None:
        """Return the types that a record at a name gives, None where there is no such record."""
        if name in self.nsec:
            return types_of(self.nsec[name])
        record = self.nsec3.get(self.hashed(name))
        return None if record is None else types_of(record)

    def hashed(self, name: dns.name.Name) -> str:
        """Return the hash of a name, without salt and iterations."""
        return dns.dnssec.nsec3_hash(name, None, 0, NSEC3Hash.SHA1).upper()

    def covering(self, name: dns.name.Name) -> tuple[dns.name.Name, Rdata] | None:
        """Return the NSEC record that says that a name has no records, and its owner."""
        for owner, record in self.nsec.items():
            following = record.next  # type: ignore[attr-defined]
            is_last = following <= owner
            if not (owner < name and (is_last or name < following)) or not following.is_subdomain(self.apex):
                continue
            types = types_of(record)
            # What lies below a cut or a DNAME is not the zone's to deny (RFC 6840 section 4.1).
            is_above = name.is_subdomain(owner)
            if is_above and (RdataType.DNAME in types or (RdataType.NS in types and RdataType.SOA not in types)):
                continue
            return owner, record
        return None

    def covers_hash(self, name: dns.name.Name) -> bool:
        """Return whether an NSEC3 record covers the hash of a name."""
        hashed = self.hashed(name)
        for begin, record in self.nsec3.items():
            end = b32hexencode(record.next).decode()  # type: ignore[attr-defined]
            if begin < hashed < end or (end <= begin and (hashed > begin or hashed < end)):
                return True
        return False

    def encloser3(self, name: dns.name.Name) -> tuple[dns.name.Name, dns.name.Name]:
        """Return the closest encloser of a name and the next closer name, as NSEC3 proves them (RFC 5155 8.3)."""
        closer = name
        while closer != self.apex:
            above = closer.parent()
            types = self.matching(above)
            if types is not None:
                if not self.covers_hash(closer):
                    raise Bogus(f"nothing covers the next closer name {closer}")
                if RdataType.DNAME in types or (RdataType.NS in types and RdataType.SOA not in types):
                    raise Bogus(f"{above} is a cut or has a DNAME: nothing below it is denied by this zone")
                return above, closer
            closer = above
        raise Bogus(f"no closest encloser of {name} is proved")


class Validator:
    """Who has the keys of a zone, at one time of day."""

    def __init__(self, apex: str, dnskeys: Iterable[Rdata], now_s: int) -> None:
        self.apex = dns.name.from_text(apex)
        keys = dns.rrset.RRset(self.apex, dns.rdataclass.IN, RdataType.DNSKEY)
        for one in dnskeys:
            keys.add(one)
        self._keys: dict[dns.name.Name, dns.node.Node | dns.rdataset.Rdataset] = {self.apex: keys}
        self._now_s = now_s
        self._verified: set[tuple[str, str]] = set()

    def check(self, reply: dns.message.Message, name: str, qtype: str) -> str:
        """Return what a reply proves: `positive`, `nodata`, `nxdomain`, `referral` or `elsewhere`; raise Bogus."""
        asked, rtype = dns.name.from_text(name), RdataType.make(qtype)
        self._check_signatures(reply)
        denials = self._denials(reply)
        at, seen = asked, {asked}
        while True:
            records = self._take(reply, at, rtype, denials)
            if records is None or records.rdtype in (rtype, RdataType.RRSIG) or rtype == RdataType.ANY:
                break
            at = records[0].target
            if at in seen or not at.is_subdomain(self.apex):
                return "elsewhere"
            seen.add(at)
        if records is not None:
            return "positive"
        if reply.rcode() == dns.rcode.YXDOMAIN:
            return "elsewhere"
        cuts = [one for one in reply.authority if one.rdtype == RdataType.NS and one.name != self.apex]
        if cuts:
            self._check_cut(cuts[0].name, at, reply, denials)
            return "referral"
        is_cut_short = reply.rcode() == dns.rcode.NOERROR and bool(reply.answer) and at != asked
        if len(seen) > 16 or (is_cut_short and not any(one.rdtype == RdataType.SOA for one in reply.authority)):
            return "elsewhere"  # aliases that are not followed to their end, which is asked for again
        return self._check_denial(reply, at, rtype, denials)

    # --- signatures ---

    def _check_signatures(self, reply: dns.message.Message) -> None:
        for section in (reply.answer, reply.authority, reply.additional):
            for records in section:
                if records.rdtype != RdataType.RRSIG and self._is_to_be_signed(reply, records):
                    self._verify(records, self._signatures(section, records))

    def _signatures(self, section: list[dns.rrset.RRset], records: dns.rrset.RRset) -> dns.rrset.RRset:
        for one in section:
            if one.rdtype == RdataType.RRSIG and one.name == records.name and one.covers == records.rdtype:
                if one.ttl != records.ttl:
                    raise Bogus(f"{records.name} {records.rdtype.name}: TTL {records.ttl}, signature's {one.ttl}")
                return one
        raise Bogus(f"{records.name} {records.rdtype.name} has no signature")

    def _is_to_be_signed(self, reply: dns.message.Message, records: dns.rrset.RRset) -> bool:
        if not records.name.is_subdomain(self.apex) or records.rdtype == RdataType.OPT:
            return False
        if records.rdtype == RdataType.CNAME and self._dname_above(reply, records) is not None:
            return False
        cuts = [one.name for one in reply.authority if one.rdtype == RdataType.NS and one.name != self.apex]
        if records.rdtype == RdataType.NS and records.name in cuts:
            return False
        is_below = any(records.name.is_subdomain(cut) for cut in cuts)
        return not (is_below and records in reply.additional) and not self._is_unsigned_glue(reply, records, cuts)

    def _is_unsigned_glue(
        self, reply: dns.message.Message, records: dns.rrset.RRset, cuts: list[dns.name.Name]
    ) -> bool:
        """Addresses of a sibling's name servers lie below another cut."""
        if not cuts or records not in reply.additional:
            return False
        return not any(
            one.rdtype == RdataType.RRSIG and one.name == records.name and one.covers == records.rdtype
            for one in reply.additional
        )

    def _dname_above(self, reply: dns.message.Message, cname: dns.rrset.RRset) -> dns.rrset.RRset | None:
        """Return the DNAME that a CNAME follows from (RFC 6672 section 5.3.1)."""
        for one in reply.answer:
            if one.rdtype == RdataType.DNAME and cname.name != one.name and cname.name.is_subdomain(one.name):
                made = cname.name.relativize(one.name).concatenate(one[0].target)
                if made == cname[0].target:
                    return one
        return None

    def _verify(self, records: dns.rrset.RRset, signatures: dns.rrset.RRset) -> None:
        problems = []
        for signature in signatures:
            if signature.signer != self.apex:
                problems.append(f"the signer is {signature.signer}")
            elif not signature.inception <= self._now_s <= signature.expiration:
                problems.append("not at this time")
            elif signature.labels > own_labels(records.name):
                problems.append("it has too many labels")
            elif records.ttl > signature.original_ttl:
                problems.append(f"the TTL {records.ttl} is over the original one, {signature.original_ttl}")
            else:
                seen = (records.to_text(), signature.to_text())
                if seen in self._verified:
                    return
                try:
                    dns.dnssec.validate_rrsig(_expanded(records, signature), signature, self._keys, now=self._now_s)
                except dns.exception.ValidationFailure as error:
                    problems.append(str(error))
                    continue
                self._verified.add(seen)
                return
        raise Bogus(f"{records.name} {records.rdtype.name}: {'; '.join(problems)}")

    # --- what is there ---

    def _take(
        self, reply: dns.message.Message, at: dns.name.Name, rtype: RdataType, denials: Denials
    ) -> dns.rrset.RRset | None:
        """Return the records of a name in the answer, of the type, else its CNAME; a wildcard's are proved."""
        here = [one for one in reply.answer if one.name == at]
        if rtype == RdataType.RRSIG:
            found = next((one for one in here if one.rdtype == rtype), None)
            return found or next((one for one in here if one.rdtype == RdataType.CNAME), None)
        there = [one for one in here if one.rdtype != RdataType.RRSIG]
        if rtype == RdataType.ANY:
            found = there[0] if there else None
        else:
            found = next((one for one in there if one.rdtype == rtype), None)
            found = found or next((one for one in there if one.rdtype == RdataType.CNAME), None)
        if found is None or self._dname_above(reply, found) is not None:
            return found
        signature = self._signatures(reply.answer, found)[0]
        if signature.labels < own_labels(at):
            self._check_expansion(at, signature.labels, denials)
        return found

    def _check_expansion(self, name: dns.name.Name, labels: int, denials: Denials) -> None:
        """A wildcard's records hold for a name where nothing stands closer (RFC 4035 5.3.4, RFC 5155 8.8)."""
        encloser = name.split(labels + 1)[1]
        covering = denials.covering(name)
        if covering is not None:
            owner, record = covering
            if encloser_by(name, owner, record.next) != encloser:  # type: ignore[attr-defined]
                raise Bogus(f"{owner} NSEC says that something stands closer to {name} than {encloser}")
            return
        closer = name.split(labels + 2)[1]
        if not denials.covers_hash(closer):
            raise Bogus(f"nothing proves that {name} does not exist beside {wildcard_below(encloser)}")

    # --- what is not there ---

    def _denials(self, reply: dns.message.Message) -> Denials:
        nsec, nsec3 = {}, {}
        for records in reply.authority:
            if records.rdtype == RdataType.NSEC:
                signature = self._signatures(reply.authority, records)[0]
                if signature.labels < own_labels(records.name):
                    raise Bogus(f"the NSEC record of {records.name} was made of a wildcard's (RFC 4035 5.4)")
                nsec[records.name] = records[0]
            elif records.rdtype == RdataType.NSEC3:
                nsec3[records.name.labels[0].decode().upper()] = records[0]
        if len(nsec) + len(nsec3) < sum(one.rdtype in (RdataType.NSEC, RdataType.NSEC3) for one in reply.authority):
            raise Bogus("a denial stands there twice")
        return Denials(self.apex, nsec, nsec3)

    def _check_cut(self, cut: dns.name.Name, at: dns.name.Name, reply: dns.message.Message, denials: Denials) -> None:
        if not at.is_subdomain(cut):
            raise Bogus(f"a referral to {cut} for {at}")
        if any(one.rdtype == RdataType.DS and one.name == cut for one in reply.authority):
            return
        types = denials.matching(cut)
        if types is None:
            raise Bogus(f"the cut {cut} has neither DS nor a record that says so")
        if RdataType.NS not in types or RdataType.SOA in types or RdataType.DS in types:
            raise Bogus(f"the types at {cut} do not say that it is a cut without DS: {sorted(types)}")

    def _check_denial(self, reply: dns.message.Message, at: dns.name.Name, rtype: RdataType, denials: Denials) -> str:
        soa = [one for one in reply.authority if one.rdtype == RdataType.SOA]
        if not soa or soa[0].name != self.apex:
            raise Bogus(f"no SOA record of {self.apex}")
        for one in reply.authority if not reply.answer else ():  # of aliases, wildcards have their own
            if one.rdtype in (RdataType.NSEC, RdataType.NSEC3) and one.ttl > soa[0].ttl:
                raise Bogus(f"the denial at {one.name} lives longer than the answer (RFC 9077)")
        types = denials.matching(at)
        if types is not None and NXNAME in types:
            if not types <= {RdataType.RRSIG, RdataType.NSEC, NXNAME}:
                raise Bogus(f"{at} does not exist and has {sorted(types)}")
            return "nxdomain"
        if reply.rcode() == dns.rcode.NXDOMAIN:
            self._check_no_name(at, denials)
            return "nxdomain"
        if reply.rcode() != dns.rcode.NOERROR:
            raise Bogus(f"no validator asks for proof of {dns.rcode.to_text(reply.rcode())}")
        self._check_no_type(at, rtype, types, denials)
        return "nodata"

    def _check_no_name(self, at: dns.name.Name, denials: Denials) -> None:
        if denials.nsec:
            covering = denials.covering(at)
            if covering is None:
                raise Bogus(f"nothing covers {at}")
            owner, record = covering
            following = record.next  # type: ignore[attr-defined]
            if following.is_subdomain(at):
                raise Bogus(f"{at} exists: {following} stands below it")
            wildcard = wildcard_below(encloser_by(at, owner, following))
            if denials.covering(wildcard) is None:
                raise Bogus(f"nothing covers {wildcard}")
            return
        encloser, _ = denials.encloser3(at)
        if not denials.covers_hash(wildcard_below(encloser)):
            raise Bogus(f"nothing covers {wildcard_below(encloser)}")

    def _check_no_type(self, at: dns.name.Name, rtype: RdataType, types: set[int] | None, denials: Denials) -> None:
        if types is not None:
            self._check_types(at, rtype, types)
            return
        if denials.nsec:
            covering = denials.covering(at)
            if covering is None:
                raise Bogus(f"nothing matches or covers {at}")
            owner, record = covering
            following = record.next  # type: ignore[attr-defined]
            if following.is_subdomain(at):
                return  # nothing but other names below it (RFC 4035 section 3.1.3.2)
            wildcard = wildcard_below(encloser_by(at, owner, following))
        else:
            encloser, _ = denials.encloser3(at)
            wildcard = wildcard_below(encloser)
        of_wildcard = denials.matching(wildcard)
        if of_wildcard is not None:
            self._check_types(wildcard, rtype, of_wildcard)
            return
        found = denials.covering(wildcard)
        if found is None or not found[1].next.is_subdomain(wildcard):  # type: ignore[attr-defined]
            raise Bogus(f"nothing says what {wildcard} has")

    def _check_types(self, name: dns.name.Name, rtype: RdataType, types: set[int]) -> None:
        if rtype in types or RdataType.CNAME in types:
            raise Bogus(f"{name} has {rtype.name} or CNAME, says its record: {sorted(types)}")
        is_cut = RdataType.NS in types and RdataType.SOA not in types
        if is_cut and rtype != RdataType.DS:
            raise Bogus(f"{name} is a cut: only DS is denied there (RFC 6840 section 4.4)")
        if rtype == RdataType.DS and RdataType.SOA in types and name != self.apex:
            raise Bogus(f"the zone below denies DS at {name}")


def _expanded(records: dns.rrset.RRset, signature: Rdata) -> dns.rrset.RRset:
    """Return records as dnspython takes them: not at a name with a leading asterisk which itself came of a wildcard
    further up. What stands in that label goes into no signature."""
    name = records.name
    if name.labels[0] != b"*" or signature.labels == own_labels(name):  # type: ignore[attr-defined]
        return records
    renamed = dns.rrset.RRset(dns.name.Name((b"x", *name.labels[1:])), records.rdclass, records.rdtype)
    for record in records:
        renamed.add(record, records.ttl)
    return renamed
