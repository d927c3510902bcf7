"""Two queues and two workers: changes while queries come as frames, and guards, samples and dnstap of what comes so."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lbdns.dns.codes import OPTION_COOKIE
from lbdns.mapped.counter_words import DATAGRAMS
from lbdns.mapped.counters import open_counters
from lbdns.mapped.run_directory import RunDirectory
from lbdns.telemetry.samples import SampleReader
from lbdns.testing import write_files
from tests.answer.packets import opt, option, query
from tests.processes.test_dnstap import Collector
from tests.xdp.wire import CLIENT4, HOST4, OTHER4, Wire, WiredServer, asking, laid, run

pytestmark = [pytest.mark.process, pytest.mark.slow]

QUEUES, FLOWS, ASKERS = 2, 48, 3
SECOND4 = "10.9.0.3"
ZONE = "@ SOA ns1 host 1 7200 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\nwww A {address}\n"
FIRST, SECOND = "192.0.2.80", "192.0.2.81"
LIMITED, INSTANT = 40, 10
SAME_TRIES = 20  # a cookie says the second in which it was made


class Steady(threading.Thread):
    """A client that asks over frames, a query after the last one's reply, until it is told to stop."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self._sock = asking(wire.client, HOST4)
        self._is_over = threading.Event()
        self.replies: list[bytes] = []
        self.asked = 0

    def run(self) -> None:
        """Ask; one that is never answered ends it."""
        with self._sock, contextlib.suppress(TimeoutError):
            while not self._is_over.is_set():
                message = query("www.example.com.").with_id(self.asked & 0xFFFF).wire
                self.asked += 1
                self._sock.send(message)
                reply = self._sock.recv(4096)
                assert reply[:2] == message[:2]
                self.replies.append(reply)

    def end(self) -> None:
        """Stop, and see that nothing was lost."""
        self._is_over.set()
        self.join()
        assert self.asked == len(self.replies)


@contextlib.contextmanager
def steady(wire: Wire) -> Iterator[list[Steady]]:
    """Have clients ask meanwhile, none of whose queries may be lost."""
    askers = [Steady(wire) for _ in range(ASKERS)]
    for one in askers:
        one.start()
    try:
        yield askers
    finally:
        for one in askers:
            one.end()


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with laid(QUEUES) as made:
        run("ip", "-n", made.server, "addr", "add", f"{SECOND4}/24", "dev", made.server_end)
        yield made


def settings(**others: Any) -> dict[str, Any]:
    """Return the settings of the server."""
    xdp = {"interface": Wire.server_end}
    return {"listen": [f"{HOST4}:53"], "user": "root", "workers": QUEUES, "xdp": xdp, "cookies": "never", **others}


def changed(server: WiredServer, **others: Any) -> None:
    """Serve other settings."""
    server.reload({"lbdns.yaml": yaml.safe_dump(settings(**others))})


@pytest.fixture(scope="module")
def server(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WiredServer]:
    work = tmp_path_factory.mktemp("xdp-settings")
    zones = {name: ZONE.format(address=FIRST) for name in ("example.com", "inside.example")}
    write_files({"settings": settings(), "zones": zones}, work / "config")
    made = WiredServer(wire, work / "config", work)
    with contextlib.closing(made):
        made.start()
        if "has the filter" not in made.log:
            pytest.skip(f"this kernel has no XDP for us: {made.log}")
        for number in range(QUEUES):
            wait_until_read(made, number, number)
        yield made


def wait_until_read(server: WiredServer, responder: int, queue: int, times: int = 1) -> None:
    """Wait until a responder has had a queue so many times."""
    told = f"responder {responder}: xdp: queue {queue} of {Wire.server_end} is read"
    server.wait_for(lambda: server.log.count(told) >= times, f"responder {responder} does not read queue {queue}")


def counted(server: WiredServer, responder: int, part: int) -> int:
    """Return how many datagrams a thread has counted; those of queues come after the one of each address."""
    return int(open_counters(server.run_directory / f"counters-{responder}-{part}.bin")[DATAGRAMS])


def ask_all(wire: Wire, host: str = HOST4) -> None:
    """Ask from many ports, which the cable spreads over its queues, and have each answered."""
    message = query("www.example.com.").wire
    for _ in range(FLOWS):
        with asking(wire.client, host) as sock:
            assert exchange(sock, message)[:2] == message[:2]


def exchange(sock: socket.socket, message: bytes) -> bytes:
    """Return the reply to a message."""
    sock.send(message)
    return sock.recv(4096)


def test_each_worker_reads_its_queue(wire: Wire, server: WiredServer) -> None:
    assert f"{QUEUES} of {QUEUES} queues" in server.log
    before = [counted(server, number, 2) for number in range(QUEUES)]
    ask_all(wire)
    found = [counted(server, number, 2) - before[number] for number in range(QUEUES)]
    assert sum(found) == FLOWS and all(found)


def test_what_is_served_changes_while_frames_come(wire: Wire, server: WiredServer) -> None:
    with steady(wire) as askers:
        server.wait_for(lambda: all(one.replies for one in askers), "nobody is answered")
        server.reload({"example.com.zone": f"$TTL 300\n{ZONE.format(address=SECOND)}"})
        packed = socket.inet_aton(SECOND)
        server.wait_for(lambda: all(packed in one.replies[-1] for one in askers), "the zone of before is served on")
    assert all(socket.inet_aton(FIRST) in one.replies[0] for one in askers)


def test_workers_change_while_frames_come(wire: Wire, server: WiredServer) -> None:
    """A worker that is alone reads all queues; those that come back read theirs."""
    with steady(wire):
        changed(server, workers=1)
        for queue in range(QUEUES):
            wait_until_read(server, 0, queue, 2 - queue)
        before = [counted(server, 0, 2 + queue) for queue in range(QUEUES)]
        ask_all(wire)
        assert all(counted(server, 0, 2 + queue) > before[queue] for queue in range(QUEUES))
        changed(server)
        wait_until_read(server, 0, 0, 3)
        wait_until_read(server, 1, 1, 2)
        ask_all(wire)


def test_addresses_change_while_frames_come(wire: Wire, server: WiredServer) -> None:
    times = server.log.count("is read")
    with steady(wire):
        changed(server, listen=[f"{HOST4}:53", f"{SECOND4}:53"])
        server.wait_for(lambda: server.log.count("is read") >= times + QUEUES, "the queues are not read")
        before = [counted(server, number, 3) for number in range(QUEUES)]
        ask_all(wire, SECOND4)
        assert sum(counted(server, number, 3) - before[number] for number in range(QUEUES)) >= FLOWS
        changed(server)
        server.wait_for(lambda: server.log.count("is read") >= times + 2 * QUEUES, "the queues are not read")


def test_cookies_are_those_of_the_sockets(wire: Wire, server: WiredServer) -> None:
    changed(server, cookies={"secrets": ["07" * 16]})
    message = query("www.example.com.", edns=opt(option(OPTION_COOKIE, bytes(range(8))))).wire
    with asking(wire.client, HOST4) as past, asking(wire.client, HOST4, is_past=False) as through:
        for _ in range(SAME_TRIES):
            found, expected = exchange(past, message), exchange(through, message)
            if found == expected:
                break
        assert found == expected and len(found) > len(message) + 16
        mine = found[found.rindex(bytes(range(8))) :][:24]
        whole = query("www.example.com.", edns=opt(option(OPTION_COOKIE, mine))).wire
        assert mine in exchange(past, whole)


def test_who_may_not_ask_is_refused_as_over_sockets(wire: Wire, server: WiredServer) -> None:
    access = {"access": {"query": [{"network": f"{CLIENT4}/32"}]}}
    changed(server, zones={"inside.example": access})
    message = query("www.inside.example.").wire
    rcodes = {}
    for source in (CLIENT4, OTHER4):
        for is_past in (True, False):
            with asking(wire.client, HOST4, is_past=is_past, source=source) as sock:
                rcodes[source, is_past] = exchange(sock, message)[3] & 15
    assert rcodes == {(CLIENT4, True): 0, (CLIENT4, False): 0, (OTHER4, True): 5, (OTHER4, False): 5}


def test_frames_and_sockets_are_limited_together(wire: Wire, server: WiredServer) -> None:
    """Of one network's queries so many are answered whole, whichever way they come."""
    changed(server, rate_limit={"per_second": 1, "instant": INSTANT, "slip": 1})
    message = query("www.example.com.").wire
    began = time.monotonic()
    with (
        asking(wire.client, HOST4, source=OTHER4) as past,
        asking(wire.client, HOST4, is_past=False, source=OTHER4) as through,
    ):
        whole = {}
        for sock in (past, through):
            replies = [exchange(sock, message) for _ in range(LIMITED)]
            whole[sock] = sum(not reply[2] & 2 for reply in replies)
        took_s = time.monotonic() - began
        assert INSTANT - 1 <= whole[past] <= INSTANT + 1 + took_s
        assert whole[through] <= 1 + took_s


def test_samples_and_dnstap_tell_of_frames_as_of_sockets(wire: Wire, server: WiredServer, tmp_path: Path) -> None:
    with (
        contextlib.closing(Collector(tmp_path / "tap.sock")) as collector,
        contextlib.closing(SampleReader(RunDirectory(server.state_dir))) as reader,
    ):
        changed(server, dnstap={"socket": str(tmp_path / "tap.sock")})
        ports, samples = set(), {}

        def ask_both() -> bool:
            """Until a sample falls on each: of what came before, one in some was sampled."""
            for name, is_past in (("past.example.com.", True), ("through.example.com.", False)):
                with asking(wire.client, HOST4, is_past=is_past) as sock:
                    ports.add(sock.getsockname()[1])
                    exchange(sock, query(name).wire)
            samples.update({one.name: _shown(one) for one in reader.read().samples if "www" not in one.name})
            return len(samples) == 2

        server.wait_for(ask_both, "no samples of both are there")
        assert samples["past.example.com."] == samples["through.example.com."]
        server.wait_for(lambda: len(collector.messages) >= 2 * len(ports), "dnstap has not told of all")
        told = [message.message for _, message in collector.messages]
        for kind, text in ((1, "query_message"), (2, "response_message")):
            both = [one for one in told if one.type == kind]
            assert {one.query_port for one in both} == ports
            assert all(one.query_address == socket.inet_aton(CLIENT4) for one in both)
            assert all(one.response_address == socket.inet_aton(HOST4) and one.response_port == 53 for one in both)
            assert len({bytes(getattr(one, text))[2:4] for one in both}) == 1
    changed(server)


def _shown(sample: Any) -> tuple[Any, ...]:
    return sample.transport, sample.type, sample.rcode, sample.kind, str(sample.resolver)
