"""Time the management of a running server, which serves a store: from a request to the new answer, and lists.

    manage.py [--balancers N ...] [--rounds N] [--seed N]

For each number of load balancers, a tenth as many pools with three endpoints each, all of them put into the store by
one `lbdns apply`; 0 stands for the example in zones/. A change is timed from the sending of its request to the first
reply over UDP that shows it. Prints a table of milliseconds: the median and the slowest of the rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import dns.message
import dns.query
import dns.rdatatype
import httpx
from measure import free_port
from scale import write_balancers

ROOT = Path(__file__).resolve().parents[2]
START_S = 120.0
CHANGE_S = 60.0
RECORDS = 2000
LABEL = "bench-manage"
OLD, NEW, SPARE = "192.0.2.1", "192.0.2.2", "192.0.2.3"
BATCH = 100
RESTARTS = 3
REPLY_S = 0.02
LIMITS_MS = {
    "change": {True: 1000, False: 200},
    "forced": {True: 100, False: 100},
    "list": {True: 500, False: 500},
    "start": {True: 1000, False: 1000},
}


class Server:
    """`lbdns serve` over an empty store; `client` speaks to its API over the UNIX socket."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.port = free_port()
        self.settings = folder / "lbdns.yaml"
        self.settings.write_text(
            f'listen: ["127.0.0.1:{self.port}"]\nstate: {self.state}\napi: {{listen: "127.0.0.1:{free_port()}"}}\n'
        )
        self._log = folder / "log"
        self._begin()
        self._wait()
        self.client = self._connected()
        self.account = str(self.get("/client/v4/accounts")[0]["id"])

    def _begin(self) -> None:
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "lbdns", "serve", "--settings", str(self.settings)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)

    def _connected(self) -> httpx.Client:
        transport = httpx.HTTPTransport(uds=str(self.state / "api.sock"))
        return httpx.Client(transport=transport, base_url="http://lbdns", timeout=CHANGE_S)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while not (self.state / "api.sock").exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"bench-manage: the server does not start:\n{self._log.read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        self.client.close()
        self._process.terminate()
        self._process.wait()

    def restart_ms(self, wanted: tuple[int, list[str]], name: str) -> float:
        """End it and start it again; return when a name has its answer, which is of what it kept."""
        self.stop()
        (self.state / "api.sock").unlink(missing_ok=True)
        query = dns.message.make_query(name, "A").to_wire()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(REPLY_S)
            asking.connect(("127.0.0.1", self.port))
            began = time.monotonic()
            self._begin()
            while not _is_answered(asking, query, wanted):
                if time.monotonic() - began > START_S:
                    raise SystemExit(f"bench-manage: no answer after a restart:\n{self._log.read_text()}")
            took_ms = (time.monotonic() - began) * 1000
        self._wait()
        self.client = self._connected()
        return took_ms

    def cpu_s(self) -> float:
        """Return the CPU time that its supervisor's process has taken, in seconds: all threads, user and system."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def pools(self) -> str:
        """The path of all pools."""
        return f"/client/v4/accounts/{self.account}/load_balancers/pools"

    def get(self, path: str) -> Any:
        """Return what is there."""
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the result of a request; ends the benchmark where it fails."""
        reply = self.client.request(method, path, json=body)
        if not reply.is_success:
            raise SystemExit(f"bench-manage: {method} {path}: {reply.text[:2000]}")
        return reply.json()["result"]

    def answer(self, name: str) -> tuple[int, list[str]]:
        """Return TTL and addresses that a name has now."""
        return _told(dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", port=self.port, timeout=5).to_wire())

    def change_ms(self, wanted: tuple[int, list[str]], name: str, *request: Any) -> float:
        """Send a request, and return when the answer is the wanted one."""
        thread = threading.Thread(target=self.ask, args=request)
        query, before = dns.message.make_query(name, "A").to_wire(), b""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.connect(("127.0.0.1", self.port))
            began = time.monotonic()
            thread.start()
            while True:
                asking.send(query)
                reply = asking.recv(4096)
                now = time.monotonic()
                # Only a reply that is another is read: what the benchmark computes the server cannot.
                if reply != before and _told(reply) == wanted:
                    break
                before = reply
                if now - began > CHANGE_S:
                    raise SystemExit(f"bench-manage: {name} does not become {wanted} after {request}")
                time.sleep(0.0005)
        thread.join()
        return (now - began) * 1000

    def apply(self, folder: Path) -> float:
        """Put the files of a folder into the store; return how many seconds it took."""
        began = time.monotonic()
        command = [sys.executable, "-m", "lbdns", "apply", str(folder), "--yes", "--settings", str(self.settings)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        if done.returncode:
            raise SystemExit(f"bench-manage: {' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return time.monotonic() - began


def _is_answered(asking: socket.socket, query: bytes, wanted: tuple[int, list[str]]) -> bool:
    """Ask once; return whether the answer is the wanted one."""
    try:
        asking.send(query)
        return _told(asking.recv(4096)) == wanted
    except OSError:  # nobody listens yet, or nobody answers
        time.sleep(0.002)
        return False


def _told(reply: bytes) -> tuple[int, list[str]]:
    """Return TTL and addresses of a reply."""
    found = [rrset for rrset in dns.message.from_wire(reply).answer if rrset.rdtype == dns.rdatatype.A]
    return (found[0].ttl, sorted(map(str, found[0]))) if found else (0, [])


def write_configuration(folder: Path, balancers: int, seed: int) -> None:
    """Write so many load balancers and RECORDS records, or for 0 the example."""
    if balancers == 0:
        for path in (*(ROOT / "zones").glob("*.zone"), *(ROOT / "zones").glob("*.yaml")):
            if path.name != "lbdns.yaml":
                shutil.copy(path, folder / path.name)
        return
    write_balancers(folder, Random(seed), balancers, max(10, balancers // 10))
    with (folder / "example.com.zone").open("a") as zone:
        zone.writelines(f"h{number} A 10.9.{number >> 8}.{number & 255}\n" for number in range(RECORDS))


def changes(server: Server) -> Iterator[tuple[str, str, Callable[[], float]]]:
    """Make the objects that are changed, and yield (kind of limit, what, a round that returns milliseconds)."""
    zone = server.get("/client/v4/zones")[0]
    of_zone = f"/client/v4/zones/{zone['id']}/load_balancers"
    name = f"{LABEL}.{zone['name']}"
    pool, spare = (
        server.ask("POST", server.pools, {"name": name, "origins": [{"name": "e", "address": address}]})["id"]
        for name, address in ((LABEL, OLD), (f"{LABEL}-spare", SPARE))
    )
    body = {"name": name, "default_pools": [pool, spare], "fallback_pool": spare}
    balancer = server.ask("POST", of_zone, body)["id"]
    flip, numbers = itertools.cycle((NEW, OLD)), itertools.count(1)
    ttl = 30

    def address() -> float:
        one = next(flip)
        body = {"origins": [{"name": "e", "address": one}]}
        return server.change_ms((ttl, [one]), name, "PATCH", f"{server.pools}/{pool}", body)

    def ttl_of_balancer() -> float:
        nonlocal ttl
        ttl = 60 if ttl == 30 else 30
        _, now = server.answer(name)
        return server.change_ms((ttl, now), name, "PATCH", f"{of_zone}/{balancer}", {"ttl": ttl})

    def new_balancer() -> float:
        new = f"new{next(numbers)}.{name}"
        made = {"name": new, "default_pools": [spare], "fallback_pool": spare}
        return server.change_ms((30, [SPARE]), new, "POST", of_zone, made)

    def new_record() -> float:
        new = f"record{next(numbers)}.{name}"
        made = {"name": new, "type": "A", "content": NEW, "ttl": 60}
        return server.change_ms((60, [NEW]), new, "POST", f"/client/v4/zones/{zone['id']}/dns_records", made)

    def batch() -> float:
        new = [f"batch{next(numbers)}.{name}" for _ in range(BATCH)]
        posts = [{"name": one, "type": "A", "content": NEW, "ttl": 60} for one in new]
        path = f"/client/v4/zones/{zone['id']}/dns_records/batch"
        return server.change_ms((60, [NEW]), new[-1], "POST", path, {"posts": posts})

    def restart() -> float:
        return server.restart_ms(server.answer(name), name)

    states = itertools.cycle(("down", "auto"))

    def forced() -> float:
        state = next(states)
        wanted = [SPARE] if state == "down" else [server.get(f"{server.pools}/{pool}")["origins"][0]["address"]]
        order = {"pattern": LABEL, "state": state}
        return server.change_ms((ttl, wanted), name, "POST", "/lbdns/v1/forced", order)

    yield "change", "an endpoint's address", address
    yield "change", "a load balancer's TTL", ttl_of_balancer
    yield "change", "a new load balancer", new_balancer
    yield "change", "a new record", new_record
    yield "change", f"{BATCH} new records in one batch", batch
    yield "forced", "a forced state", forced
    yield "start", "a restart to the first answer", restart


def lists(server: Server) -> Iterator[tuple[str, str, Callable[[], float]]]:
    """Yield the same of lists."""
    zone = server.get("/client/v4/zones")[0]
    of_zone = f"/client/v4/zones/{zone['id']}"
    for what, path in (
        ("load balancers, all", f"{of_zone}/load_balancers"),
        ("load balancers, a page of 50", f"{of_zone}/load_balancers?page=1&per_page=50"),
        ("pools, all", server.pools),
        ("records, a page of 100", f"{of_zone}/dns_records?page=2&per_page=100"),
        ("records by name", f"{of_zone}/dns_records?name=h7.{zone['name']}"),
        ("zones", "/client/v4/zones"),
    ):
        yield "list", what, lambda path=path: listed_ms(server, path)  # type: ignore[misc]


def listed_ms(server: Server, path: str) -> float:
    began = time.monotonic()
    reply = server.client.get(path)
    took_ms = (time.monotonic() - began) * 1000
    if not reply.is_success:
        raise SystemExit(f"bench-manage: {path}: {reply.text[:500]}")
    return took_ms


def measure(balancers: int, rounds: int, seed: int) -> bool:
    """Print the table of one size; return whether all is within the limits."""
    is_within = True
    with tempfile.TemporaryDirectory(prefix="lbdns-bench-") as text, contextlib.ExitStack() as cleanup:
        folder = Path(text) / "files"
        folder.mkdir()
        write_configuration(folder, balancers, seed)
        server = Server(Path(text))
        cleanup.callback(server.stop)
        took_s = server.apply(folder)
        title = f"{balancers} load balancers" if balancers else "the example"
        print(
            f"{title}: applied in {took_s:.1f} s\n  {'':32} {'median':>8} {'slowest':>8} {'limit':>8}   ms", flush=True
        )
        for kind, what, once in itertools.chain(changes(server), lists(server)):
            once()
            took_ms = [once() for _ in range(RESTARTS if kind == "start" else rounds)]
            limit_ms = LIMITS_MS[kind][balancers > 1000]
            median_ms = statistics.median(took_ms)
            is_within = is_within and median_ms <= limit_ms
            over = "" if median_ms <= limit_ms else "   OVER"
            print(f"  {what:32} {median_ms:8.1f} {max(took_ms):8.1f} {limit_ms:8d}{over}", flush=True)
    return is_within


def main() -> int:
    """Measure every size that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--balancers", type=int, nargs="+", default=[0, 10_000])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return 0 if all([measure(balancers, said.rounds, said.seed) for balancers in said.balancers]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
