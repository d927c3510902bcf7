"""What guards cost and hold: plain queries with cookies and rate limiting beside the same without; and a flood
of names that nobody asked before, from one network, beside clients of others."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from measure import Running, free_port, wait_ready
from questions import NAMES, NXDOMAIN, SEED, ZONE, Question
from views import CLIENT, NONE, records_of, write_files

from lbdns.answer.reply import Client
from lbdns.answer.steered import halves
from lbdns.dns.options.cookie import Cookie, cookie_octets
from lbdns.dns.server_cookie import settle
from lbdns.mapped.counter_words import RCODES_FIRST, TRUNCATED_FIRST
from lbdns.mapped.counters import open_counters
from lbdns.mapped.rate_words import CLASS_NXDOMAIN
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.unread_words import UNREAD_FLOOD, UNREAD_FULL

if TYPE_CHECKING:
    from bench import Bench

START_S = 60.0
BOUND, WHOLE_BOUND = 1.03, 10.0
SECRET = bytes(range(16))
WITHOUT, WITH, BROUGHT = "neither", "cookies and rate limiting", "a valid cookie in each query"
FLOOD_RATE, FLOOD_NAMES = 200_000, 20_000
FLOOD_S, LEAD_S = 10.0, 2.0
GOOD_PER_S, GOOD_NETWORKS, GOOD_PATIENCE_S = 40, 4, 1.0


def _settings(kind: str) -> str:
    if kind == WITHOUT:
        return "cookies: never\n"
    limit = "on" if kind == "flood" else "{per_second: 1000000, instant: 100000}"
    return f'cookies: {{secrets: ["{SECRET.hex()}"]}}\nrate_limit: {limit}\n'


def _start(bench: Bench, kind: str) -> Running:
    folder = Path(tempfile.mkdtemp(prefix="guards-", dir=bench.work))
    port = free_port()
    write_files(folder, port, NONE)
    with (folder / "lbdns.yaml").open("a") as file:
        file.write(_settings(kind))
    server = Running(kind, [sys.executable, "-P", "-m", "lbdns", "serve", str(folder)], port, folder)
    bench.servers.append(server)
    why = wait_ready(server, bench.generator, with_cookies(bench), START_S)
    if why:
        raise SystemExit(f"bench: lbdns with {kind} does not serve: {why}")
    return server


def with_cookies(bench: Bench) -> Path:
    """Return queries that each bring a cookie by SECRET."""
    client = Client(socket.inet_aton(CLIENT), 0)
    words = memoryview(SECRET).cast("Q")
    cookie = Cookie(bytes(8), b"").parts()
    settle(cookie, words, 4, *halves(client.address), int(time.time()))
    path = bench.work / "cookies.queries"
    octets = cookie_octets(cookie)
    path.write_bytes(b"".join(Question(f"lb{number}.{ZONE}", cookie=octets).record() for number in range(NAMES)))
    return path


def guards(bench: Bench) -> dict[str, Any]:
    """Print what a query costs with guards, and what a flood gets of them."""
    servers = [_start(bench, WITHOUT), _start(bench, WITH)]
    plain = records_of(bench, has_ecs=False)
    rows = bench.rounds([*servers, servers[1]], [plain, plain, with_cookies(bench)])
    rows[2].name = BROUGHT
    bench.report("guards", rows, WITHOUT)
    ratio = rows[1].ratio_to(rows[0])
    bench.say(f"\ncookies and rate limiting: {ratio:.3f} of neither (bound: {BOUND})")
    bench.stop_all()
    return {"ratio": ratio, **_flood(bench)}


def _flood(bench: Bench) -> dict[str, Any]:
    """Have one network ask for names at random, and see what it gets whole, and what others lose."""
    server = _start(bench, "flood")
    chance = random.Random(SEED)
    names = bench.work / "random.queries"
    names.write_bytes(
        b"".join(Question(f"{chance.getrandbits(64):x}.{ZONE}", NXDOMAIN, False).record() for _ in range(FLOOD_NAMES))
    )
    options = "--rate", str(FLOOD_RATE), "--networks", "1"
    command = bench.generator.command(server.port, FLOOD_S + 2 * LEAD_S, names, *options)
    goods = [GoodClient(server.port, number) for number in range(GOOD_NETWORKS)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as flooding:
        time.sleep(LEAD_S)
        before = _told(server)
        for good in goods:
            good.start()
        cookies = bench.generator.run(server, FLOOD_S, with_cookies(bench), "--window", "20")
        for good in goods:
            good.join()
        after = _told(server)
        flooding.wait()
    whole, cut = (after.whole - before.whole) / FLOOD_S, (after.cut - before.cut) / FLOOD_S
    full, kept_out = after.full - before.full, after.kept_out - before.kept_out
    truncated, late = sum(good.truncated for good in goods), sum(good.late for good in goods)
    unanswered = sum(good.unanswered for good in goods)
    asked = sum(good.asked for good in goods)
    bench.say("\n### a flood of random names from one network\n")
    bench.say(f"it asks {FLOOD_RATE:,}/s; truncated {cut:,.0f}/s; whole {whole:.1f}/s (bound: {WHOLE_BOUND:.0f})")
    bench.say(
        f"clients of {GOOD_NETWORKS} networks, {GOOD_PER_S}/s each: of {asked}, {unanswered} unanswered, {late} later "
        f"than {GOOD_PATIENCE_S:.0f} s, {truncated} truncated"
    )
    bench.say(
        f"the kernel dropped {full:,} datagrams in that time as the server's socket was full, and {kept_out:,} as the "
        f"flood was kept out; before, in {LEAD_S:.0f} s, {before.full:,} and {before.kept_out:,}"
    )
    bench.say(
        f"a client with a cookie: {cookies.done:,} whole, {cookies.load['wrong']} not, {cookies.load['lost']} lost"
    )
    bench.stop_all()
    lost = {"unanswered": unanswered, "late": late, "truncated": truncated, "full": full, "kept out": kept_out}
    return {"whole": whole, "truncated": cut, "asked": asked, **lost, "with_cookie": cookies.load}


class Told(NamedTuple):
    """What a server has counted: NXDOMAIN sent whole, and truncated; datagrams lost to a full socket, and while a flood
    was kept out."""

    whole: int
    cut: int
    full: int
    kept_out: int


def _told(server: Running) -> Told:
    words = [open_counters(path) for path in RunDirectory(server.folder / "state").all_counters()]
    cut, rcodes, full, kept_out = (
        sum(one[word] for one in words)
        for word in (TRUNCATED_FIRST + CLASS_NXDOMAIN, RCODES_FIRST + NXDOMAIN, UNREAD_FULL, UNREAD_FLOOD)
    )
    return Told(rcodes - cut, cut, full, kept_out)


class GoodClient(threading.Thread):
    """A client of a network of its own that asks without a cookie, as often as it may. Of what it asked, `truncated`,
    `late` (after its patience), and `unanswered` are lost to it."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((f"127.{number + 100}.0.1", 0))
        self._socket.connect((CLIENT, port))
        self._socket.settimeout(GOOD_PATIENCE_S)
        self.asked = self.truncated = self.late = 0
        self._missed: set[int] = set()

    @property
    def unanswered(self) -> int:
        """How many it has no reply to."""
        return len(self._missed)

    def run(self) -> None:
        """Ask for FLOOD_S."""
        message = Question(f"lb1.{ZONE}").record()
        query = message[4 : 4 + message[0]]
        begin = time.monotonic()
        while time.monotonic() - begin < FLOOD_S:
            self.asked += 1
            self._missed.add(self.asked)
            self._socket.send(self.asked.to_bytes(2) + query[2:])
            with suppress(TimeoutError):
                while self._take(self._socket.recv(512)) != self.asked:
                    self.late += 1
            time.sleep(1 / GOOD_PER_S)  # and never more often, to make up for what it waited: that would be limited
        self._socket.close()

    def _take(self, reply: bytes) -> int:
        """Return the number of the query that a reply is to."""
        number = int.from_bytes(reply[:2])
        self._missed.discard(number)
        self.truncated += bool(reply[2] & 2) or not reply[7]
        return number
