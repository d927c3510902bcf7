#!/usr/bin/env bash
# ldap3 2.9.1 (PyPI): a Server object, a new Connection each time; the name's one address changes, then the old one dies.
# Guess: each new connection resolves the name anew, or at the latest when the address it has refuses.
# Observed: the Server keeps what it resolved first for 300 s (ADDRESS_INFO_REFRESH_TIME) whatever the TTL; when that
# address is dead every bind fails though the name has long been pointing to a living one. Set to 1 s, it goes on.
# Why it matters: an application with one Server object is down for up to five minutes after a failover that DNS made in
# seconds; neither TTL nor health checks help it.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi ldap3==2.9.1
alone 120

hosts "127.0.0.3 directory.example.test"
cat >binds.py <<'PY'
import socket
import threading
import time

import ldap3

HOST, PORT = "directory.example.test", 3890
SUCCESS = bytes([0x61, 7, 0x0A, 1, 0, 4, 0, 4, 0])  # BindResponse of RFC 4511, resultCode success
reached = []


def directory(address):
    """A server that lets everybody bind; returned is its listening socket."""
    listener = socket.create_server((address, PORT))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            reached.append(address)
            message_id = connection.recv(4096)[4]
            connection.sendall(bytes([0x30, 3 + len(SUCCESS), 2, 1, message_id]) + SUCCESS)

    threading.Thread(target=serve, daemon=True).start()
    return listener


def point_to(address):
    with open("hosts", "w") as hosts:
        hosts.write(f"127.0.0.1 localhost\n{address} {HOST}\n")


def bind():
    reached.clear()
    try:
        ldap3.Connection(server, receive_timeout=2).bind()
    except ldap3.core.exceptions.LDAPException as error:
        return type(error).__name__
    return reached[0]


old, new = directory("127.0.0.3"), directory("127.0.0.4")
server = ldap3.Server(HOST, PORT, connect_timeout=2, get_info=None)
print(bind())
point_to("127.0.0.4")
print(socket.gethostbyname(HOST), bind())
old.shutdown(socket.SHUT_RDWR)
old.close()
outcomes = set()
for _ in range(10):
    time.sleep(1)
    outcomes.add(bind())
print(*outcomes)
print(ldap3.get_config_parameter("ADDRESS_INFO_REFRESH_TIME"))
ldap3.set_config_parameter("ADDRESS_INFO_REFRESH_TIME", 1)
print(bind())
PY
timeout 40 python binds.py >told

echo "ldap3 2.9.1, one Server, a Connection each:"
seen "first bind" 127.0.0.3 "$(sed -n 1p told)"
seen "the name's address after the change, and the next bind's" "127.0.0.4 127.0.0.3" "$(sed -n 2p told)"
seen "binds in ten seconds after the old one's death" LDAPSocketOpenError "$(sed -n 3p told)"
seen "kept for, s" 300 "$(sed -n 4p told)"
seen "a bind when that is 1 s" 127.0.0.4 "$(sed -n 5p told)"
finish
