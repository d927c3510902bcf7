"""What rules cost: queries at load balancers with rules, beside the same without; and compiling many of them."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure import Row, Running, free_port, wait_ready
from questions import APEX, NAMES, SEED, ZONE, Question, addresses
from scale import write_balancers

from lbdns.config.loading import load
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots

if TYPE_CHECKING:
    from bench import Bench

LISTED = 100_000  # networks of the list
PROVIDERS = 20_000  # networks of the toy database of AS numbers
AS_NUMBERS = 1000
COMPILED, COMPILED_POOLS, RULES_EACH, RULE_SETS = 10_000, 10_000, 5, 100
START_S = 120.0
RULE_BOUND, LIST_BOUND, COMPILE_BOUND = 1.03, 1.15, 1.5


def _networks(chance: random.Random, count: int) -> list[str]:
    """Return networks that do not overlap, at random over IPv4."""
    found: dict[int, int] = {}
    while len(found) < count:
        found.setdefault(chance.getrandbits(24), chance.choice((24, 26, 28, 32)))
    return [f"{block >> 16}.{block >> 8 & 255}.{block & 255}.0/{length}" for block, length in found.items()]


def _write_providers(path: Path) -> None:
    """Write a database of AS numbers of networks at random; its writer is installed for tests alone."""
    from mmdb_writer import MMDBWriter
    from netaddr import IPSet

    chance = random.Random(SEED)
    writer = MMDBWriter(4, "Toy-ASN", languages=["en"], description="a toy")
    by_number: dict[int, list[str]] = {}
    for network in _networks(chance, PROVIDERS):
        by_number.setdefault(64512 + chance.randrange(AS_NUMBERS), []).append(network)
    for number, networks in by_number.items():
        writer.insert_network(IPSet(networks), {"autonomous_system_number": number})
    writer.to_db_file(str(path))


def _ten_rules(number: int) -> str:
    """Return ten rules on prefixes and AS numbers, as YAML in one line; which pools they give hangs on the name."""
    chance = random.Random(f"{SEED}/{number % 10}")
    rules = []
    for index in range(10):
        if index % 2:
            numbers = " ".join(str(64512 + chance.randrange(AS_NUMBERS)) for _ in range(3))
            condition = f"ip.src.asnum in {{{numbers}}}"
        else:
            condition = f"ip.src in {{{' '.join(_networks(chance, 3))}}}"
        pool = f"p{(number + index + 1) % NAMES}"
        rules.append(f"{{name: r{index}, condition: '{condition}', overrides: {{default_pools: [{pool}]}}}}")
    return f"[{', '.join(rules)}]"


def _listed_rule(number: int) -> str:
    return f"[{{name: listed, condition: 'ip.src in $many', overrides: {{default_pools: [p{(number + 1) % NAMES}]}}}}]"


def _pools() -> str:
    lines = ["pools:\n"]
    for number in range(NAMES):
        origins = ", ".join(
            f"{{name: x{place}, address: {address}, weight: {weight / 100}}}"
            for place, (weight, address) in enumerate(addresses(number))
        )
        lines.append(f"  p{number}: {{origins: [{origins}]}}\n")
    return "".join(lines)


def _write(folder: Path, port: int, balancers: str) -> None:
    """Write one server's files; the geolocation and the list are the same for all."""
    _write_providers(folder / "asn.mmdb")
    (folder / "lbdns.yaml").write_text(
        f'listen: ["127.0.0.1:{port}"]\nworkers: 1\npop: {{code: AMS}}\nstate: state\n'
        f"geodata: {{asn: {folder / 'asn.mmdb'}}}\n"
    )
    (folder / f"{ZONE}.zone").write_text(APEX)
    (folder / "balancing.yaml").write_text(balancers)


def _balancers(kind: str) -> str:
    rules_of = {"none": None, "ten": _ten_rules, "list": _listed_rule}[kind]
    lines = [_pools()]
    if kind == "list":
        networks = _networks(random.Random(SEED), LISTED)
        lines.append(f"lists:\n  many: [{', '.join(networks)}]\n")
    lines.append("load_balancers:\n")
    for number in range(NAMES):
        rules = "" if rules_of is None else f", rules: {rules_of(number)}"
        lines.append(
            f"  - {{name: lb{number}.{ZONE}, default_pools: [p{number}], fallback_pool: p{number}, "
            f'steering_policy: "off"{rules}}}\n'
        )
    return "".join(lines)


def _records(bench: Bench, has_ecs: bool) -> Path:
    path = bench.work / f"rules-{has_ecs}.queries"
    path.write_bytes(b"".join(Question(f"lb{number}.{ZONE}", has_ecs=has_ecs).record() for number in range(NAMES)))
    return path


def _start(bench: Bench, name: str, kind: str) -> Running:
    folder = Path(tempfile.mkdtemp(prefix=f"rules-{kind}-", dir=bench.work))
    port = free_port()
    _write(folder, port, _balancers(kind))
    server = Running(name, [sys.executable, "-P", "-m", "lbdns", "serve", str(folder)], port, folder)
    bench.servers.append(server)
    why = wait_ready(server, bench.generator, _records(bench, has_ecs=False), START_S)
    if why:
        raise SystemExit(f"bench: lbdns with {name} does not serve: {why}")
    return server


def rules(bench: Bench) -> dict[str, Any]:
    """Print what a query costs with ten rules and with a long list, without ECS and with it; and compiling."""
    echo = bench.start("echo", "main")
    servers = [echo, *(_start(bench, name, kind) for kind, name in KINDS.items())]
    kept: dict[str, Any] = {}
    for has_ecs in (False, True):
        rows = bench.rounds(servers, [_records(bench, has_ecs)] * len(servers))
        bench.report(f"rules, {'ECS at random' if has_ecs else 'no ECS'}", rows, "echo")
        by_name = {row.name: row for row in rows}
        kept |= _told(bench, by_name, "with ECS" if has_ecs else "without ECS")
    bench.stop_all()
    kept["compile"] = _compile(bench)
    return kept


KINDS = {"none": "no rules", "ten": "ten rules", "list": f"a list of {LISTED:,} networks"}


def _told(bench: Bench, rows: dict[str, Row], where: str) -> dict[str, float]:
    ten = rows[KINDS["ten"]].ratio_to(rows[KINDS["none"]])
    listed = rows[KINDS["list"]].ratio_to(rows["echo"])
    bench.say(f"\n{where}: ten rules {ten:.3f} of none (bound: {RULE_BOUND}); the list {listed:.3f} of echo "
              f"(bound: {LIST_BOUND})")  # fmt: skip
    return {f"ten rules, {where}": ten, f"list, {where}": listed}


def _rules_of(number: int) -> str:
    """Return RULES_EACH rules on AS numbers and networks, as YAML in one line."""
    chance = random.Random(f"{SEED}/{number}")
    rules = []
    for index in range(RULES_EACH):
        condition = f"ip.src.asnum eq {64512 + chance.randrange(AS_NUMBERS)}"
        if index % 2:
            condition = f"ip.src in {{{' '.join(_networks(chance, 3))}}}"
        pools = f"default_pools: [p{chance.randrange(COMPILED_POOLS)}]"
        rules.append(f"{{name: r{index}, condition: '{condition}', overrides: {{{pools}}}}}")
    return f"[{', '.join(rules)}]"


def _compile(bench: Bench) -> dict[str, float]:
    """Print how long load balancers of every policy with rules take to compile, beside the same without: the least of
    the rounds. Most operators' rules are alike: there are RULE_SETS of them; beside that, all are different."""
    kinds = {"no rules": 0, f"{RULE_SETS} sets of rules": RULE_SETS, "all rules different": COMPILED}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    made = {}
    for name, sets in kinds.items():
        folder = Path(tempfile.mkdtemp(prefix="compile-", dir=bench.work))
        _write(folder, 53, "")
        write_balancers(folder, random.Random(SEED), COMPILED, COMPILED_POOLS)
        if sets:
            path = folder / "balancing.yaml"
            lines = path.read_text().splitlines()
            first = lines.index("load_balancers:") + 1
            for number in range(COMPILED):
                lines[first + number] = f"{lines[first + number][:-1]}, rules: {_rules_of(number % sets)}}}"
            path.write_text("\n".join(lines) + "\n")
        configuration = load(folder).configuration
        geodata = Geodata.open(configuration.settings.geodata.city, configuration.settings.geodata.asn)
        made[name] = configuration, geodata, Slots().assign(configuration)
    for _ in range(bench.arguments.rounds):
        for name, (configuration, geodata, slots) in made.items():
            begun = time.process_time()
            compile_snapshot(configuration, geodata, slots, 1, 1)
            seconds[name].append(time.process_time() - begun)
    least = {name: min(found) for name, found in seconds.items()}
    bench.say(f"\ncompiling {COMPILED:,} load balancers, {RULES_EACH} rules each (bound: {COMPILE_BOUND} times none)\n")
    bench.say("| rules | s of processor | to none |\n|---|--:|--:|")
    for name, found in least.items():
        bench.say(f"| {name} | {found:.2f} | {found / least['no rules']:.2f} |")
    return least
