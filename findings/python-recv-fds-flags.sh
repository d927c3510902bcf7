#!/usr/bin/env bash
# CPython 3.11, socket.recv_fds(sock, bufsize, maxfds, flags): descriptors that come over a UNIX socket.
# Guess: `flags` are recvmsg's, as the documentation's "see recvmsg() for the meaning of these arguments" says, so that
# MSG_CMSG_CLOEXEC keeps descriptors from programs that are started, and MSG_PEEK leaves the message there.
# Observed: they are taken and dropped: what comes is inheritable (PEP 446 has all other descriptors not so), MSG_PEEK
# takes the message, and MSG_DONTWAIT waits.
# Why it matters: a server that hands listening sockets from process to process, as restarts without loss do, leaks them
# into every program that it starts meanwhile: the port stays taken after the server has ended.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
alone 60

cat >flags.py <<'PY'
import os
import socket
import sys

flag = getattr(socket, sys.argv[1])
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
socket.send_fds(ours, [b"x"], [0])
if sys.argv[2] == "recv_fds":
    _, (descriptor,), _, _ = socket.recv_fds(theirs, 1, 1, flag)
else:
    _, ((_, _, rights),), _, _ = theirs.recvmsg(1, socket.CMSG_LEN(4), flag)
    descriptor = int.from_bytes(rights, sys.byteorder)
theirs.setblocking(False)
try:
    left = "left there" if theirs.recv(1) else ""
except BlockingIOError:
    left = "taken"
print("inheritable" if os.get_inheritable(descriptor) else "not inheritable", left, sep=", ")
PY

python3 --version
seen "recvmsg, MSG_CMSG_CLOEXEC" "not inheritable, taken" "$(python3 flags.py MSG_CMSG_CLOEXEC recvmsg)"
seen "recv_fds, MSG_CMSG_CLOEXEC" "inheritable, taken" "$(python3 flags.py MSG_CMSG_CLOEXEC recv_fds)"
seen "recvmsg, MSG_PEEK" "inheritable, left there" "$(python3 flags.py MSG_PEEK recvmsg)"
seen "recv_fds, MSG_PEEK" "inheritable, taken" "$(python3 flags.py MSG_PEEK recv_fds)"
finish
