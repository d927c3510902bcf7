#!/usr/bin/env bash
# Squid 5.7 (Debian 12) as a client of load-balanced names, all DNS settings as they come.
# Guess: an address is kept for its record's TTL; a record of TTL 0 is asked for again by the next request.
# Observed: every address is kept for 60 s at least, be its TTL 0, 2 or 30: the default of negative_dns_ttl, a setting
# named after failures, is the floor of good answers too.
# Why it matters: behind such a proxy an endpoint that is out of the answers goes on being used for a minute; a TTL of
# less than 60 s only brings more queries elsewhere.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian squid=5.7-2+deb12u6
alone 120

authority 53 '{"ttl0.example.test.": {"A": [0, ["127.0.0.1"]]}, "ttl2.example.test.": {"A": [2, ["127.0.0.1"]]},
    "ttl30.example.test.": {"A": [30, ["127.0.0.1"]]}}'
mkdir pages && python -m http.server --bind 127.0.0.1 --directory pages 8000 >pages.log 2>&1 &
cat >squid.conf <<CONF
http_port 127.0.0.1:3128
dns_nameservers 127.0.0.1
http_access allow all
cache deny all
access_log none
cache_log $folder/cache.log
pid_filename none
coredump_dir $folder
netdb_filename none
pinger_enable off
visible_hostname proxy.example.test
cache_effective_user nobody
cache_effective_group nogroup
CONF
squid -N -f squid.conf >squid.out 2>&1 &
within 15 curl -s -o /dev/null http://127.0.0.1:3128/
within 5 curl -s -o /dev/null http://127.0.0.1:8000/

echo "$(squid -v | head -1), asked for a page of each name twice, 3 s apart:"
for owner in ttl0 ttl2 ttl30; do
    for round in 1 2; do
        curl -s -o /dev/null -x http://127.0.0.1:3128 "http://$owner.example.test:8000/$round"
        [[ $round == 2 ]] || sleep 3
    done
    seen "queries for $owner" 1 "$(asked "$owner.example.test." A)"
done
curl -s http://127.0.0.1:3128/squid-internal-mgr/ipcache | grep example.test >kept || true
while read -r owner age left rest; do
    echo "  kept: $owner asked $age s ago, $left s left"
    seen "$owner is kept for about a minute" yes "$( ((age + left >= 50 && age + left <= 61)) && echo yes || echo no)"
done <kept
seen "names kept" 3 "$(wc -l <kept)"
finish
