"""A real server's history: what was sent is what was counted, through reloads, kills, a take-over and a stop."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from lbdns.processes.supervisor.history_child import BEGIN_S
from lbdns.telemetry.history.history_reader import HistoryReader
from lbdns.testing import LbdnsServer, write_files
from tests.history.recorded import eventually
from tests.processes.load import ZONE
from tests.processes.test_survival import kill_supervisor

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

Start = Callable[..., LbdnsServer]
WWW, API = "www.example.com", "api.example.com"
WRITTEN_S: Final = 40.0
BEGIN_LATE: Final = """\
from lbdns.processes.supervisor import history_child
from lbdns.cli.main import main
history_child.BEGIN_S = 3600.0
main()
"""


def tree(*names: str) -> dict[str, Any]:
    """Return a configuration with some load balancers of one pool."""
    return {
        "settings": {"workers": 2},
        "zones": {"example.com": ZONE},
        "pools": {"main": {"origins": [{"name": "e1", "address": "192.0.2.1"}]}},
        "load_balancers": [{"name": name, "default_pools": ["main"], "fallback_pool": "main"} for name in names],
    }


def objects(*names: str) -> str:
    """Return the file of the same objects."""
    import yaml

    return yaml.safe_dump({key: value for key, value in tree(*names).items() if key not in ("settings", "zones")})


def send(server: LbdnsServer, name: str, udp: int, tcp: int) -> int:
    """Ask so many times, each of which is answered; returns how many."""
    for number in range(udp + tcp):
        assert server.addresses(name, tcp=number < tcp) == ["192.0.2.1"]
    return udp + tcp


def counts(server: LbdnsServer, since_s: float) -> dict[object, int]:
    """Return decisions by load balancer, since before the server began."""
    rows = HistoryReader(server.state_dir).cells(since_s, time.time() + 60, ["load_balancer"])
    return {row.dimensions["load_balancer"]: row.count for row in rows}


def test_counts_equal_what_was_sent(lbdns_server: Start) -> None:
    """By UDP and TCP, before the process begins and after, before and after a reload, a kill of it, a kill of the
    supervisor that is taken over from, a stop and another start."""
    since_s = time.time() - 60
    server = lbdns_server(tree(WWW, API))
    sent = {WWW: send(server, WWW, 120, 30), API: send(server, API, 7, 3)}
    eventually(lambda: counts(server, since_s) == sent, "not what was sent", WRITTEN_S)
    rows = HistoryReader(server.state_dir).cells(since_s, time.time() + 60, ["load_balancer", "pool", "rcode"])
    assert {row.dimensions["load_balancer"]: row.count for row in rows if row.dimensions["pool"] == "main"} == sent
    assert {row.dimensions["rcode"] for row in rows} == {"NOERROR"}

    server.reload({"objects.yaml": objects(WWW, "new.example.com")})
    sent[WWW] += send(server, WWW, 11, 1)
    sent["new.example.com"] = send(server, "new.example.com", 5, 0)
    server.reload({"objects.yaml": objects("new.example.com", API, WWW)})
    sent[API] += send(server, API, 4, 2)
    first = server.status()["history"]["pid"]
    os.kill(first, signal.SIGKILL)
    sent[WWW] += send(server, WWW, 20, 0)
    eventually(lambda: server.status()["history"]["pid"] not in (0, first), "it is not started again")
    eventually(lambda: counts(server, since_s) == sent, "not what was sent beside a kill", WRITTEN_S)

    kill_supervisor(server)
    sent[API] += send(server, API, 9, 0)
    server.start()
    sent[API] += send(server, API, 9, 1)
    eventually(lambda: counts(server, since_s) == sent, "not what was sent beside a take-over", WRITTEN_S)

    sent[WWW] += send(server, WWW, 13, 2)
    assert server.stop() == 0
    assert counts(server, since_s) == sent
    server.start()
    sent[WWW] += send(server, WWW, 3, 0)
    eventually(lambda: counts(server, since_s) == sent, "not what was sent to another", WRITTEN_S)


class MomentaryServer(LbdnsServer):
    """A server whose history process begins an hour after it, so that however slow the machine is, it is a moment."""

    def command(self) -> list[str]:
        """Set how long after, and run the same."""
        python, _, _, _, *arguments = super().command()
        return [python, "-P", "-c", BEGIN_LATE, *arguments]


def test_a_server_of_a_moment_pays_nothing(tmp_path: Path) -> None:
    """The process begins some seconds after the server, and not at all where that ends before."""
    assert BEGIN_S > 1.0
    files = tmp_path / "config"
    write_files(tree(WWW), files)
    server = MomentaryServer(files, tmp_path)
    try:
        server.start()
        send(server, WWW, 3, 1)
        assert "history" not in server.status()
        assert server.stop() == 0
    finally:
        server.close()
    assert not list(server.state_dir.glob("history*"))


def test_a_reload_turns_it_off_and_on(lbdns_server: Start) -> None:
    """By its settings."""
    server = lbdns_server(tree(WWW))
    eventually(lambda: server.status().get("history", {}).get("pid"), "it does not begin")
    settings = (server.directory / "lbdns.yaml").read_text()
    server.reload({"lbdns.yaml": settings + "history: {enabled: false}\n"})
    eventually(lambda: "history" not in server.status(), "it does not end")
    server.reload({"lbdns.yaml": settings + "history: {size: 64MB, days: 3}\n"})
    eventually(lambda: server.status().get("history", {}).get("pid"), "it does not begin again")
    rows = {row["name"]: row for row in server.status()["standing"]["rows"]}
    assert not rows["history"]["problems"]
