"""What a flip costs that 10,000 load balancers share: how many of the answers of the next second are signed already.

    dnssec_flip.py [--balancers N]

A server with one pool, all of whose load balancers were asked lately. An endpoint goes down; all are asked at once, and
it is counted which signatures came from the table and which the signer was asked for; and again when it comes back.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from questions import APEX, ZONE, Question

from lbdns.mapped.counter_words import DATAGRAMS, SIGNATURES_ASKED, SIGNATURES_FAILED
from lbdns.mapped.counters import open_counters
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.signature_table import SignatureTable
from lbdns.testing import LbdnsServer, running_server

if TYPE_CHECKING:
    from bench import Bench

BALANCERS: Final = 10_000
SHARE_BOUND: Final = 0.99
WINDOW: Final = 64  # questions under way
LOST_S: Final = 1.0
FILLED_S: Final = 120.0
QUIET_S: Final = 2.0
ORDERED_S: Final = 0.1
SHARE_S: Final = 70.0
"""Readers mark what they send by shares of 64 s."""
RECEIVED_MAX: Final = 4096
WORDS: Final = {"questions": DATAGRAMS, "asked of the signer": SIGNATURES_ASKED, "failed": SIGNATURES_FAILED}


def _tree(count: int) -> dict[str, Any]:
    origins = [{"name": f"e{number}", "address": f"192.0.2.{number}"} for number in (1, 2)]
    return {
        "settings": {"workers": 1},
        "zones": {ZONE: APEX},
        "monitors": {"web": {"type": "tcp", "port": 9, "interval": 3600}},
        "pools": {"main": {"origins": origins, "monitor": "web"}, "spare": {"origins": origins[:1]}},
        "load_balancers": [
            {"name": f"f{number}.{ZONE}", "default_pools": ["main"], "fallback_pool": "spare"}
            for number in range(count)
        ],
    }


class Flip:
    """A server at work, and who asks it."""

    def __init__(self, server: LbdnsServer, count: int) -> None:
        """Have its zone signed, all endpoints up."""
        self._server = server
        self._queries = [_wire(number) for number in range(count)]
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((server.host, server.port))
        self._socket.setblocking(False)
        self.order("main/*", "up")
        server.ask("dnssec", verb="enable", zone=ZONE)
        until_s = time.monotonic() + FILLED_S
        while not self.used() and time.monotonic() < until_s:
            time.sleep(0.1)

    def resident_mib(self) -> int:
        """Return the memory of the signer."""
        lines = Path(f"/proc/{self._server.status()['signer']['pid']}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) >> 10

    def wait_filled(self) -> float:
        """Wait until nothing more comes into the table; return the seconds that something came for."""
        began = changed = time.monotonic()
        used = self.used()
        while time.monotonic() - changed < QUIET_S and time.monotonic() - began < FILLED_S:
            time.sleep(0.1)
            now = self.used()
            if now != used:
                used, changed = now, time.monotonic()
        return changed - began

    def used(self) -> int:
        """Return how many signatures are in the table."""
        paths = sorted(RunDirectory(self._server.state_dir).path.glob("signatures-*.bin"))
        if not paths:
            return 0
        table = SignatureTable(paths[-1])
        used = table.slots - table.lengths().count(0)
        table.close()
        return used

    def ask_all(self) -> tuple[float, dict[str, int]]:
        """Ask every load balancer once; return the seconds that took, and what was counted."""
        before, began = self._counts(), time.monotonic()
        waiting: dict[int, float] = {}
        following = 0
        while following < len(self._queries) or waiting:
            while following < len(self._queries) and len(waiting) < WINDOW:
                self._send(following, waiting)
                following += 1
            select.select([self._socket], [], [], LOST_S)
            while (reply := self._receive()) is not None:
                waiting.pop(int.from_bytes(reply[:2]), None)
            for number in [one for one, sent in waiting.items() if time.monotonic() - sent > LOST_S]:
                self._send(number, waiting)
        took_s, after = time.monotonic() - began, self._counts()
        return took_s, {word: after[word] - before[word] for word in WORDS}

    def _send(self, number: int, waiting: dict[int, float]) -> None:
        self._socket.send(number.to_bytes(2) + self._queries[number][2:])
        waiting[number] = time.monotonic()

    def _receive(self) -> bytes | None:
        try:
            return self._socket.recv(RECEIVED_MAX)
        except BlockingIOError:
            return None

    def _counts(self) -> dict[str, int]:
        files = [open_counters(path) for path in RunDirectory(self._server.state_dir).all_counters()]
        return {word: sum(words[number] for words in files) for word, number in WORDS.items()}

    def order(self, pattern: str, state: str) -> None:
        """Let endpoints be up or down, and wait a moment until they are."""
        self._server.ask("force", pattern=pattern, state=state, for_s=None, why="")
        time.sleep(ORDERED_S)


def _wire(number: int) -> bytes:
    record = Question(f"f{number}.{ZONE}", has_edns=True, wants_signatures=True).record()
    return record[4 : 4 + record[0]]


def measure(count: int, folder: Path) -> dict[str, Any]:
    """Return what a flip of a server with so many load balancers costs."""
    kept: dict[str, Any] = {"balancers": count}
    with running_server(_tree(count), folder) as server:
        flip = Flip(server, count)
        kept["cold fill s"] = round(flip.wait_filled(), 2)
        flip.ask_all()
        time.sleep(SHARE_S)
        kept["fill s"] = round(flip.wait_filled(), 2)
        for state in ("down", "up"):
            flip.order("main/e1", state)
            took_s, counts = flip.ask_all()
            share = 1 - counts["asked of the signer"] / counts["questions"]
            kept[state] = {**counts, "share": round(share, 4), "asked in s": round(took_s, 2)}
            flip.wait_filled()
        kept["signatures"], kept["signer MiB"] = flip.used(), flip.resident_mib()
    return kept


def flip(bench: Bench) -> dict[str, Any]:
    """Print what a flip costs that many load balancers share."""
    kept = measure(BALANCERS, Path(tempfile.mkdtemp(prefix="dnssec-flip-", dir=bench.work)))
    bench.say(f"\n### A flip of an endpoint that {BALANCERS:,} load balancers share\n")
    for name, value in kept.items():
        bench.say(f"- {name}: {value}")
    bench.say(f"\nbound: {SHARE_BOUND:.0%} of the answers of the next second from the table")
    return kept


def main() -> None:
    """Measure it alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--balancers", type=int, default=BALANCERS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        json.dump(measure(arguments.balancers, Path(folder)), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
