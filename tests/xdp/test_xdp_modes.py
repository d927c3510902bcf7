"""An interface whose driver runs no filters, which has the generic mode; and a start without the rights."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.mapped.counter_words import DATAGRAMS
from lbdns.mapped.counters import open_counters
from lbdns.testing import write_files
from tests.answer.packets import query
from tests.xdp.wire import HOST4, Wire, WiredServer, asking, laid, run

pytestmark = [pytest.mark.process, pytest.mark.slow]

ABOVE, ABOVE4 = "above0", "10.9.0.4"  # an interface of macvlan on the cable's end
ZONE = "@ SOA ns1 host 1 7200 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.80\n"
ASKED = 100


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with laid() as made:
        yield made


def server_at(
    wire: Wire, work: Path, interface: str, host: str, before: tuple[str, ...] = ()
) -> contextlib.closing[WiredServer]:
    """Return a server behind XDP at an interface of the wire."""
    settings = {"listen": [f"{host}:53"], "user": "root", "workers": 1, "xdp": {"interface": interface}}
    write_files({"settings": settings, "zones": {"example.com": ZONE}}, work / "config")
    return contextlib.closing(WiredServer(wire, work / "config", work, before))


def counted(server: WiredServer, part: int) -> int:
    """Return how many datagrams a thread has counted: 1 of the socket, 2 of the queue."""
    return int(open_counters(server.run_directory / f"counters-0-{part}.bin")[DATAGRAMS])


def shown(server: WiredServer) -> Any:
    """Return what `lbdns status` says of XDP."""
    return next(row for row in server.status()["standing"]["rows"] if row["name"] == "xdp")


def ask(wire: Wire, host: str) -> None:
    """Have queries answered, one after the other."""
    message = query("www.example.com.").wire
    with asking(wire.client, host) as sock:
        for number in range(ASKED):
            sock.send(number.to_bytes(2) + message[2:])
            assert sock.recv(4096)[:2] == number.to_bytes(2)


def test_where_the_driver_has_no_filters_the_kernel_runs_them(wire: Wire, tmp_path: Path) -> None:
    run("ip", "netns", "exec", wire.server, "sysctl", "-w", "net.ipv4.conf.all.arp_ignore=1")  # each tells its own MAC
    run("ip", "-n", wire.server, "link", "add", ABOVE, "link", wire.server_end, "type", "macvlan", "mode", "bridge")
    run("ip", "-n", wire.server, "addr", "add", f"{ABOVE4}/32", "dev", ABOVE)
    run("ip", "-n", wire.server, "link", "set", ABOVE, "up")
    with server_at(wire, tmp_path, ABOVE, ABOVE4) as server:
        server.start()
        if "has the filter" not in server.log:
            pytest.skip(f"this kernel has no XDP for us: {server.log}")
        assert f"{ABOVE} has the filter, in generic mode, 1 of 1 queues" in server.log
        assert shown(server)["text"] == f"1 queue of {ABOVE}, generic mode"
        assert "xdpgeneric" in run("ip", "-n", wire.server, "link", "show", ABOVE)
        server.wait_for(lambda: f"queue 0 of {ABOVE} is read" in server.log, "nobody reads the queue")
        ask(wire, ABOVE4)
        assert (counted(server, 1), counted(server, 2)) == (0, ASKED)
        assert server.stop() == 0
    assert "xdp" not in run("ip", "-n", wire.server, "link", "show", ABOVE)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (Debian: util-linux) is not installed")
def test_without_the_rights_the_sockets_serve_and_what_would_help_is_said(wire: Wire, tmp_path: Path) -> None:
    run("ip", "netns", "exec", wire.server, "sysctl", "-w", "net.ipv4.ip_unprivileged_port_start=0")
    without = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
    with server_at(wire, tmp_path, wire.server_end, HOST4, without) as server:
        server.start()
        told = f"xdp: {wire.server_end}: it takes the capabilities CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF at the start"
        assert told in server.log and "the sockets serve all queries" in server.log
        assert shown(server)["problems"][0].startswith(told)
        ask(wire, HOST4)
        assert counted(server, 1) == ASKED
        assert server.stop() == 0
