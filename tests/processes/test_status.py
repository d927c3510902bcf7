"""`lbdns status`: what it tells of a server that is well, and what makes it degraded."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from lbdns.cli.commands.status_command import exit_status, render
from lbdns.testing import LbdnsServer
from tests.processes.test_reload import eventually
from tests.processes.test_survival import MONITORED

Start = Callable[..., LbdnsServer]

pytestmark = pytest.mark.process

IDLE = {"idle": {"monitor": "web", "origins": [{"name": "i", "address": "127.0.0.13"}]}}


def rows(server: LbdnsServer) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in server.status()["standing"]["rows"]}


def test_a_pool_in_no_load_balancer_makes_nothing_degraded(lbdns_server: Start) -> None:
    server = lbdns_server({**MONITORED, "pools": {**MONITORED["pools"], **IDLE}})
    server.set_endpoint("idle/i", up=False)
    assert exit_status(server.status()) == 0
    server.set_endpoint("primary/p", up=False)
    assert exit_status(server.status()) == 1
    assert rows(server)["pools"]["problems"] == ["pool primary is critical"]


def test_processes_orders_probes_queries_and_room_are_shown(lbdns_server: Start) -> None:
    server = lbdns_server(MONITORED)
    server.query("www.example.com")
    server.ask("force", pattern="primary", state="down")
    eventually(lambda: "; a spare waits; last beats" in rows(server)["processes"]["text"])
    shown = rows(server)
    assert shown["forced"]["text"] == "1 state, by operators"
    assert shown["probes"]["text"].endswith(" under way") and not shown["probes"]["text"].startswith("0 begun")
    assert shown["queries"]["text"].startswith("1 reply, 0 without room")
    assert f"{server.state_dir} " in shown["room"]["text"] and f"{server.run_directory} " in shown["room"]["text"]
    assert shown["certificates"]["text"] == "none"


def test_a_certificate_that_is_about_to_expire_makes_it_degraded(lbdns_server: Start, tmp_path: Path) -> None:
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=5, hours=1)
    path = tmp_path / "client.pem"
    trustme.CA().issue_cert("client.example.com", not_after=soon).private_key_and_cert_chain_pem.write_to_path(path)
    tls = {"type": "https", "interval": 60, "client_certificate": str(path)}
    server = lbdns_server({**MONITORED, "monitors": {**MONITORED["monitors"], "tls": tls}})
    assert rows(server)["certificates"]["problems"] == [f"{path}: the certificate expires in 5 days"]
    assert exit_status(server.status()) == 1
    path.write_text("none")
    assert rows(server)["certificates"]["problems"] == [f"{path}: when the certificate expires cannot be read"]


def test_what_is_not_there_takes_no_room_and_names_are_one_column(lbdns_server: Start) -> None:
    server = lbdns_server(MONITORED)
    assert "namespace" not in rows(server)["processes"]["text"] and "virtual networks" not in rows(server)
    server = lbdns_server({**MONITORED, "virtual_networks": {"far": {"via": {"source": "127.0.0.9"}}}})
    report = server.status()
    texts = {row["name"]: row["text"] for row in report["standing"]["rows"]}
    begins = {
        line.removeprefix(name).index(texts[name]) + len(name)
        for line in render(report)[1:]
        for name in ("pools", "virtual networks")
        if line.startswith(f"{name} ")
    }
    assert begins == {len("virtual networks ")}
