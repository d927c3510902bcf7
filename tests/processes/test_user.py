"""Whom a server that root starts becomes, and that everything works as that user."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import trustme

from lbdns.base.errors import LbdnsError
from lbdns.base.words import ALERTS_FILE, FORCED_FILE, LAST_SERVED, LATENCY_FILE, SETTINGS_FILE
from lbdns.model.bounds import DEFAULT_USER
from lbdns.model.settings import Settings
from lbdns.processes.supervisor.capabilities import Capability, bits
from lbdns.processes.supervisor.child_process import package_environment
from lbdns.processes.supervisor.configuration_source import ConfigurationSource
from lbdns.processes.supervisor.privileges import Privileges
from lbdns.testing import LbdnsServer, ServerError, running_server, write_files
from tests.processes.load import NAME, configuration, load_on
from tests.processes.test_reload import eventually
from tests.processes.test_survival import kill_supervisor
from tests.processes.users import USER, USER_ID, needs_root, open_python, public_directory, who

pytestmark = pytest.mark.process

OWN_IDS = "\t".join([str(USER_ID)] * 4)
BIND = bits([Capability.NET_BIND_SERVICE])
WITHIN_S = 60.0
PORT_PARTS = 16
RAW = bits([Capability.NET_RAW])

Started = Callable[..., contextlib.AbstractContextManager[LbdnsServer]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, starts_processes: None) -> Iterator[Started]:
    """Return a function that starts a server with settings, where users that are not root can reach everything."""
    needs_root()
    with public_directory() as work:
        open_python(monkeypatch, work)

        def start(settings: Mapping[str, Any], override: bool = True) -> Any:
            return running_server(settled(settings), work, override)

        yield start


def settled(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with settings, USER among them where they name nobody."""
    return {**configuration(), "settings": {"user": USER, **settings}}


def processes(server: LbdnsServer) -> dict[str, list[int]]:
    """Return the server's processes by what they are."""
    status = server.status()
    return {
        "supervisor": [status["pid"]],
        "monitor": [status["monitor"]["pid"]],
        "responder": [one["pid"] for one in status["responders"]] + [status["spare_responder"]["pid"]],
    }


def check_privileges(server: LbdnsServer) -> None:
    """Hold what every thread of every process may do against what it is to."""
    may = {"supervisor": {BIND, BIND | RAW}, "monitor": {0, RAW}, "responder": {0}}
    for kind, pids in processes(server).items():
        for pid in pids:
            said = who(pid)
            assert set(said["Uid"]) == set(said["Gid"]) == {OWN_IDS}, kind
            assert set(said["Groups"]) == {str(USER_ID)}
            assert set(said["NoNewPrivs"]) == {"1"}
            for name in ("CapPrm", "CapEff"):
                assert {int(one, 16) for one in said[name]} <= may[kind] | {0}, (kind, name)
            if kind != "monitor":
                assert {int(said[name][0], 16) for name in ("CapInh", "CapAmb")} == {0}


def test_every_process_is_the_user_with_no_more_than_it_needs(started: Started) -> None:
    with started({}) as server:
        eventually(lambda: server.status()["spare_responder"]["pid"], WITHIN_S)
        check_privileges(server)
        assert server.addresses(NAME)
        assert f"runs as user {USER_ID}" in server.log


def low_port() -> int:
    """Return a port that only the privileged bind to, free on every address of loopback.

    It is bound to later: each process that runs tests has ports of its own.
    """
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PORT_PARTS
    for port in range(1023 - process, 600, -PORT_PARTS):
        with contextlib.suppress(OSError), socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("0.0.0.0", port))
            udp.bind(("0.0.0.0", port))
            return port
    raise AssertionError("no port below 1024 is free")


def test_a_reload_adds_addresses_and_workers_at_a_privileged_port(started: Started) -> None:
    port = low_port()
    first, second = f"127.0.0.1:{port}", f"127.0.0.2:{port}"
    with started({"listen": [first]}, override=False) as server:
        write_files(settled({"listen": [first, second], "workers": 3}), server.directory)
        server.ask("reload")
        assert server.status()["listen"] == [first, second]
        assert len(server.status()["responders"]) == 3
        for host in ("127.0.0.1", "127.0.0.2"):
            server.host = host
            assert server.addresses(NAME) and server.addresses(NAME, tcp=True)
        check_privileges(server)


def test_who_dies_comes_back_as_the_same_user(started: Started) -> None:
    with started({}) as server:
        before = server.status()
        os.kill(before["responders"][0]["pid"], signal.SIGKILL)
        os.kill(before["monitor"]["pid"], signal.SIGKILL)
        eventually(lambda: server.status()["monitor"]["pid"] not in (0, before["monitor"]["pid"]), WITHIN_S)
        eventually(lambda: server.status()["responders"][0]["pid"] not in (0, before["responders"][0]["pid"]), WITHIN_S)
        check_privileges(server)
        assert server.addresses(NAME)


@pytest.mark.parametrize("users", [("root", "47110:47110"), ("47110:47110", "root"), ("47110:47110", "47111:47111")])
def test_another_user_takes_over_from_a_server_that_was_killed(started: Started, users: tuple[str, str]) -> None:
    with started({"user": users[0], "workers": 2}) as server:
        write_files(settled({"user": users[1], "workers": 3}), server.directory)
        with load_on(server.host, server.port) as load:
            kill_supervisor(server)
            server.start()
            eventually(lambda: "took over from 2 responders" in server.log, WITHIN_S)
        assert load.lost == 0
        uid = "0" if users[1] == "root" else users[1].partition(":")[0]
        for pids in processes(server).values():
            assert all(set(who(pid)["Uid"]) == {"\t".join([uid] * 4)} for pid in pids)
        assert len(server.status()["responders"]) == 3
        assert {path.stat().st_uid for path in (server.run_directory, server.control)} == {int(uid)}
        assert server.stop() == 0
        assert not server.run_directory.exists()


def test_a_key_that_only_root_may_read_is_served_and_its_renewal_is_warned_of(started: Started, tmp_path: Path) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"  # tmp_path is root's alone
    certificate.write_bytes(b"".join(one.bytes() for one in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = "{}:{}".format(*free.getsockname())
    api = {"listen": address, "certificate": str(certificate), "key": str(key)}
    with started({"api": api}) as server:
        assert f"{key}: was read as root; {USER_ID} may not read it" in server.log
        context = ssl.create_default_context()
        authority.configure_trust(context)

        def answers() -> bool:
            with contextlib.suppress(httpx.ConnectError):
                return httpx.get(f"https://{address}/client/v4/zones", verify=context).status_code == 400
            return False

        eventually(answers, WITHIN_S)
        check_privileges(server)


def test_a_user_that_is_none_is_told_with_its_line_and_nothing_is_served(started: Started) -> None:
    for user in ("no-such-user", "47110:no-such-group", "47110", "a b", "root:nogroup", "0:65534"):
        with pytest.raises(ServerError, match=rf"{SETTINGS_FILE}:\d+: user: ") as refused, started({"user": user}):
            pass
        assert "Traceback" not in str(refused.value)


def test_what_the_user_cannot_reach_is_told_all_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, starts_processes: None
) -> None:
    needs_root()
    city = tmp_path / "city.mmdb"  # tmp_path is root's alone
    city.touch()
    with public_directory() as work:
        open_python(monkeypatch, work)
        with (
            pytest.raises(ServerError) as refused,
            running_server(settled({"geodata": {"city": str(city)}}), tmp_path),
        ):
            pass
    told = str(refused.value)
    assert f"{city}: the user {USER_ID} cannot read the database" in told
    assert f"{tmp_path / 'config'}: the user {USER_ID} cannot read the configuration" in told
    assert f"{tmp_path}: the user {USER_ID} cannot come to the state directory" in told
    assert not (tmp_path / "state").exists() and "Traceback" not in told


def test_who_cannot_run_lbdns_where_it_lies_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, starts_processes: None
) -> None:
    needs_root()
    package = tmp_path / "closed" / "lbdns" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.touch()
    package.parent.parent.chmod(0o700)
    monkeypatch.setattr("lbdns.__file__", str(package))
    with public_directory() as work:
        settings = Settings(user=USER, state=work / "state")
        source = SimpleNamespace(directory=work, check_settings=lambda: None)
        with pytest.raises(LbdnsError) as refused:
            Privileges(cast(ConfigurationSource, source), settings)
    told = str(refused.value)
    closed = next(path for path in reversed(package.parents) if not path.stat().st_mode & 1)
    assert f"{package}: the user {USER_ID} cannot read the package: {closed} is closed to it" in told
    assert "install lbdns where that user can read, such as /opt/lbdns" in told
    assert os.geteuid() == 0


def test_without_a_user_of_that_name_the_server_says_that_it_stays_root(started: Started) -> None:
    with started({"user": None}) as server:
        assert 'every process stays root: there is no user "lbdns"' in server.log
        assert who(server.pid)["Uid"][0].startswith("0\t")


def test_the_default_user_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch, starts_processes: None) -> None:
    needs_root()
    with public_directory() as work:
        passwd = work / "passwd"
        passwd.write_text(f"root:x:0:0::/:/bin/sh\n{DEFAULT_USER}:x:{USER_ID}:{USER_ID}::/:/bin/false\n")
        open_python(monkeypatch, work, first=f"mount --bind {passwd} /etc/passwd && ")
        with running_server(configuration(), work) as server:
            assert f"runs as user {DEFAULT_USER} ({USER_ID}:{USER_ID})" in server.log
            check_privileges(server)


def test_a_start_as_root_gives_away_nothing_but_its_own(started: Started) -> None:
    with started({}) as server:
        assert server.stop() == 0
        state = server.state_dir
        shutil.rmtree(state / LAST_SERVED)
        precious = server.directory.parent / "precious"
        precious.write_text("root's")
        os.chown(state, USER_ID, USER_ID)
        os.link(precious, state / FORCED_FILE)
        os.symlink(precious, state / ALERTS_FILE)
        os.symlink(server.directory, state / LAST_SERVED)
        (state / LATENCY_FILE).write_text("{}")
        (state / "notes").write_text("the operator's")
        server.start()
        assert precious.stat().st_uid == server.directory.stat().st_uid == (state / "notes").stat().st_uid == 0
        assert (state / LATENCY_FILE).stat().st_uid == USER_ID


def test_root_may_change_the_store_of_a_user_that_is_not_running(started: Started) -> None:
    with started({}) as server:
        server.stop()
        state = server.state_dir
        state.mkdir(exist_ok=True, mode=0o700)
        os.chown(state, USER_ID, USER_ID)
        command = [sys.executable, "-P", "-m", "lbdns", "zone", "create", "example.net", "--state", str(state)]
        subprocess.run(command, check=True, env=package_environment(), stdout=subprocess.DEVNULL)
        assert {path.stat().st_uid for path in state.iterdir()} == {USER_ID}
