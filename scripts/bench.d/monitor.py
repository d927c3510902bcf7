"""Measure the monitor worker: processor time, memory and lateness with many HTTP endpoints on loopback.

    monitor.py [--endpoints N] [--interval SECONDS] [--seconds N] [--black-holes]

Prints one line of figures. Endpoints are a few hundred listeners in a process of their own, probed under many Host
names; with --black-holes every second endpoint answers no SYN.
"""

from __future__ import annotations

import argparse
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import cpu_s

from lbdns.health.identity import identity
from lbdns.mapped.control import Control
from lbdns.mapped.health_table import HealthTable
from lbdns.model.monitors import Monitor
from lbdns.model.targets_document import EndpointSpec, PoolTarget, TargetsHead, encode_head, encode_pool, with_lists

ADDRESSES = [f"127.1.0.{number}" for number in range(1, 101)]
PER_POOL = len(ADDRESSES)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def listeners() -> list[socket.socket]:
    """One listener per address, all on one free port."""
    first = socket.create_server((ADDRESSES[0], 0), backlog=4096)
    port = first.getsockname()[1]
    return [first, *(socket.create_server((address, port), backlog=4096) for address in ADDRESSES[1:])]


def serve(sockets: list[socket.socket]) -> None:
    """Answer every request on every listener, until killed."""
    selector = selectors.EpollSelector()
    for one in sockets:
        one.setblocking(False)
        selector.register(one, selectors.EVENT_READ, True)
    while True:
        for key, _ in selector.select():
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            try:
                if key.data:
                    client, _ = sock.accept()
                    client.setblocking(False)
                    selector.register(client, selectors.EVENT_READ, False)
                else:
                    selector.unregister(sock)
                    if sock.recv(4096):
                        sock.send(ANSWER)
                    sock.close()
            except OSError:
                continue


def black_holes() -> tuple[int, list[socket.socket]]:
    """Listeners whose queues are full, on one port; the sockets keep them so."""
    first = socket.socket()
    first.bind((ADDRESSES[0], 0))
    port = first.getsockname()[1]
    held = [first]
    for address in ADDRESSES[1:]:
        one = socket.socket()
        one.bind((address, port))
        held.append(one)
    for one in tuple(held):
        one.listen(0)
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(one.getsockname())
            held.append(client)
    return port, held


def document(table: Path, count: int, interval_s: int, port: int, hole: int) -> bytes:
    """The targets document: pools of 100 endpoints, each under a Host name of its own."""

    def endpoint(pool: str, slot: int) -> EndpointSpec:
        name, address = f"e{slot}", ADDRESSES[slot % PER_POOL]
        wanted = hole if hole and slot % 2 else port
        named = identity(pool, name, address)
        return EndpointSpec(pool, name, slot, address, False, True, wanted, f"{name}.example", named)

    pools = [
        PoolTarget(
            name=f"p{number}",
            slot=number,
            enabled=True,
            minimum_origins=1,
            monitor="web",
            monitor_group=None,
            endpoints=tuple(endpoint(f"p{number}", slot) for slot in range(first, min(first + PER_POOL, count))),
        )
        for number, first in enumerate(range(0, count, PER_POOL))
    ]
    web = Monitor(type="http", interval=interval_s, timeout=2, retries=0)
    head = TargetsHead(generation=1, table=table, monitors={"web": web}, monitor_groups={})
    return with_lists(encode_head(head), b",".join(map(encode_pool, pools)), b"")


def memory_mb(pid: int) -> float:
    """The most memory that a process has had resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def measure(run: Path, given: argparse.Namespace, port: int, hole: int) -> None:
    """Start a worker, let it settle for two intervals, measure."""
    pools = -(-given.endpoints // PER_POOL)
    table = HealthTable.create(run / "health-1.bin", given.endpoints, pools, 1)
    control = Control.create(run / "control")
    wanted = document(table.path, given.endpoints, given.interval, port, hole)
    (run / "targets-1.json").write_bytes(wanted)
    control.generation = 1
    command = [sys.executable, "-m", "lbdns.monitor", "--run-dir", str(run), "--control-file", str(control.path)]
    with (run / "log").open("w") as log:
        worker = subprocess.Popen(command, stderr=log)
    try:
        start_s = time.monotonic()
        measured = table.columns["endpoint_measured"]
        while 0 in bytes(measured) and time.monotonic() - start_s < 60:
            time.sleep(0.05)
        first_s = time.monotonic() - start_s
        time.sleep(2 * given.interval)
        names = ("probes_started", "probes_late")
        before = [table.columns[name][0] for name in names]
        used_s, begin_s = sum(cpu_s(worker.pid)), time.monotonic()
        stale_s = 0.0
        while time.monotonic() - begin_s < given.seconds:
            time.sleep(0.1)
            stale_s = max(stale_s, (time.monotonic_ns() - table.columns["heartbeat_ns"][0]) / 1e9)
        took_s = time.monotonic() - begin_s
        started, late = (table.columns[name][0] - old for name, old in zip(names, before, strict=True))
        share = 100 * (sum(cpu_s(worker.pid)) - used_s) / took_s
        up = bytes(measured).count(1)
        print(
            f"{given.endpoints} endpoints, interval {given.interval} s: {share:.1f} % of a core, "
            f"{memory_mb(worker.pid):.0f} MB, {started / took_s:.0f} probes/s, {100 * late / max(started, 1):.2f} % "
            f"begun more than 250 ms late, first results after {first_s:.1f} s, heartbeat at most {stale_s:.2f} s old, "
            f"{up} up"
        )
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait()


def main() -> None:
    """Run one measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoints", type=int, default=10_000)
    parser.add_argument("--interval", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--black-holes", action="store_true", help="every second endpoint answers no SYN")
    given = parser.parse_args()
    sockets = listeners()
    hole, held = black_holes() if given.black_holes else (0, [])
    server = os.fork()
    if server == 0:
        serve(sockets)
    try:
        with tempfile.TemporaryDirectory() as run:
            measure(Path(run), given, sockets[0].getsockname()[1], hole)
    finally:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)
        for one in held:
            one.close()


if __name__ == "__main__":
    main()
