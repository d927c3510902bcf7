#!/usr/bin/env bash
# dnsmasq 2.90 (Debian 12), caching forwarder with settings as they come, and a client behind it that sends ECS.
# Guess: the option is taken out (nothing in the settings asks for it), or the answer is cached for its scope only.
# Observed: the client's option goes upstream; the answer, steered for that network with scope 24, is cached for
# everybody: the next clients, with other networks or with none, get it till the TTL is over, and no ECS in the reply.
# Why it matters: one host behind a common router's forwarder that sends ECS (a stub with a fixed network, a test by
# hand) decides where all others there are sent; the scope that we return is of no use.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian dnsmasq-base=2.90-4~deb12u2
alone 120

authority 5353 '{"steered.example.test.": {"scope": 24,
    "A": [30, {"198.51.100.": ["192.0.2.51"], "203.0.113.": ["192.0.2.113"], "": ["192.0.2.200"]}]}}'
dnsmasq --no-daemon --conf-file=/dev/null --no-hosts --no-resolv --port=5300 --listen-address=127.0.0.1 \
    --bind-interfaces --server=/example.test/127.0.0.1#5353 --pid-file= >dnsmasq.log 2>&1 &
cat >ask.py <<'PY'
import sys

import dns.edns
import dns.message
import dns.query

options = [dns.edns.ECSOption(sys.argv[1], 24)] if len(sys.argv) > 1 else []
query = dns.message.make_query("steered.example.test", "A", use_edns=0, options=options)
answer = dns.query.udp(query, "127.0.0.1", port=5300, timeout=3)
print(answer.answer[0][0].address, *[f"scope {o.scopelen}" for o in answer.options if isinstance(o, dns.edns.ECSOption)])
PY
within 10 grep -q 'cachesize' dnsmasq.log

echo "$(dnsmasq --version | head -1 | cut -d' ' -f1-3):"
seen "asked with 198.51.100.0/24" "192.0.2.51 scope 24" "$(python ask.py 198.51.100.0)"
seen "then with 203.0.113.0/24" "192.0.2.51" "$(python ask.py 203.0.113.0)"
seen "then with none" "192.0.2.51" "$(python ask.py)"
seen "asked upstream" 1 "$(asked steered.example.test. A)"
seen "with" '"198.51.100.0"' "$(grep -o '"subnet": .*' queries.jsonl | cut -d' ' -f2 | tr -d '}')"
finish
