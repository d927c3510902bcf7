#!/usr/bin/env bash
# HAProxy 2.6 (Debian 12), a resolvers section, server-template over a name with 40 addresses.
# Guess: it announces a common size (1232), and asks by TCP where an answer comes truncated, as resolvers do.
# Observed: EDNS size 512; a reply with TC is an error (any_err; its counter "truncated" stays 0), it asks again by UDP,
# never by TCP, and none of the servers ever gets an address, though 29 or so would have fitted.
# Why it matters: beyond 28 addresses or so in an answer (fewer with long names) the whole pool is gone for such a
# proxy, unless it is told accepted_payload_size 1232.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian haproxy=2.6.12-1+deb12u4
alone 120

addresses() { printf '"192.0.2.%s"\n' $(seq "$1") | paste -sd,; }
authority 5353 "{\"few.example.test.\": {\"A\": [30, [$(addresses 20)]]},
    \"many.example.test.\": {\"A\": [30, [$(addresses 40)]]}}"
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
  default_backend few
backend few
  server-template s 20 few.example.test:80 resolvers own init-addr none resolve-prefer ipv4
backend many
  server-template s 40 many.example.test:80 resolvers own init-addr none resolve-prefer ipv4
CONF
haproxy -f haproxy.cfg >haproxy.log 2>&1 &
cat >tell.py <<'PY'
import socket
import sys


def tell(command):
    with socket.socket(socket.AF_UNIX) as door:
        door.connect("stats")
        door.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: door.recv(65536), b"")).decode()


if sys.argv[1] == "servers":
    rows = [line.split() for line in tell("show servers state").splitlines()[2:] if line]
    print(sum(row[1] == sys.argv[2] and row[4][0].isdigit() for row in rows))
else:
    rows = [line.split() for line in tell("show resolvers own").splitlines()]
    print(next(row[-1] for row in rows if row[:1] == [sys.argv[2] + ":"]))
PY
within 10 bash -c '[[ $(python tell.py servers few) == 20 ]]'
sleep 5

echo "$(haproxy -v | head -1 | cut -d' ' -f1-3), two names in one section:"
seen "transports and EDNS sizes" '"transport": "udp", "size": 512' "$(grep -o '"transport.*size": [0-9]*' queries.jsonl | sort -u)"
seen "servers with an address, of 20" 20 "$(python tell.py servers few)"
seen "servers with an address, of 40" 0 "$(python tell.py servers many)"
seen "asked again for the 40 in 5 s" yes "$( (($(asked many.example.test. A) > 2)) && echo yes || echo no)"
seen "its counter of truncated replies" 0 "$(python tell.py counter truncated)"
seen "its counter of errors moves" yes "$( (($(python tell.py counter any_err) > 2)) && echo yes || echo no)"
finish
