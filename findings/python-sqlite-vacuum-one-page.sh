#!/usr/bin/env bash
# CPython 3.11's sqlite3 (SQLite 3.40.1); a database with auto_vacuum=INCREMENTAL and thousands of free pages.
# Guess: execute("PRAGMA incremental_vacuum(1000)") gives 1,000 pages back to the file system, as SQLite's shell does.
# Observed: it gives back one page, without an error, fetchall() or not: the statement gives a page back with each step,
# returns no rows, and `execute` takes one step of what returns none. executescript() steps to the end: 1,000 pages.
# Why it matters: a program that bounds its file so deletes what is old and keeps the disk that it was in for ever; its
# tests of small files pass, as one page may be all that there is.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
cd "$folder"
cat >vacuum.py <<'PY'
import sqlite3
import sys


def free(connection):
    return connection.execute("PRAGMA freelist_count").fetchone()[0]


connection = sqlite3.connect(":memory:" if len(sys.argv) < 3 else sys.argv[2], isolation_level=None)
connection.executescript("PRAGMA auto_vacuum=INCREMENTAL; CREATE TABLE t(data BLOB)")
connection.executemany("INSERT INTO t VALUES (?)", [(bytes(3000),)] * 5000)
connection.execute("DELETE FROM t")
before = free(connection)
if sys.argv[1] == "execute":
    connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()
else:
    connection.executescript("PRAGMA incremental_vacuum(1000)")
print(before - free(connection), "pages, of more than 2000:", before > 2000)
PY

python3 -c 'import sqlite3, sys; print("Python", sys.version.split()[0], "SQLite", sqlite3.sqlite_version)'
seen "execute" "1 pages, of more than 2000: True" "$(python3 vacuum.py execute vacuum-1.db)"
seen "executescript" "1000 pages, of more than 2000: True" "$(python3 vacuum.py executescript vacuum-2.db)"
finish
