"""What samples cost: plain queries with samples on beside the same with them off, in pairs; and with dnstap on."""

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
OFF, ON, TAPPED = "no samples", "samples", "samples, and dnstap of all to a file"


def _settings(kind: str, folder: Path) -> str:
    if kind == OFF:
        return "samples: {per_second: 0}\n"
    return "" if kind == ON else f"dnstap: {{file: {folder / 'log.tap'}}}\n"


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
    """Print what a query costs with samples, and with dnstap beside them, whose worker has the generator's core."""
    kept: dict[str, Any] = {}
    servers = [_start(bench, kind) for kind in (OFF, ON, TAPPED)]
    rows = bench.rounds(servers, [records_of(bench, has_ecs=False)] * len(servers))
    bench.report("samples and dnstap", rows, OFF)
    for row in rows[1:]:
        kept[row.name] = row.ratio_to(rows[0])
        bench.say(f"\n{row.name}: {kept[row.name]:.3f} of none" + (f" (bound: {BOUND})" if row.name == ON else ""))
    bench.stop_all()
    return kept
