"""Other people's servers as secondaries of a server under test: each a process of its own, with zones that it takes by
TSIG, and keeps over a restart."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.tsig
import dns.zone

from tests.answer.unbound import free_port, program

KEY_NAME: Final = "peers"
KEY_ALGORITHM: Final = "hmac-sha256"
KEY_SECRET: Final = "cGVlcnMtcGVlcnMtcGVlcnMtcGVlcnMtcGVlcnMtcGU="
STOP_S: Final = 10.0
ASK_S: Final = 2.0
HOST: Final = "127.0.0.1"


@dataclass
class Secondary:
    """One server: `kind`, its folder, its port, and where its primary is."""

    kind: str
    folder: Path
    zones: Sequence[str]
    primary_port: int
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Write its configuration; skips the test where the program is not installed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in WRITERS[self.kind](self).items():
            (self.folder / name).write_text(text)
        for command in PREPARATIONS[self.kind](self) if self.kind in PREPARATIONS else ():
            subprocess.run(command, check=True, capture_output=True, timeout=STOP_S)

    def start(self) -> None:
        """Start it; it may take a moment until it answers."""
        if (
            self.kind == "nsd"
        ):  # which would wait for a serial above one that it lost (findings/nsd-restart-stays-older)
            (self.folder / "xfrd.state").unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(COMMANDS[self.kind](self), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self, with_force: bool = False) -> None:
        """End it: by SIGTERM, or by SIGKILL."""
        if self.process is None:
            return
        (self.process.kill if with_force else self.process.terminate)()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    @property
    def log(self) -> str:
        """What it has said."""
        texts = [path.read_text(errors="replace") for path in self.folder.glob("*log") if path.is_file()]
        return "\n".join(texts)

    def serial(self, zone: str) -> int | None:
        """Return the serial that it serves, None where it does not."""
        return serial_at(self.port, zone)

    def text(self, zone: str) -> str:
        """Return a zone that it serves as a master file."""
        return text_at(self.port, zone)

    def content(self, zone: str) -> frozenset[str]:
        """Return the records that it serves."""
        return content_at(self.port, zone)


def text_at(port: int, zone: str, key: dns.tsig.Key | None = None) -> str:
    """Return a zone as a master file, a record a line; transferred by a key where one is given."""
    query = dns.message.make_query(zone, dns.rdatatype.AXFR)
    if key is not None:
        query.use_tsig(key)
    found = dns.zone.Zone(zone, relativize=False)
    dns.query.inbound_xfr(HOST, found, query, port=port, timeout=STOP_S, lifetime=3 * STOP_S)
    return found.to_text(relativize=False, want_origin=False)


def serial_at(port: int, zone: str) -> int | None:
    """Return the serial of a zone that a server serves, None where it does not."""
    query = dns.message.make_query(zone, dns.rdatatype.SOA)
    with contextlib.suppress(OSError, dns.exception.DNSException):
        reply = dns.query.udp(query, HOST, timeout=ASK_S, port=port)
        for rrset in reply.answer:
            if rrset.rdtype == dns.rdatatype.SOA:
                return int(rrset[0].serial)
    return None


def content_at(port: int, zone: str) -> frozenset[str]:
    """Return the records of a zone that a server serves, each in its canonical text."""
    return records_in(text_at(port, zone), zone)


def records_in(text: str, zone: str) -> frozenset[str]:
    """Return the records of a master file, each in its canonical text."""
    found = dns.zone.from_text(text, zone, relativize=False)
    lines = set()
    for name, rdataset in found.iterate_rdatasets():
        for rdata in rdataset:
            shown = rdata.to_generic().to_text() if rdata.rdtype > 255 else rdata.to_digestable().hex()
            lines.add(f"{name.to_text().lower()} {rdataset.ttl} {rdata.rdtype.name} {shown}")
    return frozenset(lines)


def _files_of_nsd(one: Secondary) -> dict[str, str]:
    folder = one.folder
    zones = "".join(
        f"""
zone:
    name: {zone}
    zonefile: {folder}/{zone}.zone
    request-xfr: {HOST}@{one.primary_port} {KEY_NAME}
    allow-notify: {HOST} NOKEY
    allow-notify: {HOST} {KEY_NAME}
    provide-xfr: {HOST} NOKEY
    min-refresh-time: 1
    max-refresh-time: 2
    min-retry-time: 1
    max-retry-time: 2
"""
        for zone in one.zones
    )
    text = f"""server:
    ip-address: {HOST}@{one.port}
    username: ""
    chroot: ""
    zonesdir: {folder}
    database: ""
    pidfile: {folder}/pid
    xfrdfile: {folder}/xfrd.state
    zonelistfile: {folder}/zone.list
    xfrdir: {folder}
    logfile: {folder}/nsd.log
    zonefiles-write: 2
    verbosity: 2
    rrl-ratelimit: 0
remote-control:
    control-enable: no
key:
    name: {KEY_NAME}
    algorithm: {KEY_ALGORITHM}
    secret: {KEY_SECRET}
{zones}"""
    return {"nsd.conf": text}


def _files_of_knot(one: Secondary) -> dict[str, str]:
    zones = "".join(f"  - domain: {zone}\n" for zone in one.zones)
    text = f"""server:
    listen: {HOST}@{one.port}
    rundir: {one.folder}
    pidfile: {one.folder}/pid
log:
  - target: stderr
    any: info
database:
    storage: {one.folder}
key:
  - id: {KEY_NAME}
    algorithm: {KEY_ALGORITHM}
    secret: {KEY_SECRET}
remote:
  - id: primary
    address: {HOST}@{one.primary_port}
    key: {KEY_NAME}
acl:
  - id: notified
    address: {HOST}
    key: {KEY_NAME}
    action: notify
  - id: anybody
    address: {HOST}
    action: [notify, transfer]
template:
  - id: default
    storage: {one.folder}
    master: primary
    acl: [notified, anybody]
    refresh-min-interval: 2
    refresh-max-interval: 2
    retry-min-interval: 2
    retry-max-interval: 2
    semantic-checks: off
zone:
{zones}"""
    return {"knot.conf": text}


def _files_of_bind(one: Secondary) -> dict[str, str]:
    zones = "".join(
        f"""
zone "{zone}" {{
    type secondary;
    primaries port {one.primary_port} {{ {HOST} key {KEY_NAME}; }};
    file "{one.folder}/{zone}.db";
    allow-notify {{ {HOST}; key {KEY_NAME}; }};
}};"""
        for zone in one.zones
    )
    text = f"""key {KEY_NAME} {{ algorithm {KEY_ALGORITHM}; secret "{KEY_SECRET}"; }};
options {{
    directory "{one.folder}";
    pid-file "{one.folder}/pid";
    session-keyfile "{one.folder}/session.key";
    listen-on port {one.port} {{ {HOST}; }};
    listen-on-v6 {{ none; }};
    recursion no;
    notify no;
    dnssec-validation no;
    allow-transfer {{ {HOST}; }};
    min-refresh-time 1; max-refresh-time 2; min-retry-time 1; max-retry-time 2;
}};
controls {{ }};
{zones}
"""
    return {"named.conf": text}


def _files_of_powerdns(one: Secondary) -> dict[str, str]:
    zones = "".join(
        f'zone "{zone}" {{ type slave; file "{one.folder}/{zone}.zone"; masters {{ {HOST}:{one.primary_port}; }}; }};\n'
        for zone in one.zones
    )
    settings = f"""launch=bind
bind-config={one.folder}/named.conf
bind-dnssec-db={one.folder}/keys.db
local-address={HOST}
local-port={one.port}
secondary=yes
xfr-cycle-interval=1
allow-axfr-ips={HOST}/32
allow-notify-from={HOST}/32
allow-unsigned-notify=yes
disable-syslog=yes
daemon=no
guardian=no
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
socket-dir={one.folder}
write-pid=no
"""
    return {"pdns.conf": settings, "named.conf": zones, **{f"{zone}.zone": "" for zone in one.zones}}


def _keys_of_powerdns(one: Secondary) -> Sequence[Sequence[str]]:
    util = [program("pdnsutil"), f"--config-dir={one.folder}"]
    if (one.folder / "keys.db").exists():
        return ()
    activated = [[*util, "activate-tsig-key", zone, KEY_NAME, "secondary"] for zone in one.zones]
    return (
        [*util, "create-bind-db", f"{one.folder}/keys.db"],
        [*util, "import-tsig-key", KEY_NAME, KEY_ALGORITHM, KEY_SECRET],
        *activated,
    )


WRITERS: Final[dict[str, Callable[[Secondary], dict[str, str]]]] = {
    "nsd": _files_of_nsd,
    "knot": _files_of_knot,
    "bind": _files_of_bind,
    "powerdns": _files_of_powerdns,
}
PREPARATIONS: Final[dict[str, Callable[[Secondary], Sequence[Sequence[str]]]]] = {"powerdns": _keys_of_powerdns}
COMMANDS: Final[dict[str, Callable[[Secondary], list[str]]]] = {
    "nsd": lambda one: [program("nsd"), "-d", "-c", f"{one.folder}/nsd.conf"],
    "knot": lambda one: [program("knotd"), "-c", f"{one.folder}/knot.conf"],
    "bind": lambda one: [program("named"), "-g", "-c", f"{one.folder}/named.conf", "-n", "1"],
    "powerdns": lambda one: [program("pdns_server"), f"--config-dir={one.folder}"],
}


def wait_until(condition: Callable[[], bool], seconds: float, what: str, more: Callable[[], str] = lambda: "") -> None:
    """Wait for something; raises AssertionError where it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} within {seconds:.0f} s\n{more()}")
        time.sleep(0.05)
