"""What the dashboard's pages cost beside the API calls whose data they show: `scripts/bench dashboard`.

A server over a store with BALANCERS load balancers and 90 days of history. A page and the calls that it made (it says
them itself, `?format=json`) are asked for in turn, a connection each, and the CPU time of the supervisor is read around
every round: what is told is the median of the rounds' ratios.
"""

from __future__ import annotations

import math
import re
import statistics
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import httpx
from manage import Server
from scale import write_balancers

from lbdns.telemetry.history.history_store import HistoryStore
from lbdns.telemetry.history.history_words import COVERED, RCODE, TRANSPORT, HistoryKind
from lbdns.telemetry.history.minute_counts import MinuteCounts

if TYPE_CHECKING:
    from bench import Bench

BALANCERS: Final = 10_000
SEED: Final = 12
DAYS: Final = 90
ROUND_CPU_S: Final = 0.5
"""How much CPU time a round takes at least: the kernel tells it in hundredths of a second."""
REQUESTS_MAX: Final = 300
"""Of a round: a token may ask 1,200 times in five minutes, and each page's calls have one of their own."""
PAGES: Final = (
    "/?span=1d",
    "/?span=90d",
    "/log",
    "/log/server",
    "/revisions",
    "/tokens",
    "/load_balancers",
    "/load_balancers?page=150",
    "/pools",
    "/monitors",
    "/health",
)


def dashboard(bench: Bench) -> dict[str, Any]:
    """Measure every page; a page that the server does not have is left out."""
    with tempfile.TemporaryDirectory(dir=bench.work) as name:
        folder = Path(name)
        files = folder / "files"
        files.mkdir()
        write_balancers(files, Random(SEED), BALANCERS, BALANCERS // 10)
        (folder / "state").mkdir()
        fill_history(folder / "state")
        server = Server(folder)
        try:
            server.apply(files)
            return _measured(bench, server)
        finally:
            server.stop()


def fill_history(state: Path) -> None:
    """Write a minute in each quarter of an hour of DAYS days, with rates that rise and fall by the day."""
    until_s = int(time.time()) // 900 * 900
    store = HistoryStore(state)
    try:
        for start_s in range(until_s - DAYS * 86400, until_s, 900):
            minute = MinuteCounts(start_s)
            replies = int(60_000 * (2 + math.sin(start_s / 86400 * 2 * math.pi)))
            minute.add(HistoryKind.SERVER, (COVERED,), 60_000)
            minute.add(HistoryKind.SERVER, (TRANSPORT, "udp"), replies)
            minute.add(HistoryKind.SERVER, (RCODE, "NOERROR"), replies)
            for number in range(100):
                minute.add(HistoryKind.POOLS, (f"p{number}",), replies // (100 + number))
            store.write(start_s + 60, [minute, MinuteCounts(start_s + 60)], {}, [], [])
        while store.roll_up(until_s):
            pass
    finally:
        store.close()


def _measured(bench: Bench, server: Server) -> dict[str, Any]:
    link = server.ask("POST", "/lbdns/v1/dashboard_links")["url"]
    base = re.match(r"https?://[^/]+", link)
    assert base is not None
    with httpx.Client(base_url=base[0], timeout=60) as browser:
        browser.get(link)
        found: dict[str, Any] = {}
        bench.say(f"\n{BALANCERS:,} load balancers, {DAYS} days of history: CPU time of the supervisor, ms")
        bench.say(f"{'page':28} {'page':>8} {'its calls':>10} {'ratio':>7}")
        for path in PAGES:
            asked = browser.get(f"{path}{'&' if '?' in path else '?'}format=json")
            if asked.status_code == 404:
                continue
            calls = [one["path"] for one in asked.json()]
            rounds = []
            with _program(server, base[0], path) as program:
                for _ in range(bench.arguments.rounds):
                    rounds.append((_cpu_ms(server, browser, [path]), _cpu_ms(server, program, calls)))
            page, api = (statistics.median(column) for column in zip(*rounds, strict=True))
            ratio = statistics.median(one / other for one, other in rounds)
            found[path] = {"page_ms": page, "calls_ms": api, "ratio": ratio, "calls": len(calls)}
            bench.say(f"{path:28} {page:8.2f} {api:10.2f} {ratio:7.2f}")
        by_span = found["/?span=90d"]["page_ms"] / found["/?span=1d"]["page_ms"]
        bench.say(f"the overview over 90 days beside that over one: {by_span:.2f}")
    return {"pages": found, "overview_90_days_beside_1": by_span}


def _program(server: Server, base: str, name: str) -> httpx.Client:
    """Return a client of the API with a token of its own."""
    token = server.ask("POST", "/lbdns/v1/tokens", {"name": name})["value"]
    return httpx.Client(base_url=base, timeout=60, headers={"Authorization": f"Bearer {token}"})


def _cpu_ms(server: Server, client: httpx.Client, paths: list[str]) -> float:
    """Return the CPU time of the supervisor's process, in ms, for one request of each path."""
    before, times = server.cpu_s(), 0
    while server.cpu_s() - before < ROUND_CPU_S and times * len(paths) < REQUESTS_MAX:
        for path in paths:
            if client.get(path).status_code == 429:
                raise SystemExit(f"bench dashboard: {path}: more requests than allowed")
        times += 1
    return (server.cpu_s() - before) * 1000 / times
