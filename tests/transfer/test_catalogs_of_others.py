"""Catalog zones between lbdns and others: BIND and Knot DNS take the zones that a catalog of ours lists, and those that
theirs list are taken here. NSD 4.6 knows no catalogs."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest
import yaml

from lbdns.dns.name import encode_canonical, show_name
from lbdns.model.catalog_settings import CatalogMember
from lbdns.testing import running_server
from lbdns.transfer.catalog.catalog_members import CatalogMembers
from tests.answer.unbound import free_port, program

pytestmark = pytest.mark.process

WAIT_S = 30.0
SECRET = b64encode(b"a secret of thirty-two octets....").decode()
OUR_CATALOG, THEIR_CATALOG, THEIR_OTHER = "ours.example", "theirs.example", "theirs-too.example"
OUR_OTHER = "ours-too.example"
GROUPED = frozenset({"three.test"})
GROUP = "nodes eu"
"""Of `three.test` in their catalog; a space, as a group is text and no name."""
TAKEN_OVER = f"adding zone 'one.example' from catalog '{OUR_OTHER}' - success"
"""What BIND says of a zone that goes from one catalog of ours to the other."""
OUR_GROUP = "special"
"""Of `one.example` in ours: Knot DNS takes it by the template of that name, BIND by none."""


def zone_text(address: str, serial: int = 1) -> str:
    """Return a master file with an address at `www`."""
    return f"$TTL 60\n@ SOA ns admin {serial} 1 1 3600 60\n@ NS ns\nns A 192.0.2.53\nwww A {address}\n"


def answer(port: int, name: str) -> str | None:
    """Return the address that a server gives for a name, None where it gives none."""
    question = dns.message.make_query(name, "A")
    with contextlib.suppress(OSError, dns.exception.DNSException):
        reply = dns.query.udp(question, "127.0.0.1", timeout=1, port=port)
        if reply.rcode() == dns.rcode.NOERROR and reply.answer:
            return str(reply.answer[0][0])
    return None


def wait_for(holds: Callable[[], bool], what: Callable[[], str]) -> None:
    """Return when something holds."""
    end_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end_s, what()
        time.sleep(0.2)


def members(state_dir: Path) -> Iterable[CatalogMember]:
    """Return the zones that catalogs of theirs list, as lbdns has them."""
    return CatalogMembers(state_dir).members(dict.fromkeys(map(encode_canonical, (THEIR_CATALOG, THEIR_OTHER))), ())


def groups_taken(state_dir: Path) -> dict[str, str]:
    """Return these zones with their groups."""
    return {show_name(one.apex): one.group for one in members(state_dir)}


def owners(state_dir: Path) -> dict[str, str]:
    """Return these zones with the catalogs that they are here for."""
    return {show_name(one.apex): show_name(one.catalog) for one in members(state_dir)}


class CatalogPeer:
    """Another server: it takes our catalog from `port_here`, and lists zones of its own, kept in `folder`."""

    def __init__(self, kind: str, folder: Path, port_here: int, port: int) -> None:
        self.kind, self.folder, self.here, self.port = kind, folder, port_here, port
        self.process: subprocess.Popen[bytes] | None = None
        self.ours: tuple[str, ...] = (OUR_CATALOG,)
        """The catalogs of ours that it takes."""
        self.leaving: frozenset[str] = frozenset()
        """Of BIND's zones, which its catalog lets go to its other one."""
        self.gone: frozenset[str] = frozenset()
        """Which its catalog does not list any more."""
        self.moved: frozenset[str] = frozenset()
        """Which that other one lists."""
        folder.mkdir()

    def start(self, listed: dict[str, str]) -> None:
        """Start it with zones that its catalog lists, with an address each."""
        command = self._bind(listed) if self.kind == "bind" else self._knot(listed)
        with (self.folder / "log").open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, cwd=self.folder)

    def log(self) -> str:
        """Return what it said."""
        return (self.folder / "log").read_text(errors="replace")[-6000:]

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def relist(self, listed: dict[str, str], serial: int) -> None:
        """Have its catalog list other zones."""
        assert self.process is not None
        if self.kind == "bind":
            self._bind(listed, serial)
            self.process.send_signal(signal.SIGHUP)
        else:
            self._knot(listed)
            command = [program("knotc"), "-c", str(self.folder / "knot.conf"), "-b", "reload"]
            subprocess.run(command, check=True, capture_output=True, timeout=WAIT_S)

    def _bind(self, listed: dict[str, str], serial: int = 1) -> list[str]:
        zones = ""
        lines = f'$TTL 0\n@ SOA invalid. invalid. {serial} 1 1 3600 0\n@ NS invalid.\nversion TXT "2"\n'
        for name, address in listed.items():
            (self.folder / f"{name}.zone").write_text(zone_text(address))
            zones += f'zone "{name}" {{ type primary; file "{self.folder}/{name}.zone"; }};\n'
            if name in self.gone:
                continue
            lines += f"{name.replace('.', '-')}.zones PTR {name}.\n"
            if name in GROUPED:
                lines += f'group.{name.replace(".", "-")}.zones TXT "{GROUP}"\n'
            if name in self.leaving:
                lines += f"coo.{name.replace('.', '-')}.zones PTR {THEIR_OTHER}.\n"
        (self.folder / "catalog.zone").write_text(lines)
        lines = f'$TTL 0\n@ SOA invalid. invalid. {serial} 1 1 3600 0\n@ NS invalid.\nversion TXT "2"\n'
        lines += "".join(f"m{number}.zones PTR {name}.\n" for number, name in enumerate(sorted(self.moved)))
        (self.folder / "other.zone").write_text(lines)
        primaries = f"{{ 127.0.0.1 port {self.here} key peer; }}"
        taken = "".join(
            f'zone "{name}" default-primaries {primaries} in-memory yes min-update-interval 1; ' for name in self.ours
        )
        catalogs = "".join(
            f'zone "{name}" {{ type secondary; primaries {primaries}; file "{self.folder}/{name}"; notify no; }};\n'
            for name in self.ours
        )
        (self.folder / "named.conf").write_text(f"""
key "peer" {{ algorithm hmac-sha256; secret "{SECRET}"; }};
options {{
  directory "{self.folder}"; pid-file "{self.folder}/pid"; session-keyfile "{self.folder}/session.key";
  lock-file none; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
  allow-transfer {{ key peer; }}; notify explicit; notify-delay 0; serial-query-rate 100;
  also-notify {{ 127.0.0.1 port {self.here} key peer; }};
  min-refresh-time 1; min-retry-time 1;
  catalog-zones {{ {taken} }};
}};
controls {{ }};
{catalogs}
zone "{THEIR_CATALOG}" {{ type primary; file "{self.folder}/catalog.zone"; }};
zone "{THEIR_OTHER}" {{ type primary; file "{self.folder}/other.zone"; }};
{zones}""")
        return [program("named"), "-g", "-c", str(self.folder / "named.conf")]

    def _knot(self, listed: dict[str, str]) -> list[str]:
        zones = ""
        for name, address in listed.items():
            (self.folder / f"{name}.zone").write_text(zone_text(address))
            zones += f"""  - domain: {name}
    file: "{self.folder}/{name}.zone"
    acl: out
    zonefile-sync: -1
    notify: lb
    catalog-role: member
    catalog-zone: {THEIR_CATALOG}
"""
            if name in GROUPED:
                zones += f'    catalog-group: "{GROUP}"\n'
        catalogs = "".join(
            f"""  - domain: {name}
    master: lb
    acl: in
    catalog-role: interpret
    catalog-template: [taken, {OUR_GROUP}]
    refresh-max-interval: 2
"""
            for name in self.ours
        )
        (self.folder / "db").mkdir(exist_ok=True)
        (self.folder / "knot.conf").write_text(f"""
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
  - id: peer
    algorithm: hmac-sha256
    secret: {SECRET}
remote:
  - id: lb
    address: 127.0.0.1@{self.here}
    key: peer
acl:
  - id: out
    address: 127.0.0.1
    key: peer
    action: transfer
  - id: in
    address: 127.0.0.1
    action: notify
template:
  - id: default
    storage: "{self.folder}"
  - id: taken
    master: lb
    acl: in
    zonefile-sync: -1
    refresh-min-interval: 2
  - id: {OUR_GROUP}
    master: lb
    acl: in
    file: "{self.folder}/{OUR_GROUP}-%s"
    zonefile-sync: 0
    refresh-min-interval: 2
zone:
{catalogs}  - domain: {THEIR_CATALOG}
    acl: out
    notify: lb
    catalog-role: generate
{zones}""")
        return [program("knotd"), "-c", str(self.folder / "knot.conf")]


def settings(port: int) -> dict[str, object]:
    """Return what lbdns is told: whom it tells, and whose catalog it takes."""
    peer = {"address": f"127.0.0.1:{port}", "key": "peer"}
    return {
        "keys": [{"name": "peer", "secret": SECRET}],
        "access": {"transfer": [{"key": "peer"}], "notify": [{"key": "peer"}]},
        "zones": {
            OUR_CATALOG: {
                "catalog": {"role": "producer", "groups": {OUR_GROUP: ["one.example"]}},
                "also_notify": [peer],
            },
            THEIR_CATALOG: {"catalog": "consumer", "primaries": [peer]},
        },
    }


@pytest.mark.parametrize("kind", ["bind", "knot"])
def test_zones_travel_by_catalogs_both_ways(kind: str, tmp_path: Path) -> None:
    port = free_port()
    zones = {"one.example": zone_text("192.0.2.1"), "two.example": zone_text("192.0.2.2")}
    with running_server({"settings": settings(port), "zones": zones}, tmp_path) as server:
        peer = CatalogPeer(kind, tmp_path / kind, server.port, port)
        try:
            peer.start({"three.test": "192.0.2.3", "four.test": "192.0.2.4"})
            wait_for(lambda: answer(port, "www.one.example") == "192.0.2.1", peer.log)
            wait_for(lambda: answer(port, "www.two.example") == "192.0.2.2", peer.log)
            wait_for(lambda: answer(server.port, "www.three.test") == "192.0.2.3", peer.log)
            wait_for(lambda: answer(server.port, "www.four.test") == "192.0.2.4", peer.log)
            (server.directory / "five.example.zone").write_text(zone_text("192.0.2.5"))
            (server.directory / "two.example.zone").unlink()
            peer.relist({"three.test": "192.0.2.3", "six.test": "192.0.2.6"}, 2)
            wait_for(lambda: answer(port, "www.five.example") == "192.0.2.5", peer.log)
            wait_for(lambda: answer(port, "www.two.example") is None, peer.log)
            wait_for(lambda: answer(server.port, "www.six.test") == "192.0.2.6", peer.log)
            wait_for(lambda: answer(server.port, "www.four.test") is None, peer.log)
            assert answer(server.port, "www.three.test") == "192.0.2.3"
            assert groups_taken(server.state_dir) == {"three.test": GROUP, "six.test": ""}
            if kind == "knot":
                wait_for(lambda: (peer.folder / f"{OUR_GROUP}-one.example").exists(), peer.log)
                assert not (peer.folder / f"{OUR_GROUP}-five.example").exists(), "it is in no group"
        finally:
            peer.stop()


def test_a_zone_goes_from_one_catalog_of_binds_to_another(tmp_path: Path) -> None:
    port, listed = free_port(), {"go.test": "192.0.2.3", "stay.test": "192.0.2.4"}
    said = settings(port)
    other = {"catalog": "consumer", "primaries": [{"address": f"127.0.0.1:{port}", "key": "peer"}]}
    zones = said["zones"]
    assert isinstance(zones, dict)
    zones[THEIR_OTHER] = other
    own = {"one.example": zone_text("192.0.2.1")}
    with running_server({"settings": said, "zones": own}, tmp_path) as server:
        peer = CatalogPeer("bind", tmp_path / "bind", server.port, port)
        try:
            peer.start(listed)
            wait_for(lambda: {name: answer(server.port, f"www.{name}") for name in listed} == listed, peer.log)
            peer.leaving, peer.moved = frozenset({"go.test"}), frozenset({"go.test", "stay.test"})
            peer.relist(listed, 2)
            moved = {"go.test": THEIR_OTHER, "stay.test": THEIR_CATALOG}
            wait_for(lambda: owners(server.state_dir) == moved, lambda: str(owners(server.state_dir)))
            peer.gone = peer.leaving
            peer.relist(listed, 3)
            kept = server.state_dir / "catalogs.json"
            wait_for(lambda: kept.read_text().count(encode_canonical("go.test").hex()) == 1, peer.log)
            assert owners(server.state_dir) == moved
            assert {name: answer(server.port, f"www.{name}") for name in listed} == listed
        finally:
            peer.stop()


def test_a_zone_goes_from_one_catalog_of_ours_to_another(tmp_path: Path) -> None:
    """In the order of docs/transfers.md: BIND looks for the word of the first when the second comes, and not again."""
    port, names = free_port(), ("one.example", "two.example")
    said = settings(port)
    peer_here = {"address": f"127.0.0.1:{port}", "key": "peer"}

    def catalogs(ours: Sequence[str], other: Sequence[str], coo: Sequence[str] = ()) -> dict[str, Any]:
        going = {OUR_OTHER: [*coo]} if coo else {}
        here: dict[str, dict[str, Any]] = {
            OUR_CATALOG: {"zones": [*ours], "coo": going},
            OUR_OTHER: {"zones": [*other]},
        }
        return {
            name: {"catalog": {**one, "role": "producer"}, "also_notify": [peer_here]} for name, one in here.items()
        }

    said["zones"] = catalogs(names, ())
    own = {name: zone_text(f"192.0.2.{number}") for number, name in enumerate(names, 1)}
    with running_server({"settings": said, "zones": own}, tmp_path) as server:

        def put(ours: Sequence[str], other: Sequence[str], coo: Sequence[str] = ()) -> None:
            path = server.directory / "lbdns.yaml"
            path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "zones": catalogs(ours, other, coo)}))

        peer = CatalogPeer("bind", tmp_path / "bind", server.port, port)
        peer.ours = (OUR_CATALOG, OUR_OTHER)
        try:
            peer.start({})
            wait_for(lambda: [answer(port, f"www.{name}") for name in names] == ["192.0.2.1", "192.0.2.2"], peer.log)
            put(names, (), ["one.example"])
            wait_for(lambda: f"updating catalog zone '{OUR_CATALOG}' with serial 2" in peer.log(), peer.log)
            put(names, ["one.example"], ["one.example"])
            wait_for(lambda: TAKEN_OVER in peer.log(), peer.log)
            put((), ["one.example"])
            wait_for(lambda: answer(port, "www.two.example") is None, peer.log)
            wait_for(lambda: answer(port, "www.one.example") == "192.0.2.1", peer.log)
        finally:
            peer.stop()
