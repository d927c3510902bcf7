#!/usr/bin/env bash
# numpy 2.5.5 beside 2.4.6, with Cython 3.3.1 (PyPI).
# Guess: with wraparound=False an index from the end is only unsafe for typed memoryviews; `array[-1]` of an untyped
# numpy array in compiled code is Python's own and gives the last element. It did, with numpy 2.4.6.
# Observed: the same extension, not compiled anew, raises IndexError with numpy 2.5.5 and names an index that nobody
# wrote: "index -4 is out of bounds for axis 0 with size 3". Lists and ranges are as before, and so is the array in code
# that is not compiled.
# Why it matters: compiled packages that are built without wraparound for speed break with an update of numpy, on the
# Pythons alone that get 2.5 (3.12 and later), in lines that a test on an older Python runs well. Cython does warn, but
# the text says "undefined" of all such lines, those that have worked for years included.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 12))' || skip "numpy 2.5 needs Python 3.12"
command -v cc >/dev/null || skip "no compiler of C"
pypi --target "$FINDING_FOLDER/new" numpy==2.5.5
pypi --target "$FINDING_FOLDER/old" numpy==2.4.6
pypi cython==3.3.1

cat >"$folder/ends.pyx" <<'PYX'
# cython: language_level=3, wraparound=False
def last(items):
    return items[-1]
PYX
cython -3 "$folder/ends.pyx" -o "$folder/ends.c" 2>/dev/null
include=$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')
suffix=$(python3 -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
cc -O2 -shared -fPIC -I "$include" "$folder/ends.c" -o "$folder/ends$suffix"

cat >"$folder/look.py" <<'PY'
import ends
import numpy as np

array = np.array([1, 2, 3])
for name, items in (("list", [1, 2, 3]), ("range", range(1, 4)), ("array", array)):
    try:
        print(name, ends.last(items), end="; ")
    except IndexError as error:
        print(name, error, end="; ")
print("interpreted", array[-1])
PY
seen "with numpy 2.4.6" "list 3; range 3; array 3; interpreted 3" \
    "$(PYTHONPATH=$folder/old:$folder python3 "$folder/look.py")"
seen "with numpy 2.5.5" "list 3; range 3; array index -4 is out of bounds for axis 0 with size 3; interpreted 3" \
    "$(PYTHONPATH=$folder/new:$folder python3 "$folder/look.py")"
finish
