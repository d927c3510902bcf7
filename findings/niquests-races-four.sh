#!/usr/bin/env bash
# niquests 3.21.2 over urllib3.future 2.25.904 (PyPI), Session(happy_eyeballs=True) over a name with eight addresses.
# Guess: as RFC 8305 has it (and aiohttp 3.14.5): the first address, the next after 250 ms or a refusal, until one of the
# eight is connected.
# Observed: the first four are connected to at once for each connection, and three of the four are closed unused: four
# endpoints see every client. The other four are never tried: where the first four refuse, so does the request, which
# without the setting goes on to the fifth.
# Why it matters: connections (and what an endpoint counts by them) are four times the requests, and a pool of more
# than four equal endpoints is one of four.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
pypi dnspython==2.9.2 niquests==3.21.2 urllib3-future==2.25.904 aiohttp==3.14.5
alone 120

hosts 127.0.0.{2,3,4,5,6,7,8,9}" pool.example.test"
cat >requests.py <<'PY'
import asyncio
import collections
import http.server
import socketserver
import sys
import threading
import time

import aiohttp
import niquests

library, first_alive = sys.argv[1], int(sys.argv[2])
accepted = collections.Counter()


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # an HTTPServer's asks DNS for its own name

    def process_request(self, request, client):
        accepted[self.server_address[0]] += 1
        super().process_request(request, client)


async def by_aiohttp(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status


addresses = [f"127.0.0.{last}" for last in range(2, 10)]
for address in addresses[first_alive:]:
    threading.Thread(target=Server((address, 8000), Page).serve_forever, daemon=True).start()
results = collections.Counter()
for _ in range(20):
    try:
        if library == "aiohttp":
            status = asyncio.run(by_aiohttp("http://pool.example.test:8000/"))
        else:
            with niquests.Session(happy_eyeballs=library == "eyeballs") as session:
                status = session.get("http://pool.example.test:8000/").status_code
    except niquests.exceptions.ConnectionError:
        status = "error"
    results[status] += 1
time.sleep(1)  # connections that were closed at once are accepted still
print(*(f"{count} {status}" for status, count in results.items()), "of", *(accepted[address] for address in addresses))
PY

echo "niquests 3.21.2, twenty requests by sessions of their own; results, and connections to each of eight addresses:"
seen "happy_eyeballs" "20 200 of 20 20 20 20 0 0 0 0" "$(python requests.py eyeballs 0)"
seen "without" "20 200 of 20 0 0 0 0 0 0 0" "$(python requests.py plain 0)"
seen "aiohttp" "20 200 of 20 0 0 0 0 0 0 0" "$(python requests.py aiohttp 0)"
echo "the same, the first four addresses refuse:"
seen "happy_eyeballs" "20 error of 0 0 0 0 0 0 0 0" "$(python requests.py eyeballs 4)"
seen "without" "20 200 of 0 0 0 0 20 0 0 0" "$(python requests.py plain 4)"
seen "aiohttp" "20 200 of 0 0 0 0 20 0 0 0" "$(python requests.py aiohttp 4)"
finish
