"""What monitors, previews and webhooks may reach: judged by the address, however written."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from lbdns.config.loading import examine_tree
from lbdns.health.reasons import Reason
from lbdns.model.monitors import Monitor
from lbdns.model.settings import ProbeNetworks
from lbdns.model.subscription import Destination
from lbdns.model.targets_document import Vantage, lone_endpoint
from lbdns.monitor.notify.delivery import DeliveryFailed
from lbdns.monitor.notify.webhook import post
from lbdns.monitor.probe_check import Check, check_key
from lbdns.monitor.probes.result import Result


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(0.2)
        yield sock


def port_of(sock: socket.socket) -> int:
    found: int = sock.getsockname()[1]
    return found


def was_asked(sock: socket.socket) -> bool:
    try:
        sock.accept()[0].close()
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
    ],
)
def test_link_local_and_metadata_are_denied_unless_allowed(address: str) -> None:
    assert ProbeNetworks().refuses(address) and ProbeNetworks().refuses(address, is_local=False)
    everything = ProbeNetworks(allow=("0.0.0.0/0", "::/0"))
    assert not everything.refuses(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "0.0.0.0",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::1",
    ],
)
def test_loopback_is_for_who_works_here(address: str) -> None:
    assert not ProbeNetworks().refuses(address)
    assert ProbeNetworks().refuses(address, is_local=False)
    assert not ProbeNetworks(allow=("127.0.0.0/8", "::1/128")).refuses(address, is_local=False)


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [
        ("192.0.2.1", False),
        ("10.1.2.3", True),
        ("10.1.9.9", False),
        ("10.1.9.7", True),
        ("::ffff:10.1.2.3", True),
        ("2001:db8::1", True),
        ("198.51.100.1", True),
    ],
)
def test_the_smallest_network_decides(address: str, is_refused: bool) -> None:
    networks = ProbeNetworks(
        allow=("10.1.9.0/24", "198.51.100.0/24"),
        deny=("10.0.0.0/8", "10.1.9.7/32", "2001:db8::/32", "198.51.100.0/24"),
    )
    assert networks.refuses(address) == is_refused


def test_a_network_is_one() -> None:
    for text in ("10.0.0.1/8", "name", "10.0.0.0/33", ""):
        with pytest.raises(ValidationError, match="is no network"):
            ProbeNetworks(deny=(text,))


class _Taking:
    def take(self, check: Check, result: Result, started_s: float) -> None:
        """Take a result."""


def test_what_may_not_be_reached_is_not_connected_to(listener: socket.socket) -> None:
    networks = ProbeNetworks(deny=("127.0.0.1/32",))
    for kind in ("http", "tcp", "smtp"):
        monitor = Monitor.model_validate({"type": kind, "port": port_of(listener), "timeout": 1, "retries": 0})
        key = check_key(monitor, lone_endpoint("127.0.0.1"), "127.0.0.1", Vantage())
        check = Check(key, monitor, _Taking(), lambda address: not networks.refuses(address))
        asyncio.run(check.run())
        assert check.last is not None and check.last.reason is Reason.CONFIG_ERROR
        words = "127.0.0.1 is not in a network that may be probed (probe_networks)"
        assert check.last.text == f"Monitor config error ({words})"
    assert not was_asked(listener)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f000001", "127.1", "0.0.0.0", "localhost", "[::ffff:127.0.0.1]"]
)
def test_a_webhook_is_judged_by_where_it_leads(listener: socket.socket, host: str) -> None:
    hook = Destination(mechanism="webhook", name="hook", url=f"http://{host}:{port_of(listener)}/latest/meta-data")
    networks = ProbeNetworks(deny=("127.0.0.0/8", "::1/128"))
    with pytest.raises(DeliveryFailed, match=r"network that may be probed|Cannot connect|cannot be used"):
        asyncio.run(post(hook, {}, lambda address: not networks.refuses(address)))
    assert not was_asked(listener)


def test_a_webhook_that_may_be_reached_is(listener: socket.socket) -> None:
    listener.settimeout(10)

    def answer() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    hook = Destination(mechanism="webhook", name="hook", url=f"http://127.0.0.1:{port_of(listener)}/")
    asyncio.run(post(hook, {}, lambda address: not ProbeNetworks().refuses(address)))
    thread.join(10)


def test_check_warns_of_endpoints_that_may_not_be_probed(tmp_path: Any) -> None:
    tree = {
        "monitors": {"m": {}},
        "pools": {
            "watched": {"monitor": "m", "origins": [{"name": "a", "address": "169.254.169.254"}]},
            "unwatched": {"origins": [{"name": "a", "address": "169.254.169.254"}]},
        },
    }
    found = [one for one in examine_tree(tree, tmp_path).warnings if "probe_networks" in one.message]
    assert [one.path for one in found] == ["pools.watched.origins[0].address"]
    allowed = {**tree, "settings": {"probe_networks": {"allow": ["169.254.169.254/32"]}}}
    assert not [one for one in examine_tree(allowed, tmp_path).warnings if "probe_networks" in one.message]
