#!/usr/bin/env bash
# google-re2 1.1.20251105 (PyPI), the Python bindings of RE2.
# Guess: a pattern of bytes looks at bytes, as with Python's re; one that is wrong raises an error, and that is all.
# Observed: bytes are read as UTF-8 unless options.encoding says LATIN1. A byte that is no UTF-8 is matched by nothing
# that stands for a character: not by `.`, not by `[^a]`, not by `\xff`. A wrong pattern raises re2.error, and is written
# to standard error as well, with a warning about a logger that nobody asked for.
# Why it matters: names in DNS and most of what comes over a network are bytes. "Nothing but letters" written as
# `[^a-z]` finds no such byte, so that a filter lets pass what it was made for; and a server's log gets lines that are
# in no format of its own.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi --target "$FINDING_FOLDER/packages" google-re2==1.1.20251105

cat >"$folder/look.py" <<'PY'
import re
import sys

import re2

if sys.argv[1] == "wrong":
    for module in (re, re2):
        try:
            module.compile(b"(")
        except module.error:
            pass
    sys.exit()
options = re2.Options()
if sys.argv[1] == "latin1":
    options.encoding = re2.Options.Encoding.LATIN1
for pattern in (rb".", rb"[^a-z]", rb"\xff"):
    found = re.search(pattern, b"\xff"), re2.compile(pattern, options).search(b"\xff")
    print(*("found" if one else "nothing" for one in found), end="; ")
PY
export PYTHONPATH="$folder/packages"
seen "re and re2 look for . [^a-z] \\xff in the byte ff" "found nothing; found nothing; found nothing; " \
    "$(python "$folder/look.py" default)"
seen "the same with encoding LATIN1" "found found; found found; found found; " "$(python "$folder/look.py" latin1)"
seen "lines on standard error of a wrong pattern that was caught" 2 "$(python "$folder/look.py" wrong 2>&1 >/dev/null | wc -l)"
finish
