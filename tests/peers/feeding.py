"""A server under test that has its zone from NSD, Knot or BIND, which changes at random: restarts and kills of both.

Whatever happens, the serial that the server serves never goes backwards, and whenever it is waited for, its zone is its
primary's record by record, with a load balancer over it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import dns.tsig

from lbdns.dns.serial import SERIALS, is_newer
from lbdns.testing import LbdnsServer, write_files
from lbdns.transfer.zone_transfer_status import ZoneTransferStatus
from tests.answer.unbound import free_port, program
from tests.peers.random_records import COMMON, RandomRecords
from tests.peers.secondaries import records_in, serial_at, text_at, wait_until
from tests.transfer.real_primaries import ALGORITHM, APEX, KEY, PRIMARIES, SECRET, RealPrimary

FOLLOW_S: Final = 60.0
TAKEN_UP_S: Final = 20.0
COMPARE_S: Final = 20.0
LEAP: Final = SERIALS // 2 - 1
"""The greatest step that a serial may take (RFC 1982 section 3.1)."""
STEPS: Final = (1, 1, 1, 5, 1000)
LEAPS: Final = 0.02
"""A change."""
FOLLOWED: Final = 0.6
"""Changes that the server is seen to have before the next."""
TAKEN_UP: Final = 0.8
"""Changes that the primary at least is seen to have before the next; the rest comes without a pause."""
RELOAD_S: Final = 2.0
BALANCER: Final = f"lb.{APEX}"
STEERED: Final = "192.0.2.77"
HEAD: Final = f"$ORIGIN {APEX}.\n$TTL 300\n@ SOA ns1 hostmaster {{serial}} 2 1 3600 60\n"


class Feeding:
    """A server and its primary, with what the server served last. `changes`, `restarts`: what was done so far."""

    def __init__(self, folder: Path, kind: str, seed: int) -> None:
        self.rng = random.Random(f"{kind} {seed}")
        self.kind = kind
        self.folder = folder
        self.records = RandomRecords(self.rng, mixes_ttls=False)
        self.number = self.rng.randrange(SERIALS)
        self.port = free_port()
        self.primary: RealPrimary = PRIMARIES[kind](folder / "primary", self.port, True)
        self.primary.folder.mkdir(parents=True)
        self.changes = self.restarts = 0
        self._seen: int | None = None
        self._came = Counter[str]()

    @property
    def text(self) -> str:
        """The primary's zone as it is to be."""
        return HEAD.format(serial=self.number) + COMMON + self.records.lines()

    def _settings(self) -> dict[str, Any]:
        primaries = [{"address": f"127.0.0.1:{self.primary.port}", "key": KEY}]
        return {
            "listen": [f"127.0.0.1:{self.port}"],
            "keys": [{"name": KEY, "algorithm": ALGORITHM, "secret": self.primary.secret}],
            "access": {"transfer": [{"network": "127.0.0.0/8"}]},
            "zones": {APEX: {"primaries": primaries, "transfer": {"steered": "flatten"}}},
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[Feeding]:
        """Run both for a `with` block."""
        try:
            self.primary.start(self.text)
            pools = {"eu": {"origins": [{"name": "one", "address": STEERED}]}}
            balancer = {"name": BALANCER, "default_pools": ["eu"], "fallback_pool": "eu"}
            tree = {"settings": self._settings(), "pools": pools, "load_balancers": [balancer]}
            write_files(tree, self.folder / "config")
            self.server = LbdnsServer(self.folder / "config", self.folder, override=False)
            self.server.start()
            yield self
        finally:
            self.primary.stop(signal.SIGKILL)
            if hasattr(self, "server"):
                self.server.close()

    def told(self) -> str:
        """Return what was done, in words."""
        counts = self._came + self._counts()
        came = ", ".join(f"{counts[kind]} {kind.upper()}" for kind in ("ixfr", "axfr"))
        return f"{self.changes} changes, {self.restarts} restarts, {came}"

    def change(self) -> None:
        """Change the primary's zone, and look at what the server serves."""
        self.changes += 1
        self.records.change()
        if self.rng.random() < LEAPS:  # from a serial that the server has, else it would be one that goes back
            self.settle()
            self._raise(LEAP)
            self.settle()
            return
        self._raise(self.rng.choice(STEPS))
        draw = self.rng.random()
        if draw < FOLLOWED:
            self._await_server()
        elif draw < TAKEN_UP:
            self._await_primary()
        self.look()

    def _raise(self, step: int) -> None:
        self.number = (self.number + step) % SERIALS
        self.primary.change(self.text)

    def _await_primary(self) -> None:
        again_s = time.monotonic() + RELOAD_S

        def has_it() -> bool:
            nonlocal again_s
            serial = self.primary.serial()
            if serial is not None and serial != self.number and time.monotonic() > again_s:
                self.primary.reload()  # BIND and NSD may overlook what changes while they load
                again_s = time.monotonic() + RELOAD_S
            return serial == self.number

        what = f"{self.kind} does not take up its zone"
        wait_until(
            has_it, TAKEN_UP_S, what, lambda: f"{self.primary.serial()} for {self.number}\n{self.primary.log[-3000:]}"
        )

    def _await_server(self) -> None:
        self._await_primary()
        wait_until(
            lambda: serial_at(self.port, APEX) == self.number,
            FOLLOW_S,
            f"lbdns does not follow {self.kind}",
            lambda: f"{serial_at(self.port, APEX)} for {self.number}\n{self.primary.log[-2000:]}",
        )

    def restart_primary(self) -> None:
        """End the primary, by force or not, and start it again; its zone may change meanwhile."""
        self.restarts += 1
        self.primary.stop(self.rng.choice((signal.SIGKILL, signal.SIGTERM)))
        if self.rng.random() < 0.5:
            self.records.change()
            self.number = (self.number + 1) % SERIALS
        self.look()
        port = self.primary.port
        self.primary.start(self.text)
        if self.primary.port != port:
            self.server.reload({"lbdns.yaml": json.dumps(self._settings())})

    def restart_server(self) -> None:
        """End the server, its supervisor alone or its transfer worker, by force or not, and start it again."""
        self.restarts += 1
        self._came += self._counts()
        how = self.rng.choice(("stop", "kill", "kill all", "kill the worker"))
        if how == "kill the worker":
            os.kill(self.server.status()["transfer"]["pid"], signal.SIGKILL)
            return
        if how == "stop":
            self.server.stop()
        elif how == "kill all":
            self.server.kill()
        else:
            os.kill(self.server.pid, signal.SIGKILL)
            self.server.process.wait()  # type: ignore[union-attr]
        self.server.start()

    def look(self) -> None:
        """Ask the server for its serial: it may not be older than it was."""
        serial = serial_at(self.port, APEX)
        if serial is None:
            return
        if self._seen is not None and is_newer(self._seen, serial):
            raise AssertionError(f"lbdns served {APEX} with serial {self._seen}, and then {serial}")
        self._seen = serial

    def settle(self) -> None:
        """Wait until the server has what its primary has, and hold it against that record by record."""
        self._await_server()
        self.look()
        theirs = text_at(self.primary.port, APEX, dns.tsig.Key(KEY, SECRET, ALGORITHM))
        ours = text_at(self.port, APEX)
        steered = f"{BALANCER}. "
        mine = [line for line in ours.splitlines() if line.startswith(steered)]
        assert [line.rpartition(" ")[2] for line in mine] == [STEERED], mine
        rest = "".join(f"{line}\n" for line in ours.splitlines() if not line.startswith(steered))
        assert (found := records_in(rest, APEX)) == (wanted := records_in(theirs, APEX)), sorted(found ^ wanted)[:10]
        self._compare(theirs, rest)

    def _compare(self, theirs: str, ours: str) -> None:
        """Have ldns say the same of both."""
        paths = self.folder / "theirs", self.folder / "ours"
        for path, text in zip(paths, (theirs, ours), strict=True):
            path.write_text(text)
        command = [program("ldns-compare-zones"), "-a", "-s", "-e", *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPARE_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def _counts(self) -> Counter[str]:
        """Return what came since the transfer worker was started: it counts for itself."""
        said = self.server.ask("zone_transfers", zone=APEX)
        return Counter({} if not said else ZoneTransferStatus.from_json(said[0]).counts)  # type: ignore[index]
