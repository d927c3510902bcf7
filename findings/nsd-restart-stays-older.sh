#!/usr/bin/env bash
# NSD 4.6.1 (Debian 12) as a secondary (`database: ""`), stopped with SIGTERM after a transfer that it serves and has not
# yet written to its zone file, and started again; the primary is Knot 3.2.6, its SOA's refresh is a second.
# Guess: it writes the zone on its way out, or begins with the older file and has the newer serial a second later.
# Observed: it does not write the zone, but xfrd.state, with the newer serial. Started again it serves the older file and
# asks for changes since the newer serial, of which there are none: it stays on the older zone, at every refresh and with
# NOTIFY, until the serial rises once more, or xfrd.state is removed.
# Why it matters: restarting a secondary shortly after a change takes that change back, and nothing in its log says so;
# with load balancers as records in the zone, clients get endpoints that were taken out.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian knot=3.2.6-1 nsd=4.6.1-1
alone 90

zone() { printf '$ORIGIN example.test.\n$TTL 60\n@ SOA ns h %s 1 1 3600 60\n@ NS ns\nns A 127.0.0.1\nwww A 192.0.2.%s\n' "$1" "$1"; }
zone 1 >primary.zone
mkdir -p knot nsd
zone 1 >nsd/example.test.zone
cat >knot.conf <<CONF
server:
    rundir: "$folder/knot"
    listen: [ 127.0.0.1@5353 ]
database:
    storage: "$folder/knot"
acl:
  - id: anybody
    address: 127.0.0.1
    action: transfer
zone:
  - domain: example.test
    file: "$folder/primary.zone"
    acl: anybody
CONF
cat >nsd.conf <<CONF
server:
    ip-address: 127.0.0.1@5354
    username: ""
    chroot: ""
    zonesdir: "$folder/nsd"
    database: ""
    pidfile: "$folder/nsd/pid"
    xfrdfile: "$folder/nsd/xfrd.state"
    zonelistfile: "$folder/nsd/zone.list"
    xfrdir: "$folder/nsd"
remote-control:
    control-enable: no
zone:
    name: example.test
    zonefile: example.test.zone
    request-xfr: 127.0.0.1@5353 NOKEY
    allow-notify: 127.0.0.1 NOKEY
    min-refresh-time: 1
    min-retry-time: 1
CONF
cat >serial.py <<'PY'
import sys

import dns.message
import dns.query

reply = dns.query.udp(dns.message.make_query("example.test", "SOA"), "127.0.0.1", 2, int(sys.argv[1]))
print(reply.answer[0][0].serial)
PY

start_nsd() {
    nsd -d -c nsd.conf >"$1.log" 2>&1 &
    nsd=$!
    within 10 python serial.py 5354
}
serves() { [[ $(python serial.py "$1") == "$2" ]]; }

echo "$(nsd -v 2>&1 | head -1), $(knotd -V)"
knotd -c knot.conf >knot.log 2>&1 &
within 10 python serial.py 5353
start_nsd first
within 10 serves 5354 1
zone 2 >primary.zone
knotc -c knot.conf zone-reload example.test >/dev/null
within 10 serves 5354 2
seen "the secondary after a change" 2 "$(python serial.py 5354)"
kill "$nsd"
wait "$nsd" || true
start_nsd second
sleep 10
seen "the primary" 2 "$(python serial.py 5353)"
seen "the secondary ten refreshes after its restart" 1 "$(python serial.py 5354)"
kill "$nsd"
wait "$nsd" || true
rm nsd/xfrd.state
start_nsd third
within 10 serves 5354 2
seen "the secondary without xfrd.state" 2 "$(python serial.py 5354)"
finish
