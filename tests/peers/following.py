"""A server under test whose zones change at random while secondaries follow it: reloads, restarts of either, kills.

Whatever happens, no serial that anybody serves goes backwards, and in the end everybody has the same records.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lbdns.dns.serial import is_newer
from lbdns.testing import LbdnsServer, write_files
from tests.answer.unbound import free_port
from tests.peers.random_records import COMMON, RandomRecords
from tests.peers.secondaries import (
    KEY_ALGORITHM,
    KEY_NAME,
    KEY_SECRET,
    Secondary,
    content_at,
    serial_at,
    wait_until,
)

KINDS: Final = ("nsd", "knot", "bind", "powerdns")
PLAIN, STEERED, SIGNED = "plain.example", "steered.example", "signed.example"
ZONES: Final = (PLAIN, STEERED, SIGNED)
FOLLOW_S: Final = 60.0
HEAD: Final = "$TTL 300\n@ SOA ns1 hostmaster {serial} 2 1 3600 60\n"
BALANCERS: Final[dict[str, Any]] = {
    "pools": {
        "one": {"monitor": "web", "origins": [{"name": "a", "address": "127.0.0.11"}, {"name": "b", "address": "::1"}]},
        "two": {"origins": [{"name": "c", "address": "192.0.2.20"}]},
    },
    "monitors": {"web": {"type": "tcp", "interval": 5, "timeout": 1}},
    "load_balancers": [
        {"name": f"{label}{zone}", "default_pools": ["one"], "fallback_pool": "two"}
        for zone in (STEERED, SIGNED)
        for label in ("", "www.", "*.apps.")
    ],
}


class ChangingZones:
    """The zones of the server, as texts; `change` gives another one."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._serial = dict.fromkeys(ZONES, 1)
        self._records = {zone: RandomRecords(rng, mixes_ttls=True) for zone in ZONES}

    def texts(self, serial: int | None = None) -> dict[str, str]:
        """Return all zones, with a serial of theirs where one is given."""
        return {zone: self._text(zone, serial) for zone in ZONES}

    def change(self) -> tuple[str, str]:
        """Change a zone; return which, and its text."""
        zone = self._rng.choice(ZONES)
        self._records[zone].change()
        # Mostly the serial is left as it is, as people do; sometimes it rises, or goes back.
        self._serial[zone] = self._rng.choice((self._serial[zone], self._serial[zone], self._serial[zone] + 5, 1))
        return zone, self._text(zone)

    def _text(self, zone: str, serial: int | None = None) -> str:
        head = HEAD.format(serial=self._serial[zone] if serial is None else serial)
        return head + COMMON + self._records[zone].lines()


class Following:
    """A server and its secondaries, with what each served last."""

    def __init__(self, folder: Path, kinds: Sequence[str], seed: int) -> None:
        self.rng = random.Random(seed)
        self.zones = ChangingZones(self.rng)
        self.folder = folder
        self.port, self.endpoint_port = free_port(), free_port()
        self.secondaries = [Secondary(kind, folder / kind, ZONES, self.port) for kind in kinds]
        self.tree: Mapping[str, Any] = {
            "settings": self._settings(),
            "zones": self.zones.texts(),
            **BALANCERS,
            "monitors": {"web": {**BALANCERS["monitors"]["web"], "port": self.endpoint_port}},
        }
        write_files(self.tree, folder / "config")
        self.server = LbdnsServer(folder / "config", folder, override=False)
        self._seen: dict[tuple[str, str], int] = {}
        self.restarts = self.changes = self.flips = 0
        self._endpoint: socket.socket | None = None

    def _settings(self) -> dict[str, Any]:
        notified = [{"address": f"127.0.0.1:{one.port}", "key": KEY_NAME} for one in self.secondaries]
        flatten = {"also_notify": notified, "transfer": {"steered": "flatten"}}
        return {
            "listen": [f"127.0.0.1:{self.port}"],
            "pop": {"code": "AMS"},
            "keys": [{"name": KEY_NAME, "algorithm": KEY_ALGORITHM, "secret": KEY_SECRET}],
            "access": {"transfer": [{"key": KEY_NAME}, {"network": "127.0.0.0/8"}]},
            "zones": {PLAIN: {"also_notify": notified}, STEERED: flatten, SIGNED: flatten},
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[Following]:
        """Run all of them for a `with` block."""
        try:
            for one in self.secondaries:
                one.prepare()
            self.server.start()
            self.server.ask("dnssec", verb="enable", zone=SIGNED)
            for one in self.secondaries:
                one.start()
            yield self
        finally:
            for one in self.secondaries:
                one.stop(with_force=True)
            self.server.close()
            if self._endpoint is not None:
                self._endpoint.close()

    def told(self) -> str:
        """Return what was done, in words."""
        return f"{self.changes} changes, {self.restarts} restarts, {self.flips} flips"

    def flip(self) -> None:
        """Take the endpoint of a pool down, or up again."""
        self.flips += 1
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None
        else:
            self._endpoint = socket.create_server(("127.0.0.11", self.endpoint_port))

    def change(self) -> None:
        """Change something, and look at what everybody serves."""
        self.changes += 1
        zone, text = self.zones.change()
        self.server.reload({f"{zone}.zone": text})
        self.look()

    def restart_server(self) -> None:
        """End the server, by force or not, and start it again."""
        self.restarts += 1
        if self.rng.random() < 0.5:
            self.server.process.kill()  # type: ignore[union-attr]
            self.server.process.wait()  # type: ignore[union-attr]
        else:
            self.server.stop()
        self.server.start()

    def restart_secondary(self) -> None:
        """End a secondary, by force or not, and start it again: it begins with what it wrote last, maybe an older
        zone (NSD writes by the clock)."""
        self.restarts += 1
        one = self.rng.choice(self.secondaries)
        one.stop(with_force=self.rng.random() < 0.5)
        for zone in ZONES:
            self._seen.pop((one.kind, zone), None)
        one.start()

    def look(self) -> None:
        """Ask everybody for the serials: none may be older than it was."""
        for zone in ZONES:
            self._note("lbdns", zone, serial_at(self.port, zone))
            for one in self.secondaries:
                self._note(one.kind, zone, one.serial(zone))

    def _note(self, kind: str, zone: str, serial: int | None) -> None:
        if serial is None:
            return
        before = self._seen.get((kind, zone))
        if before is not None and is_newer(before, serial):
            raise AssertionError(f"{kind} served {zone} with serial {before}, and then {serial}")
        self._seen[kind, zone] = serial

    def settle(self) -> None:
        """Wait until everybody has what the server has, and hold it against that record by record."""
        for zone in ZONES:
            for one in self.secondaries:
                self._await(one, zone)
        self.look()
        for zone in ZONES:
            wanted = content_at(self.port, zone)
            for one in self.secondaries:
                found = one.content(zone)
                assert found == wanted, f"{one.kind}, {zone}: {sorted(found ^ wanted)[:10]}"

    def _await(self, one: Secondary, zone: str) -> None:
        """Wait until a secondary has the serial of a zone that the server has."""

        def is_there() -> bool:
            return one.serial(zone) == serial_at(self.port, zone) is not None

        def told() -> str:
            return f"{one.serial(zone)} for {serial_at(self.port, zone)}\n{one.log[-3000:]}"

        wait_until(is_there, FOLLOW_S, f"{one.kind} does not follow {zone}", told)
