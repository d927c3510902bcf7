#!/usr/bin/env bash
# Knot Resolver 5.6 (Debian 12): an answer of TTL 0 and one of TTL 2, settings as they come.
# Guess: what is handed out counts down from the record's TTL; TTL 0 is not kept; if there is a floor, it holds for all.
# Observed: both are kept for five seconds, and told two ways: who makes it ask gets TTL 5, who comes after (from the
# cache, for the rest of those five seconds) TTL 0, or what was left of the record's own.
# Why it matters: a client's cache may hold the first answer five seconds longer than was allowed, and the resolver
# gives out an endpoint up to five seconds after it left the answers; TTLs below that only look obeyed from outside.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian knot-resolver=5.6.0-1+deb12u1
alone 120

authority 5353 '{"ttl0.example.test.": {"A": [0, ["192.0.2.1"]]}, "ttl2.example.test.": {"A": [2, ["192.0.2.1"]]},
    "ttl30.example.test.": {"A": [30, ["192.0.2.1"]]}}'
cat >kresd.conf <<CONF
net.listen('127.0.0.1', 5300, {kind='dns'})
cache.size = 10*MB
trust_anchors.remove('.')
policy.add(policy.suffix(policy.STUB('127.0.0.1@5353'), {todname('example.test')}))
CONF
kresd -n -c "$folder/kresd.conf" "$folder" >kresd.log 2>&1 &
cat >ttls.py <<'PY'
import json
import sys
import time

import dns.message
import dns.query

owner = sys.argv[1] + ".example.test."


def ttl():
    query = dns.message.make_query(owner, "A")
    return dns.query.udp(query, "127.0.0.1", port=5300, timeout=3).answer[0].ttl


def asked():
    return sum(json.loads(line)["name"] == owner for line in open("queries.jsonl"))


before, start, told = asked(), time.monotonic(), []
if sys.argv[2] == "30":
    sys.exit(ttl() != 30)
while asked() < before + 2 and time.monotonic() < start + 12:
    told.append(ttl())
    time.sleep(0.25)
kept = time.monotonic() - start
after = "its own at most" if max(told[1:-1]) <= int(sys.argv[2]) else f"up to {max(told[1:-1])}"
print(f"first told {told[0]}, then {after}, asked again after", "5 s" if 4.5 < kept < 6.5 else f"{kept:.1f} s")
PY
within 10 python ttls.py ttl30 30

echo "$(kresd -V):"
seen "TTL 0" "first told 5, then its own at most, asked again after 5 s" "$(python ttls.py ttl0 0)"
seen "TTL 2" "first told 5, then its own at most, asked again after 5 s" "$(python ttls.py ttl2 2)"
finish
