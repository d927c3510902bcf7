"""A server behind XDP that is not root: started by root for a user, and by a user who has the three capabilities."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lbdns.processes.supervisor.capabilities import Capability, bits
from lbdns.testing import write_files
from tests.answer.packets import query
from tests.namespaces import inside
from tests.processes.users import USER, USER_ID, needs_root, open_python, public_directory, who
from tests.xdp.wire import HOST4, Wire, WiredServer, asking, laid, run

pytestmark = [pytest.mark.process, pytest.mark.slow]

SECOND4 = "10.9.0.5"  # an address of the server's end that a reload adds
ZONE = "@ SOA ns1 host 1 7200 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.80\n"
ASKED = 50
LOCKED_BYTES = 8 << 20  # of which a queue takes 6
OWN_IDS = "\t".join([str(USER_ID)] * 4)
BIND, RAW = bits([Capability.NET_BIND_SERVICE]), bits([Capability.NET_RAW])
RIGHTS = ("net_admin", "net_raw", "bpf")
HELP = "it takes the capabilities CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF at the start"


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with laid() as made:
        run("ip", "-n", made.server, "addr", "add", f"{SECOND4}/24", "dev", made.server_end)
        run("ip", "netns", "exec", made.server, "sysctl", "-w", "net.ipv4.ip_unprivileged_port_start=0")
        yield made


@pytest.fixture
def work() -> Iterator[Path]:
    needs_root()
    with public_directory() as made:
        yield made


def as_user(monkeypatch: pytest.MonkeyPatch, work: Path, *rights: str) -> None:
    """Have servers that are started in this test be a user with these capabilities alone, as a unit starts them."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (Debian: util-linux) is not installed")
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and soft < LOCKED_BYTES:
        pytest.skip(f"a user may lock {soft} bytes of memory here")
    (work / "state").mkdir(mode=0o700)
    os.chown(work / "state", USER_ID, USER_ID)
    given = ",".join(["-all", *(f"+{one}" for one in rights)])
    user = ("--reuid", str(USER_ID), "--regid", str(USER_ID), "--clear-groups", "--no-new-privs")
    capabilities = ("--inh-caps", given, "--ambient-caps", given, "--bounding-set", given)
    open_python(monkeypatch, work, "setpriv", *user, *capabilities)


def write(wire: Wire, work: Path, **settings: Any) -> None:
    """Write what is served, with settings beside those that all have."""
    common: Mapping[str, Any] = {"workers": 1, "listen": [f"{HOST4}:53"], "xdp": {"interface": wire.server_end}}
    write_files({"settings": {**common, **settings}, "zones": {"example.com": ZONE}}, work / "config")


@contextlib.contextmanager
def started(wire: Wire, work: Path) -> Iterator[WiredServer]:
    """Yield a server that was started, whose queue is read."""
    with contextlib.closing(WiredServer(wire, work / "config", work)) as server:
        server.start()
        if "has the filter" not in server.log:
            pytest.skip(f"this kernel has no XDP for us: {server.log}")
        wait_until_read(server, 1)
        yield server


def wait_until_read(server: WiredServer, times: int) -> None:
    """Wait until so many processes have had the queue."""
    told = f"xdp: queue 0 of {Wire.server_end} is read"
    server.wait_for(lambda: server.log.count(told) >= times, "nobody reads the queue")


def by_sockets(wire: Wire) -> int:
    """Return how many datagrams the kernel has given to sockets in the server's namespace."""

    def read() -> int:
        lines = Path("/proc/thread-self/net/snmp").read_text().splitlines()
        heads, words = (line.split() for line in lines if line.startswith("Udp:"))
        return int(words[heads.index("InDatagrams")])

    return inside(wire.server, read)


def ask_past_sockets(wire: Wire, host: str) -> None:
    """Have queries answered, none of which a socket of the server's may see."""
    message, before = query("www.example.com.").wire, by_sockets(wire)
    with asking(wire.client, host) as sock:
        for number in range(ASKED):
            sock.send(number.to_bytes(2) + message[2:])
            assert sock.recv(4096)[:2] == number.to_bytes(2)
    assert by_sockets(wire) == before


def is_past(wire: Wire, host: str) -> bool:
    """Return whether a query is answered past the sockets."""
    before = by_sockets(wire)
    with asking(wire.client, host) as sock:
        sock.send(query("www.example.com.").wire)
        sock.recv(4096)
    return by_sockets(wire) == before


def check_rights(server: WiredServer) -> None:
    """Hold who each thread of each process is, and what it may do, against what it is to."""
    status = server.status()
    responders = [one["pid"] for one in status["responders"]]
    assert responders
    for pid in [status["pid"], *responders]:
        said = who(pid)
        assert set(said["Uid"]) == set(said["Gid"]) == {OWN_IDS}
        effective, permitted = ({int(one, 16) for one in said[name]} for name in ("CapEff", "CapPrm"))
        if pid in responders:
            assert effective == permitted == {0}
        else:  # the right to sockets for frames stays without effect
            assert effective <= {0, BIND} and permitted <= {0, BIND, RAW, BIND | RAW}
        assert {int(one, 16) for one in said["CapAmb"]} == {0}


def check_life(wire: Wire, work: Path, server: WiredServer, **settings: Any) -> None:
    """Ask it at first, after a reload with other listeners and workers, and after a responder was killed."""
    check_rights(server)
    ask_past_sockets(wire, HOST4)
    write(wire, work, listen=[f"{HOST4}:53", f"{SECOND4}:53"], workers=2, **settings)
    server.ask("reload")
    assert len(server.status()["responders"]) == 2
    server.wait_for(lambda: is_past(wire, SECOND4), "the new address is not read past the sockets")
    for host in (HOST4, SECOND4):
        ask_past_sockets(wire, host)
    check_rights(server)
    times = server.log.count("is read")
    pid = server.status()["responders"][0]["pid"]
    os.kill(pid, signal.SIGKILL)
    server.wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "it lives on")
    wait_until_read(server, times + 1)
    for host in (HOST4, SECOND4):
        ask_past_sockets(wire, host)
    assert server.status()["responders"][0]["pid"] != pid
    check_rights(server)
    assert server.stop() == 0
    assert "xdp" not in wire.filter_shown()


def test_root_starts_it_for_a_user(wire: Wire, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_python(monkeypatch, work)
    write(wire, work, user=USER)
    with started(wire, work) as server:
        assert f"runs as user {USER_ID}" in server.log
        check_life(wire, work, server, user=USER)


def test_a_user_with_the_capabilities_starts_it(wire: Wire, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, work, *RIGHTS)
    write(wire, work)
    with started(wire, work) as server:
        check_life(wire, work, server)


@pytest.mark.parametrize("lacking", RIGHTS)
def test_where_one_is_lacking_the_sockets_serve(
    wire: Wire, work: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    as_user(monkeypatch, work, *(one for one in RIGHTS if one != lacking))
    write(wire, work)
    with contextlib.closing(WiredServer(wire, work / "config", work)) as server:
        server.start()
        told = f"xdp: {wire.server_end}: {HELP}"
        assert told in server.log and "the sockets serve all queries" in server.log
        row = next(row for row in server.status()["standing"]["rows"] if row["name"] == "xdp")
        assert row["problems"][0].startswith(told)
        assert not is_past(wire, HOST4)
        check_rights(server)
        assert server.stop() == 0
    assert "xdp" not in wire.filter_shown()
