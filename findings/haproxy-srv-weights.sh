#!/usr/bin/env bash
# HAProxy 2.6.12 (Debian 12), server-template over SRV records.
# Guess: weights 75 and 25 share the load 75 to 25, and a record of a worse priority is a backup.
# Observed: a DNS weight is divided by 256 and rounded up, so that every weight from 1 to 256 is the same server weight
# 1; and priority is not looked at. 75, 25 and a backup get a third each; 49152 and 16384 get three to one.
# Why it matters: an authority that gives its weights as 0 to 100 has no weights at HAProxy, and its stand-by takes a
# full share. Weights have to be spread over the 16 bits that RFC 2782 gives them.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian haproxy=2.6.12-1+deb12u4
alone 120

authority 5353 '{"_small._tcp.example.test.": {"SRV": [5, ["10 75 8001 a.example.test.", "10 25 8002 b.example.test.",
    "20 100 8003 c.example.test."]]}, "_large._tcp.example.test.": {"SRV": [5, ["10 49152 8001 a.example.test.",
    "10 16384 8002 b.example.test."]]}, "a.example.test.": {"A": [5, ["127.0.0.1"]]},
    "b.example.test.": {"A": [5, ["127.0.0.1"]]}, "c.example.test.": {"A": [5, ["127.0.0.1"]]}}'
cat >servers.py <<'PY'
import functools
import http.server
import threading


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{self.server.server_port}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


servers = [http.server.ThreadingHTTPServer(("127.0.0.1", port), Page) for port in (8001, 8002, 8003)]
for server in servers:
    threading.Thread(target=functools.partial(server.serve_forever, 0.2)).start()
PY
python servers.py &
cat >haproxy.cfg <<CONF
global
  stats socket $folder/stats
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 1s
resolvers own
  nameserver authority 127.0.0.1:5353
  accepted_payload_size 1232
frontend door
  bind 127.0.0.1:8100
  use_backend large if { path /large }
  default_backend small
backend small
  balance roundrobin
  server-template s 3 _small._tcp.example.test resolvers own init-addr none
backend large
  balance roundrobin
  server-template s 2 _large._tcp.example.test resolvers own init-addr none
CONF
haproxy -f haproxy.cfg >haproxy.log 2>&1 &
# share PATH: how many of 120 requests each port got.
share() {
    local request
    for request in $(seq 120); do curl -s "http://127.0.0.1:8100/$1"; done | sort | uniq -c | awk '{print $2 ":" $1}' | paste -sd' '
}
all_up() { [[ $(share small | wc -w) == 3 && $(share large | wc -w) == 2 ]]; }
within 20 all_up

echo "$(haproxy -v | head -1 | cut -d' ' -f1-3), 120 requests each:"
seen "priority 10 weight 75, 10 and 25, 20 and 100" "8001:40 8002:40 8003:40" "$(share small)"
seen "weights 49152 and 16384" "8001:90 8002:30" "$(share large)"
finish
