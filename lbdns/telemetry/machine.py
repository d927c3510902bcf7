"""What lies on the machine and matters to the server: room on disks and in shared memory, the store, what operators
force, certificates and when they expire."""

from __future__ import annotations

import contextlib
import os
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.words import STORE_FILE
from lbdns.health import forced
from lbdns.telemetry.server_facts import ServerFacts

DAY_S: Final = 86400


class Room(NamedTuple):
    """What a file system has: bytes in all, and bytes that are free for us."""

    where: str
    path: Path
    size: int
    free: int

    @property
    def free_share(self) -> float:
        """The free part, from 0 to 1."""
        return self.free / self.size if self.size else 1.0


class CertificateFile(NamedTuple):
    """A certificate's file, and when it expires (unix seconds); None where that cannot be read."""

    path: Path
    expiry: float | None

    def days_left(self) -> float | None:
        """Return how many days it has left, below 0 where it has expired."""
        return None if self.expiry is None else (self.expiry - time.time()) / DAY_S


def rooms(facts: ServerFacts) -> list[Room]:
    """Return what the file systems of the state directory and of the run directory have; those that are there."""
    found = []
    for where, path in (("state", facts.state_dir), ("run", facts.run_dir)):
        try:
            has = os.statvfs(path)
        except OSError:
            continue
        found.append(Room(where, path, has.f_blocks * has.f_frsize, has.f_bavail * has.f_frsize))
    return found


def forced_count(facts: ServerFacts) -> int:
    """Return how many states operators force now; the monitor worker says what is wrong with their file."""
    with contextlib.suppress(LbdnsError):
        return sum(order.holds(time.time()) for order in forced.load(facts.state_dir))
    return 0


def store_bytes(facts: ServerFacts) -> int | None:
    """Return the size of the store's file with its write-ahead log, None where there is none."""
    file = facts.state_dir / STORE_FILE
    try:
        size = file.stat().st_size
    except OSError:
        return None
    with contextlib.suppress(OSError):
        size += file.with_name(f"{STORE_FILE}-wal").stat().st_size
    return size


def certificates(facts: ServerFacts) -> list[CertificateFile]:
    """Return the certificates that the configuration names: the API's, and those that probes show."""
    return [CertificateFile(path, _expiry(path)) for path in dict.fromkeys(_certificate_paths(facts))]


def _certificate_paths(facts: ServerFacts) -> Iterator[Path]:
    configuration = facts.published.configuration
    api = configuration.settings.api
    if api is not None and api.certificate is not None:
        yield api.certificate
    for monitor in configuration.monitors.values():
        if monitor.client_certificate is not None:
            yield Path(monitor.client_certificate)


def _expiry(path: Path) -> float | None:
    """Return when the first certificate of a PEM file expires. The standard library reads one that nobody has shown it
    over TLS by this function alone, which its own tests are for."""
    try:
        shown = ssl._ssl._test_decode_cert(os.fspath(path))  # type: ignore[attr-defined]
        return float(ssl.cert_time_to_seconds(shown["notAfter"]))
    except (OSError, ValueError, KeyError):
        return None
