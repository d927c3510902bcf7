#!/usr/bin/env bash
# BIND 9.18 (Debian 12) as a resolver, asked with ECS, over an authority whose answers are steered with scope 24.
# Guess: it does not speak ECS, so its replies carry none (as unbound's and Knot Resolver's do not).
# Observed: the option is not sent upstream, yet each reply carries the client's network with SCOPE 0, which says "this
# answer is for every network": the authority never said so, nor saw the network.
# Why it matters: who tests steering with dig +subnet through BIND reads the scope as the authority's and looks for the
# fault there; and a cache that speaks ECS behind such a resolver files the resolver's own answer for everybody.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian bind9=1:9.18.49-1~deb12u3
alone 120

authority 5353 '{"steered.example.test.": {"scope": 24, "A": [30, {"198.51.100.": ["192.0.2.51"], "": ["192.0.2.200"]}]}}'
cat >named.conf <<CONF
options {
  directory "$folder"; listen-on port 5300 { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none;
  dnssec-validation no; recursion yes; empty-zones-enable no;
};
controls { };
zone "example.test" { type forward; forward only; forwarders { 127.0.0.1 port 5353; }; };
CONF
named -f -n 1 -c named.conf >named.log 2>&1 &
cat >ask.py <<'PY'
import sys

import dns.edns
import dns.message
import dns.query

options = [dns.edns.ECSOption(sys.argv[2], 24)] if len(sys.argv) > 2 else []
query = dns.message.make_query("steered.example.test", "A", use_edns=0, options=options)
answer = dns.query.udp(query, "127.0.0.1", port=int(sys.argv[1]), timeout=3)
print(answer.answer[0][0].address, *[o.to_text() for o in answer.options if isinstance(o, dns.edns.ECSOption)])
PY
within 10 python ask.py 5300

echo "$(named -v | cut -d' ' -f1-2):"
seen "asked with 198.51.100.0/24" "192.0.2.200 ECS 198.51.100.0/24 scope/0" "$(python ask.py 5300 198.51.100.0)"
seen "asked with 203.0.113.0/24" "192.0.2.200 ECS 203.0.113.0/24 scope/0" "$(python ask.py 5300 203.0.113.0)"
seen "asked without" "192.0.2.200" "$(python ask.py 5300)"
seen "networks upstream" null "$(grep -o '"subnet": .*' queries.jsonl | cut -d' ' -f2 | tr -d '}' | sort -u)"
seen "the authority itself, asked with the first" "192.0.2.51 ECS 198.51.100.0/24 scope/24" "$(python ask.py 5353 198.51.100.0)"
finish
