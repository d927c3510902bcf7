"""What the history costs: a day of a thousand load balancers written minute by minute, the file, charts over a day and
over ninety days, reading while it is written, and the process; the same counts in DuckDB, where that is installed.

Each minute has counts of all load balancers, of three pools and six endpoints each, and the cells of 12,000 samples
(of a machine with more than 200 queries a second). One minute in STRIDE is made; each is written STRIDE times.
"""

from __future__ import annotations

import importlib.util
import itertools
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lbdns.telemetry.history.history_bounds import HistoryBounds, prune
from lbdns.telemetry.history.history_reader import HistoryReader
from lbdns.telemetry.history.history_store import HistoryStore
from lbdns.telemetry.history.history_words import COVERED, DAY_S, MINUTE_S, RCODE, TRANSPORT, HistoryKind
from lbdns.telemetry.history.minute_counts import CellKey, MinuteCounts

if TYPE_CHECKING:
    from bench import Bench

BALANCERS: Final = 1000
POOLS: Final = 3  # of each
ENDPOINTS: Final = 2  # of each pool
SAMPLES: Final = 12_000  # a minute
QUERIES: Final = 600_000  # a minute
STRIDE: Final = 12
DAYS: Final = 90
DUCKDB_PART: Final = 5  # of a day, what is written there, by the size in proportion
COUNTRIES: Final = 200
ROUNDS: Final = 9
BOUND_BYTES: Final = 200_000_000
BOUND_RATIO: Final = 2.0
START_S: Final = 1_700_000_000 // DAY_S * DAY_S


def history(bench: Bench) -> dict[str, Any]:
    """Print what a day takes, and how long charts do; return the figures."""
    state_dir = bench.work / "state"
    state_dir.mkdir()
    found = _sqlite(state_dir)
    for name, value in found.items():
        bench.say(f"history: {name}: {value}")
    if importlib.util.find_spec("duckdb") is None:
        bench.say("history: DuckDB is not installed (pip install duckdb): left out")
    else:
        for name, value in (beside := _duckdb(bench.work / "history.duckdb")).items():
            bench.say(f"history: DuckDB: {name}: {value}")
        found |= {f"duckdb {name}": value for name, value in beside.items()}
    if found["day, MB"] > BOUND_BYTES / 1e6 or found["90 days / a day"] > BOUND_RATIO:
        raise SystemExit(
            f"history: a day may have {BOUND_BYTES:,} bytes, a chart over 90 days {BOUND_RATIO} times a day's"
        )
    return found


def _sqlite(state_dir: Path) -> dict[str, Any]:
    chance = np.random.default_rng(1)
    store = HistoryStore(state_dir)
    took: list[float] = []
    rolled: list[float] = []
    slowest_s = 0.0
    reader = HistoryReader(state_dir)
    minutes = itertools.chain.from_iterable(itertools.repeat(counts, STRIDE) for counts in _minutes(chance))
    for number, counts in zip(range(DAY_S // MINUTE_S), minutes, strict=False):
        start_s = START_S + number * MINUTE_S
        current = MinuteCounts(start_s, counts.counts, counts.cells)
        began_s = time.perf_counter()
        store.write(start_s, [current, MinuteCounts(start_s + MINUTE_S)], {})
        took.append(time.perf_counter() - began_s)
        began_s = time.perf_counter()
        while store.roll_up(start_s + MINUTE_S):
            pass
        rolled.append(time.perf_counter() - began_s)
        if number % 100 == 99:
            began_s = time.perf_counter()
            reader.series("pools", start_s - 3600, start_s, name="pool-7-1")
            slowest_s = max(slowest_s, time.perf_counter() - began_s)
    prune(store, HistoryBounds(1_000_000_000, DAYS), START_S + DAY_S)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    size = store.path.stat().st_size
    _repeat_days(store)
    store.close()
    until_s = START_S + DAY_S
    day_s = _median(lambda: reader.series("rcodes", until_s - DAY_S, until_s))
    days_s = _median(lambda: reader.series("rcodes", until_s - DAYS * DAY_S, until_s))
    return {
        "day, MB": round(size / 1e6, 1),
        "write of a minute, ms": round(statistics.median(took) * 1000, 1),
        "longest roll-up, ms": round(max(rolled) * 1000),
        "chart of an hour while it is written, longest, ms": round(slowest_s * 1000, 1),
        "overview chart over a day, ms": round(day_s * 1000, 1),
        "overview chart over 90 days, ms": round(days_s * 1000, 1),
        "90 days / a day": round(days_s / day_s, 2),
        "pools over a day, ms": round(_median(lambda: reader.series("pools", until_s - DAY_S, until_s)) * 1000),
        "pools over 90 days, ms": round(
            _median(lambda: reader.series("pools", until_s - DAYS * DAY_S, until_s)) * 1000
        ),
        "one load balancer by country over a day, ms": round(
            _median(lambda: reader.cells(until_s - DAY_S, until_s, ["country"], {"load_balancer": "lb-7.example.com"}))
            * 1000
        ),
        "memory at its height, with what makes the minutes, MiB": peak_mib,
        "start of the process, s": round(_start_s(), 2),
    }


def _minutes(chance: np.random.Generator) -> Iterator[MinuteCounts]:
    """Yield minutes without end, by a law of few that have much."""
    weights = 1 / np.arange(1, BALANCERS + 1)
    shares = weights / weights.sum()
    while True:
        found = MinuteCounts(0)
        by_balancer = chance.poisson(QUERIES * shares)
        found.add(HistoryKind.SERVER, (COVERED,), MINUTE_S * 1000)
        for group in ((RCODE, "NOERROR"), (TRANSPORT, "udp")):
            found.add(HistoryKind.SERVER, group, int(by_balancer.sum()))
        for number, count in enumerate(by_balancer.tolist()):
            found.add(HistoryKind.LOAD_BALANCERS, (f"lb-{number}.example.com", "A"), count)
            for pool, of_pool in enumerate(chance.multinomial(count, (0.6, 0.3, 0.1)).tolist()):
                name = f"pool-{number}-{pool}"
                found.add(HistoryKind.POOLS, (name,), of_pool)
                for endpoint, share in enumerate((of_pool // 2, of_pool - of_pool // 2)):
                    found.add(HistoryKind.ENDPOINTS, (name, f"e{endpoint}", f"192.0.2.{endpoint}"), share)
        balancers = chance.choice(BALANCERS, SAMPLES, p=shares).tolist()
        pools = chance.choice(POOLS, SAMPLES, p=(0.6, 0.3, 0.1)).tolist()
        countries = np.minimum(chance.zipf(1.6, SAMPLES), COUNTRIES).tolist()
        endpoints = chance.integers(0, ENDPOINTS, SAMPLES).tolist()
        for balancer, pool, country, endpoint in zip(balancers, pools, countries, endpoints, strict=True):
            found.add_cell(_cell(balancer, pool, country, endpoint), QUERIES / SAMPLES)
        yield found


def _cell(balancer: int, pool: int, country: int, endpoint: int) -> CellKey:
    place = ((f"C{country}",), (), (f"R{country % 13}",))
    decided = ((), ("ecs",), ("NOERROR",), ("A",), ("answer",), ("healthy",))
    return (
        (f"lb-{balancer}.example.com",),
        ("A",),
        (),
        (f"pool-{balancer}-{pool}",),
        (f"e{endpoint}",),
        ("FRA",),
        *place,
        *decided,
    )


def _repeat_days(store: HistoryStore) -> None:
    """Have the day be the days before it as well, as these are read: rolled up."""
    with store.transaction() as connection:
        for day in range(1, DAYS):
            connection.execute(
                """INSERT INTO blocks SELECT kind, step_s, start_s - ?, rows, data FROM blocks
                WHERE step_s = ? AND start_s = ?""",
                (day * DAY_S, DAY_S, START_S),
            )


def _median(call: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        call()
        took.append(time.perf_counter() - began_s)
    return statistics.median(took)


def _start_s() -> float:
    """Return how long the history's process takes until it has read what it imports."""
    began_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import lbdns.telemetry.history.history_worker"], check=True)
    return time.perf_counter() - began_s


def _duckdb(path: Path) -> dict[str, Any]:
    """The same counts as rows of a table, in a file that DuckDB packs; what others see of it meanwhile."""
    import duckdb

    chance = np.random.default_rng(1)
    connection = duckdb.connect(str(path))
    connection.execute("CREATE TABLE counts(kind UTINYINT, start_s INTEGER, id UINTEGER, count UBIGINT)")
    columns = ", ".join(f"d{number} UINTEGER" for number in range(15))
    connection.execute(f"CREATE TABLE cells(start_s INTEGER, {columns}, count UBIGINT, samples UINTEGER)")
    numbers: dict[Any, int] = {}
    took: list[float] = []
    minutes = itertools.chain.from_iterable(itertools.repeat(counts, STRIDE) for counts in _minutes(chance))
    for number, counts in zip(range(DAY_S // MINUTE_S // DUCKDB_PART), minutes, strict=False):
        start_s = START_S + number * MINUTE_S
        rows = [
            (int(kind), start_s, numbers.setdefault(name, len(numbers)), count[0])
            for kind, of_kind in counts.counts.items()
            for name, count in of_kind.items()
        ]
        cells = [
            (start_s, *(numbers.setdefault(name, len(numbers)) for name in key), round(weight), samples)
            for key, (weight, samples) in counts.cells.items()
        ]
        began_s = time.perf_counter()
        connection.execute("BEGIN")
        for table, some in (("counts", rows), ("cells", cells)):
            columns_of = {f"c{place}": np.array(column) for place, column in enumerate(zip(*some, strict=True))}
            connection.register("come", columns_of)
            connection.execute(f"INSERT INTO {table} SELECT * FROM come")
            connection.unregister("come")
        connection.execute("COMMIT")
        took.append(time.perf_counter() - began_s)
    wanted = int(HistoryKind.LOAD_BALANCERS)
    query = f"SELECT start_s // 300 * 300, sum(count) FROM counts WHERE kind = {wanted} GROUP BY 1"
    day_s = _median(lambda: connection.execute(query).fetchall())
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    beside = subprocess.run(
        [sys.executable, "-c", f"import duckdb; duckdb.connect({str(path)!r}, read_only=True)"],
        capture_output=True,
        text=True,
        check=False,
    )
    connection.close()
    began_s = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import duckdb"], check=True)
    return {
        "day, MB": round(path.stat().st_size * DUCKDB_PART / 1e6, 1),
        "write of a minute, ms": round(statistics.median(took) * 1000, 1),
        f"load balancers over 1/{DUCKDB_PART} of a day, ms": round(day_s * 1000, 1),
        "memory at its height, MiB": peak_mib,
        "import, s": round(time.perf_counter() - began_s, 2),
        "another process reads while it is open": "yes" if beside.returncode == 0 else "no",
    }
