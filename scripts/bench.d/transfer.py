"""How long a zone of a million records takes by AXFR, beside NSD's in the same run, and what else goes on meanwhile.

Both serve one zone of plain addresses from core 0 to a client on core 1, which reads the messages and counts their
records, in alternating rounds, unsigned and signed (HMAC-SHA256). Beside the time: the server's processor time; its
memory before and, at most, during the transfer (PSS of its whole process tree: what is shared counts once); and how
long queries to the same server, one after another by UDP and by TCP, waited during a transfer.
"""

from __future__ import annotations

import os
import socket
import statistics
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dns.message
import dns.tsig
from measure import LOAD_CORE, Running, cpu_s, free_port

if TYPE_CHECKING:
    from bench import Bench

RECORDS: Final = 1_000_000
ZONE: Final = "transfer.example"
SECRET: Final = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ=="
KEY: Final = dns.tsig.Key("mover.", SECRET, dns.tsig.HMAC_SHA256)
START_S: Final = 900.0
PATIENCE_S: Final = 120.0
PACE_S: Final = 0.002
MEMORY_BOUND: Final = 1.3
_LENGTH: Final = struct.Struct("!H")


@dataclass(frozen=True)
class Taken:
    """One transfer: how long it took, what it cost the server, and what came."""

    seconds: float
    cpu_s: float
    records: int
    messages: int
    octets: int


def _lbdns(folder: Path, port: int) -> list[str]:
    key = f"{{name: mover, secret: {SECRET}}}"
    (folder / "lbdns.yaml").write_text(
        f'listen: ["127.0.0.1:{port}"]\nworkers: 1\nstate: state\nkeys: [{key}]\n'
        "access: {transfer: [{network: 127.0.0.0/8}]}\n"
    )
    return [sys.executable, "-P", "-m", "lbdns", "serve", str(folder)]


def _nsd(folder: Path, port: int) -> list[str]:
    (folder / "nsd.conf").write_text(
        f'server:\n  ip-address: 127.0.0.1@{port}\n  server-count: 1\n  username: ""\n  pidfile: "{folder}/pid"\n'
        f'  xfrdfile: "{folder}/xfrd"\n  zonelistfile: "{folder}/list"\n  database: ""\n  rrl-ratelimit: 0\n'
        f'remote-control:\n  control-enable: no\nkey:\n  name: mover\n  algorithm: hmac-sha256\n  secret: "{SECRET}"\n'
        f'zone:\n  name: {ZONE}\n  zonefile: "{folder}/{ZONE}.zone"\n  provide-xfr: 127.0.0.0/8 NOKEY\n'
        "  provide-xfr: 127.0.0.0/8 mover\n"
    )
    return ["nsd", "-d", "-c", str(folder / "nsd.conf")]


SERVERS: Final = {"lbdns": _lbdns, "nsd": _nsd}


def transfer(bench: Bench) -> dict[str, Any]:
    """Print times, memory and what others waited; return them."""
    names = [name for name in SERVERS if name in bench.arguments.peers]
    servers = {name: _start(bench, name) for name in names}
    found: dict[str, Any] = {}
    with _on_core(LOAD_CORE):
        for kind, key in (("unsigned", None), ("signed", KEY)):
            taken: dict[str, list[Taken]] = {name: [] for name in servers}
            for _ in range(bench.arguments.rounds):
                for name, server in servers.items():
                    taken[name].append(take(server, key))
            found[kind] = _report(bench, kind, taken)
        for name, server in servers.items():
            found[f"{name} memory"] = _memory(bench, server)
        if "lbdns" in servers:
            found["others"] = _others(bench, servers["lbdns"])
    bench.stop_all()
    return found


def _start(bench: Bench, name: str) -> Running:
    folder = Path(tempfile.mkdtemp(prefix=f"transfer-{name}-", dir=bench.work))
    _write_zone(folder / f"{ZONE}.zone")
    port = free_port()
    server = Running(name, SERVERS[name](folder, port), port, folder)
    bench.servers.append(server)
    deadline = time.monotonic() + START_S
    while not _answers(port):
        if server.has_ended() or time.monotonic() > deadline:
            raise SystemExit(f"bench: {name} does not serve the zone: {server.last_words()}")
        time.sleep(0.5)
    return server


def _write_zone(path: Path) -> None:
    """Write the zone: an SOA, a name server, its address, and addresses up to RECORDS."""
    with path.open("w") as file:
        file.write(f"$ORIGIN {ZONE}.\n$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 60\n")
        file.write("@ NS ns1\nns1 A 192.0.2.53\n")
        for number in range(RECORDS - 3):
            file.write(f"host{number} A 10.{number >> 16}.{number >> 8 & 255}.{number & 255}\n")


def _answers(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        sock.connect(("127.0.0.1", port))
        try:
            sock.send(dns.message.make_query(f"host1.{ZONE}", "A").to_wire())
            return len(dns.message.from_wire(sock.recv(4096)).answer) == 1
        except OSError:
            return False


def take(server: Running, key: dns.tsig.Key | None) -> Taken:
    """Take the zone once; what comes is counted, not understood."""
    asked = dns.message.make_query(ZONE, "AXFR")
    if key is not None:
        asked.use_tsig(key)
    wire = asked.to_wire()
    before, began = cpu_s(server.pid), time.perf_counter()
    records = messages = octets = 0
    waiting = bytearray()
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as sock:
        sock.sendall(_LENGTH.pack(len(wire)) + wire)
        while records < RECORDS + 1:
            chunk = sock.recv(1 << 18)
            if not chunk:
                raise SystemExit(f"bench: {server.name} ended the transfer after {records:,} records")
            octets += len(chunk)
            waiting += chunk
            at = 0
            while at + 10 <= len(waiting):
                length = _LENGTH.unpack_from(waiting, at)[0]
                if at + 2 + length > len(waiting):
                    break
                records += _LENGTH.unpack_from(waiting, at + 8)[0]
                messages += 1
                at += 2 + length
            del waiting[:at]
    seconds = time.perf_counter() - began
    return Taken(seconds, sum(cpu_s(server.pid)) - sum(before), records, messages, octets)


def _report(bench: Bench, kind: str, taken: dict[str, list[Taken]]) -> dict[str, Any]:
    bench.say(f"\n### AXFR of {RECORDS:,} records, {kind}\n")
    bench.say("| server | seconds | to nsd | CPU s | messages | octets |")
    bench.say("|---|--:|--:|--:|--:|--:|")
    figures: dict[str, Any] = {}
    for name, runs in taken.items():
        pairs = zip(runs, taken.get("nsd", runs), strict=True)
        ratio = statistics.median(mine.seconds / its.seconds for mine, its in pairs)
        seconds, used = (statistics.median(getattr(run, what) for run in runs) for what in ("seconds", "cpu_s"))
        bench.say(f"| {name} | {seconds:.3f} | {ratio:.2f} | {used:.2f} | {runs[-1].messages} | {runs[-1].octets:,} |")
        figures[name] = {"seconds": seconds, "to_nsd": ratio, "cpu_s": used, "octets": runs[-1].octets}
    if "lbdns" in figures and "nsd" in figures and figures["lbdns"]["to_nsd"] > 1.0:
        bench.say("slower than NSD")
    return figures


def _memory(bench: Bench, server: Running) -> dict[str, float]:
    """Return a server's memory before and, at most, during a transfer, in MB."""
    before = _pss(server.pid)
    most = [before]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            most.append(_pss(server.pid))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        take(server, None)
    finally:
        done.set()
        watching.join()
    ratio = max(most) / before
    told = f", above {MEMORY_BOUND}" if ratio > MEMORY_BOUND else ""
    bench.say(f"{server.name}: {before:,.0f} MB, during a transfer at most {max(most):,.0f} MB: {ratio:.2f}{told}")
    return {"before_mb": before, "most_mb": max(most), "ratio": ratio}


def _pss(pid: int) -> float:
    """Return the proportional set size of a process and all below it, in MB."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    todo, total = [pid], 0
    while todo:
        number = todo.pop()
        todo += children.get(number, [])
        try:
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def _others(bench: Bench, server: Running) -> dict[str, float]:
    """Return how long queries waited, in ms, and how many had no reply, with nothing else and during transfers."""
    found: dict[str, float] = {}
    for kind, transfers in (("alone", 0), ("during transfers", 3)):
        done = threading.Event()
        taking = [threading.Thread(target=take, args=(server, None)) for _ in range(transfers)]
        for thread in taking:
            thread.start()
        until = time.monotonic() + 1.0
        waits: dict[str, list[float]] = {"UDP": [], "TCP": []}
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as tcp:
            while any(thread.is_alive() for thread in taking) or (not taking and time.monotonic() < until):
                waits["UDP"].append(_asked_udp(server.port))
                waits["TCP"].append(_asked_tcp(tcp))
                time.sleep(PACE_S)
        done.set()
        for way, each in waits.items():
            lost = sum(wait < 0 for wait in each)
            worst = sorted(each)[len(each) * 99 // 100]
            bench.say(
                f"queries by {way}, {kind}: {len(each)}, {lost} without a reply, "
                f"median {statistics.median(each):.2f} ms, 99 % within {worst:.2f} ms, at most {max(each):.2f} ms"
            )
            found[f"{way} {kind}: 99 % ms"] = worst
            found[f"{way} {kind}: lost"] = lost
    return found


_ASKED: Final = dns.message.make_query(f"host77.{ZONE}", "A").to_wire()


def _asked_udp(port: int) -> float:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2.0)
        sock.connect(("127.0.0.1", port))
        began = time.perf_counter()
        sock.send(_ASKED)
        try:
            sock.recv(4096)
        except TimeoutError:
            return -1.0
        return 1e3 * (time.perf_counter() - began)


def _asked_tcp(sock: socket.socket) -> float:
    began = time.perf_counter()
    sock.sendall(_LENGTH.pack(len(_ASKED)) + _ASKED)
    length = _LENGTH.unpack(_exactly(sock, 2))[0]
    _exactly(sock, length)
    return 1e3 * (time.perf_counter() - began)


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            raise SystemExit("bench: the server closed a connection that asks during transfers")
        data += chunk
    return data


@contextmanager
def _on_core(core: str) -> Iterator[None]:
    """Have this process run on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(core)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
