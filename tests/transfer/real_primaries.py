"""NSD, Knot DNS and BIND as primaries of a zone: each on a port of its own, with a key, IXFR and NOTIFY."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import dns.exception
import dns.message
import dns.query
import dns.rcode

from tests.answer.unbound import free_port, program

APEX = "example.com"
KEY = "transfer-key"
ALGORITHM = "hmac-sha256"
SECRET = b"a secret of thirty-two octets...."
START_S = 20.0
STARTS = 5


def zone_text(serial: int, lines: str = "", expire_s: int = 3600) -> str:
    """Return a master file: SOA and NS, and these lines."""
    head = f"$ORIGIN {APEX}.\n$TTL 60\n@ SOA ns1 hostmaster {serial} 3600 300 {expire_s} 60\n@ NS ns1\n"
    return f"{head}ns1 A 192.0.2.53\n{lines}\n"


class RealPrimary(ABC):
    """A server with one zone. `port`: where it answers on 127.0.0.1; `notify`: whom it tells, with the port, 0: nobody;
    `signed`: whether transfers and NOTIFY are signed by KEY."""

    program: ClassVar[str]

    def __init__(self, folder: Path, notify: int = 0, signed: bool = True) -> None:
        """Describe it."""
        self.folder = folder
        self.notify = notify
        self.signed = signed
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.binary = program(self.program)

    @property
    def secret(self) -> str:
        """The secret in base 64."""
        return b64encode(SECRET).decode()

    @property
    def zone_file(self) -> Path:
        """The master file."""
        return self.folder / "zone"

    @property
    def user(self) -> str:
        """Who runs this."""
        return pwd.getpwuid(os.geteuid()).pw_name

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text(errors="replace")

    @abstractmethod
    def command(self) -> list[str]:
        """Write its settings; return how it is started."""

    def start(self, text: str) -> None:
        """Start it with a zone, and return when it answers."""
        self.put(text)
        for _ in range(STARTS):
            self.port = self.port or free_port()
            with (self.folder / "log").open("ab") as out:
                self.process = subprocess.Popen(self.command(), stdout=out, stderr=out, cwd=self.folder)
            if self._answers(self.process):
                return
            self.stop()
            self.port = 0
        raise AssertionError(self.log)

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        end_s = time.monotonic() + START_S
        while time.monotonic() < end_s and process.poll() is None:
            if self.serial() is not None:
                return True
            time.sleep(0.05)
        return False

    def serial(self) -> int | None:
        """Return the serial that it answers with, None where it does not."""
        question = dns.message.make_query(f"{APEX}.", "SOA")
        with contextlib.suppress(OSError, dns.exception.DNSException):
            reply = dns.query.udp(question, "127.0.0.1", timeout=0.5, port=self.port)
            if reply.rcode() == dns.rcode.NOERROR and reply.answer:
                return int(reply.answer[0][0].serial)
        return None

    def put(self, text: str) -> None:
        """Write the zone; `change` has it taken up."""
        self.zone_file.write_text(text)
        os.utime(self.zone_file, (time.time(), time.time()))

    def change(self, text: str) -> None:
        """Have it serve another zone."""
        self.put(text)
        self.reload()

    def reload(self) -> None:
        """Have it read its zone."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self.process is not None:
            self.process.send_signal(number)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
            self.process = None


class NsdPrimary(RealPrimary):
    """NSD."""

    program = "nsd"

    def command(self) -> list[str]:
        """Write nsd.conf."""
        key = KEY if self.signed else "NOKEY"
        notify = f"  notify: 127.0.0.1@{self.notify} {key}\n" if self.notify else ""
        settings = f"""
server:
  ip-address: 127.0.0.1@{self.port}
  username: "{self.user}"
  chroot: ""
  zonesdir: "{self.folder}"
  pidfile: "{self.folder}/pid"
  database: ""
  xfrdfile: "{self.folder}/xfrd"
  zonelistfile: "{self.folder}/zonelist"
  xfrdir: "{self.folder}"
  server-count: 1
remote-control:
  control-enable: no
key:
  name: "{KEY}"
  algorithm: {ALGORITHM}
  secret: "{self.secret}"
zone:
  name: "{APEX}"
  zonefile: "{self.zone_file}"
  provide-xfr: 127.0.0.1 {key}
  store-ixfr: yes
  create-ixfr: yes
{notify}"""
        (self.folder / "nsd.conf").write_text(settings)
        return [self.binary, "-d", "-c", str(self.folder / "nsd.conf")]


class KnotPrimary(RealPrimary):
    """Knot DNS."""

    program = "knotd"

    def command(self) -> list[str]:
        """Write knot.conf."""
        key = f"\n    key: {KEY}" if self.signed else ""
        remote = f"remote:\n  - id: other\n    address: 127.0.0.1@{self.notify or 1}{key}\n"
        settings = f"""
server:
  rundir: "{self.folder}"
  listen: 127.0.0.1@{self.port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
database:
  storage: "{self.folder}/db"
key:
  - id: {KEY}
    algorithm: {ALGORITHM}
    secret: {self.secret}
{remote}
acl:
  - id: out
    address: 127.0.0.1{key}
    action: transfer
zone:
  - domain: {APEX}
    file: "{self.zone_file}"
    storage: "{self.folder}"
    acl: out
    zonefile-load: difference
    zonefile-sync: -1
    journal-content: changes
{"    notify: other" if self.notify else ""}
"""
        (self.folder / "db").mkdir(exist_ok=True)
        (self.folder / "knot.conf").write_text(settings)
        return [self.binary, "-c", str(self.folder / "knot.conf")]

    def reload(self) -> None:
        """Have it read its zone."""
        command = [program("knotc"), "-c", str(self.folder / "knot.conf"), "-b", "zone-reload", APEX]
        subprocess.run(command, check=True, capture_output=True, timeout=START_S)


class BindPrimary(RealPrimary):
    """BIND."""

    program = "named"

    def command(self) -> list[str]:
        """Write named.conf."""
        key = f"key {KEY}; " if self.signed else ""
        who = f"key {KEY}" if self.signed else "any"
        notify = "notify no;"
        if self.notify:
            notify = f"notify explicit; also-notify {{ 127.0.0.1 port {self.notify} {key}; }};".replace("; ;", ";")
        settings = f"""
key "{KEY}" {{ algorithm {ALGORITHM}; secret "{self.secret}"; }};
options {{
  directory "{self.folder}";
  pid-file "{self.folder}/pid";
  session-keyfile "{self.folder}/session.key";
  lock-file none;
  listen-on port {self.port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  recursion no;
  allow-transfer {{ {who}; }};
  notify-delay 0;
  serial-query-rate 100;
  ixfr-from-differences yes;
}};
controls {{ }};
zone "{APEX}" {{ type primary; file "{self.zone_file}"; {notify} }};
"""
        (self.folder / "named.conf").write_text(settings)
        # A zone that was changed while it did not run is none that its journal leads to: it would not load it.
        self.zone_file.with_name(f"{self.zone_file.name}.jnl").unlink(missing_ok=True)
        return [self.binary, "-g", "-c", str(self.folder / "named.conf")]


PRIMARIES: dict[str, Callable[[Path, int, bool], RealPrimary]] = {
    "nsd": NsdPrimary,
    "knot": KnotPrimary,
    "bind": BindPrimary,
}


@contextlib.contextmanager
def running_primary(kind: str, folder: Path, text: str, notify: int = 0, signed: bool = True) -> Iterator[RealPrimary]:
    """Run a primary with a zone."""
    folder.mkdir(exist_ok=True)
    primary = PRIMARIES[kind](folder, notify, signed)
    try:
        primary.start(text)
        yield primary
    finally:
        primary.stop()
