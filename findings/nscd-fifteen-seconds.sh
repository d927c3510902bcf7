#!/usr/bin/env bash
# nscd 2.36 (Debian 12) with its shipped nscd.conf, a name whose one A record has TTL 0 and one with TTL 2.
# Guess: an answer is kept for its TTL, and asked for again when a program next wants it.
# Observed: it is kept for 15 s, the time between two sweeps, TTL 0 too; then nscd asks again by itself, though nobody
# looked the name up since.
# Why it matters: hosts with nscd use an endpoint 15 s longer than the TTL allows, and a name that nobody asks for any
# more is still asked for, which counts in what is steered where.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2
debian nscd=2.36-9+deb12u14
alone 120

authority 53 '{"ttl0.example.test.": {"A": [0, ["192.0.2.1"]]}, "ttl2.example.test.": {"A": [2, ["192.0.2.1"]]},
    "once.example.test.": {"A": [2, ["192.0.2.1"]]}}'
echo "nameserver 127.0.0.1" >resolv.conf
echo "127.0.0.1 localhost" >hosts
echo "hosts: files dns" >nsswitch.conf
for file in resolv.conf hosts nsswitch.conf; do mount --bind "$file" "/etc/$file"; done
mount -t tmpfs none /run
mount -t tmpfs none /var/cache
mkdir /run/nscd /var/cache/nscd
nscd -F -f "$folder/root/etc/nscd.conf" >nscd.log 2>&1 &
within 10 test -S /run/nscd/socket
cat >look_up.py <<'PY'
import socket
import time

end = time.monotonic() + 35
socket.getaddrinfo("once.example.test", 80)
while time.monotonic() < end:
    socket.getaddrinfo("ttl2.example.test", 80)
    socket.gethostbyname("ttl0.example.test")
    time.sleep(0.5)
PY
python look_up.py

echo "$(nscd --version | head -1), looked up twice a second for 35 s; queries for A:"
seen "TTL 2, getaddrinfo" 3 "$(asked ttl2.example.test. A)"
seen "TTL 0, gethostbyname" 3 "$(asked ttl0.example.test. A)"
seen "TTL 2, looked up once only" 3 "$(asked once.example.test. A)"
finish
