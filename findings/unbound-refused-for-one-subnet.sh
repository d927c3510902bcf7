#!/usr/bin/env bash
# unbound 1.17.1 (Debian 12) with ECS, and an authority that answers one network of clients and refuses another.
# Guess: the refused client gets SERVFAIL, kept for its own network (the option comes back with scope 24) if at all.
# Observed: unbound asks again four times without the option, so that what the resolver itself may see is fetched for
# the refused client; and the SERVFAIL is kept for everybody: clients of the other network get it too, for five seconds
# from then on, also where their own answer was in the cache already.
# Why it matters: a name that exists for some networks alone (views, split horizon) is taken from them by anybody else who
# asks for it through the same resolver; NXDOMAIN in place of REFUSED does no such thing. And a view that is chosen by
# the resolver's address where no option came leaks.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian unbound=1.17.1-2+deb12u4
alone 120

ip address add 198.51.100.3/32 dev lo
ip address add 203.0.113.9/32 dev lo
split='{"198.51.100.": ["192.0.2.10"], "203.0.113.": null, "": null}'
absent='{"198.51.100.": ["192.0.2.10"], "": []}'
open='{"198.51.100.": ["192.0.2.10"], "203.0.113.": null, "": ["192.0.2.99"]}'
authority 5353 "{\"split.example.test.\": {\"scope\": 24, \"A\": [300, $split]},
    \"warm.example.test.\": {\"scope\": 24, \"A\": [300, $split]},
    \"absent.example.test.\": {\"scope\": 24, \"A\": [300, $absent]},
    \"open.example.test.\": {\"scope\": 24, \"A\": [300, $open]}}"
ecs_unbound 5300 198.51.100.3 203.0.113.9
cat >ask.py <<'PY'
import sys

import dns.message
import dns.query
import dns.rcode

name, client = sys.argv[1:]
query = dns.message.make_query(f"{name}.example.test", "A")
reply = dns.query.udp(query, client, port=5300, source=client, timeout=5)
print(dns.rcode.to_text(reply.rcode()), *[records[0].address for records in reply.answer])
PY
insider=198.51.100.3 outsider=203.0.113.9
without() { grep "\"$1.example.test.\"" queries.jsonl | grep -c '"subnet": null' || true; }
within 10 python ask.py ready $insider

echo "$(unbound -V | head -1):"
seen "refused network first" SERVFAIL "$(python ask.py split $outsider)"
seen "asked again without the option" 4 "$(without split)"
seen "then the other network" SERVFAIL "$(python ask.py split $insider)"
sleep 6
seen "the other network, six seconds later" "NOERROR 192.0.2.10" "$(python ask.py split $insider)"
seen "other network first" "NOERROR 192.0.2.10" "$(python ask.py warm $insider)"
seen "then the refused one" SERVFAIL "$(python ask.py warm $outsider)"
seen "the other network, whose answer is cached" SERVFAIL "$(python ask.py warm $insider)"
seen "NXDOMAIN for one" NXDOMAIN "$(python ask.py absent $outsider)"
seen "then the other network" "NOERROR 192.0.2.10" "$(python ask.py absent $insider)"
seen "refused network, where the resolver itself is not" "NOERROR 192.0.2.99" "$(python ask.py open $outsider)"
finish
