#!/usr/bin/env bash
# PowerDNS Recursor 4.8 (Debian 12): the order of a cached RRset's eight addresses.
# Guess: random or turned with each answer, as at BIND, Knot Resolver and dnsmasq.
# Observed: its packet cache (on by default) hands the same bytes to everybody while the TTL runs: one first address for
# all clients that ask alike, another draw when the TTL is over. Only a question that looks different (size, flags) has
# a draw of its own.
# Why it matters: clients take the first address, so that a pool of equals behind such a resolver is one endpoint at a
# time, all load jumping from one to the next with every TTL; a shorter TTL makes the jumps shorter, not smaller.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian pdns-recursor=4.8.8-1+deb12u1
alone 150

authority 5353 '{"eight.example.test.": {"A": [2, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5",
    "192.0.2.6", "192.0.2.7", "192.0.2.8"]]}}'
cat >recursor.conf <<CONF
local-address=127.0.0.1
local-port=5300
socket-dir=$folder
forward-zones=example.test=127.0.0.1:5353
dont-query=
dnssec=off
threads=1
security-poll-suffix=
CONF
pdns_recursor --config-dir="$folder" >recursor.log 2>&1 &
cat >firsts.py <<'PY'
import sys
import time

import dns.message
import dns.query


def first(**how):
    query = dns.message.make_query("eight.example.test", "A", **how)
    return dns.query.udp(query, "127.0.0.1", port=5300, timeout=5).answer[0][0].address


first()
if sys.argv[1] == "one TTL":
    # As many as go into a second and a half; then the next TTL begins.
    firsts, end = set(), time.monotonic() + 1.5
    while time.monotonic() < end:
        firsts.add(first())
        time.sleep(0.02)
    print(len(firsts))
elif sys.argv[1] == "ten TTLs":
    firsts = set()
    for _ in range(10):
        firsts.add(first())
        time.sleep(2.5)
    print("several" if len(firsts) > 1 else "one")
else:
    print("several" if len({first(use_edns=0, payload=1232 + size) for size in range(12)}) > 1 else "one")
PY
within 10 python firsts.py sizes
sleep 2.5

echo "$(pdns_recursor --version 2>&1 | grep -om1 'Recursor [0-9.]*'), eight addresses, TTL 2 s:"
seen "first addresses within a TTL, some 60 answers" 1 "$(python firsts.py 'one TTL')"
seen "over ten TTLs" several "$(python firsts.py 'ten TTLs')"
seen "within a TTL, twelve EDNS sizes" several "$(python firsts.py sizes)"
finish
