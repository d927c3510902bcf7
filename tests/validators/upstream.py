"""The zones around those under test, of a few names: the root, which delegates, and what lies below their cuts."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Mapping

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.node
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone
from dns.rdatatype import RdataType

from tests.validators.addresses import DNS_PORT

UDP_BYTES = 1232
PATIENCE_S = 5.0


class Authority:
    """An authoritative server of small zones on one address: data, referrals with glue and DS, NXDOMAIN, NODATA, and
    the NSEC chain of a signed zone. No wildcards, no aliases: the zones here have none."""

    def __init__(self, address: str, zones: Mapping[str, dns.zone.Zone]) -> None:
        """Answer at an address; zones by their apex."""
        self._zones = {dns.name.from_text(apex): zone for apex, zone in zones.items()}
        with contextlib.ExitStack() as undo:  # an address in use fails this test, and no other that finds a socket open
            self._datagrams = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            self._datagrams.bind((address, DNS_PORT))
            self._listener = socket.create_server((address, DNS_PORT))
            undo.pop_all()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End it."""
        for one in (self._datagrams, self._listener):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes who waits
            one.close()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _serve_udp(self) -> None:
        while True:
            try:
                wire, client = self._datagrams.recvfrom(65535)
            except OSError:
                return
            if client is None or not wire:
                return
            answered = self._answer(wire, UDP_BYTES)
            if answered is not None:
                self._datagrams.sendto(answered, client)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            connection.settimeout(PATIENCE_S)
            with connection, contextlib.suppress(OSError), connection.makefile("rb") as stream:
                while len(head := stream.read(2)) == 2:
                    answered = self._answer(stream.read(struct.unpack("!H", head)[0]), 65535)
                    if answered is None:
                        break
                    connection.sendall(struct.pack("!H", len(answered)) + answered)

    def _answer(self, wire: bytes, size: int) -> bytes | None:
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        response = dns.message.make_response(query, our_payload=UDP_BYTES)
        if not query.question:
            response.set_rcode(dns.rcode.FORMERR)
            return response.to_wire()
        self._fill(response, query.question[0].name, query.question[0].rdtype, bool(query.ednsflags & dns.flags.DO))
        try:
            return response.to_wire(max_size=size)
        except dns.exception.TooBig:
            short = dns.message.make_response(query, our_payload=UDP_BYTES)
            short.flags |= dns.flags.AA | dns.flags.TC
            return short.to_wire()

    def _fill(self, response: dns.message.Message, name: dns.name.Name, rtype: RdataType, do: bool) -> None:
        apexes = [apex for apex in self._zones if name.is_subdomain(apex)]
        if not apexes:
            response.set_rcode(dns.rcode.REFUSED)
            return
        apex = max(apexes, key=len)
        zone = self._zones[apex]
        for length in range(len(apex) + 1, len(name) + 1):
            above = name.split(length)[1]
            is_cut = zone.get_rdataset(above, dns.rdatatype.NS) is not None
            if is_cut and (above != name or rtype != dns.rdatatype.DS):
                self._refer(response, zone, above, do)
                return
        response.flags |= dns.flags.AA
        node = zone.get_node(name)
        given = [rtype]
        if node is not None and rtype == dns.rdatatype.ANY:  # nothing would say to some that there is nothing at all
            given = [one.rdtype for one in node if one.rdtype != dns.rdatatype.RRSIG]
        if any([self._add(response.answer, zone, name, one, do) for one in given]):
            return
        self._add(response.authority, zone, apex, dns.rdatatype.SOA, do)
        if node is None and not any(other.is_subdomain(name) for other in zone.nodes):
            response.set_rcode(dns.rcode.NXDOMAIN)
            if do:
                self._add_covering(response, zone, name)
                self._add_covering(response, zone, dns.name.Name(("*", *apex.labels)))
        elif do and not self._add(response.authority, zone, name, dns.rdatatype.NSEC, do):
            self._add_covering(response, zone, name)

    def _refer(self, response: dns.message.Message, zone: dns.zone.Zone, cut: dns.name.Name, do: bool) -> None:
        self._add(response.authority, zone, cut, dns.rdatatype.NS, do=False)
        if do and not self._add(response.authority, zone, cut, dns.rdatatype.DS, do):
            self._add(response.authority, zone, cut, dns.rdatatype.NSEC, do)
        for ns in zone.get_rdataset(cut, dns.rdatatype.NS) or ():
            self._add(response.additional, zone, ns.target, dns.rdatatype.A, do=False)

    def _add_covering(self, response: dns.message.Message, zone: dns.zone.Zone, name: dns.name.Name) -> None:
        owners = sorted(
            owner for owner, node in zone.nodes.items() if node.get_rdataset(dns.rdataclass.IN, dns.rdatatype.NSEC)
        )
        below = [owner for owner in owners if owner <= name]
        if below and not any(one.name == below[-1] and one.rdtype == dns.rdatatype.NSEC for one in response.authority):
            self._add(response.authority, zone, below[-1], dns.rdatatype.NSEC, do=True)

    @staticmethod
    def _add(
        section: list[dns.rrset.RRset], zone: dns.zone.Zone, name: dns.name.Name, rtype: RdataType, do: bool
    ) -> bool:
        rdataset = zone.get_rdataset(name, rtype)
        if rdataset is None:
            return False
        section.append(dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset)))
        signatures = zone.get_rdataset(name, dns.rdatatype.RRSIG, rtype) if do else None
        if signatures is not None:
            section.append(dns.rrset.from_rdata_list(name, signatures.ttl, list(signatures)))
        return True


@contextlib.contextmanager
def answering(address: str, zones: Mapping[str, dns.zone.Zone]) -> Iterator[None]:
    """Serve zones at an address for a `with` block."""
    authority = Authority(address, zones)
    try:
        yield
    finally:
        authority.close()


def zone_of(apex: str, text: str) -> dns.zone.Zone:
    """Return a zone from the text of its records; names are absolute in it."""
    return dns.zone.from_text(f"$TTL 300\n{text}", origin=apex, relativize=False)
