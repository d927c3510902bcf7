#!/usr/bin/env bash
# unbound 1.17.1 (Debian 12) validating a zone that NSD serves, signed by dnspython, with an ordinary wildcard and a DNAME.
# Guess: what is right for one name below a wildcard or a DNAME is right for all, and for every type.
# Observed: a name that itself begins with "*" two labels or more below the wildcard is SERVFAIL ("signature crypto
# failed": the wrong name is reckoned for the signature); QTYPE CNAME and DNAME below the DNAME are SERVFAIL ("DS got DNAME
# answer"), for want of a signature of the CNAME that is made of it, which has none. The names beside them are secure, and
# once the wildcard's record is in its cache so is the first.
# Why it matters: who checks a signed zone with random names or types through unbound finds faults that are not the
# zone's; a literal "*" in a name is legal, and who asks for CNAME alone (ACME clients do) is told of a failure.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2 cryptography==50.0.2
debian unbound=1.17.1-2+deb12u4 nsd=4.6.1-1
alone 120

cat >sign.py <<'PY'
import time

import dns.dnssec
import dns.name
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm

apex = dns.name.from_text("example.test")
text = """$TTL 300
@ SOA ns h 1 7200 900 1209600 60
@ NS ns
ns A 127.0.0.1
*.wild A 192.0.2.1
old DNAME new
one.new A 192.0.2.2
"""
zone = dns.zone.from_text(text, origin=apex, relativize=False)
key = ec.generate_private_key(ec.SECP256R1())
dnskey = dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
dns.dnssec.sign_zone(zone, keys=[(key, dnskey)], inception=time.time() - 3600, expiration=time.time() + 86400)
zone.to_file("zone", want_origin=True)
print(f"example.test. DS {dns.dnssec.make_ds(apex, dnskey, 'SHA256')}")
PY
cat >ask.py <<'PY'
import sys

import dns.flags
import dns.message
import dns.query
import dns.rcode

query = dns.message.make_query(f"{sys.argv[2]}.example.test", sys.argv[3], want_dnssec=True)
reply = dns.query.udp_with_fallback(query, "127.0.0.1", 5, int(sys.argv[1]))[0]
print(dns.rcode.to_text(reply.rcode()), *(["AD"] if reply.flags & dns.flags.AD else []))
PY
python sign.py >anchor
cat >nsd.conf <<CONF
server:
  ip-address: 127.0.0.1@5353
  username: ""
  chroot: ""
  zonesdir: "$folder"
  database: ""
  pidfile: "$folder/nsd.pid"
  xfrdfile: ""
  zonelistfile: "$folder/zone.list"
remote-control:
  control-enable: no
zone:
  name: example.test
  zonefile: zone
CONF
nsd -d -c nsd.conf >nsd.log 2>&1 &
cat >unbound.conf <<CONF
server:
    directory: "$folder"
    interface: 127.0.0.1
    port: 5300
    do-not-query-localhost: no
    local-zone: "test." nodefault
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    val-log-level: 2
    module-config: "validator iterator"
    trust-anchor: "$(cat anchor)"
stub-zone:
    name: example.test
    stub-addr: 127.0.0.1@5353
CONF
unbound -d -p -c unbound.conf >unbound.log 2>&1 &
within 10 python ask.py 5353 ns A
within 10 python ask.py 5300 ns A

echo "unbound $(unbound -V | head -n 1 | cut -d' ' -f2):"
seen "*.y.wild A" SERVFAIL "$(python ask.py 5300 '*.y.wild' A)"
seen "x.y.wild A" "NOERROR AD" "$(python ask.py 5300 x.y.wild A)"
seen "*.wild A" "NOERROR AD" "$(python ask.py 5300 '*.wild' A)"
seen "one.old A" "NOERROR AD" "$(python ask.py 5300 one.old A)"
seen "one.old CNAME" SERVFAIL "$(python ask.py 5300 one.old CNAME)"
seen "one.old DNAME" SERVFAIL "$(python ask.py 5300 one.old DNAME)"
seen "told of the first" 1 "$(grep -c 'signature crypto failed' unbound.log)"
finish
