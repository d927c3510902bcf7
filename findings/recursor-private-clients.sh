#!/usr/bin/env bash
# PowerDNS Recursor 4.8 (Debian 12), told to send ECS to an authority, and clients of private networks.
# Guess: it tells their networks as it tells public ones, or it sends no option for them.
# Observed: it tells 127.0.0.1/32, one client for all of 10/8, 192.168/16, 100.64/10 and fd00::/8, IPv6 clients too. Only
# with these networks in `ecs-add-for` it tells them. unbound 1.17.1 tells them as they are.
# Why it matters: who answers by internal networks (views, split horizon, conditions on the client's address) behind such
# a recursor sees one client on its loopback; nothing in the packet says that the client is hidden.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian pdns-recursor=4.8.8-1+deb12u1 unbound=1.17.1-2+deb12u4
alone 120

clients=(10.1.2.3 192.168.7.8 100.64.9.9 fd00:1:2:3::9 203.0.113.9 2001:db8:1:2:3::9)
for address in "${clients[@]}"; do
    if [[ $address == *:* ]]; then ip address add "$address/128" dev lo nodad; else ip address add "$address/32" dev lo; fi
done
authority 5353 '{"told.example.test.": {"scope": 0, "A": [1, ["192.0.2.1"]]}}'
recursor() {
    mkdir "$1"
    cat >"$1/recursor.conf" <<CONF
local-address=$(IFS=,; echo "${clients[*]}")
local-port=$2
socket-dir=$folder/$1
allow-from=0.0.0.0/0, ::/0
forward-zones=example.test=127.0.0.1:5353
edns-subnet-allow-list=127.0.0.1
dont-query=
dnssec=off
threads=1
security-poll-suffix=
$3
CONF
    pdns_recursor --config-dir="$folder/$1" >"$1.log" 2>&1 &
}
recursor asis 5300 ""
recursor named 5301 "ecs-add-for=0.0.0.0/0, ::/0"
ecs_unbound 5302 "${clients[@]}"
cat >ask.py <<'PY'
import sys
import uuid

import dns.message
import dns.query

port, client = int(sys.argv[1]), sys.argv[2]
query = dns.message.make_query(f"{uuid.uuid4().hex}.example.test", "A")
dns.query.udp(query, client, port=port, source=client, timeout=5)
PY
# told PORT CLIENT: the address in the option that the authority got.
told() {
    python ask.py "$1" "$2"
    tail -1 queries.jsonl | sed 's/.*"subnet": //; s/[}"]//g'
}
for port in 5300 5301 5302; do within 10 python ask.py $port 203.0.113.9; done

echo "PowerDNS Recursor $(pdns_recursor --version 2>&1 | grep -o 'Recursor [0-9.]*' | head -1 | cut -d' ' -f2), $(unbound -V | head -1):"
for address in 10.1.2.3 192.168.7.8 100.64.9.9 fd00:1:2:3::9; do
    seen "recursor, client $address" 127.0.0.1 "$(told 5300 $address)"
done
seen "recursor, client 203.0.113.9" 203.0.113.0 "$(told 5300 203.0.113.9)"
seen "recursor, client 2001:db8:1:2:3::9" 2001:db8:1:: "$(told 5300 2001:db8:1:2:3::9)"
seen "recursor with ecs-add-for, client 10.1.2.3" 10.1.2.0 "$(told 5301 10.1.2.3)"
seen "recursor with ecs-add-for, client fd00:1:2:3::9" fd00:1:2:: "$(told 5301 fd00:1:2:3::9)"
seen "unbound, client 10.1.2.3" 10.1.2.0 "$(told 5302 10.1.2.3)"
seen "unbound, client fd00:1:2:3::9" fd00:1:2:: "$(told 5302 fd00:1:2:3::9)"
finish
