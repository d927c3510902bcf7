"""`lbdns top`: what it shows of a running server, once, again and again, and for programs."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from lbdns.base.errors import LbdnsError
from lbdns.cli.commands.top_command import rate, render, rows_that_fit, share
from lbdns.cli.frame.common import in_largest_unit
from lbdns.processes.supervisor.child_process import package_environment
from lbdns.testing import LbdnsServer, running_server
from tests.processes.test_command_line import lbdns
from tests.processes.test_metrics import MAIL, WWW, tree

pytestmark = pytest.mark.process

STEP_S = 0.02


@pytest.fixture(scope="module")
def server(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LbdnsServer]:
    """One server for all tests here, asked for one name all the time and for another now and then."""
    with running_server(tree(), tmp_path_factory.mktemp("top")) as running:
        stop = threading.Event()

        def ask() -> None:
            number = 0
            while not stop.wait(STEP_S):
                number += 1
                running.query(MAIL if number % 4 == 0 else WWW, tcp=number % 8 == 0)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield running
        finally:
            stop.set()
            thread.join()


def shown(report: dict[str, Any], width: int = 120) -> str:
    """Return a report as a terminal would show it."""
    console = Console(file=io.StringIO(), width=width)
    console.print(render(report, report["started"] + 7200))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_one_sample_shows_rates_and_shares(server: LbdnsServer) -> None:
    said = lbdns("top", "--control", server.control, "--once", "--interval", "1")
    assert said.returncode == 0, said.stderr
    rows = {line.split()[0]: line.split()[1:] for line in said.stdout.splitlines() if line.split()}
    kind, per_s, percent, sign, total = rows[WWW]
    assert (kind, sign) == ("A", "%")
    assert 0 < float(per_s) < 1 / STEP_S and int(total.replace(",", "")) >= 1
    # Three queries in four are for it; the pools' shares follow, as each answers for one of the names.
    assert 60 < float(percent) < 90
    assert abs(float(rows["near"][3]) - float(percent)) < 0.1
    assert said.stdout.index(WWW) < said.stdout.index(MAIL), "the busiest first"
    assert rows["NOERROR"][1:] == ["100.0", "%", *rows["NOERROR"][3:]]
    assert "1 responder," in said.stdout and "generation 1," in said.stdout
    assert not any(line != line.rstrip() for line in said.stdout.splitlines() if "queue" in line)


def test_json_has_what_programs_need(server: LbdnsServer) -> None:
    said = lbdns("top", "--control", server.control, "--once", "--json", "--interval", "0.5", "--limit", "1")
    report = json.loads(said.stdout)
    assert 0.5 <= report["interval_s"] < 5
    assert [row["name"] for row in report["load_balancers"]] == [WWW]
    assert [pool["name"] for pool in report["pools"]] == ["near"]
    assert [endpoint["name"] for endpoint in report["pools"][0]["endpoints"]] == ["n1", "n2"]
    assert report["queries"]["udp"]["per_s"] > report["queries"]["tcp"]["per_s"] >= 0
    replies = report["replies"]["fast"]["total"] + report["replies"]["slow"]["total"]
    assert replies == sum(figure["total"] for figure in report["rcodes"].values())


def test_samples_follow_one_another_as_lines(server: LbdnsServer) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "lbdns",
        "top",
        "--control",
        str(server.control),
        "--interval",
        "0.2",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=package_environment()) as process:
        assert process.stdout is not None
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == 0
    assert second["queries"]["udp"]["total"] > first["queries"]["udp"]["total"]


def test_a_terminal_shows_it_live_until_interrupted(server: LbdnsServer) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-P", "-m", "lbdns", "top", "--control", str(server.control), "--interval", "0.2"]
    environment = package_environment() | {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        seen, deadline = b"", time.monotonic() + 20
        while seen.count(b"queries/s") < 3:
            assert time.monotonic() < deadline, seen
            seen += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        while process.poll() is None:
            try:
                os.read(ours, 65536)
            except OSError:  # EIO: the other end is closed
                break
    os.close(ours)
    assert process.returncode == 0
    assert WWW.encode() in seen and b"- queries/s" in seen, "totals come first, without rates"


def test_the_server_names_what_it_cannot_take(server: LbdnsServer) -> None:
    for arguments in ({"interval_s": -1}, {"interval_s": "1"}, {"interval_s": 1e9}):
        with pytest.raises(LbdnsError, match="interval_s is 0 to 60 seconds"):
            server.ask("counters", **arguments)
    with pytest.raises(LbdnsError, match="limit is 0 to 1000"):
        server.ask("counters", limit=10**9)


def test_what_is_wrong_stands_out(server: LbdnsServer) -> None:
    report = server.ask("counters")
    assert report["interval_s"] is None and report["queries"]["udp"]["per_s"] is None
    report["monitor"]["silent_s"] = 9.0
    report["restarts"] = 1
    report["overflows"] = {"total": 12, "per_s": 3.0}
    report["pools"][0]["endpoints"] *= 10
    text = shown(report)
    assert "monitor worker silent for 9 s, 1 restart\n" in text
    assert "lost to a full queue 3.0/s (12)" in text
    assert "up 2 h" in text
    assert "  and 12 more" in text


def test_figures_have_the_digits_that_mean_something() -> None:
    assert [rate(value) for value in (None, 0, 0.25, 99.9, 1234567.8)] == ["-", "0", "0.2", "99.9", "1,234,568"]
    assert [share(*pair) for pair in ((1, 3), (0, 0), (None, 1))] == ["33.3 %", "-", "-"]
    assert [in_largest_unit(seconds) for seconds in (0.4, 59, 3600, 200_000)] == ["0 s", "59 s", "1 h", "2 d"]
    assert [rows_that_fit(lines) for lines in (10, 24, 57)] == [2, 2, 10]
