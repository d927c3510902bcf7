"""A signer that is slow and obvious, in front of an unsigned server: each reply is signed as it passes, each denial a
lie (RFC 4470, RFC 9824). It shows that resolvers accept what is right here, and by its faults that they are found.

| what passes | what becomes of it |
|---|---|
| RRsets of a signed zone | each gets an RRSIG as the asked name itself, never as a wildcard |
| NXDOMAIN | NOERROR, NSEC at the asked name with NXNAME |
| NODATA | NSEC at the asked name with every type but the asked one and CNAME |
| a referral | the DS that the zone has, or an NSEC without it |
| NODATA for NSEC, RRSIG | that NSEC, or its RRSIG |
| a CNAME made from a DNAME, what is of other zones | goes on unsigned |
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm
from dns.rdtypes.ANY.NSEC import NSEC, Bitmap

from tests.validators.upstream import Authority

NXNAME = 128
INCEPTION_S, LIFE_S = 3600, 14 * 86400
PATIENCE_S = 60.0  # who is not answered in time ends the thread that asks
NSEC_TTL_S = 60
TYPES = tuple(
    dns.rdatatype.from_text(text)
    for text in (
        "A", "NS", "SOA", "PTR", "MX", "TXT", "AAAA", "LOC", "SRV", "NAPTR", "CERT", "SSHFP", "RRSIG", "NSEC", "TLSA",
        "HIP", "SVCB", "HTTPS", "CAA", "TYPE65500",
    )
)  # fmt: skip
STEERED_TYPES = (dns.rdatatype.A, dns.rdatatype.AAAA)
WILDCARDS = frozenset({b"apps", b"geo-apps", b"ruled-apps", b"cdns"})
FAULTS = ("unsigned", "as a wildcard", "bitmap", "long", "NXDOMAIN", "early", "stranger")


class NaiveSigner(Authority):
    """Signs what the server at `port` of loopback says of `apexes`."""

    def __init__(self, address: str, port: int, apexes: Collection[str], fault: str = "") -> None:
        """`fault`: one of FAULTS."""
        assert not fault or fault in FAULTS
        self._port = port
        self._fault = fault
        self._apexes = [dns.name.from_text(apex) for apex in apexes]
        self._keys = {apex: ec.generate_private_key(ec.SECP256R1()) for apex in self._apexes}
        self._dnskeys = {
            apex: dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
            for apex, key in self._keys.items()
        }
        super().__init__(address, {})

    def ds(self, apex: str) -> str:
        """Return a zone's DS."""
        name = dns.name.from_text(apex)
        return str(dns.dnssec.make_ds(name, self._dnskeys[name], "SHA256"))

    def _answer(self, wire: bytes, size: int) -> bytes | None:
        query = dns.message.from_wire(wire)
        name, rtype = query.question[0].name, query.question[0].rdtype
        asked = dns.message.make_query(
            name, rtype, use_edns=0 if query.edns >= 0 else None, options=list(query.options)
        )
        came = dns.query.tcp(asked, "127.0.0.1", PATIENCE_S, self._port)
        response = dns.message.make_response(query, our_payload=1232)
        response.flags |= came.flags & dns.flags.AA
        response.set_rcode(came.rcode())
        response.answer, response.authority = list(came.answer), list(came.authority)
        response.additional = list(came.additional)
        if came.edns >= 0:
            response.use_edns(0, query.ednsflags & dns.flags.DO, 1232, options=list(came.options))
        if query.edns >= 0 and query.ednsflags & dns.flags.DO:
            self._sign_all(response, name, rtype)
        elif rtype == dns.rdatatype.DNSKEY and name in self._keys:
            self._give_keys(response, name)
        short = dns.message.make_response(query, our_payload=1232)
        short.flags |= response.flags | dns.flags.TC
        whole = response.to_wire(max_size=65535)
        return whole if len(whole) <= size else short.to_wire()

    def _apex_of(self, name: dns.name.Name) -> dns.name.Name | None:
        return next((apex for apex in self._apexes if name.is_subdomain(apex)), None)

    def _give_keys(self, response: dns.message.Message, apex: dns.name.Name) -> None:
        response.answer = [dns.rrset.from_rdata(apex, 300, self._dnskeys[apex])]
        response.authority = []

    def _sign_all(self, response: dns.message.Message, name: dns.name.Name, rtype: int) -> None:
        if rtype == dns.rdatatype.DNSKEY and name in self._keys:
            self._give_keys(response, name)
        if name.is_wild() and response.answer and self._is_steered(name, rtype):
            self._hide(response, name)
        if any(one.rdtype == dns.rdatatype.SOA for one in response.authority):
            self._deny(response, name, rtype)
            if rtype in (dns.rdatatype.NSEC, dns.rdatatype.RRSIG):
                self._give_denial(response, rtype)
        elif not response.flags & dns.flags.AA:
            self._mark_cut(response)
        response.answer = self._signed(response.answer)
        response.authority = self._signed(response.authority)

    def _is_steered(self, name: dns.name.Name, rtype: int) -> bool:
        relative = name.canonicalize().relativize(name.split(3)[1].canonicalize())
        return rtype in STEERED_TYPES and len(relative) == 2 and relative.labels[-1] in WILDCARDS

    def _hide(self, response: dns.message.Message, name: dns.name.Name) -> None:
        """Give nothing for a wildcard itself: resolvers would answer all names below it with that."""
        apex = self._apex_of(name)
        if apex is not None:
            asked = dns.message.make_query(apex, dns.rdatatype.SOA)
            response.answer = []
            response.authority = dns.query.tcp(asked, "127.0.0.1", PATIENCE_S, self._port).answer
            response.authority[0].update_ttl(0)

    def _deny(self, response: dns.message.Message, name: dns.name.Name, rtype: int) -> None:
        end = response.answer[-1] if response.answer else None
        if end is not None and end.rdtype == dns.rdatatype.CNAME:
            name = end[0].target
        soa = next(one for one in response.authority if one.rdtype == dns.rdatatype.SOA)
        if self._apex_of(soa.name) is None:
            return
        types: set[int] = {NXNAME, dns.rdatatype.RRSIG, dns.rdatatype.NSEC}
        if response.rcode() != dns.rcode.NXDOMAIN:
            types = {int(one) for one in TYPES} - {rtype}
            if self._fault == "bitmap":
                types = {dns.rdatatype.RRSIG, dns.rdatatype.NSEC}
            elif name != soa.name:
                types -= {dns.rdatatype.SOA, dns.rdatatype.NS}
        elif self._fault != "NXDOMAIN":
            response.set_rcode(dns.rcode.NOERROR)
        if rtype == dns.rdatatype.DS and name != soa.name:
            types |= {dns.rdatatype.NS}
        response.authority.append(_nsec(name, soa.ttl if self._fault != "long" else 300, types))
        if self._fault == "long":
            soa.update_ttl(300)

    def _give_denial(self, response: dns.message.Message, rtype: int) -> None:
        """Answer QTYPE NSEC and RRSIG with what a denial is made of: these are there at every name."""
        found = [one for one in response.authority if one.rdtype == dns.rdatatype.NSEC]
        apex = self._apex_of(found[0].name) if found else None
        if apex is not None:
            response.answer += found if rtype == dns.rdatatype.NSEC else [self._signature(found[0], apex)]
            response.authority = []

    def _mark_cut(self, response: dns.message.Message) -> None:
        cut = next((one.name for one in response.authority if one.rdtype == dns.rdatatype.NS), None)
        if cut is None or self._apex_of(cut) is None:
            return
        if not any(one.rdtype == dns.rdatatype.DS for one in response.authority):
            asked = dns.message.make_query(cut, dns.rdatatype.DS, use_edns=0)
            ds = dns.query.tcp(asked, "127.0.0.1", PATIENCE_S, self._port).answer
            types: set[int] = {dns.rdatatype.NS, dns.rdatatype.RRSIG, dns.rdatatype.NSEC}
            response.authority += ds or [_nsec(cut, NSEC_TTL_S, types)]

    def _signed(self, section: list[dns.rrset.RRset]) -> list[dns.rrset.RRset]:
        signed, dnames = [], [one.name for one in section if one.rdtype == dns.rdatatype.DNAME]
        for one in section:
            signed.append(one)
            if one.rdtype == dns.rdatatype.RRSIG:
                continue
            apex = self._apex_of(one.name)
            is_made = one.rdtype == dns.rdatatype.CNAME and any(one.name.is_subdomain(name) for name in dnames)
            is_cut = one.rdtype == dns.rdatatype.NS and one.name != apex
            if apex is not None and not is_made and not is_cut and self._fault != "unsigned":
                signed.append(self._signature(one, apex))
        return signed

    def _signature(self, rrset: dns.rrset.RRset, apex: dns.name.Name) -> dns.rrset.RRset:
        owner = rrset.name
        if self._fault == "as a wildcard" and len(owner) == len(apex) + 2:
            wildcard = dns.name.Name((b"*", *owner.labels[1:]))
            rrset = dns.rrset.from_rdata_list(wildcard, rrset.ttl, list(rrset))
        key = self._keys[apex] if self._fault != "stranger" else ec.generate_private_key(ec.SECP256R1())
        now_s = int(time.time()) + (30 + INCEPTION_S if self._fault == "early" else 0)
        rrsig = dns.dnssec.sign(
            rrset, key, apex, self._dnskeys[apex], inception=now_s - INCEPTION_S, expiration=now_s + LIFE_S
        )
        return dns.rrset.from_rdata(owner, rrset.ttl, rrsig)


def _nsec(name: dns.name.Name, ttl: int, types: set[int]) -> dns.rrset.RRset:
    labels = name.labels
    following = dns.name.Name((b"\0", *labels)) if len(name.to_wire() or b"") < 254 else name
    bitmap = Bitmap.from_rdtypes([dns.rdatatype.RdataType.make(one) for one in sorted(types)])
    rdata = NSEC(  # type: ignore[no-untyped-call]
        dns.rdataclass.IN, dns.rdatatype.NSEC, following, bitmap
    )
    return dns.rrset.from_rdata(name, ttl, rdata)


@contextlib.contextmanager
def signing(address: str, port: int, apexes: Collection[str], fault: str = "") -> Iterator[NaiveSigner]:
    """Sign for a `with` block."""
    signer = NaiveSigner(address, port, apexes, fault)
    try:
        yield signer
    finally:
        signer.close()
