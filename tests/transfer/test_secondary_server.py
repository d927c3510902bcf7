"""A server as secondary: what it serves of a zone that comes from a primary, with load balancers over it."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

import dns.edns
import dns.message
import dns.query
import dns.rcode
import pytest

from lbdns.dns.codes import TYPE_NS
from lbdns.dns.name import encode_canonical, encode_name
from lbdns.dns.transfer_reply import ReceivedRecord
from lbdns.testing import LbdnsServer, running_server
from lbdns.transfer.inward.copy_shelf import CopyShelf
from lbdns.transfer.inward.notify_sender import encode_notify
from lbdns.transfer.zone_transfer_status import TransferState, ZoneTransferStatus
from tests.transfer.played_primary import PlayedPrimary, played_primary, whole
from tests.transfer.transfer_records import APEX, address, soa_data

pytestmark = pytest.mark.process

WAIT_S = 20.0
STEERED = "192.0.2.77"


def tree(port: int) -> dict[str, Any]:
    """Return what is configured: a zone of a primary, and load balancers over it."""
    pools = {"eu": {"origins": [{"name": "one", "address": STEERED}]}}
    names = ("lb", "old", "below.sub")
    balancers = [{"name": f"{name}.example.com", "default_pools": ["eu"], "fallback_pool": "eu"} for name in names]
    zones = {"example.com": {"primaries": [f"127.0.0.1:{port}"]}}
    return {"settings": {"zones": zones}, "pools": pools, "load_balancers": balancers}


class Stage:
    """A primary that is played, and a server that has its zone."""

    def __init__(self, primary: PlayedPrimary, server: LbdnsServer) -> None:
        """Show both."""
        self.primary = primary
        self.server = server

    def status(self) -> ZoneTransferStatus:
        """Return how the zone stands."""
        for _ in range(100):  # the worker says it after it was started
            told = self.server.ask("zone_transfers", zone="example.com")
            if told:
                break
            time.sleep(0.1)
        return ZoneTransferStatus.from_json(told[0])  # type: ignore[index]

    def send(self, serial: int, *records: ReceivedRecord, says: bool = True) -> None:
        """Have the primary have another zone, and say so by NOTIFY."""
        self.primary.serial = serial
        self.primary.messages = lambda message_id, rtype: whole(message_id, rtype, serial, *records)
        if says:
            self.notify(serial)
            self.wait_for(serial)

    def notify(self, serial: int) -> dns.message.Message:
        """Send a NOTIFY from the primary's address; return the answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.sendto(encode_notify(77, APEX, soa_data(serial)), (self.server.host, self.server.port))
            return dns.message.from_wire(sock.recv(4096))

    def wait_for(self, serial: int) -> None:
        """Wait until a serial is served."""
        end_s = time.monotonic() + WAIT_S
        while self.serial() != serial:
            assert time.monotonic() < end_s, self.server.log
            time.sleep(0.05)

    def wait_for_state(self, state: TransferState) -> None:
        """Wait until the transfer worker says that the zone is in a state."""
        end_s = time.monotonic() + WAIT_S
        while self.status().state is not state:
            assert time.monotonic() < end_s, self.server.log
            time.sleep(0.05)

    def wait_for_count(self, name: str, least: int) -> None:
        """Wait until the transfer worker says that it counted so many; it says so behind what it brought."""
        end_s = time.monotonic() + WAIT_S
        while self.status().counts.get(name, 0) < least:
            assert time.monotonic() < end_s, self.server.log
            time.sleep(0.05)

    def ask(self, name: str, rdtype: str = "A") -> dns.message.Message:
        """Return the answer to a question."""
        question = dns.message.make_query(name, rdtype, use_edns=0)
        return dns.query.udp(question, self.server.host, timeout=5, port=self.server.port)

    def serial(self) -> int | None:
        """Return the serial that is served, None where none is."""
        reply = self.ask("example.com", "SOA")
        return reply.answer[0][0].serial if reply.rcode() == dns.rcode.NOERROR else None

    def address(self, name: str) -> str:
        """Return the address of a name."""
        return str(self.ask(name).answer[0][0])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Have both, with a first zone."""
    with played_primary() as primary:
        primary.messages = lambda message_id, rtype: whole(message_id, rtype, 1, address("www", 1), address("old", 2))
        with running_server(tree(primary.port), tmp_path_factory.mktemp("secondary")) as server:
            one = Stage(primary, server)
            one.wait_for(1)
            yield one


def test_what_came_is_served_and_load_balancers_lie_over_it(stage: Stage) -> None:
    assert stage.address("www.example.com") == "192.0.2.1"
    assert stage.address("lb.example.com") == stage.address("old.example.com") == STEERED
    assert stage.ask("none.example.com").rcode() == dns.rcode.NXDOMAIN


def test_a_notify_of_the_primary_brings_what_is_new(stage: Stage) -> None:
    assert stage.notify(1).rcode() == dns.rcode.NOERROR  # nothing new, and well received
    stage.send(10, address("www", 9), address("old", 2))
    assert stage.address("www.example.com") == "192.0.2.9"
    stage.wait_for_state(TransferState.CURRENT)
    stage.wait_for_count("notifies", 2)


def test_a_name_that_is_deleted_from_under_a_load_balancer_is_told(stage: Stage) -> None:
    stage.send(20, address("www", 9), address("old", 2))
    stage.send(21, address("www", 9))
    assert stage.address("old.example.com") == STEERED
    assert any("has deleted old.example.com" in warning for warning in stage.status().warnings)
    assert "has deleted old.example.com" in stage.server.log
    stage.send(22, address("www", 9), address("old", 2))
    assert not stage.status().warnings


def test_a_delegation_above_a_load_balancer_is_told_and_changes_nothing_else(stage: Stage) -> None:
    cut = ReceivedRecord(encode_canonical("sub.example.com"), TYPE_NS, 60, encode_name("ns.example.net."))
    stage.send(30, address("www", 9), address("old", 2), cut)
    assert any("has sub.example.com delegated" in warning for warning in stage.status().warnings)
    assert stage.address("lb.example.com") == STEERED
    assert stage.ask("below.sub.example.com").authority[0].rdtype == TYPE_NS
    stage.send(31, address("www", 9), address("old", 2))
    assert stage.address("below.sub.example.com") == STEERED


def test_other_changes_keep_what_came(stage: Stage) -> None:
    stage.send(40, address("www", 7), address("old", 2))
    more = {"name": "more.example.com", "default_pools": ["eu"], "fallback_pool": "eu"}
    balancers = json.dumps({"load_balancers": [more]})
    stage.server.reload({"more.yaml": balancers})
    assert stage.serial() == 40 and stage.address("more.example.com") == STEERED
    stage.server.reload({"more.yaml": None})
    assert stage.serial() == 40 and stage.address("www.example.com") == "192.0.2.7"


def test_what_came_while_it_was_killed_comes_and_what_was_there_is_served_at_once(stage: Stage) -> None:
    stage.send(50, address("www", 5))
    os.kill(stage.server.pid, signal.SIGKILL)
    assert stage.server.process is not None
    stage.server.process.wait()
    stage.send(51, address("www", 6), says=False)
    assert stage.serial() == 50  # by the responders that are left
    stage.server.start()
    stage.wait_for(51)
    assert stage.address("www.example.com") == "192.0.2.6" and stage.address("lb.example.com") == STEERED


def test_a_worker_that_is_killed_is_started_again(stage: Stage) -> None:
    stage.send(60, address("www", 5))
    before = stage.server.status()["transfer"]["pid"]
    os.kill(before, signal.SIGKILL)
    stage.send(61, address("www", 6), says=False)
    stage.wait_for(61)
    assert stage.server.status()["transfer"]["restarts"] == 1


def test_a_copy_is_served_at_once_without_its_primary_and_not_once_it_expired(stage: Stage) -> None:
    stage.send(70, address("www", 8))
    server, shelf = stage.server, CopyShelf(stage.server.state_dir)
    server.stop()
    stage.primary.serial = 0xFFFFFFF0  # which is older
    server.start()
    assert stage.serial() == 70 and stage.address("lb.example.com") == STEERED
    server.stop()
    held = shelf.read(APEX)
    assert held is not None
    shelf.write(held.copy._replace(received_s=1.0))
    shelf.note_checked(APEX, time.time() - 86_400 - 60)
    stage.primary.close()
    server.start()
    for name in ("www.example.com", "lb.example.com", "example.com"):
        reply = stage.ask(name)
        assert reply.rcode() == dns.rcode.SERVFAIL
        assert [int(option.code) for option in reply.options if isinstance(option, dns.edns.EDEOption)] == [14]
    assert "expired" in server.log
    stage.wait_for_state(TransferState.EXPIRED)
