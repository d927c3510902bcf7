#!/usr/bin/env bash
# airportsdata 20260905 (PyPI): coordinates of airports by IATA and ICAO code.
# Guess: decimal degrees everywhere, as before; Brussels is at 50.90 N, 4.48 E.
# Observed: Belgium's airports and Luxembourg's stand in degrees, minutes and seconds written as if decimal: Brussels,
# 50 54'05", is 50.5405. 20240119 had them right. Read as minutes and seconds, 17 fall within a kilometre of where they
# were; as they stand they are 13 to 42 km away.
# Why it matters: a PoP named by its code is where this table says; distances from it steer by proximity.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi --target "$FINDING_FOLDER/old" airportsdata==20240119
pypi --target "$FINDING_FOLDER/new" airportsdata==20260905

cat >"$folder/compare.py" <<'PY'
import importlib
import math
import sys


def airports(where):
    sys.path.insert(0, where)
    table = importlib.import_module("airportsdata").load("ICAO")
    sys.path.remove(where)
    del sys.modules["airportsdata"]
    return table


def as_minutes(number):
    """50.5405 read as 50 degrees, 54 minutes, 5 seconds."""
    degrees, rest = divmod(round(abs(number) * 10000), 10000)
    return math.copysign(degrees + rest // 100 / 60 + rest % 100 / 3600, number)


def distance_km(latitude, longitude, other):
    here, there = math.radians(latitude), math.radians(other["lat"])
    half = math.sin((there - here) / 2) ** 2
    half += math.cos(here) * math.cos(there) * math.sin(math.radians(other["lon"] - longitude) / 2) ** 2
    return 12742 * math.asin(math.sqrt(half))


old, new = airports(sys.argv[1]), airports(sys.argv[2])
latitude, longitude = new["EBBR"]["lat"], new["EBBR"]["lon"]
print("Brussels", latitude, longitude, round(distance_km(latitude, longitude, old["EBBR"])), "km off")
found = []
for code in old.keys() & new.keys():
    airport = new[code]
    moved = distance_km(airport["lat"], airport["lon"], old[code])
    if moved > 8 and distance_km(as_minutes(airport["lat"]), as_minutes(airport["lon"]), old[code]) < 1:
        found.append((airport["country"], airport["iata"], moved))
print("in minutes", len(found), *sorted({country for country, _, _ in found}))
print("with IATA codes", *sorted(iata for _, iata, _ in found if iata))
print("km off", round(min(found, key=lambda row: row[2])[2]), "to", round(max(found, key=lambda row: row[2])[2]))
PY
python3 "$folder/compare.py" "$folder/old" "$folder/new" >"$folder/compared"

echo "airportsdata 20260905 against 20240119:"
seen "one of them" "Brussels 50.5405 4.2904 42 km off" "$(sed -n 1p "$folder/compared")"
seen "number and countries" "in minutes 17 BE LU" "$(sed -n 2p "$folder/compared")"
seen "airlines' codes among them" "with IATA codes ANR BRU CRL KJK LGG LUX OST" "$(sed -n 3p "$folder/compared")"
seen "distances" "km off 13 to 42" "$(sed -n 4p "$folder/compared")"
finish
