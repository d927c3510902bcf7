"""A server under load that faults are put into: what they may do to it, and how its state is asked for."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from lbdns.base.errors import LbdnsError
from lbdns.testing import LbdnsServer, ServerError
from tests.store.served import StoreServer
from tests.strain.asking import Tally
from tests.strain.endpoints import PlayedElsewhere
from tests.strain.process_tree import MONITOR, SUPERVISOR
from tests.strain.served import CHANGED, ZONE, zone_text
from tests.strain.subject import LoadPlan, Subject, files_subject, store_subject
from tests.strain.truth import NSID, PLAIN, addresses

FILES, STORE = "files", "store"
KINDS = (FILES, STORE)
SHARED_MEMORY = Path("/dev/shm")
SHARED_SIZE, STATE_SIZE = "96m", "64m"
ZONES = 8
POLL_S = 0.02
PAGE_BYTES = 1 << 16


class Rig:
    """One server under load. Faults are put in while it serves, and taken out again."""

    def __init__(self, kind: str, subject: Subject, played: PlayedElsewhere, random: Random) -> None:
        """Begin; `kind` is what it serves."""
        self.kind = kind
        self.subject = subject
        self.played = played
        self.random = random
        self.tally = Tally()
        self._numbers = itertools.count(1)

    @property
    def server(self) -> LbdnsServer:
        """The server."""
        return self.subject.server

    @property
    def store(self) -> StoreServer:
        """The server, where it serves a store."""
        assert isinstance(self.server, StoreServer)
        return self.server

    def take(self) -> Tally:
        """Return what came of the queries since this was last asked."""
        taken = self.subject.asker.take()
        self.tally.add(taken)
        return taken

    def responders(self) -> list[int]:
        """Return the process ids of the responders at work, 0 for one that is dead."""
        return [one["pid"] for one in self.server.status()["responders"]]

    def monitor(self) -> int:
        """Return the process id of the monitor worker, 0 where it is dead."""
        pid: int = self.server.status()["monitor"]["pid"]
        return pid

    def supervisor(self) -> int:
        """Return the process id of the supervisor."""
        return self.server.pid

    def own_kib(self, role: str) -> int:
        """Return what the processes of a role hold for themselves."""
        return sum(one.own_kib for one in self.subject.processes() if one.role == role)

    def why_not_whole(self) -> str:
        """Return what the server lacks of what it should be, "" for nothing."""
        try:
            status, health = self.server.status(), self.server.health()
        except LbdnsError as error:
            return str(error)
        if not status["ready"]:
            return "it is not ready"
        if 0 in self.responders():
            return "a responder is dead"
        if not status["spare_responder"]["pid"]:
            return "there is no spare"
        silent_s = health["monitor"]["silent_s"]
        if not self.monitor() or silent_s is None or silent_s > 1.0:
            return f"the monitor worker has been silent for {silent_s} s"
        roles = [one.role for one in self.subject.processes()]
        return "" if roles.count(SUPERVISOR) == roles.count(MONITOR) == 1 else f"its processes are {sorted(roles)}"

    def change(self) -> str:
        """Change what is answered, by file or API; returns why that was refused, "" where it is served."""
        question = self.subject.served.host
        address = f"10.79.{self.random.randrange(256)}.{next(self._numbers)}"
        before = [reply for reply, until_s in question.right.items() if until_s == float("inf")]
        question.begin([addresses(address)])
        try:
            if self.kind == FILES:
                self.server.reload({f"{ZONE}.zone": zone_text(address)})
            else:
                self._change_record(address)
        except (ServerError, LbdnsError, OSError, RuntimeError) as error:
            if self.kind == STORE:
                question.settle(before)
            return str(error)  # of files: what lies there may be served by itself soon
        question.settle([addresses(address)])
        return ""

    def _change_record(self, address: str) -> None:
        import httpx

        with self.store.local as client:
            try:
                zone = client.get("/client/v4/zones", params={"name": ZONE}).json()["result"][0]["id"]
                path = f"/client/v4/zones/{zone}/dns_records"
                (record,) = client.get(path, params={"name": f"{CHANGED}.{ZONE}", "type": "A"}).json()["result"]
                reply = client.patch(f"{path}/{record['id']}", json={"content": address})
            except (httpx.HTTPError, LookupError, ValueError) as error:
                raise RuntimeError(f"{type(error).__name__}: {error}") from error
        if not reply.is_success:
            raise RuntimeError(reply.text[:500])

    def end(self, graceful: bool) -> None:
        """End the supervisor: gently with its children, when nobody answers nor asks until `begin`; or it alone."""
        assert self.server.process is not None
        if graceful:
            self.subject.asker.paused.set()
            time.sleep(0.5)
            self.server.stop()
        else:
            self.server.process.kill()
            self.server.process.wait()

    def begin(self) -> None:
        """Start it again; raises ServerError."""
        self.server.start()
        self.subject.asker.paused.clear()


@contextlib.contextmanager
def rig_of(
    kind: str, work: Path, played: PlayedElsewhere, load: LoadPlan, random: Random, environment: Mapping[str, str]
) -> Iterator[Rig]:
    """Run a server with a load; `environment` is the server's alone, beside what it has anyway."""
    before = dict(os.environ)
    work.mkdir()
    state = work / "state"
    state.mkdir(mode=0o700)
    is_mounted = mount(state, STATE_SIZE)
    os.environ.update(environment)
    make = files_subject if kind == FILES else store_subject
    try:
        with make(work, played, ZONES, load) as subject:
            yield Rig(kind, subject, played, random)
    finally:
        os.environ.clear()
        os.environ.update(before)
        if is_mounted:
            subprocess.run(["umount", "--lazy", state], check=False)


def mount(place: Path, size: str) -> bool:
    """Put a file system of its own at a place; False where this process may not."""
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "none", place], capture_output=True)
    return made.returncode == 0


def remount(place: Path, option: str) -> None:
    """Give the file system at a place another option."""
    subprocess.run(["mount", "-o", f"remount,{option}", place], check=True, capture_output=True)


def fill(directory: Path) -> Path:
    """Fill the file system of a directory to the last octet; returns the file that does."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (PAGE_BYTES, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    return filler


def slowest(rig: Rig) -> float:
    """Return how late the latest answer of a while was, in seconds; over UDP."""
    taken = rig.take()
    return max([*taken.latencies_s[PLAIN], *taken.latencies_s[NSID]], default=0.0)


def until(holds: Any, seconds: float) -> float:
    """Wait until something holds and return how long it took; infinity where it does not within `seconds`."""
    began_s = time.monotonic()
    while True:
        with contextlib.suppress(LbdnsError, ServerError, OSError, LookupError):
            if holds():
                return time.monotonic() - began_s
        if time.monotonic() - began_s > seconds:
            return float("inf")
        time.sleep(POLL_S)
