"""New snapshots under load: no query is lost, no answer mixes two, no socket goes back to an older one, and the first
batch from a new one finds its pages there."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.config.loading import parse
from lbdns.mapped.control import Control
from lbdns.mapped.counter_words import DEFERRED_COUNT, LONGEST_ADOPTION_NS, OVERFLOWS, SEND_ERRORS
from lbdns.mapped.counters import open_counters
from lbdns.mapped.run_directory import RunDirectory
from lbdns.processes.responder.fast_port import FastPort, load_loop
from lbdns.processes.responder.view_answerer import ViewAnswerer
from lbdns.processes.responder.view_in_force import Views
from lbdns.publish.publisher import Publisher
from tests.answer.packets import query

pytestmark = pytest.mark.slow

GENERATIONS = 20
WINDOW = 24  # under way at once: fewer than the ring for the slow path holds
SPAN = 1 << 14  # of IDs
ADOPTION_NS_MAX = 1_000_000
PATIENCE_S = 5.0
ZONE = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"


def configuration(folder: Path, generation: int) -> Any:
    """Return a configuration whose every answer says its generation twice or more: in each address and in the TTL."""
    addresses = [f"192.0.{net}.{generation}" for net in (2, 3, 4)]
    origins = [{"name": f"e{place}", "address": address} for place, address in enumerate(addresses)]
    round_ = f"*.round {generation} CNAME x.round\n"
    static = "".join(f"static {generation} A {address}\n" for address in addresses)
    tree = {
        "settings": {},
        "zones": {"example.com": ZONE + static + round_ + f"alias {generation} CNAME lb\n"},
        "pools": {"p": {"origins": origins}},
        "load_balancers": [
            {"name": "lb.example.com", "default_pools": ["p"], "fallback_pool": "p", "ttl": 100 + generation}
        ],
    }
    return parse(tree, folder).configuration


class Asker(threading.Thread):
    """Asks a window at a time, waits for every reply and reads it; `seen` are the generations as they came."""

    QUERIES = (
        query("lb.example.com.", "A", edns=True).wire,
        query("static.example.com.", "A").wire,
        query("alias.example.com.", "A").wire,
        query("q.round.example.com.", "A").wire,  # goes round under a wildcard: deferred to the slow path
    )

    def __init__(self, port: int) -> None:
        super().__init__()
        self.seen: list[int] = []
        self.trouble: list[str] = []
        self.stop = threading.Event()
        self._port = port

    def run(self) -> None:
        """Ask until told to stop, or until something is wrong."""
        number = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE_S)
            sock.connect(("127.0.0.1", self._port))
            while not self.stop.is_set() and not self.trouble:
                identities = set()
                for _ in range(WINDOW):
                    number = (number + 1) % SPAN
                    identities.add(number)
                    sock.send(number.to_bytes(2) + self.QUERIES[number % len(self.QUERIES)][2:])
                window = []
                while identities:
                    try:
                        reply = sock.recv(4096)
                    except TimeoutError:
                        self.trouble.append(f"{len(identities)} queries are lost")
                        return
                    identities.remove(int.from_bytes(reply[:2]))
                    window.append(self._generation(reply))
                self.seen.append(min(window))

    def _generation(self, reply: bytes) -> int:
        """Return the generation that all records of a reply agree on."""
        position = 12
        while reply[position]:
            position += reply[position] + 1
        position += 5
        found = set()
        for _ in range(int.from_bytes(reply[6:8])):
            rtype, _, ttl, length = struct.unpack_from(">HHIH", reply, position + 2)
            found.add(ttl % 100)
            if rtype == 1:
                found.add(reply[position + 15])
            position += 12 + length
        if len(found) != 1:
            self.trouble.append(f"an answer of generations {found}: {reply.hex()}")
        return min(found, default=0)


@pytest.fixture
def run_directory(tmp_path: Path) -> Iterator[RunDirectory]:
    run = RunDirectory(tmp_path)
    yield run
    run.remove()


def test_snapshots_under_load(run_directory: RunDirectory, tmp_path: Path) -> None:
    loop_class = load_loop()
    if loop_class is None:
        pytest.skip("the compiled loop is not installed")
    control = Control.create(run_directory.control)
    publisher = Publisher(control, run_directory)
    prepared = [publisher.prepare(configuration(tmp_path, 1))]
    publisher.publish(prepared[0])
    views = Views(Control.attach(run_directory.control), run_directory)
    answerer = ViewAnswerer(views, open_counters(tmp_path / "slow", True))
    words = open_counters(tmp_path / "fast", True)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    askers = [Asker(udp.getsockname()[1]) for _ in range(2)]

    async def serve() -> None:
        port = FastPort(loop_class, udp, views, answerer, words)
        port.start()
        for asker in askers:
            asker.start()
        await _seen(askers, 1)
        for generation in range(2, GENERATIONS + 1):
            made = await asyncio.to_thread(publisher.prepare, configuration(tmp_path, generation))
            publisher.publish(made)
            port.wake()
            await _seen(askers, generation)
        for asker in askers:
            asker.stop.set()
            await asyncio.to_thread(asker.join)
        await port.stop()

    asyncio.run(serve())
    udp.close()
    assert [asker.trouble for asker in askers] == [[], []]
    for asker in askers:
        assert asker.seen == sorted(asker.seen), "an older generation has answered after a newer one"
        assert set(asker.seen) == set(range(1, GENERATIONS + 1))
    assert words[DEFERRED_COUNT] > 0
    assert words[SEND_ERRORS] == words[OVERFLOWS] == 0
    assert 0 < words[LONGEST_ADOPTION_NS] < ADOPTION_NS_MAX


async def _seen(askers: list[Asker], generation: int) -> None:
    """Wait until every asker was answered from a generation."""
    deadline = time.monotonic() + PATIENCE_S
    while any(asker.seen[-1:] != [generation] and not asker.trouble for asker in askers):
        assert time.monotonic() < deadline, f"no answers from generation {generation}"
        await asyncio.sleep(0.005)
