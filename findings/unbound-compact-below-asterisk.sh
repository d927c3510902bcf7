#!/usr/bin/env bash
# unbound 1.17.1 (Debian 12) validating a zone with a DNAME whose denials are compact (RFC 9824): an NSEC record at the name
# asked, up to what comes right behind it. It keeps answers by client subnet, and asks each time (as with
# `client-subnet-always-forward`); the authority is forty lines of dnspython.
# Guess: what is so for one name below the DNAME is so for all, whatever their labels.
# Observed: a name that has "*" for a label, but not its first (a.*.old), is SERVFAIL ("cnamenoanswer proof failed"). With
# QNAME minimisation unbound asks for *.old on its way, takes that denial along, and finds it to be a wildcard's without
# proof that the name itself is not there; the right record, beside it, no longer counts. Without minimisation the same
# name is a NODATA, and secure; so it is where the cache has *.old when unbound tries again.
# Why it matters: "*" is a label as any other where it is not first in a zone's own name; who checks a compact zone with
# random names through unbound finds a fault that is not the zone's.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2 cryptography==50.0.2
debian unbound=1.17.1-2+deb12u4
alone 120

cat >authority.py <<'PY'
import socket
import time

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm
from dns.rdatatype import A, DNAME, DNSKEY, NS, SOA

apex = dns.name.root
old, new = dns.name.from_text("old"), dns.name.from_text("new")
key = ec.generate_private_key(ec.SECP256R1())
dnskey = dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
soa = dns.rrset.from_text(apex, 60, "IN", "SOA", "a.root. h.root. 1 7200 900 1209600 60")
records = {
    (apex, DNSKEY): dns.rrset.from_rdata(apex, 300, dnskey),
    (apex, SOA): soa,
    (apex, NS): dns.rrset.from_text(apex, 300, "IN", "NS", "a.root."),
    (dns.name.from_text("a.root"), A): dns.rrset.from_text("a.root.", 300, "IN", "A", "127.0.0.1"),
    (dns.name.from_text("one.new"), A): dns.rrset.from_text("one.new.", 300, "IN", "A", "192.0.2.1"),
    (new, A): dns.rrset.from_text("new.", 300, "IN", "A", "192.0.2.1"),
    (old, DNAME): dns.rrset.from_text(old, 300, "IN", "DNAME", new.to_text()),
}


def signed(rrset):
    now_s = time.time()
    rrsig = dns.dnssec.sign(rrset, key, apex, dnskey, inception=now_s - 3600, expiration=now_s + 86400)
    return [rrset, dns.rrset.from_rdata(rrset.name, rrset.ttl, rrsig)]


def answer(query):
    response = dns.message.make_response(query, our_payload=1232)
    response.flags |= dns.flags.AA
    response.use_edns(0, dns.flags.DO, 1232, options=query.options)
    name, rtype = query.question[0].name, query.question[0].rdtype
    if name.is_subdomain(old) and name != old:
        target = name.relativize(old).concatenate(new)
        response.answer = signed(records[old, DNAME]) + [dns.rrset.from_text(name, 300, "IN", "CNAME", target.to_text())]
        name = target
    if (name, rtype) in records:
        response.answer += signed(records[name, rtype])
        return response
    types = {dns.rdatatype.to_text(one) for owner, one in records if owner == name} or {"TYPE128"}
    behind = dns.name.Name((b"\0", *name.labels)).to_text()
    types = " ".join(sorted(types | {"RRSIG", "NSEC"}))
    response.authority = signed(soa) + signed(dns.rrset.from_text(name, 60, "IN", "NSEC", f"{behind} {types}"))
    return response


door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
door.bind(("127.0.0.1", 53))
with open("anchor", "w") as file:
    print(f". DS {dns.dnssec.make_ds(apex, dnskey, 'SHA256')}", file=file)
while True:
    wire, client = door.recvfrom(4096)
    door.sendto(answer(dns.message.from_wire(wire)).to_wire(), client)
PY
cat >ask.py <<'PY'
import sys

import dns.flags
import dns.message
import dns.query
import dns.rcode

query = dns.message.make_query(f"{sys.argv[2]}.", "A", want_dnssec=True)
reply = dns.query.udp(query, "127.0.0.1", 5, int(sys.argv[1]))
print(dns.rcode.to_text(reply.rcode()), *(["AD"] if reply.flags & dns.flags.AD else []))
PY
printf '. 3600000 NS a.root.\na.root. 3600000 A 127.0.0.1\n' >hints
python authority.py 2>authority.log &
within 10 test -s anchor
# resolver PORT yes|no: unbound there, with or without minimisation.
resolver() {
    cat >unbound.$1.conf <<CONF
server:
    directory: "$folder"
    interface: 127.0.0.1
    port: $1
    do-not-query-localhost: no
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    val-log-level: 2
    qname-minimisation: $2
    module-config: "subnetcache validator iterator"
    send-client-subnet: 127.0.0.1
    client-subnet-always-forward: yes
    trust-anchor: "$(cat anchor)"
    root-hints: "$folder/hints"
CONF
    unbound -d -p -c unbound.$1.conf >unbound.$1.log 2>&1 &
    within 10 python ask.py "$1" a.root
}
resolver 5300 yes
resolver 5301 no

echo "unbound $(unbound -V | head -n 1 | cut -d' ' -f2):"
seen "a.*.old" SERVFAIL "$(python ask.py 5300 'a.*.old')"
seen "a.b.old" "NOERROR AD" "$(python ask.py 5300 a.b.old)"
seen "*.old" "NOERROR AD" "$(python ask.py 5300 '*.old')"
seen "a.*.old without minimisation" "NOERROR AD" "$(python ask.py 5301 'a.*.old')"
seen "what it says of it" 1 "$(grep -c 'cnamenoanswer proof failed' unbound.5300.log)"
finish
