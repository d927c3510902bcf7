#!/usr/bin/env bash
# primp 2.0.1 (PyPI), an HTTP client over reqwest and hickory-resolver; one Client object, nothing set.
# Guess: as its kind do (wreq 0.13.0, pyreqwest 0.15.1), it asks the system's resolver for each new connection; where it
# keeps answers itself, for their TTL.
# Observed: it asks the servers of resolv.conf itself, and keeps addresses for 30 s at least, be their TTL 0 or 2, in the
# same order. All connections of that time begin with one address; the others ask at each connection.
# Why it matters: a TTL below 30 s says nothing to it, and behind a cache those 30 s come on top of what was left of the
# TTL there. A Client made anew asks anew.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2 primp==2.0.1 wreq==0.13.0 pyreqwest==0.15.1
alone 120

two='["127.0.0.3", "127.0.0.4"]'
authority 53 "{\"primp.example.test.\": {\"A\": [0, $two], \"turning\": true},
    \"primp2.example.test.\": {\"A\": [2, $two], \"turning\": true},
    \"anew.example.test.\": {\"A\": [0, $two], \"turning\": true},
    \"wreq.example.test.\": {\"A\": [0, $two], \"turning\": true},
    \"pyreqwest.example.test.\": {\"A\": [0, $two], \"turning\": true}}"
echo "nameserver 127.0.0.1" >resolv.conf
mount --bind resolv.conf /etc/resolv.conf
echo "hosts: dns" >nsswitch.conf
mount --bind nsswitch.conf /etc/nsswitch.conf
endpoints 8000 127.0.0.3 127.0.0.4
cat >requests.py <<'PY'
import sys
import time

import primp
import pyreqwest.client
import wreq.blocking


def get_of(library):
    if library == "wreq":
        client = wreq.blocking.Client()
        return lambda url: client.get(url).text()
    if library == "pyreqwest":
        client = pyreqwest.client.SyncClientBuilder().build()
        return lambda url: client.get(url).build().send().text()
    if library == "anew":
        return lambda url: primp.Client().get(url).text
    client = primp.Client()
    return lambda url: client.get(url).text


seconds, libraries = float(sys.argv[1]), sys.argv[2:]
gets = {library: get_of(library) for library in libraries}
seen = {library: set() for library in libraries}
end = time.monotonic() + seconds
while time.monotonic() < end:
    for library, get in gets.items():
        seen[library].add(get(f"http://{library}.example.test:8000/"))
    time.sleep(1)
print(*(len(seen[library]) for library in libraries))
PY

echo "primp 2.0.1, wreq 0.13.0, pyreqwest 0.15.1; a request and a connection a second, two addresses in turn:"
seen "addresses used in 25 s: primp (TTL 0), primp (TTL 2), primp anew each time, wreq, pyreqwest" "1 1 2 2 2" \
    "$(python requests.py 25 primp primp2 anew wreq pyreqwest)"
seen "queries of primp, TTL 0" 1 "$(asked primp.example.test. A)"
seen "queries of primp, TTL 2" 1 "$(asked primp2.example.test. A)"
for other in anew wreq pyreqwest; do
    seen "queries of $other, TTL 0, are many" yes "$( (($(asked $other.example.test. A) > 10)) && echo yes || echo no)"
done
: >queries.jsonl
seen "addresses used in 45 s: primp" 2 "$(python requests.py 45 primp)"
seen "queries" 2 "$(asked primp.example.test. A)"
finish
