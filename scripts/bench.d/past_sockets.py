"""What a query costs past the sockets: `scripts/bench xdp`.

Each server has a network namespace of its own and a veth pair to another, where the generator asks. CPU time a query
is that of the server's processes. Then a TCP stream and ping go beside the load of lbdns over AF_XDP: nothing of them
may be lost or changed. All of it ends, and the namespaces go, with the run.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from measure import Generator, Row, Running, build, wait_ready
from peers import PEERS, Scene
from questions import SEED

if TYPE_CHECKING:
    from bench import Bench

HERE: Final = Path(__file__).resolve().parent
SHIPPED: Final = HERE.parent.parent / "geodata" / "geo-whois-asn-country.mmdb"
LOADS: Final = {"main": ("plain", "nxdomain"), "geo": ("geo",)}
SERVER, CLIENT, PORT = "10.9.0.1", "10.9.0.2", 53
NEAR, FAR = "wire0", "wire1"  # the server's end, and who asks
LBDNS, SOCKETS, KNOT, KNOT_SOCKETS, ECHO = "lbdns", "lbdns, sockets", "knot", "knot, sockets", "echo over AF_XDP"
BOUNDS: Final = {SOCKETS: 0.70, KNOT: 0.80, ECHO: 1.12}
START_S, PATIENCE_S = 60.0, 5.0
CLONE_NEWNET: Final = 0x40000000
STREAM_PORT, STREAM_OCTETS, BLOCK = 5001, 32 << 20, 1 << 16
PINGS, PING_PACE_S, PING_PATIENCE_S = 200, 0.01, 1.0


class Cable:
    """Two network namespaces and a veth pair between them, until `remove`."""

    def __init__(self, number: int) -> None:
        """Lay it; raises CalledProcessError."""
        self.server, self.client = (f"lbdns-bench-{end}{os.getpid()}-{number}" for end in "sc")
        try:
            for space in (self.server, self.client):
                _run("ip", "netns", "add", space)
            ends = ("type", "veth", "peer", "name", FAR, "netns", self.client)
            _run("ip", "link", "add", NEAR, "netns", self.server, *ends)
            for space, end, address in ((self.server, NEAR, SERVER), (self.client, FAR, CLIENT)):
                _run("ip", "-n", space, "addr", "add", f"{address}/24", "dev", end)
                for name in ("lo", end):
                    _run("ip", "-n", space, "link", "set", name, "up")
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Take all of it away."""
        for space in (self.server, self.client):
            subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


@dataclass
class WiredGenerator(Generator):
    """The load generator at the other end of a cable."""

    space: str = ""

    def command(self, port: int, seconds: float, records: Path, *options: str) -> list[str]:
        """Return the command of a run."""
        command = super().command(port, seconds, records, *options, "--to", SERVER)
        return ["ip", "netns", "exec", self.space, *command]


class Wired:
    """A server at its cable, with a generator of its own."""

    def __init__(self, bench: Bench, name: str, cable: Cable, scene: Scene) -> None:
        self.cable = cable
        self.generator = WiredGenerator(bench.generator.program, space=cable.client)
        command = ["ip", "netns", "exec", cable.server, *_command(name, scene)]
        self.server = Running(name, command, PORT, scene.folder)
        bench.servers.append(self.server)


def _command(name: str, scene: Scene) -> list[str]:
    if name == ECHO:
        program = str(scene.folder.parent / "xdp_echo")
        return [sys.executable, "-P", str(HERE / "xdp_echo.py"), program, NEAR, SERVER, str(PORT)]
    return PEERS[name.partition(",")[0]].write(scene)


EXTRA: Final = {
    LBDNS: f"user: root\nxdp: {{interface: {NEAR}}}\n",
    SOCKETS: "user: root\n",
    KNOT: f"xdp:\n    listen: {NEAR}@{PORT}\n",
}


def past_sockets(bench: Bench) -> dict[str, Any]:
    """Print what each costs for each load, the ratios with their bounds, and what became of other frames."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # so that the namespaces go
    build(HERE / "xdp_echo.c", bench.work / "xdp_echo")
    kept: dict[str, Any] = {}
    ratios: dict[str, dict[str, float]] = {}
    for kind, loads in LOADS.items():
        with ExitStack() as cables:
            cables.callback(bench.stop_all)
            wired = _start_all(bench, kind, loads[0], cables)
            bench.settle([one.server for one in wired])
            for load in loads if wired else ():
                rows = _rounds(bench, wired, load)
                bench.report(f"xdp {load}", rows, ECHO)
                mine = next((row for row in rows if row.name == LBDNS), None)
                ratios[load] = {row.name: mine.ratio_to(row) for row in rows if mine and row.name in BOUNDS}
            lbdns = next((one for one in wired if one.server.name == LBDNS), None)
            if kind == "main" and lbdns is not None:
                kept["beside"] = _beside(bench, lbdns)
    _say_ratios(bench, ratios)
    return {"ratios": ratios, **kept}


def _say_ratios(bench: Bench, ratios: dict[str, dict[str, float]]) -> None:
    bench.say("\n### CPU time a query of lbdns over AF_XDP, as a ratio\n")
    bench.say("| to | " + " | ".join(ratios) + " | bound |")
    bench.say("|---|" + "--:|" * (len(ratios) + 1))
    for name, bound in BOUNDS.items():
        figures = [f"{found[name]:.2f}" if name in found else "-" for found in ratios.values()]
        bench.say(f"| {name} | {' | '.join(figures)} | {bound:.2f} |")


def _start_all(bench: Bench, kind: str, load: str, cables: ExitStack) -> list[Wired]:
    """Start those that can be had; say of each other why not."""
    wired = []
    for number, name in enumerate((ECHO, LBDNS, SOCKETS, KNOT, KNOT_SOCKETS)):
        if name.split()[0].strip(",") not in bench.arguments.peers:
            continue
        try:
            cable = Cable(number)
        except (OSError, subprocess.CalledProcessError) as error:
            bench.say(f"xdp is left out: no network namespaces here: {getattr(error, 'stderr', '') or error}")
            return []
        cables.callback(cable.remove)
        folder = Path(tempfile.mkdtemp(prefix=f"xdp{number}-{kind}-", dir=bench.work))
        city = SHIPPED if kind == "geo" else None
        one = Wired(bench, name, cable, Scene(folder, PORT, kind, city=city, host=SERVER, extra=EXTRA.get(name, "")))
        why = wait_ready(one.server, one.generator, bench.records(load), START_S) or _not_past(one)
        if why:
            bench.say(f"{name} is left out: {why}")
            one.server.stop()
        else:
            wired.append(one)
    return wired


def _not_past(one: Wired) -> str:
    """Return why a server that is to serve past the sockets does not, "" where it does, or is not to."""
    if one.server.name != LBDNS:
        return ""
    deadline = time.monotonic() + START_S
    while "is read" not in (said := one.server.whole_log()):
        if time.monotonic() > deadline or "the sockets serve" in said:
            return f"it has no XDP: {one.server.last_words()}"
        time.sleep(0.1)
    return ""


def _rounds(bench: Bench, wired: list[Wired], load: str) -> list[Row]:
    records = bench.records(load)
    rows = [(Row(one.server.name), one) for one in wired]
    for row, one in list(rows):
        why = wait_ready(one.server, one.generator, records, PATIENCE_S)
        if why:
            bench.say(f"{row.name} is left out of {load}: {why}")
            rows.remove((row, one))
    for _ in range(bench.arguments.rounds):
        for row, one in rows:
            row.runs.append(one.generator.run(one.server, bench.arguments.seconds, records))
    return [row for row, _ in rows]


def _beside(bench: Bench, one: Wired) -> dict[str, Any]:
    """Have a TCP stream and ping go beside the load; say what became of them."""
    with ThreadPoolExecutor(3) as pool:
        load = pool.submit(one.generator.run, one.server, bench.arguments.seconds, bench.records("plain"))
        stream = pool.submit(_stream, one.cable)
        ping = pool.submit(_ping, one.cable)
        run, is_whole, unanswered = load.result(), stream.result(), ping.result()
    said = "unchanged" if is_whole else "CHANGED"
    bench.say(
        f"\nbeside {run.rate:,.0f} queries/s: {STREAM_OCTETS >> 20} MB over TCP came {said}; of {PINGS} pings "
        f"{unanswered} unanswered or changed; of the queries {run.load['lost']} lost"
    )
    return {"stream": is_whole, "pings": PINGS, "unanswered": unanswered, "load": run.load}


def _inside(space: str, make: Callable[[], socket.socket]) -> socket.socket:
    """Return a socket that is made in a network namespace, by a thread that ends then."""

    def enter() -> socket.socket:
        with open(f"/run/netns/{space}") as handle:
            if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns to {space}")
        return make()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(enter).result()


def _stream(cable: Cable) -> bool:
    """Send octets at random over TCP to the server's namespace; return whether they are the same there."""
    listening = _inside(cable.server, lambda: socket.create_server((SERVER, STREAM_PORT)))
    sending = _inside(cable.client, lambda: socket.create_connection((SERVER, STREAM_PORT)))
    chance, sent, came = random.Random(SEED), hashlib.sha256(), hashlib.sha256()
    accepted, _ = listening.accept()

    def receive() -> None:
        while block := accepted.recv(BLOCK):
            came.update(block)

    reader = threading.Thread(target=receive)
    with listening, accepted:
        reader.start()
        with sending:
            for _ in range(STREAM_OCTETS // BLOCK):
                block = chance.randbytes(BLOCK)
                sent.update(block)
                sending.sendall(block)
        reader.join()
    return sent.digest() == came.digest()


def _ping(cable: Cable) -> int:
    """Send pings, each with octets of its own; return how many are not answered by the same."""
    chance, missed = random.Random(SEED), 0
    with _inside(cable.client, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)) as sock:
        sock.connect((SERVER, 0))
        sock.settimeout(PING_PATIENCE_S)
        for number in range(PINGS):
            data = number.to_bytes(2) + chance.randbytes(1000)
            total = sum(int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2)) + 0x0800
            total = (total & 0xFFFF) + (total >> 16)
            sock.send(b"\x08\0" + (0xFFFF - (total & 0xFFFF) - (total >> 16)).to_bytes(2) + bytes(2) + data)
            missed += not _comes(sock, data)
            time.sleep(PING_PACE_S)
    return missed


def _comes(sock: socket.socket, data: bytes) -> bool:
    try:
        while (reply := sock.recv(2048))[26:] != data:
            if reply[20] == 0 and reply[26:28] == data[:2]:
                return False
    except TimeoutError:
        return False
    return True
