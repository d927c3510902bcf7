#!/usr/bin/env bash
# Knot 3.2.6 (Debian 12), mod-geoip in a zone with `dnssec-signing: on`, started for the first time: keys are made by
# Knot itself, as its automatic policy does.
# Guess: it makes the keys, signs the zone and the module's records, and steers, or does not start.
# Observed: modules are loaded before there are keys, so mod-geoip is left out ("no keys for signing", an error in the
# log); the zone is signed, served and healthy by every check, and everybody gets the record of the zone file. A second
# start, nothing else changed, steers.
# Why it matters: a zone that is moved there signed answers all clients with one address until somebody restarts it, and
# a benchmark of its signed geo answers measures static ones.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian knot=3.2.6-1 knot-module-geoip=3.2.6-1
alone 120

printf '$ORIGIN example.test.\n$TTL 300\n@ SOA ns h 1 7200 900 1209600 60\n@ NS ns\nns A 127.0.0.1\ngeo A 192.0.2.1\n' >zone
printf 'geo.example.test:\n  - net: 127.0.0.1/32\n    A: 192.0.2.11\n  - net: 127.0.0.2/32\n    A: 192.0.2.12\n' >rules.conf
cat >knot.conf <<CONF
server:
    rundir: "$folder"
    listen: [ 127.0.0.1@5353 ]
database:
    storage: "$folder"
mod-geoip:
  - id: rules
    config-file: "$folder/rules.conf"
    ttl: 30
    mode: subnet
zone:
  - domain: example.test
    file: "$folder/zone"
    zonefile-load: whole
    module: mod-geoip/rules
    dnssec-signing: on
CONF
cat >ask.py <<'PY'
import dns.message
import dns.query

for source in ("127.0.0.1", "127.0.0.2"):
    query = dns.message.make_query("geo.example.test", "A", want_dnssec=True)
    answer, *signatures = dns.query.udp(query, "127.0.0.1", 3, 5353, source=source).answer
    print(answer[0].address, "signed" if signatures else "unsigned", end="; ")
PY

# start NAME: knotd runs until the next one.
start() {
    knotd -c knot.conf >"$1.log" 2>&1 &
    within 10 python ask.py
    within 10 bash -c 'python ask.py | grep -v unsigned'
}
echo "$(knotd -V):"
start first
seen "two clients, first start" "192.0.2.1 signed; 192.0.2.1 signed; " "$(python ask.py)"
seen "errors of mod-geoip in the log" 2 "$(grep -c 'error: .*mod-geoip' first.log)"
kill $!
wait $! || true
start second
seen "two clients, second start" "192.0.2.11 signed; 192.0.2.12 signed; " "$(python ask.py)"
seen "errors of mod-geoip in the log" 0 "$(grep -c 'error: .*mod-geoip' second.log || true)"
finish
