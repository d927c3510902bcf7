#!/usr/bin/env bash
# HAProxy 2.6.12 (Debian 12), server-template over SRV records that name one host with three ports.
# Guess: three servers, as the ports are the point of SRV.
# Observed: one server, on the first record's port; the records of the same target are taken for repetitions of it,
# without a word in the log. Under three names of that one address there are three servers.
# Why it matters: several endpoints on one machine, told apart by port, need a name each in the answers; otherwise all
# but one are idle, and nothing takes over when that one dies.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian haproxy=2.6.12-1+deb12u4
alone 120

authority 5353 '{"_one._tcp.example.test.": {"SRV": [5, ["10 1 8001 a.example.test.", "10 1 8002 a.example.test.",
    "10 1 8003 a.example.test."]]}, "_three._tcp.example.test.": {"SRV": [5, ["10 1 8001 a.example.test.",
    "10 1 8002 b.example.test.", "10 1 8003 c.example.test."]]}, "a.example.test.": {"A": [5, ["127.0.0.1"]]},
    "b.example.test.": {"A": [5, ["127.0.0.1"]]}, "c.example.test.": {"A": [5, ["127.0.0.1"]]}}'
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
  accepted_payload_size 1232
frontend door
  bind 127.0.0.1:8100
  default_backend one
backend one
  server-template s 3 _one._tcp.example.test resolvers own init-addr none
backend three
  server-template s 3 _three._tcp.example.test resolvers own init-addr none
CONF
haproxy -f haproxy.cfg >haproxy.log 2>&1 &
cat >ports.py <<'PY'
import socket
import sys

with socket.socket(socket.AF_UNIX) as door:
    door.connect("stats")
    door.sendall(b"show servers state\n")
    state = b"".join(iter(lambda: door.recv(65536), b"")).decode()
rows = [line.split() for line in state.splitlines()[2:] if line]
print(*sorted(row[18] for row in rows if row[1] == sys.argv[1] and row[4][0].isdigit()))
PY
within 10 bash -c '[[ $(python ports.py three) == "8001 8002 8003" ]]'
sleep 6

echo "$(haproxy -v | head -1 | cut -d' ' -f1-3), three SRV records each; ports of the servers:"
seen "of three hosts" "8001 8002 8003" "$(python ports.py three)"
seen "of one host" "8001" "$(python ports.py one)"
seen "asked again meanwhile" yes "$( (($(asked _one._tcp.example.test. SRV) > 1)) && echo yes || echo no)"
finish
