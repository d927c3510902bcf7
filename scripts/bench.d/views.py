"""What views cost: queries where there are ten views of a thousand networks each, beside the same without."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure import Running, free_port, wait_ready
from questions import APEX, NAMES, SEED, ZONE, Question, addresses

if TYPE_CHECKING:
    from bench import Bench

VIEWS, NETWORKS = 10, 1000
OVERLAID = 20  # records of each view's own
START_S = 60.0
BOUND = 1.03
CLIENT = "127.0.0.1"
NONE, OUTSIDE, INSIDE, TRUSTED = "no views", "ten views, the client in none", "the client in one", "its ECS believed"


def _networks(chance: random.Random) -> list[str]:
    """Return the networks of one view, at random over IPv4."""
    found: dict[int, int] = {}
    while len(found) < NETWORKS:
        found.setdefault(chance.getrandbits(24), chance.choice((24, 26, 28, 32)))
    return [f"{block >> 16}.{block >> 8 & 255}.{block & 255}.0/{length}" for block, length in found.items()]


def _views(kind: str) -> str:
    """Return the settings of views, as YAML."""
    if kind == NONE:
        return ""
    chance = random.Random(SEED)
    taken = {"127.0.0.0"}
    lines = ["views:\n"]
    for number in range(VIEWS):
        mine = [network for network in _networks(chance) if network.partition("/")[0] not in taken]
        taken |= {network.partition("/")[0] for network in mine}
        own = ["127.0.0.0/28"] if number == 0 and kind == INSIDE else []
        lines.append(f"  v{number}: {{networks: [{', '.join([*own, *mine])}]}}\n")
    trusted = f"trusted_resolvers: [{CLIENT}]\n" if kind == TRUSTED else ""
    return "".join(lines) + trusted


def write_files(folder: Path, port: int, kind: str) -> None:
    """Write one server's files: each view has some records of its own in the zone, which nobody asks for."""
    (folder / "lbdns.yaml").write_text(
        f'listen: ["{CLIENT}:{port}"]\nworkers: 1\npop: {{code: AMS}}\nstate: state\n{_views(kind)}'
    )
    (folder / f"{ZONE}.zone").write_text(APEX)
    for number in range(0 if kind == NONE else VIEWS):
        own = "".join(f"own{index} A 192.0.2.{number + 1}\n" for index in range(OVERLAID))
        (folder / f"{ZONE}@v{number}.zone").write_text(f"$TTL 300\n{own}")
    lines = ["pools:\n"]
    for number in range(NAMES):
        origins = ", ".join(
            f"{{name: x{place}, address: {address}, weight: {weight / 100}}}"
            for place, (weight, address) in enumerate(addresses(number))
        )
        lines.append(f"  p{number}: {{origins: [{origins}]}}\n")
    lines.append("load_balancers:\n")
    lines += [
        f"  - {{name: lb{number}.{ZONE}, default_pools: [p{number}], fallback_pool: p{number}, "
        f'steering_policy: "off"}}\n'
        for number in range(NAMES)
    ]
    (folder / "balancing.yaml").write_text("".join(lines))


def records_of(bench: Bench, has_ecs: bool) -> Path:
    path = bench.work / f"views-{has_ecs}.queries"
    path.write_bytes(b"".join(Question(f"lb{number}.{ZONE}", has_ecs=has_ecs).record() for number in range(NAMES)))
    return path


def _start(bench: Bench, kind: str) -> Running:
    folder = Path(tempfile.mkdtemp(prefix="views-", dir=bench.work))
    port = free_port()
    write_files(folder, port, kind)
    server = Running(kind, [sys.executable, "-P", "-m", "lbdns", "serve", str(folder)], port, folder)
    bench.servers.append(server)
    why = wait_ready(server, bench.generator, records_of(bench, has_ecs=False), START_S)
    if why:
        raise SystemExit(f"bench: lbdns with {kind} does not serve: {why}")
    return server


def views(bench: Bench) -> dict[str, Any]:
    """Print what a query costs with views, without ECS and with ECS at random that is believed."""
    kept: dict[str, Any] = {}
    servers = {kind: _start(bench, kind) for kind in (NONE, OUTSIDE, INSIDE, TRUSTED)}
    for has_ecs, kinds in ((False, (NONE, OUTSIDE, INSIDE)), (True, (NONE, TRUSTED))):
        here = [servers[kind] for kind in kinds]
        rows = bench.rounds(here, [records_of(bench, has_ecs)] * len(here))
        bench.report(f"views, {'ECS at random' if has_ecs else 'no ECS'}", rows, NONE)
        for row in rows[1:]:
            ratio = row.ratio_to(rows[0])
            kept[row.name] = ratio
            bench.say(f"\n{row.name}: {ratio:.3f} of none (bound: {BOUND})")
    bench.stop_all()
    return kept
