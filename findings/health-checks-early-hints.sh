#!/usr/bin/env bash
# Health checks by HAProxy 2.6.12 (Debian 12), requests 2.34.2, urllib3 2.8.0, httpx 0.28.1 and aiohttp 3.14.5 (PyPI)
# of a Node.js page that sends 103 Early Hints (RFC 8297) before its 200.
# Guess: an interim response is skipped, as RFC 9110 15.2 says.
# Observed: HAProxy marks the server down ("Layer7 wrong status, code: 103"), with httpchk as it comes and with expect
# status 200; requests and urllib3 give 103 and an empty body. curl, httpx and aiohttp give the 200.
# Why it matters: a developer who adds early hints to "/" takes the endpoint out for one checker and not for another; a
# monitor has to read on to the final response.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
command -v node >/dev/null || skip "no Node.js"
pypi requests==2.34.2 urllib3==2.8.0 httpx==0.28.1 aiohttp==3.14.5
debian haproxy=2.6.12-1+deb12u4
alone 120

cat >page.js <<'JS'
require("http").createServer((request, response) => {
    if (request.url === "/") response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
    setTimeout(() => response.end("healthy"), 50);
}).listen(8000, "127.0.0.1");
JS
node page.js &
within 10 curl -s -o /dev/null http://127.0.0.1:8000/plain
cat >haproxy.cfg <<CONF
global
  stats socket $folder/stats
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 1s
frontend door
  bind 127.0.0.1:8001
  default_backend hints
backend hints
  option httpchk GET /
  server s 127.0.0.1:8000 check inter 300
backend hints_expected
  option httpchk
  http-check send meth GET uri / ver HTTP/1.1 hdr host www.example.test
  http-check expect status 200
  server s 127.0.0.1:8000 check inter 300
backend plain
  option httpchk
  http-check send meth GET uri /plain ver HTTP/1.1 hdr host www.example.test
  http-check expect status 200
  server s 127.0.0.1:8000 check inter 300
CONF
haproxy -f haproxy.cfg >haproxy.log 2>&1 &
cat >get.py <<'PY'
import asyncio
import sys

URL = "http://127.0.0.1:8000/"


async def with_aiohttp():
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(URL) as response:
        return response.status, await response.text()


match sys.argv[1]:
    case "requests":
        import requests

        response = requests.get(URL, timeout=5)
        print(response.status_code, response.text)
    case "urllib3":
        import urllib3

        response = urllib3.request("GET", URL, timeout=5)
        print(response.status, response.data.decode())
    case "httpx":
        import httpx

        response = httpx.get(URL, timeout=5)
        print(response.status_code, response.text)
    case "aiohttp":
        print(*asyncio.run(with_aiohttp()))
PY
within 10 grep -q 'hints_expected/s is DOWN' haproxy.log
within 10 grep -q 'hints/s is DOWN' haproxy.log
sleep 1

echo "node $(node --version), one page with early hints and one without:"
why_down() { grep "$1/s is DOWN" haproxy.log | grep -o 'wrong status, code: [0-9]*'; }
seen "HAProxy, httpchk GET /" "wrong status, code: 103" "$(why_down hints)"
seen "HAProxy, expect status 200" "wrong status, code: 103" "$(why_down hints_expected)"
seen "HAProxy, the plain page is down" 0 "$(grep -c 'plain/s is DOWN' haproxy.log || true)"
seen "curl" "200 healthy" "$(curl -s -w '%{http_code} ' -o page http://127.0.0.1:8000/)$(cat page)"
seen "requests" "103 " "$(python get.py requests)"
seen "urllib3" "103 " "$(python get.py urllib3)"
seen "httpx" "200 healthy" "$(python get.py httpx)"
seen "aiohttp" "200 healthy" "$(python get.py aiohttp)"
finish
