#!/usr/bin/env bash
# @ip-location-db/geo-whois-asn-country-mmdb 2.3.2026061719 (npm): country by address, from registries' statistics.
# Guess: networks that are nobody's (RFC 1918, documentation, benchmarks) have no record, as in its sisters.
# Observed: seven of them have: 172.16.0.0/12, 192.168.0.0/16 and two of the documentation networks are in Australia,
# 2001:db8::/32 and two more in Japan; 10.0.0.0/8, 100.64.0.0/10 and 192.0.2.0/24 have none.
# Why it matters: clients of a private network are steered to Australia, and what a trial with documentation addresses
# shows is not what "unknown place" does.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi maxminddb==3.2.0
npm_packages @ip-location-db/{geo-whois-asn,geolite2}-country-mmdb@2.3.2026061719

cat >"$folder/countries.py" <<'PY'
import sys

import maxminddb

ADDRESSES = [
    "10.0.0.1", "100.64.0.1", "172.16.0.1", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "2001:2::1", "2001:10::1", "2001:db8::1", "fd00::1", "fe80::1",
]
with maxminddb.open_database(sys.argv[1]) as database:
    found = {address: database.get(address) for address in ADDRESSES}
print(*(f"{address} {record['country_code']}" for address, record in found.items() if record), sep=", ")
PY
in_package() { python "$folder/countries.py" "$folder/node_modules/@ip-location-db/$1-mmdb/$1.mmdb"; }

echo "maxminddb 3.2.0, addresses of 13 networks that are nobody's:"
entered="172.16.0.1 AU, 192.168.0.1 AU, 198.51.100.1 AU, 203.0.113.1 AU, 2001:2::1 JP, 2001:10::1 JP, 2001:db8::1 JP"
seen "geo-whois-asn-country has" "$entered" "$(in_package geo-whois-asn-country)"
seen "geolite2-country has" "" "$(in_package geolite2-country)"
finish
