"""`scripts/bench xdp` starts, measures over a cable of its own, prints, and takes the cable away; with the echo alone,
which starts at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.xdp.wire import laid, run

pytestmark = [pytest.mark.process, pytest.mark.slow]
BENCH = Path(__file__).parents[2] / "scripts" / "bench.d" / "bench.py"


@pytest.mark.skipif(shutil.which("cc") is None or (os.cpu_count() or 1) < 2, reason="the benchmark needs cc, two cores")
def test_the_benchmark_runs_over_a_cable_and_takes_it_away() -> None:
    with laid():
        command = [sys.executable, str(BENCH), "xdp", "--seconds", "0.5", "--rounds", "1", "--peers", "echo"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if "LbdnsError: xdp: " in done.stdout:
        pytest.skip(f"no XDP here: {done.stdout}")
    assert done.returncode == 0, done.stderr
    for load in ("plain", "nxdomain", "geo"):
        assert f"### xdp {load}" in done.stdout
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| echo over AF_XDP | ")]
    measured = [row for row in rows if len(row) > 7]
    assert len(measured) == 3 and all(int(row[5].replace(",", "")) > 0 and row[7].strip() == "0" for row in measured)
    assert "| lbdns, sockets | - | - | - | 0.70 |" in done.stdout
    assert "lbdns-bench-" not in run("ip", "netns", "list")
