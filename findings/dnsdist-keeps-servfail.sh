#!/usr/bin/env bash
# dnsdist 1.7 (Debian 12) with a packet cache, over two authoritative servers one of which fails a question once.
# Guess: a SERVFAIL is not cached (or for a few seconds), or the other server is asked.
# Observed: it goes to the client and is repeated to all for 60 s (temporaryFailureTTL), while both servers are "up" and
# would answer.
# Why it matters: one unlucky reply while a zone loads or a server restarts is a minute's outage of that name behind
# dnsdist: an authority says nothing rather than SERVFAIL in such a moment, or the cache is told temporaryFailureTTL=1.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian dnsdist=1.7.3-2
alone 120

cat >backend.py <<'PY'
import socket
import sys

import dns.message
import dns.rcode
import dns.rrset

door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
door.bind(("127.0.0.1", int(sys.argv[1])))
asked = 0
while True:
    wire, client = door.recvfrom(4096)
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query)
    name = query.question[0].name.to_text()
    if name == "lb.example.test.":
        asked += 1
        print(sys.argv[1], flush=True)
        if sys.argv[2] == "fails once" and asked == 1:
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            response.answer.append(dns.rrset.from_text(name, 30, "IN", "A", "192.0.2.1"))
    door.sendto(response.to_wire(), client)
PY
cat >ask.py <<'PY'
import sys
import time

import dns.message
import dns.query
import dns.rcode

told = []
for _ in range(int(sys.argv[1])):
    answer = dns.query.udp(dns.message.make_query("lb.example.test", "A"), "127.0.0.1", port=5300, timeout=2)
    told.append(dns.rcode.to_text(answer.rcode()))
    time.sleep(0.5)
print(*sorted(set(told)))
PY
# asked_through CACHE_OPTIONS: what twelve clients in six seconds are told, and how many backends were asked.
asked_through() {
    rm -f dnsdist.log
    python backend.py 5301 "fails once" >asked 2>&1 &
    local first=$!
    python backend.py 5302 "never fails" >>asked 2>&1 &
    local second=$!
    cat >dnsdist.conf <<CONF
setLocal("127.0.0.1:5300")
setSecurityPollSuffix("")
newServer({address="127.0.0.1:5301", order=1})
newServer({address="127.0.0.1:5302", order=2})
setServerPolicy(firstAvailable)
getPool(""):setCache(newPacketCache(1000, {$1}))
CONF
    dnsdist -C dnsdist.conf --supervised >dnsdist.log 2>&1 &
    local balancer=$!
    within 15 grep -q "5301 as 'up'" dnsdist.log
    within 15 grep -q "5302 as 'up'" dnsdist.log
    echo "$(python ask.py 12), $(wc -l <asked) asked upstream"
    kill "$first" "$second" "$balancer"
    wait "$first" "$second" "$balancer" 2>/dev/null || true
}

echo "$(dnsdist --version | head -1 | cut -d' ' -f1-2), twelve clients in six seconds:"
seen "settings as they come" "SERVFAIL, 1 asked upstream" "$(asked_through "")"
seen "temporaryFailureTTL=1" "NOERROR SERVFAIL, 2 asked upstream" "$(asked_through "temporaryFailureTTL=1")"
finish
