#!/usr/bin/env bash
# aiodns 4.0.4 over pycares 5.2.1 (PyPI), c-ares with a query cache; one resolver object, nothing set.
# Guess: a resolver library asks each time, as dnspython and Node.js's dns.resolve do; it is the server that caches.
# Observed: it keeps answers for their TTL (up to an hour), NXDOMAIN and NODATA too, hands out TTLs that count down, and
# gives the addresses in the same order each time, so that 40 look-ups of eight equals are 40 times the first.
# Why it matters: a probe of the answers' distribution written with it sees one answer a TTL and reports a broken
# balance; a client that takes the first address stays on one endpoint for the TTL. Neither has a setting for it.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2 aiodns==4.0.4 pycares==5.2.1
alone 120

# Each answer to the first begins with another of the eight.
authority 5353 '{"eight.example.test.": {"A": [30, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5",
    "192.0.2.6", "192.0.2.7", "192.0.2.8"]], "turning": true}, "zero.example.test.": {"A": [0, ["192.0.2.1"]]}}'
cat >lookups.py <<'PY'
import asyncio
import sys

import aiodns
import dns.asyncresolver
import dns.resolver


async def main(library, name):
    if library == "aiodns":
        resolver = aiodns.DNSResolver(nameservers=["127.0.0.1"], udp_port=5353, tcp_port=5353)
    else:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], 5353
    firsts, ttls = set(), []
    for _ in range(40):
        try:
            if library == "aiodns":
                answer = (await resolver.query_dns(name, "A")).answer
                firsts.add(answer[0].data.addr)
                ttls.append(answer[0].ttl)
            else:
                answer = await resolver.resolve(name, "A")
                firsts.add(answer[0].address)
                ttls.append(answer.rrset.ttl)
        except (aiodns.error.DNSError, dns.resolver.NXDOMAIN):
            pass
        await asyncio.sleep(0.05)
    print(len(firsts), "first addresses, TTL", *sorted({ttls[0], ttls[-1]}, reverse=True) if ttls else "none")


asyncio.run(main(*sys.argv[1:]))
PY

echo "aiodns 4.0.4, pycares 5.2.1; 40 look-ups in two seconds by one resolver object:"
seen "aiodns" "1 first addresses, TTL 30 28" "$(python lookups.py aiodns eight.example.test)"
seen "queries" 1 "$(asked eight.example.test. A)"
seen "aiodns, TTL 0" "1 first addresses, TTL 0" "$(python lookups.py aiodns zero.example.test)"
seen "queries" 40 "$(asked zero.example.test. A)"
python lookups.py aiodns nothing.example.test >/dev/null
seen "aiodns, NXDOMAIN, queries" 1 "$(asked nothing.example.test. A)"
: >queries.jsonl
seen "dnspython" "8 first addresses, TTL 30" "$(python lookups.py dnspython eight.example.test)"
seen "queries" 40 "$(asked eight.example.test. A)"
finish
