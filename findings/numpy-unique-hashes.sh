#!/usr/bin/env bash
# numpy 2.4.6 (PyPI).
# Guess: np.unique(a) sorts, as it always did, and takes as long as np.sort(a): some ms for 400,000 whole numbers.
# Observed: without return_index, return_inverse and return_counts it puts them into a hash table first, and takes more
# than ten times as long as a sort of the same numbers. With return_counts=True, which says more, it is the faster one.
# Why it matters: sets of addresses, prefixes or timestamps are whole numbers that are nearly all different; a look at
# a profile finds 80 % of a second in a call that looks like the cheap one.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi --target "$FINDING_FOLDER/packages" numpy==2.4.6

cat >"$folder/look.py" <<'PY'
import time

import numpy as np


def taken(call):
    """The best of five."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


numbers = np.random.default_rng(1).permutation(400_000).astype(np.uint64) << np.uint64(32)
sort, unique = taken(lambda: np.sort(numbers)), taken(lambda: np.unique(numbers))
counted = taken(lambda: np.unique(numbers, return_counts=True))
print("unique beside sort:", "more than 5 times" if unique > 5 * sort else "alike", end="; ")
print("with counts:", "faster" if counted < unique else "slower")
PY
export PYTHONPATH="$folder/packages"
seen "400,000 different whole numbers" "unique beside sort: more than 5 times; with counts: faster" \
    "$(python3 "$folder/look.py")"
finish
