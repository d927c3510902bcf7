"""What happens to the servers of a soak: changes, kills, stops, hostile clients; one after another, drawn by a seed."""

from __future__ import annotations

import contextlib
import itertools
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx

from lbdns.base.errors import LbdnsError
from lbdns.testing import ServerError, write_files
from tests.store.served import StoreServer
from tests.strain.endpoints import GOOD, PlayedElsewhere
from tests.strain.process_tree import MONITOR, RESPONDER
from tests.strain.served import CHANGED, ZONE, configuration, zone_text
from tests.strain.subject import Subject, send, wait_until
from tests.strain.truth import NX_DOMAIN, addresses, reply_of

NOTICE_S = 22.0
"""An interval, a time-out, and a monitor worker that is replaced meanwhile."""
DOWN_MAX = 3
STOPPED_S = 3.0
WITHOUT_SUPERVISOR_S = 4.0
IDLE_CONNECTIONS = 100
IDLE_S = 8.0
FLOOD_DATAGRAMS = 3000
IMPORTED_RECORDS = 1000
SETTLED_S = 1.0


@dataclass(frozen=True, slots=True)
class Happening:
    """What was done to a server, when (monotonic), and whether TCP connections may end with it."""

    server: str
    what: str
    began_s: float
    ended_s: float
    breaks_connections: bool
    failed: str = ""


class Chronicle:
    """Everything that happened."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.happenings: list[Happening] = []

    @contextlib.contextmanager
    def noting(self, server: str, what: str, breaks_connections: bool) -> Iterator[None]:
        """Note what a `with` block does, and how it fails: a soak goes on."""
        began_s, failed = time.monotonic(), ""
        try:
            yield
        except (httpx.HTTPError, OSError, LbdnsError, ServerError, AssertionError) as error:
            failed = f"{type(error).__name__}: {error}"[:500]
        self.happenings.append(Happening(server, what, began_s, time.monotonic(), breaks_connections, failed))


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One thing to do to a server: its name, and whether TCP connections may end with it."""

    what: str
    do: Callable[[], None]
    breaks_connections: bool = False


class Disturber:
    """A thread that does one disturbance after another to one server."""

    def __init__(self, subject: Subject, chronicle: Chronicle, pause_s: float, seed: int) -> None:
        """Prepare; `pause_s` is the mean time between two of them."""
        self.subject = subject
        self.random = Random(seed)
        self._chronicle = chronicle
        self._pause_s = pause_s
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the one under way and do no more; returns at once."""
        self.stopping.set()

    @property
    def is_running(self) -> bool:
        """Whether something may still be done."""
        return self._thread.is_alive()

    def disturbances(self) -> list[Disturbance]:
        """Return what can be done."""
        raise LookupError("no disturbances of any server")

    def _run(self) -> None:
        order: Iterator[Disturbance] = iter(())
        while not self.stopping.wait(self.random.uniform(0.5, 1.5) * self._pause_s):
            chosen = next(order, None)
            if chosen is None:
                every = self.disturbances()
                order = iter(self.random.sample(every, len(every)))
                continue
            with self._chronicle.noting(self.subject.name, chosen.what, chosen.breaks_connections):
                chosen.do()


def flood(subject: Subject, random: Random) -> None:
    """Send datagrams of random octets as fast as one process can, some of them nearly queries."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.99.1", 0))
        sock.connect((subject.server.host, subject.server.port))
        for number in range(FLOOD_DATAGRAMS):
            head = b"\0\1\0\0\0\1\0\0\0\0\0\1" if number % 2 else b""
            with contextlib.suppress(OSError):
                sock.send(head + random.randbytes(random.randrange(1, 300)))
            if number % 100 == 0:
                time.sleep(0.01)


class FilesDisturber(Disturber):
    """Changes files, and kills and stops processes."""

    def __init__(
        self, subject: Subject, chronicle: Chronicle, pause_s: float, seed: int, played: PlayedElsewhere, zones: int
    ) -> None:
        """Prepare."""
        super().__init__(subject, chronicle, pause_s, seed)
        self._played = played
        self._zones = zones
        self._numbers = itertools.count(1)
        self._directory = subject.server.directory

    def disturbances(self) -> list[Disturbance]:
        """Return what can be done; a responder is killed more often than a supervisor."""
        return [
            *(Disturbance("file changed", self._change_file) for _ in range(3)),
            Disturbance("file with a mistake", self._break_file),
            Disturbance("responder killed", lambda: self._harm(RESPONDER, signal.SIGKILL), breaks_connections=True),
            Disturbance("responder stopped", lambda: self._harm(RESPONDER, signal.SIGSTOP), breaks_connections=True),
            Disturbance("monitor killed", lambda: self._harm(MONITOR, signal.SIGKILL)),
            Disturbance("monitor stopped", lambda: self._harm(MONITOR, signal.SIGSTOP)),
            Disturbance("supervisor stopped", self._stop_supervisor),
            *([Disturbance("supervisor killed", self._kill_supervisor)] if self.random.random() < 0.5 else []),
            Disturbance("malformed flood", lambda: flood(self.subject, self.random)),
        ]

    def _fresh(self) -> str:
        return f"10.77.{self.random.randrange(256)}.{next(self._numbers) % 250 + 1}"

    def _change_file(self) -> None:
        served, address = self.subject.served, self._fresh()
        right = [addresses(address)]
        served.host.begin(right)
        served.pool.begin(right)
        tree = configuration(self._played.port, self._zones, address)
        write_files({key: value for key, value in tree.items() if key != "zones"}, self._directory / ".." / "partial")
        objects = (self._directory / ".." / "partial" / "objects.yaml").read_text()
        self.subject.server.reload({f"{ZONE}.zone": zone_text(address), "objects.yaml": objects})
        served.host.settle(right)
        served.pool.settle(right)

    def _break_file(self) -> None:
        path = self._directory / "broken.yaml"
        path.write_text("pools: {broken: {origins: [")
        time.sleep(SETTLED_S)
        path.unlink()
        time.sleep(SETTLED_S)

    def _harm(self, role: str, number: signal.Signals) -> None:
        """Kill or stop the newest process of a role but the spare, and wait until another has its place."""
        pid = self._at_work(role)[-1]
        send(pid, number)
        wait_until(lambda: len(left := self._at_work(role)) and pid not in left and 0 not in left, f"no other {role}")
        time.sleep(SETTLED_S)

    def _at_work(self, role: str) -> list[int]:
        """Return the processes of a role that the supervisor says are at work."""
        status = self.subject.server.status()
        if role == MONITOR:
            return [status["monitor"]["pid"]]
        return [one["pid"] for one in status["responders"]]

    def _stop_supervisor(self) -> None:
        pid = self.subject.server.pid
        send(pid, signal.SIGSTOP)
        time.sleep(STOPPED_S)
        send(pid, signal.SIGCONT)
        time.sleep(SETTLED_S)

    def _kill_supervisor(self) -> None:
        process = self.subject.server.process
        assert process is not None
        process.kill()
        process.wait()
        time.sleep(WITHOUT_SUPERVISOR_S)
        self.subject.server.start()
        time.sleep(2 * SETTLED_S)


class StoreDisturber(Disturber):
    """Changes a store by the API; its processes are left alone, so that what they hold can be compared over hours."""

    def __init__(self, subject: Subject, chronicle: Chronicle, pause_s: float, seed: int) -> None:
        """Prepare."""
        super().__init__(subject, chronicle, pause_s, seed)
        assert isinstance(subject.server, StoreServer)
        self._server: StoreServer = subject.server
        self._numbers = itertools.count(1)

    def disturbances(self) -> list[Disturbance]:
        """Return what can be done."""
        return [
            *(Disturbance("pool changed", self._change_pool) for _ in range(3)),
            *(Disturbance("record changed", self._change_record) for _ in range(3)),
            Disturbance("zone made and deleted", self._come_and_go),
            Disturbance("zone file imported", self._import),
            Disturbance("refused bodies", self._refused),
            Disturbance("lists read", self._lists),
            Disturbance("idle API connections", self._idle),
            Disturbance("malformed flood", lambda: flood(self.subject, self.random)),
        ]

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        with self._server.local as client:
            reply = client.request(method, path, **more)
            reply.raise_for_status()
            return reply.json()["result"]

    def _fresh(self) -> str:
        return f"10.78.{self.random.randrange(256)}.{next(self._numbers) % 250 + 1}"

    def _account(self) -> str:
        return f"/client/v4/accounts/{self._ask('GET', '/client/v4/accounts')[0]['id']}"

    def _zone(self, name: str = ZONE) -> str:
        return f"/client/v4/zones/{self._ask('GET', '/client/v4/zones', params={'name': name})[0]['id']}"

    def _change_pool(self) -> None:
        address, question = self._fresh(), self.subject.served.pool
        path = f"{self._account()}/load_balancers/pools"
        pool = next(one for one in self._ask("GET", path) if one["name"] == CHANGED)
        question.begin([addresses(address)])
        self._ask("PATCH", f"{path}/{pool['id']}", json={"origins": [{"name": "e0", "address": address}]})
        question.settle([addresses(address)])

    def _change_record(self) -> None:
        address, question = self._fresh(), self.subject.served.host
        path = f"{self._zone()}/dns_records"
        (record,) = self._ask("GET", path, params={"name": f"{CHANGED}.{ZONE}", "type": "A"})
        question.begin([addresses(address)])
        self._ask("PATCH", f"{path}/{record['id']}", json={"content": address})
        question.settle([addresses(address)])

    def _come_and_go(self) -> None:
        question, gone, address = self.subject.served.coming, reply_of(rcode="REFUSED"), self._fresh()
        question.begin([NX_DOMAIN, addresses(address)])
        zone = self._ask("POST", "/client/v4/zones", json={"name": "coming.example"})["id"]
        record = {"name": "www", "type": "A", "content": address, "ttl": 60}
        self._ask("POST", f"/client/v4/zones/{zone}/dns_records", json=record)
        question.settle([addresses(address)])
        time.sleep(4.0)
        question.begin([gone])
        self._ask("DELETE", f"/client/v4/zones/{zone}")
        question.settle([gone])

    def _import(self) -> None:
        """Put many records into a zone that comes and goes."""
        zone = self._ask("POST", "/client/v4/zones", json={"name": "imported.example"})["id"]
        lines = "".join(
            f"h{number} 300 IN A 10.3.{number // 250}.{number % 250}\n" for number in range(IMPORTED_RECORDS)
        )
        self._ask("POST", f"/client/v4/zones/{zone}/dns_records/import", files={"file": ("zone", lines.encode())})
        self._ask("DELETE", f"/client/v4/zones/{zone}")

    def _refused(self) -> None:
        """Send bodies that are refused: broken, deep, full of mistakes."""
        path = f"{self._account()}/load_balancers/pools"
        bad = {"name": "bad", "origins": [{"name": f"o{number}", "address": "no address!"} for number in range(99)]}
        with self._server.local as client:
            for content in (b"{", b"[" * 5000, b"\xff" * 1000, b'{"name":' + b" " * 100_000):
                assert client.post(path, content=content).status_code == 400, content[:20]
            assert client.post(path, json=bad).status_code == 400

    def _lists(self) -> None:
        account, zone = self._account(), self._zone()
        for path in (
            f"{account}/load_balancers/pools", f"{zone}/load_balancers", f"{zone}/dns_records", "/client/v4/zones",
            "/lbdns/v1/revisions",
        ):  # fmt: skip
            self._ask("GET", path)
        self.subject.server.health()

    def _idle(self) -> None:
        """Hold connections to the API that say nothing; the API answers meanwhile."""
        host, _, port = self._server.api.removeprefix("http://").rpartition(":")
        with contextlib.ExitStack() as held:
            for _ in range(IDLE_CONNECTIONS):
                held.enter_context(socket.create_connection((host, int(port)), 5.0))
            self._ask("GET", "/client/v4/accounts")
            time.sleep(IDLE_S)


class EndpointDisturber(Disturber):
    """Takes endpoints down and raises them up again, for all servers at once."""

    def __init__(
        self, subjects: list[Subject], chronicle: Chronicle, pause_s: float, seed: int, played: PlayedElsewhere
    ) -> None:
        """Prepare."""
        super().__init__(subjects[0], chronicle, pause_s, seed)
        self._subjects = subjects
        self._played = played

    def disturbances(self) -> list[Disturbance]:
        """Return the one thing: a change of one endpoint."""
        return [Disturbance("endpoint changed", self._change)]

    def _change(self) -> None:
        down = sorted(self._played.down)
        is_raised = bool(down) and (len(down) >= DOWN_MAX or self.random.random() < 0.5)
        address = self.random.choice(down if is_raised else sorted(set(GOOD) - set(down)))
        after = self._played.down ^ {address}
        for subject in self._subjects:
            subject.served.endpoints_change(after)
        (self._played.raise_up if is_raised else self._played.take_down)(address)
        if self.stopping.wait(NOTICE_S):
            return  # both is right until the end
        for subject in self._subjects:
            subject.served.endpoints_changed(after, 0.0)
