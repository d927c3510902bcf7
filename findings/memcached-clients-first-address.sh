#!/usr/bin/env bash
# pymemcache 4.0.0 and python-memcached 1.62 beside aiomcache 0.8.2, redis 8.1.0 and asyncpg 0.32.0 (PyPI): a name with
# two addresses the first of which refuses connections.
# Guess: each goes on to the second, as nearly every client does (socket.create_connection, Happy Eyeballs).
# Observed: the two memcached clients try the first alone and give up (python-memcached without an error: a miss); the
# other three reach the second.
# Why it matters: an answer of all healthy endpoints is no second chance for these; for them the time from an
# endpoint's death to its leaving the answers, plus the TTL, is an outage, and the resolver's order their balance.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi pymemcache==4.0.0 python-memcached==1.62 aiomcache==0.8.2 redis==8.1.0 asyncpg==0.32.0
alone 120

hosts "127.0.0.2 pool.example.test" "127.0.0.3 pool.example.test"
cat >reach.py <<'PY'
import asyncio
import socket
import sys
import threading
import time

HOST, PORT = "pool.example.test", 9000


def pymemcache():
    from pymemcache.client.base import Client

    Client((HOST, PORT), connect_timeout=2, timeout=2).get("key")


def python_memcached():
    import memcache

    print(repr(memcache.Client([f"{HOST}:{PORT}"], socket_timeout=2).get("key")), end=" ")


def aiomcache():
    import aiomcache

    async def get():
        await aiomcache.Client(HOST, PORT).get(b"key")

    asyncio.run(get())


def redis():
    from redis import Redis

    Redis(HOST, PORT, socket_timeout=2).ping()


def asyncpg():
    import asyncpg

    asyncio.run(asyncpg.connect(host=HOST, port=PORT, user="someone", timeout=2, ssl=False))


reached = threading.Event()
listener = socket.create_server(("127.0.0.3", PORT))


def accept():
    while True:
        connection, _ = listener.accept()
        reached.set()
        connection.close()


threading.Thread(target=accept, daemon=True).start()
assert [info[4][0] for info in socket.getaddrinfo(HOST, PORT, type=socket.SOCK_STREAM)] == ["127.0.0.2", "127.0.0.3"]
client = threading.Thread(target=globals()[sys.argv[1]], daemon=True)
threading.excepthook = lambda failure: print(failure.exc_type.__name__, end=" ")
client.start()
end = time.monotonic() + 6
while client.is_alive() and time.monotonic() < end and not reached.is_set():
    time.sleep(0.05)
if not reached.is_set():
    reached.wait(0.5)
print("reached the second" if reached.is_set() else "never tried the second")
sys.stdout.flush()
PY

echo "127.0.0.2 refuses, 127.0.0.3 accepts:"
seen "pymemcache" "ConnectionRefusedError never tried the second" "$(timeout 15 python reach.py pymemcache)"
seen "python-memcached" "None never tried the second" "$(timeout 15 python reach.py python_memcached)"
for client in aiomcache redis asyncpg; do
    seen "$client" "reached the second" "$(timeout 15 python reach.py "$client" | grep -oE '(reached|never tried) the second')"
done
finish
