#!/usr/bin/env bash
# PowerDNS Recursor 4.8.8 (Debian 12) validating zones that NSD serves, signed by ldns with NSEC3 and with NSEC, each with a
# DNAME. Aggressive use of both (RFC 8198) is on by its defaults.
# Guess: what is below a DNAME is made of it, whatever was asked before, as RFC 5155 section 8.3 says: an NSEC3 record with
# the DNAME bit in its types proves nothing of what is below.
# Observed: with NSEC3, once the records that cover the zone's hashes and the one that matches the DNAME's name (after a
# NODATA there) are in its cache, every name below is NXDOMAIN, until one of them has been asked for before. With NSEC, and
# where nothing was asked before, it follows the DNAME.
# Why it matters: a moved subtree is gone for all clients of such a resolver for the TTL of the NSEC3, although the zone is
# right; who compares answers with a zone's content through it finds faults that are not the zone's.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2 cryptography==50.0.2
debian pdns-recursor=4.8.8-1+deb12u1 nsd=4.6.1-1 ldnsutils=1.8.3-1+b1
alone 120

# zone APEX OPTION...: a zone, signed by ldns-signzone; prints its DS.
zone() {
    local key
    cat >"$1.zone" <<ZONE
\$ORIGIN $1.
\$TTL 300
@ SOA ns h 1 7200 900 1209600 300
@ NS ns
ns A 127.0.0.1
old DNAME new
*.new A 192.0.2.2
ZONE
    key=$(ldns-keygen -k -a ECDSAP256SHA256 "$1")
    ldns-signzone "${@:2}" "$1.zone" "$key"
    cut -f 4 "$key.ds"
}
cat >root.py <<'PY'
"""python root.py APEX DS...: a signed root that delegates zones; prints its DS."""

import sys
import time

import dns.dnssec
import dns.name
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm

lines = ["$TTL 300", ". SOA a.root. h. 1 7200 900 1209600 60", ". NS a.root.", "a.root. A 127.0.0.1"]
for apex, ds in zip(sys.argv[1::2], sys.argv[2::2]):
    lines += [f"{apex}. NS ns.{apex}.", f"ns.{apex}. A 127.0.0.1", f"{apex}. DS {ds}"]
zone = dns.zone.from_text("\n".join(lines), origin=dns.name.root, relativize=False)
key = ec.generate_private_key(ec.SECP256R1())
dnskey = dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
dns.dnssec.sign_zone(zone, keys=[(key, dnskey)], inception=time.time() - 3600, expiration=time.time() + 86400)
zone.to_file("root.zone", want_origin=True)
print(dns.dnssec.make_ds(dns.name.root, dnskey, "SHA256"))
PY
cat >ask.py <<'PY'
import sys

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

port, apex, *questions = sys.argv[1:]
for question in questions:
    name, _, rtype = question.partition("/")
    for number in range(40) if "{}" in name else (0,):
        query = dns.message.make_query(f"{name.format(number)}.{apex}", rtype or "A", want_dnssec=True)
        reply = dns.query.udp_with_fallback(query, "127.0.0.1", 5, int(port))[0]
kinds = sorted(dns.rdatatype.to_text(one.rdtype) for one in reply.answer if one.rdtype != dns.rdatatype.RRSIG)
print(dns.rcode.to_text(reply.rcode()), *kinds)
PY
hashed=$(zone hashed.test -n)
chained=$(zone chained.test)
other=$(zone other.test -n)
anchor=$(python root.py hashed.test "$hashed" chained.test "$chained" other.test "$other")
cat >nsd.conf <<CONF
server:
  ip-address: 127.0.0.1
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
  name: .
  zonefile: root.zone
$(printf 'zone:\n  name: %s\n  zonefile: %s.zone.signed\n' hashed.test hashed.test chained.test chained.test other.test other.test)
CONF
nsd -d -c nsd.conf >nsd.log 2>&1 &
printf '. 3600000 NS a.root.\na.root. 3600000 A 127.0.0.1\n' >hints
printf 'clearTA(".")\naddTA(".", "%s")\n' "$anchor" >anchors.lua
cat >recursor.conf <<CONF
local-address=127.0.0.1
local-port=5300
query-local-address=127.0.0.1
socket-dir=$folder
hint-file=$folder/hints
lua-config-file=$folder/anchors.lua
dont-query=
dnssec=validate
threads=1
security-poll-suffix=
CONF
pdns_recursor --config-dir="$folder" >recursor.log 2>&1 &
within 10 python ask.py 53 hashed.test ns
within 10 python ask.py 5300 other.test ns

echo "PowerDNS Recursor $(pdns_recursor --version 2>&1 | grep -o '4\.[0-9.]*' | head -n 1), $(nsd -v 2>&1 | head -n 1):"
for apex in hashed chained; do
    seen "$apex: NSD, one.old A" "NOERROR A CNAME DNAME" "$(python ask.py 53 $apex.test one.old)"
done
seen "NSEC3, nothing asked before" "NOERROR A CNAME DNAME" "$(python ask.py 5300 other.test one.old)"
seen "NSEC3, after denials" "NXDOMAIN" "$(python ask.py 5300 hashed.test 'no{}' old/TXT one.old)"
seen "NSEC3, after denials, another name" "NXDOMAIN" "$(python ask.py 5300 hashed.test two.old)"
seen "NSEC, after denials" "NOERROR A CNAME DNAME" "$(python ask.py 5300 chained.test 'no{}' old/TXT one.old)"
finish
