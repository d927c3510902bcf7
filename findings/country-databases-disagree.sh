#!/usr/bin/env bash
# geolite2, geo-whois-asn and iptoasn, three country databases of one day (npm, @ip-location-db/*-country-mmdb
# 2.3.2026061719).
# Guess: they agree on the country of nearly every address that they know (98 % or more), and have the same countries.
# Observed: of 100,000 addresses drawn from the IPv4 space, geolite2 and iptoasn differ on 7 % of those that both know.
# Kosovo (XK) has 159,045 IPv4 addresses in the first, 776 in the second, none in the third, and that one alone has AP,
# which is no country.
# Why it matters: changing the database's vendor moves one client in fourteen to another country's pools, and
# country_pools with XK or a rule on it does nothing with one vendor while another fills it.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi maxminddb==3.2.0
npm_packages @ip-location-db/{geolite2,geo-whois-asn,iptoasn}-country-mmdb@2.3.2026061719

cat >"$folder/compare.py" <<'PY'
import itertools
import random
import sys

import maxminddb

VENDORS = ["geolite2", "geo-whois-asn", "iptoasn"]
OCTETS = [(1, 224), (0, 256), (0, 256), (0, 256)]
draw = random.Random(1)
addresses = [".".join(str(draw.randrange(first, last)) for first, last in OCTETS) for _ in range(100_000)]
countries, kosovo, no_country = {}, [], []
for vendor in VENDORS:
    with maxminddb.open_database(f"{sys.argv[1]}/{vendor}-country-mmdb/{vendor}-country.mmdb") as database:
        countries[vendor] = [(database.get(address) or {}).get("country_code") for address in addresses]
        sizes = {"XK": 0, "AP": 0}
        for network, record in database:
            if record["country_code"] in sizes and (network.version == 4 or network.prefixlen >= 96):
                sizes[record["country_code"]] += network.num_addresses
    kosovo.append(sizes["XK"])
    no_country.append(sizes["AP"])
for one, other in itertools.combinations(VENDORS, 2):
    pairs = [pair for pair in zip(countries[one], countries[other]) if all(pair)]
    differing = sum(first != second for first, second in pairs)
    print(f"{100 * differing / len(pairs):.1f}")
print(*kosovo)
print(*no_country)
PY
nice python "$folder/compare.py" "$folder/node_modules/@ip-location-db" >"$folder/compared"

echo "geolite2, geo-whois-asn and iptoasn, percent of addresses in another country, where both know one:"
seen "geolite2 and geo-whois-asn" 2.4 "$(sed -n 1p "$folder/compared")"
seen "geolite2 and iptoasn" 7.0 "$(sed -n 2p "$folder/compared")"
seen "geo-whois-asn and iptoasn" 7.1 "$(sed -n 3p "$folder/compared")"
seen "IPv4 addresses in Kosovo (XK)" "159045 776 0" "$(sed -n 4p "$folder/compared")"
seen "IPv4 addresses in AP, no country" "0 0 10752" "$(sed -n 5p "$folder/compared")"
finish
