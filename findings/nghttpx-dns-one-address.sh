#!/usr/bin/env bash
# nghttpx 1.52 (Debian 12), the proxy of nghttp2: a backend with the parameter `dns`, which is looked up as it runs, over
# a name with four addresses, of which the first refuses connections.
# Guess: it spreads requests over the four, or at least goes on to the next where one refuses.
# Observed: only the first address of an answer is a backend. All goes to it for the ten seconds that an answer is kept,
# whatever its TTL; where it refuses, each request is a 502 although three others live, and stays one as long as the same
# address comes first. An answer whose order moves on helps, ten seconds at a time.
# Why it matters: of equal endpoints, all in one answer, such a proxy uses one at a time, and one dead endpoint is now and
# then the error of all its requests for ten seconds, or for as long as a resolver keeps the order.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian nghttp2-proxy=1.52.0-1+deb12u3
alone 120

addresses='["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"]'
authority 53 "{\"fixed.example.test.\": {\"A\": [1, $addresses]},
    \"live.example.test.\": {\"A\": [1, [\"127.0.0.3\", \"127.0.0.4\", \"127.0.0.5\"]], \"turning\": true}}"
echo "nameserver 127.0.0.1" >resolv.conf
mount --bind resolv.conf /etc/resolv.conf
endpoints 8000 127.0.0.3 127.0.0.4 127.0.0.5 # nothing listens on 127.0.0.2
nghttpx -f '127.0.0.1,3000;no-tls' -b 'fixed.example.test,8000;;dns' -L ERROR >fixed.log 2>&1 &
nghttpx -f '127.0.0.1,3001;no-tls' -b 'live.example.test,8000;;dns' -L ERROR >live.log 2>&1 &
for port in 3000 3001; do within 10 curl -s -o body "http://127.0.0.1:$port/"; done

# codes PORT: of twenty requests, each on a connection of its own.
codes() { for _ in {1..20}; do curl -s -o body -w '%{http_code}\n' "http://127.0.0.1:$1/"; done | sort | uniq -c | xargs; }
# backends: how many addresses answered twenty requests.
backends() { for _ in {1..20}; do curl -s "http://127.0.0.1:3001/" && echo; done | sort -u | wc -l; }
# kept SECONDS: how many addresses answer in that time.
kept() {
    local end=$((SECONDS + $1))
    while ((SECONDS < end)); do curl -s "http://127.0.0.1:3001/" && echo; sleep 0.2; done | sort -u | wc -l
}

echo "$(nghttpx --version | head -1), four addresses, the first of them dead:"
seen "codes" "20 502" "$(codes 3000)"
sleep 12
seen "codes 12 s later, TTL 1" "20 502" "$(codes 3000)"
seen "it asked again" yes "$( (($(asked fixed.example.test. A) > 1)) && echo yes || echo no)"
echo "three that live, in an order that moves on with each answer, TTL 1:"
sleep 12 # the next request asks anew
seen "addresses that answer twenty requests" 1 "$(backends)"
seen "addresses that answer in 7 s" 1 "$(kept 7)"
seen "addresses that answer in 25 s more" 3 "$(kept 25)"
finish
