"""Time the road from files to a snapshot at the sizes that lbdns promises.

    scale.py [balancers|records] [--seed N]

balancers: 100,000 load balancers under every policy over 10,000 pools with 30,000 endpoints; records: 1,000,000 static
records. Prints seconds a step, the snapshot's size and the peak memory of this process.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import load
from lbdns.fastpath.templates import add_templates
from lbdns.mapped.health_table import HealthTable
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots

APEX = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"
COUNTRIES = ("DE", "FR", "GB", "US", "CA", "BR", "JP", "KR", "IN", "AU", "ZA", "NG")
REGIONS = ("WEU", "EEU", "ENAM", "WNAM", "NSAM", "SSAM", "NEAS", "SEAS", "OC", "SAF")


def write_balancers(folder: Path, chance: Random, balancers: int = 100_000, pools: int = 10_000) -> None:
    """Write load balancers of every policy; places are chosen per balancer, as many operators would."""
    (folder / "example.com.zone").write_text(APEX)
    lines = ["pools:"]
    for number in range(pools):
        origins = ", ".join(
            f"{{name: e{index}, address: 10.{number >> 8}.{number & 255}.{index + 1}, "
            f"weight: {chance.randint(1, 99) / 100}}}"
            for index in range(3)
        )
        place = f"latitude: {chance.uniform(-60, 70):.2f}, longitude: {chance.uniform(-180, 180):.2f}"
        lines.append(f"  p{number}: {{{place}, origins: [{origins}]}}")
    lines.append("load_balancers:")
    for number in range(balancers):
        names = [f"p{index}" for index in chance.sample(range(pools), 4)]
        policy = chance.choice(("off", "random", "geo", "geo", "dynamic_latency", "proximity"))
        extra = ""
        if policy == "geo":
            countries = ", ".join(f"{code}: [{chance.choice(names)}]" for code in chance.sample(COUNTRIES, 3))
            regions = ", ".join(f"{code}: [{chance.choice(names)}]" for code in chance.sample(REGIONS, 2))
            extra = (
                f", country_pools: {{{countries}}}, region_pools: {{{regions}}}"
                ", location_strategy: {mode: resolver_ip, prefer_ecs: always}"
            )
        lines.append(
            f"  - {{name: lb{number}.example.com, default_pools: [{', '.join(names)}], fallback_pool: {names[0]}, "
            f'steering_policy: "{policy}"{extra}}}'
        )
    (folder / "balancing.yaml").write_text("\n".join(lines) + "\n")


def write_records(folder: Path, chance: Random, records: int = 1_000_000) -> None:
    """Write one zone of A records."""
    with (folder / "example.com.zone").open("w") as file:
        file.write(APEX)
        file.writelines(
            f"h{number} A 10.{number >> 16}.{number >> 8 & 255}.{number & 255}\n" for number in range(records)
        )


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something takes, wall clock and processor."""
    wall, cpu = time.monotonic(), time.process_time()
    yield
    print(f"  {what:22} {time.monotonic() - wall:7.2f} s  {time.process_time() - cpu:7.2f} s CPU", flush=True)


def measure(name: str, write: Callable[[Path, Random], None], seed: int) -> None:
    """Take one configuration from files to a snapshot file."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        write(folder, Random(seed))
        print(name, flush=True)
        with timed("all"):
            with timed("load and check"):
                configuration = load(folder).configuration
            with timed("places"):
                geodata = Geodata.open(configuration.settings.geodata.city, None)
            slots = Slots().assign(configuration)
            table = HealthTable.create(folder / "health", slots.endpoint_count, slots.pool_count, 1)
            with timed("compile"):
                snapshot = compile_snapshot(configuration, geodata, slots, 1, 1)
            with timed("templates"):
                snapshot = add_templates(snapshot, ServingView(snapshot, table))
            with timed("write"):
                snapshot.write_tries(folder / "tries")
                snapshot.write(folder / "snapshot", folder / "tries")
        print(f"  snapshot {snapshot.size / 1e6:.0f} MB", flush=True)


def main() -> None:
    """Measure what is asked for, else both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="both", choices=["balancers", "records", "both"])
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    if said.what != "records":
        measure("100,000 load balancers, 10,000 pools, 30,000 endpoints", write_balancers, said.seed)
    if said.what != "balancers":
        measure("1,000,000 static records", write_records, said.seed)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB")


if __name__ == "__main__":
    main()
