#!/usr/bin/env bash
# airportsdata 20240119 and 20260905 (PyPI), two releases that one requirement ">=20240101" allows.
# Guess: codes are added, coordinates refined; a code that a network's places are named by stays what it was.
# Observed: of 7,590 IATA codes 124 are gone (PNH, Phnom Penh; REP, Siem Reap: airports that moved to a new code, though
# TXL, closed too, is kept), 13 name an airport over 1,000 km away (YZY was in Canada and is in China, COV in Portugal
# and in Turkey, ACF in Australia and in China), and 14 changed country.
# Why it matters: a PoP or a probe's region named by its code can vanish or change continent with an upgrade of a
# table; providers keep the old code as the name of the place.
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
    table = importlib.import_module("airportsdata").load("IATA")
    sys.path.remove(where)
    del sys.modules["airportsdata"]
    return table


def distance_km(one, other):
    here, there = math.radians(one["lat"]), math.radians(other["lat"])
    half = math.sin((there - here) / 2) ** 2
    half += math.cos(here) * math.cos(there) * math.sin(math.radians(one["lon"] - other["lon"]) / 2) ** 2
    return 12742 * math.asin(math.sqrt(half))


old, new = airports(sys.argv[1]), airports(sys.argv[2])
both = old.keys() & new.keys()
far = sorted(code for code in both if distance_km(old[code], new[code]) > 1000)
print(len(old), "codes,", len(old.keys() - new.keys()), "gone")
print(*(code for code in ("PNH", "REP", "TXL") if code not in new))
print(len(far), *far)
print(*(f"{code} {old[code]['country']}-{new[code]['country']}" for code in ("ACF", "COV", "YZY")))
print(sum(old[code]["country"] != new[code]["country"] for code in both))
PY
python3 "$folder/compare.py" "$folder/old" "$folder/new" >"$folder/compared"

echo "airportsdata 20260905 against 20240119:"
seen "before" "7590 codes, 124 gone" "$(sed -n 1p "$folder/compared")"
seen "gone, of PNH, REP and TXL" "PNH REP" "$(sed -n 2p "$folder/compared")"
seen "over 1,000 km away" "13 ACF BFJ COV GBI KBH KFE LLJ NIU QCN SHO SQD YEH YZY" "$(sed -n 3p "$folder/compared")"
seen "three of them" "ACF AU-CN COV PT-TR YZY CA-CN" "$(sed -n 4p "$folder/compared")"
seen "other country" 14 "$(sed -n 5p "$folder/compared")"
finish
