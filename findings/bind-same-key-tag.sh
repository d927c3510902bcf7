#!/usr/bin/env bash
# BIND 9.18.49 (Debian 12) as a validating resolver of a zone with two DNSKEY records that have the same key tag, as a
# roll makes them: one signs, the other is published for later. NSD serves it.
# Guess: a tag is a hint (RFC 4034 appendix B: "not ... unique"); a validator tries the keys that have it, as one of
# them is right, so such a zone is as good as any.
# Observed: where the key that does not sign comes first in canonical order, every name is SERVFAIL, for as long as both
# keys stand there: one failed verification is all that a fetch may have since KeyTrap (CVE-2023-50387). The other way
# round all is well, so that half of such pairs go unnoticed.
# Why it matters: of some 65,000 rolls one meets it, by chance; it is the signer's to draw a key again whose tag, or whose
# tag plus the REVOKE flag, is taken.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2 cryptography==50.0.2
debian bind9=1:9.18.49-1~deb12u3 nsd=4.6.1-1
alone 120

cat >sign.py <<'PY'
"""python sign.py FOLDER FIRST: a zone signed by one of two keys of a tag; FIRST: signing or waiting."""

import sys
import time

import dns.dnssec
import dns.name
import dns.rdataset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm

folder, first = sys.argv[1:]
apex = dns.name.from_text("example.test")
tags = {}
while True:
    key = ec.generate_private_key(ec.SECP256R1())
    dnskey = dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
    other = tags.setdefault(dns.dnssec.key_id(dnskey), (key, dnskey))
    if other[1] != dnskey:
        break
pair = sorted((other, (key, dnskey)), key=lambda one: one[1].to_digestable())
signing, waiting = pair if first == "signing" else reversed(pair)
text = "$TTL 300\n@ SOA ns h 1 7200 900 1209600 60\n@ NS ns\nns A 127.0.0.1\n" + "".join(
    f"n{number} A 192.0.2.{number}\n" for number in range(1, 9)
)
zone = dns.zone.from_text(text, origin=apex, relativize=False)
span = {"inception": time.time() - 3600, "expiration": time.time() + 86400}
dns.dnssec.sign_zone(zone, keys=[signing], **span)
both = dns.rdataset.from_rdata_list(300, [signing[1], waiting[1]])
zone.replace_rdataset(apex, both)
zone.replace_rdataset(apex, dns.rdataset.from_rdata(300, dns.dnssec.sign((apex, both), *signing[:1], apex, signing[1], **span)))
zone.to_file(f"{folder}/zone", want_origin=True)
*numbers, digest = str(dns.dnssec.make_ds(apex, signing[1], "SHA256")).split()
print(f'example.test. static-ds {" ".join(numbers)} "{digest}";')
PY
cat >ask.py <<'PY'
import sys
from collections import Counter

import dns.flags
import dns.message
import dns.query
import dns.rcode

said = Counter()
for number in range(1, 9):
    query = dns.message.make_query(f"n{number}.example.test", "A", want_dnssec=True)
    reply = dns.query.udp_with_fallback(query, "127.0.0.1", 5, int(sys.argv[1]))[0]
    said[dns.rcode.to_text(reply.rcode()) + (" AD" if reply.flags & dns.flags.AD else "")] += 1
print(*(f"{count} {what}" for what, count in said.items()))
PY

# resolver NAME PORT AUTHORITY_PORT: NSD with the zone signed so, and BIND before it.
resolver() {
    mkdir "$1"
    anchor=$(python sign.py "$folder/$1" "$1")
    cat >"$1/nsd.conf" <<CONF
server:
  ip-address: 127.0.0.1@$3
  username: ""
  chroot: ""
  zonesdir: "$folder/$1"
  database: ""
  pidfile: "$folder/$1/nsd.pid"
  xfrdfile: ""
  zonelistfile: "$folder/$1/zone.list"
remote-control:
  control-enable: no
zone:
  name: example.test
  zonefile: zone
CONF
    nsd -d -c "$1/nsd.conf" >"$1/nsd.log" 2>&1 &
    cat >"$1/named.conf" <<CONF
options {
  directory "$folder/$1"; listen-on port $2 { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none;
  dnssec-validation yes; recursion yes; empty-zones-enable no;
};
controls { };
trust-anchors { $anchor };
zone "example.test" { type forward; forward only; forwarders { 127.0.0.1 port $3; }; };
CONF
    named -f -n 1 -c "$1/named.conf" >"$1/named.log" 2>&1 &
    within 10 python ask.py "$3"
    within 10 python ask.py "$2"
}
resolver signing 5301 5311
resolver waiting 5302 5312

echo "$(named -v | cut -d' ' -f1-2), $(nsd -v 2>&1 | head -n 1):"
seen "the key that signs comes first" "8 NOERROR AD" "$(python ask.py 5301)"
seen "the key that waits comes first" "8 SERVFAIL" "$(python ask.py 5302)"
finish
