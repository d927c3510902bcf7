#!/usr/bin/env bash
# python-socks 3.2.1 (PyPI), which aiohttp-socks and httpx-socks carry requests with; HTTP proxies, CONNECT.
# Guess: what it hands out is a connection to the far end, whatever segments the proxy's answer came in; any 2xx is a
# success (RFC 9110 section 9.3.6).
# Observed: it reads once and looks at the status line. Fields that come in a later segment are left in the connection,
# and are the first that the caller reads as the far end's; a status line in two segments is "Invalid status line"; and
# 204 is an error.
# Why it matters: a health check through a proxy reads "Via: ..." where a greeting should stand, or a TLS handshake
# fails on it, and only where the network cuts the answer so: an endpoint that flaps by the size of a segment.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi "python-socks[asyncio]==3.2.1"
alone 60

cat >carried.py <<'PY'
import asyncio
import sys

from python_socks import ProxyError
from python_socks.async_.asyncio import Proxy


async def main(*pieces):
    async def proxy(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece.encode().decode("unicode_escape").encode())
            await writer.drain()
            await asyncio.sleep(0.2)
        writer.write(b"220 mx.example.test\r\n")
        await writer.drain()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        sock = await Proxy.from_url(f"http://127.0.0.1:{port}").connect("mx.example.test", 25, timeout=5)
        reader, writer = await asyncio.open_connection(sock=sock)
        print((await reader.readline()).decode().strip())
        writer.close()
    except ProxyError as error:
        print("error:", str(error).strip())
    await asyncio.sleep(0.7)
    server.close()


asyncio.run(main(*sys.argv[1:]))
PY

echo "python-socks 3.2.1; the first line of what a mail server behind a proxy says:"
seen "in one piece" "220 mx.example.test" "$(python carried.py 'HTTP/1.1 200 OK\r\nVia: 1.1 here\r\n\r\n')"
seen "fields in a later segment" "Via: 1.1 here" "$(python carried.py 'HTTP/1.1 200 OK\r\n' 'Via: 1.1 here\r\n\r\n')"
seen "the status line in two" "error: Invalid status line: HTTP/1." "$(python carried.py 'HTTP/1.' '1 200 OK\r\n\r\n')"
seen "204" "error: 204 No Content" "$(python carried.py 'HTTP/1.1 204 No Content\r\n\r\n')"
finish
