#!/usr/bin/env bash
# One address in its IPv6 disguises, looked up with maxminddb 3.2.0 (PyPI) in MaxMind's own GeoLite2-City (PyPI
# maxminddb-geolite2 2018.703) and in GeoLite2 as ip-location-db repacks it (npm, 2.3.2026061719).
# Guess: the same format and data, so the same network is found, be it asked as 8.8.8.8, as ::ffff:8.8.8.8 or by 6to4.
# Observed: MaxMind's tree leads ::ffff:0:0/96, 2002::/16 and 2001::/32 to its IPv4 part (for Teredo by the server's
# address, not by the client's, which is hidden in the last bits); the other has nothing at any of them.
# Why it matters: on a socket for both families an IPv4 client is ::ffff:a.b.c.d. Code that was tried with one vendor's
# file loses every such client's place with the other's, without an error: take the IPv4 address out before.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi maxminddb==3.2.0 maxminddb-geolite2==2018.703
npm_packages @ip-location-db/geolite2-country-mmdb@2.3.2026061719

cat >"$folder/look_up.py" <<'PY'
import sys

import maxminddb

with maxminddb.open_database(sys.argv[1]) as database:
    record, length = database.get_with_prefix_len(sys.argv[2])
record = record or {}
print(record.get("country_code") or record.get("country", {}).get("iso_code"), length)
PY
maxmind=$(echo "$folder"/venv/lib/python3*/site-packages/_maxminddb_geolite2/GeoLite2-City.mmdb)
repacked=$folder/node_modules/@ip-location-db/geolite2-country-mmdb/geolite2-country.mmdb
both() { echo "$(python "$folder/look_up.py" "$maxmind" "$1"), $(python "$folder/look_up.py" "$repacked" "$1")"; }

echo "country and length of the network, MaxMind's file and the repacked one:"
seen "8.8.8.8" "US 19, US 15" "$(both 8.8.8.8)"
seen "::ffff:8.8.8.8, mapped" "US 115, None 81" "$(both ::ffff:8.8.8.8)"
seen "2002:808:808::1, 6to4" "US 35, None 16" "$(both 2002:808:808::1)"
seen "2001:0:808:808::, Teredo by its server" "US 51, None 23" "$(both 2001:0:808:808::)"
seen "64:ff9b::808:808, NAT64" "None 10, None 10" "$(both 64:ff9b::808:808)"
finish
