"""What reaches systemd's journal: lines with a priority, the monitor worker's too, so that -p warning shows flips."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lbdns.processes.supervisor.child_process import package_environment
from lbdns.testing import running_server

pytestmark = pytest.mark.process

WARNING = 4
FAILING = """
import logging, threading
from lbdns.base.log import log_uncaught, start_log

class Unraisable:
    def __del__(self):
        raise ValueError("when it went")

def fail():
    raise ValueError("in a thread")

start_log("monitor", "text")
log_uncaught()
logging.getLogger("of.a.library").warning("a library's")
logging.getLogger("of.a.library").info("not worth a line")
Unraisable()
thread = threading.Thread(target=fail)
thread.start()
thread.join()
raise ValueError("at the end")
"""
TREE = {
    "zones": {"example.com": "@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53"},
    "monitors": {"web": {"type": "http", "interval": 5, "timeout": 1, "retries": 0}},
    "pools": {
        "a": {"monitor": "web", "origins": [{"name": "a1", "address": "127.0.0.11"}]},
        "b": {"origins": [{"name": "b1", "address": "192.0.2.12"}]},
    },
    "load_balancers": [{"name": "www.example.com", "default_pools": ["a"], "fallback_pool": "b"}],
}
LINE = re.compile(r"<([0-7])>(supervisor|responder \d+|spare|monitor): (\S.*)")
TIME = re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d")


def test_flips_reach_the_journal_as_warnings_without_a_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    log.touch()
    found = log.stat()
    monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
    with running_server(TREE, tmp_path) as server:
        server.set_endpoint("a/a1", up=False)
        server.ask("force", pattern="a", state="up")
        deadline = time.monotonic() + 20
        while "load balancer www.example.com is healthy" not in server.log and time.monotonic() < deadline:
            time.sleep(0.02)
    lines = [LINE.fullmatch(line) for line in log.read_text().splitlines()]
    assert all(lines), log.read_text()
    told = [(int(line[1]), line[3]) for line in lines if line and line[2] == "monitor"]
    assert not [text for _, text in told if TIME.match(text)]

    def priority(begins: str) -> int:
        (number,) = (number for number, text in told if text.startswith(begins))
        return number

    assert priority("pool a endpoint a1 (127.0.0.11) is unhealthy: TCP connection failed") <= WARNING
    assert priority("pool a is critical: 0 of 1 endpoints up") <= WARNING
    assert priority("load balancer www.example.com is critical: fallback pool b serves") <= WARNING
    assert priority("pool a is healthy: forced up") > WARNING
    assert priority("load balancer www.example.com is healthy; was critical") > WARNING


def test_what_nothing_catches_and_what_libraries_warn_of_has_a_priority(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        found = os.fstat(log.fileno())
        environment = {**package_environment(), "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        done = subprocess.run([sys.executable, "-P", "-c", FAILING], stderr=log, env=environment, timeout=60)
    assert done.returncode == 1
    lines = [re.fullmatch("<([0-7])>monitor: (.+)", line) for line in (tmp_path / "log").read_text().splitlines()]
    assert all(lines), (tmp_path / "log").read_text()
    told = [(int(line[1]), line[2]) for line in lines if line]
    assert told[0] == (4, "a library's")
    errors = [(3, "when it went"), (2, "in a thread"), (2, "at the end")]
    assert [(number, text.removeprefix("ValueError: ")) for number, text in told if "Error: " in text] == errors
