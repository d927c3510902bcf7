#!/usr/bin/env bash
# HAProxy 2.6 (Debian 12), a resolvers section, server-template over a name with eight A records and one AAAA.
# Guess: the template's slots are filled with all nine addresses.
# Observed: AAAA is asked first, and where it has an answer A is never asked: one server, and the eight IPv4 endpoints
# get nothing. Only a NODATA for AAAA leads to A. resolve-prefer ipv4 turns it round.
# Why it matters: one IPv6 endpoint added to a pool of IPv4 ones moves all that comes through such a proxy onto it.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian haproxy=2.6.12-1+deb12u4
alone 120

eight='[30, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7", "192.0.2.8"]]'
authority 5353 "{\"both.example.test.\": {\"A\": $eight, \"AAAA\": [30, [\"2001:db8::1\"]]},
    \"four.example.test.\": {\"A\": $eight}, \"turned.example.test.\": {\"A\": $eight, \"AAAA\": [30, [\"2001:db8::1\"]]}}"
cat >haproxy.cfg <<CONF
global
  stats socket $folder/stats
defaults
  mode tcp
  timeout client 5s
  timeout server 5s
  timeout connect 1s
resolvers own
  nameserver authority 127.0.0.1:5353
frontend door
  bind 127.0.0.1:8001
  default_backend both
backend both
  server-template s 12 both.example.test:80 resolvers own init-addr none
backend four
  server-template s 12 four.example.test:80 resolvers own init-addr none
backend turned
  server-template s 12 turned.example.test:80 resolvers own init-addr none resolve-prefer ipv4
CONF
haproxy -f haproxy.cfg >haproxy.log 2>&1 &
cat >servers.py <<'PY'
import socket
import sys

with socket.socket(socket.AF_UNIX) as door:
    door.connect("stats")
    door.sendall(b"show servers state\n")
    state = b"".join(iter(lambda: door.recv(65536), b"")).decode()
rows = [line.split() for line in state.splitlines()[2:] if line]
families = ["IPv6" if ":" in row[4] else "IPv4" for row in rows if row[1] == sys.argv[1] and row[4][0].isdigit()]
print(len(families), *sorted(set(families)))
PY
within 10 bash -c '[[ $(python servers.py four) == "8 IPv4" ]]'
sleep 5

echo "$(haproxy -v | head -1 | cut -d' ' -f1-3), 12 slots each:"
seen "servers of A records alone" "8 IPv4" "$(python servers.py four)"
seen "servers of A and AAAA" "1 IPv6" "$(python servers.py both)"
seen "A queries for it" 0 "$(asked both.example.test. A)"
seen "servers of A and AAAA, resolve-prefer ipv4" "8 IPv4" "$(python servers.py turned)"
seen "AAAA queries for it" 0 "$(asked turned.example.test. AAAA)"
finish
