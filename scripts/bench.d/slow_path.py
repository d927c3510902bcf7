"""Measure the slow path with dnsperf: queries a second, CPU microseconds a query and losses by kind of query."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from measure import cpu_s

from lbdns.steering.kernel import decide
from lbdns.testing import LbdnsServer, running_server

NAMES = 1000
ZONE = "$TTL 300\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53\n"
SERVER_CORE, CLIENT_CORE = 0, 1


def configuration() -> dict[str, object]:
    """Return one zone with NAMES load balancers over pools of two weighted endpoints, and as many static records."""
    origins = [
        {"name": "a", "address": "192.0.2.1", "weight": 0.75},
        {"name": "b", "address": "192.0.2.2", "weight": 0.25},
    ]
    pools = {
        f"pool{number}": {"origins": origins, "latitude": number % 90, "longitude": number % 180}
        for number in range(10)
    }
    balancers = [
        {
            "name": f"lb{number}.bench.example",
            "default_pools": [f"pool{(number + step) % 10}" for step in range(3)],
            "fallback_pool": "pool0",
            "steering_policy": "proximity" if number % 2 else "off",
            "location_strategy": {"mode": "resolver_ip", "prefer_ecs": "always"},
        }
        for number in range(NAMES)
    ]
    static = "".join(f"static{number} IN A 192.0.2.{number % 250}\n" for number in range(NAMES))
    return {"zones": {"bench.example": ZONE + static}, "pools": pools, "load_balancers": balancers}


def kinds() -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each kind of queries: its name, dnsperf's lines, dnsperf's options."""
    balanced = [f"lb{number}.bench.example A" for number in range(NAMES)]
    yield "load balancer", balanced, ["-e"]
    yield "load balancer, ECS", balanced, ["-E", "8:0001180051f0a8"]
    yield "static record", [f"static{number}.bench.example A" for number in range(NAMES)], ["-e"]
    yield "NXDOMAIN", [f"nothing{number}.bench.example A" for number in range(NAMES)], ["-e"]


def measure(server: LbdnsServer, lines: list[str], options: list[str], seconds: int, folder: Path) -> str:
    """Run dnsperf once and return a row of the table."""
    queries = folder / "queries"
    queries.write_text("\n".join(lines) + "\n")
    pid = server.status()["responders"][0]["pid"]
    os.sched_setaffinity(pid, {SERVER_CORE})
    before = sum(cpu_s(pid))
    command = ["taskset", "-c", str(CLIENT_CORE), "dnsperf", "-s", server.host, "-p", str(server.port)]
    command += ["-d", str(queries), "-l", str(seconds), "-q", "200", "-T", "1", *options]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used_s = sum(cpu_s(pid)) - before

    def figure(pattern: str) -> float:
        found = re.search(pattern, said)
        if found is None:
            raise SystemExit(f"dnsperf printed something else than expected:\n{said}")
        return float(found[1])

    completed = figure(r"Queries completed:\s+(\d+)")
    lost = figure(r"Queries lost:\s+(\d+)")
    rate = figure(r"Queries per second:\s+([\d.]+)")
    latency_ms = 1000 * figure(r"Average Latency \(s\):\s+([\d.]+)")
    return f"{rate:12,.0f} {1e6 * used_s / completed:14.1f} {lost:8.0f} {latency_ms:12.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", type=int, nargs="?", default=10, help="of each kind of query (default 10)")
    seconds: int = parser.parse_args().seconds
    os.environ["LBDNS_FAST_PATH"] = "0"
    compiled = str(decide.__file__).endswith(tuple(EXTENSION_SUFFIXES))
    print(f"Python {sys.version.split()[0]}, kernel {'compiled' if compiled else 'interpreted'}, {seconds} s each")
    print(f"{'':20} {'queries/s':>12} {'CPU us/query':>14} {'lost':>8} {'latency ms':>12}")
    with tempfile.TemporaryDirectory() as folder, running_server(configuration(), Path(folder, "server")) as server:
        for name, lines, options in kinds():
            print(f"{name:20} {measure(server, lines, options, seconds, Path(folder))}", flush=True)


if __name__ == "__main__":
    main()
