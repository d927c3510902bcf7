#!/usr/bin/env bash
# unbound 1.17 (Debian 12): the order of a cached RRset's eight addresses, rrset-roundrobin as it comes (yes).
# Guess: random, or turned by one with each answer, whoever asks.
# Observed: the first address is number (message ID + Unix second) mod 8 of the RRset. Clients that send one ID always,
# as RFC 8484 tells DNS-over-HTTPS clients to (ID 0), all get the same first address within a second, and a client that
# comes back every 8, 16, 24 s the same for good.
# Why it matters: clients take the first address. Timers that fire on the full minute behind such a resolver all go to
# one endpoint of a pool of equals, in every minute the same where 60 is a multiple of their number. An answer of one
# address (differing weights) does not rest on the resolver's order.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian unbound=1.17.1-2+deb12u4
alone 150

authority 5353 '{"eight.example.test.": {"A": [300, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5",
    "192.0.2.6", "192.0.2.7", "192.0.2.8"]]}}'
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=resolver.example.test -keyout key.pem -out cert.pem \
    2>openssl.log
cat >unbound.conf <<CONF
server:
  interface: 127.0.0.1@5300
  interface: 127.0.0.1@8443
  https-port: 8443
  tls-service-key: $folder/key.pem
  tls-service-pem: $folder/cert.pem
  directory: "$folder"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." nodefault
stub-zone:
  name: "example.test"
  stub-addr: 127.0.0.1@5353
CONF
unbound -d -c unbound.conf >unbound.log 2>&1 &
cat >firsts.py <<'PY'
import subprocess
import sys
import time

import dns.message
import dns.query

DOH = ["curl", "-sk", "--http2", "-H", "content-type: application/dns-message", "--data-binary", "@-"]
DOH.append("https://127.0.0.1:8443/dns-query")


def first(how, number):
    """The first address, and the second in which it was given; None where the second turned meanwhile."""
    query = dns.message.make_query("eight.example.test", "A", id=number)
    before = int(time.time())
    if how == "udp":
        answer = dns.query.udp(query, "127.0.0.1", port=5300, timeout=3)
    else:
        answer = dns.message.from_wire(subprocess.check_output(DOH, input=query.to_wire()))
    return (answer.answer[0][0].address, before) if int(time.time()) == before else None


how, step, turns, pause = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
by_place = {}
addresses = set()
for turn in range(turns):
    if got := first(how, turn * step):
        address, second = got
        by_place.setdefault((turn * step + second) % 8, set()).add(address)
        addresses.add(address)
    time.sleep(pause)
alike = all(len(found) == 1 for found in by_place.values())
print(len(addresses), "addresses,", "by ID + second" if alike and len(by_place) == len(addresses) else "otherwise")
PY
within 10 python firsts.py udp 0 1 0

echo "$(unbound -V | head -1), from its cache:"
seen "24 answers at once, IDs 0, 1, 2, ..." "8 addresses, by ID + second" "$(python firsts.py udp 1 24 0)"
seen "40 answers over 10 s, ID 0" "8 addresses, by ID + second" "$(python firsts.py udp 0 40 0.25)"
seen "30 answers over 10 s, DoH, ID 0" "8 addresses, by ID + second" "$(python firsts.py https 0 30 0.3)"
seen "asked upstream" 1 "$(asked eight.example.test. A)"
finish
