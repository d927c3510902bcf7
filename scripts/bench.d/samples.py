"""What samples cost: plain queries with them, and history, on beside the same with both off; and what dnstap does."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure import Running, free_port, wait_ready
from views import NONE, records_of, write_files

if TYPE_CHECKING:
    from bench import Bench

START_S = 60.0
BOUND = 1.02
OFF, ON, KEPT = "neither samples nor history", "samples", "samples and history"
TAPPED = "dnstap of all to a file, else as the first"


def _settings(kind: str, folder: Path) -> str:
    off = "samples: {per_second: 0}\nhistory: {enabled: false}\n"
    return {
        OFF: off,
        ON: "history: {enabled: false}\n",
        KEPT: "",
        TAPPED: f"{off}dnstap: {{file: {folder / 'log.tap'}}}\n",
    }[kind]


def _start(bench: Bench, kind: str) -> Running:
    folder = Path(tempfile.mkdtemp(prefix="samples-", dir=bench.work))
    port = free_port()
    write_files(folder, port, NONE)
    with (folder / "lbdns.yaml").open("a") as file:
        file.write(_settings(kind, folder))
    server = Running(kind, [sys.executable, "-P", "-m", "lbdns", "serve", str(folder)], port, folder)
    bench.servers.append(server)
    why = wait_ready(server, bench.generator, records_of(bench, has_ecs=False), START_S)
    if why:
        raise SystemExit(f"bench: lbdns with {kind} does not serve: {why}")
    return server


def samples(bench: Bench) -> dict[str, Any]:
    """Print what a query costs with samples, with history as well, and with dnstap: of all processes of the server."""
    kept: dict[str, Any] = {}
    servers = [_start(bench, kind) for kind in (OFF, ON, KEPT, TAPPED)]
    rows = bench.rounds(servers, [records_of(bench, has_ecs=False)] * len(servers))
    bench.report("samples and dnstap", rows, OFF)
    for row in rows[1:]:
        kept[row.name] = row.ratio_to(rows[0])
        bound = f" (bound: {BOUND})" if row.name in (ON, KEPT) else ""
        bench.say(f"\n{row.name}: {kept[row.name]:.3f} of neither{bound}")
    bench.stop_all()
    return kept
