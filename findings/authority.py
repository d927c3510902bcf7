"""An authoritative server of a few names for the findings, on 127.0.0.1: python authority.py PORT ANSWERS LOG.

ANSWERS is a JSON object: owner -> {type: [TTL, [rdata, ...]], "scope": bits, "turning": true}. In place of the list of
rdata, an object gives one list for each beginning of an ECS address ("" for the rest), null for REFUSED, or [] for
NXDOMAIN. A turning owner gives its records in an order that moves on by one with each answer. LOG gets one JSON line
for each query.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

ORIGIN = "example.test."
SOA = f"ns.{ORIGIN} admin.{ORIGIN} 1 7200 900 1209600 60"
LONGEST_CHAIN = 8


def rrset(owner: str, ttl: int, rtype: str, rdatas: list[str]) -> dns.rrset.RRset:
    records = dns.rrset.RRset(dns.name.from_text(owner), dns.rdataclass.IN, dns.rdatatype.from_text(rtype))
    records.update_ttl(ttl)
    for rdata in rdatas:
        records.add(dns.rdata.from_text(dns.rdataclass.IN, records.rdtype, rdata))
    return records


def reply(wire: bytes, transport: str, answers: dict[str, Any], log: Any) -> bytes:
    query = dns.message.from_wire(wire)
    owner, rtype = query.question[0].name.to_text().lower(), dns.rdatatype.to_text(query.question[0].rdtype)
    subnet = next((option for option in query.options if isinstance(option, dns.edns.ECSOption)), None)
    size = query.payload if query.edns >= 0 else None
    line = {"name": owner, "type": rtype, "transport": transport, "size": size, "subnet": subnet and subnet.address}
    print(json.dumps(line), file=log, flush=True)
    response = dns.message.make_response(query, our_payload=1232)
    response.flags |= dns.flags.AA
    records = answers.get(owner)
    for _ in range(LONGEST_CHAIN):
        if records is None or rtype in records or "CNAME" not in records:
            break
        ttl, (target,) = records["CNAME"]
        response.answer.append(rrset(owner, ttl, "CNAME", [target]))
        owner, records = target, answers.get(target)
    if records and rtype in records:
        ttl, rdatas = records[rtype]
        if isinstance(rdatas, dict):
            address = subnet.address if subnet else ""
            rdatas = next(rdatas[start] for start in sorted(rdatas, reverse=True) if address.startswith(start))
        if records.get("turning"):
            rdatas[:] = rdatas[1:] + rdatas[:1]
        if rdatas is None:
            response.flags &= ~dns.flags.AA
            response.set_rcode(dns.rcode.REFUSED)
        elif not rdatas:
            response.authority.append(rrset(ORIGIN, 60, "SOA", [SOA]))
            response.set_rcode(dns.rcode.NXDOMAIN)
        else:
            response.answer.append(rrset(owner, ttl, rtype, rdatas))
    else:
        response.authority.append(rrset(ORIGIN, 60, "SOA", [SOA]))
        if records is None and owner != ORIGIN:
            response.set_rcode(dns.rcode.NXDOMAIN)
    if subnet:
        scope = (records or {}).get("scope", 0)
        response.use_edns(0, 0, 1232, options=[dns.edns.ECSOption(subnet.address, subnet.srclen, scope)])
    whole = response.to_wire(max_size=65535, want_shuffle=False)
    if transport == "udp" and len(whole) > max(512, size or 512):
        response = dns.message.make_response(query, our_payload=1232)
        response.flags |= dns.flags.AA | dns.flags.TC
        whole = response.to_wire()
    return whole


def converse(connection: socket.socket, answers: dict[str, Any], log: Any) -> None:
    with connection, connection.makefile("rb") as stream:
        while len(head := stream.read(2)) == 2:
            wire = reply(stream.read(struct.unpack("!H", head)[0]), "tcp", answers, log)
            connection.sendall(struct.pack("!H", len(wire)) + wire)


def main() -> None:
    port = int(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as text:
        answers = json.load(text)
    with open(sys.argv[3], "a", encoding="utf-8") as log:
        listener = socket.create_server(("127.0.0.1", port))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", port))

        def accept() -> None:
            while True:
                connection = listener.accept()[0]
                threading.Thread(target=converse, args=(connection, answers, log), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        print("ready", file=sys.stderr, flush=True)
        while True:
            wire, client = datagrams.recvfrom(65535)
            datagrams.sendto(reply(wire, "udp", answers, log), client)


if __name__ == "__main__":
    main()
