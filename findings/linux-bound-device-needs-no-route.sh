#!/usr/bin/env bash
# Linux 6.18, SO_BINDTODEVICE (socket(7)), as curl --interface, HAProxy's "interface" and health checks use it.
# Guess: a socket that is bound to an interface is told "Network is unreachable" where no route leads out of that, as one
# that is bound to nothing is, and as an IPv6 one is.
# Observed: for IPv4 any address without a route is taken to be on the interface's link: connecting a datagram socket
# succeeds, and a TCP connection waits for ARP, "No route to host" after some three seconds, or for ever where the
# interface has none (WireGuard, GRE). A route that says "unreachable" is passed over as well.
# Why it matters: a health check by such an interface takes its whole time-out to say that a route is missing, and says
# that the host is silent; who asks the kernel for routes instead has to ask without the binding.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
alone 60
[ "$(id -u)" = 0 ] && command -v ip >/dev/null || exit 3

ip link add d0 type veth peer name d1
ip addr add 198.51.100.1/24 dev d0
ip addr add 2001:db8:1::1/64 dev d0 nodad
ip link set d0 up
ip link set d1 up
cat >reach.py <<'PY'
import socket
import sys
import time

address, device = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
told = []
for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
    with socket.socket(family, kind) as sock:
        if device:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        sock.settimeout(8)
        begun_s = time.monotonic()
        try:
            sock.connect((address, 9))
            told.append("connected")
        except OSError as error:
            told.append((error.strerror or "timed out") + (" later" if time.monotonic() - begun_s > 1 else ""))
print(*told, sep="; ")
PY

uname -r
seen "IPv4, bound to nothing" "Network is unreachable; Network is unreachable" "$(python3 reach.py 192.0.2.1 '')"
seen "IPv4, bound to d0" "connected; No route to host later" "$(python3 reach.py 192.0.2.1 d0)"
seen "IPv6, bound to d0" "Network is unreachable; Network is unreachable" "$(python3 reach.py 2001:db8:2::1 d0)"
ip route add unreachable 192.0.2.0/24
seen "IPv4, bound to d0, an unreachable route" "connected; No route to host later" "$(python3 reach.py 192.0.2.1 d0)"
finish
