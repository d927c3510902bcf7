"""`lbdns top`: what the running server does right now, once or again and again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from lbdns.cli.commands.health_command import STALE_S, STYLES
from lbdns.cli.frame.common import in_largest_unit, print_json
from lbdns.cli.frame.running import RunningServer, running_options

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

PIPE_COLUMNS = 120  # where the output goes into a file or another program
INTERVAL_S = 1.0
INTERVAL_MIN_S, INTERVAL_MAX_S = 0.1, 60.0
LIMIT = 10
HEAD_LINES = 17  # what stands above and between the lists
ENDPOINTS_MAX = 8  # of one pool
SMALL_ROWS_MAX = 6  # of RCODEs, types and location sources
ANSWER_S = 30.0  # beyond the interval, for a busy server
NOT_MEASURED = "-"

Report = dict[str, Any]
Sample = Callable[[float], Report]  # of so many seconds


@click.command()
@running_options
@click.option(
    "--interval",
    type=click.FloatRange(INTERVAL_MIN_S, INTERVAL_MAX_S),
    default=INTERVAL_S,
    show_default=True,
    help="Seconds over which rates are taken.",
)
@click.option("--once", is_flag=True, help="Print one sample and end.")
@click.option("--limit", type=click.IntRange(1, 1000), help="How many load balancers and pools. [default: what fits]")
@click.option("--json", "as_json", is_flag=True, help="Print samples as JSON, one a line; with --once indented.")
def top(running: RunningServer, interval: float, once: bool, limit: int | None, as_json: bool) -> None:
    """Show rates of the running server: queries, RCODEs, busiest load balancers, pools' shares."""
    from rich.console import Console

    from lbdns.processes.supervisor.control_socket import ask

    path = running.control()
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_COLUMNS)

    def sample(seconds: float) -> Report:
        wanted = limit or (LIMIT if once or as_json else rows_that_fit(console.height))
        report: Report = ask(path, "counters", timeout_s=seconds + ANSWER_S, interval_s=seconds, limit=wanted)
        return report

    if once:
        report = sample(interval)
        print_json(report) if as_json else console.print(render(report, time.time()))
        return
    try:
        if as_json:
            for report in samples(sample, interval):
                click.echo(json.dumps(report, ensure_ascii=False))
        else:
            show(console, sample, interval)
    except KeyboardInterrupt:
        return


def samples(sample: Sample, interval_s: float) -> Iterator[Report]:
    """Yield one report after another."""
    while True:
        yield sample(interval_s)


def show(console: Console, sample: Sample, interval_s: float) -> None:
    """Show reports in place on a terminal, elsewhere one below the other."""
    if not console.is_terminal:
        for report in samples(sample, interval_s):
            console.print(render(report, time.time()))
    from rich.live import Live

    # Totals at once; rates follow when an interval has passed.
    with Live(render(sample(0), time.time()), console=console, screen=True, auto_refresh=False) as live:
        for report in samples(sample, interval_s):
            live.update(render(report, time.time()), refresh=True)


def rows_that_fit(height: int) -> int:
    """Return how many load balancers, and how many pools with an endpoint or two each, a terminal has room for."""
    return max((height - HEAD_LINES) // 4, 2)


def render(report: Report, now_s: float) -> RenderableType:
    """Return a report as lines and tables."""
    from rich.console import Group
    from rich.table import Table

    queries = _sum(report["queries"])
    columns = Table.grid(padding=(0, 4))
    columns.add_row(
        small_table("reply", report["rcodes"]),
        small_table("type asked for", report["types"]),
        small_table("located by", report["location_sources"]),
    )
    decisions = sum(row["per_s"] or 0.0 for row in report["location_sources"].values())
    parts: list[RenderableType] = [
        server_line(report, now_s),
        traffic_line(report),
        path_line(report, queries),
        "",
        columns,
        "",
        balancer_table(report["load_balancers"], decisions),
        *(("", rule_table(report["rules"], decisions)) if report["rules"] else ()),
        "",
        pool_table(report["pools"], decisions),
    ]
    return Group(*parts)


def server_line(report: Report, now_s: float) -> Text:
    """Return who answers: release, age, generation, processes, monitor worker."""
    from rich.text import Text

    count = report["responders"]
    line = Text(f"lbdns {report['version']}", "bold")
    line.append(f"  up {in_largest_unit(now_s - report['started'])}, generation {report['generation']}", "not bold")
    line.append(f", {count} responder{'s' if count != 1 else ''}", "not bold")
    line.append(", fast path" if report["fast_path"] else ", no fast path", "" if report["fast_path"] else "yellow")
    silent_s = report["monitor"]["silent_s"]
    if silent_s is None or silent_s > STALE_S:
        said = "not heard of" if silent_s is None else f"silent for {silent_s:.0f} s"
        line.append(f", monitor worker {said}", "bold red")
    else:
        line.append(f", monitor worker {silent_s:.1f} s ago", "not bold")
    for key, word in (("restarts", "restart"), ("reload_failures", "refused reload")):
        if report[key]:
            line.append(f", {report[key]} {word}{'s' if report[key] != 1 else ''}", "yellow")
    return line


def traffic_line(report: Report) -> Text:
    """Return the rates of queries."""
    from rich.text import Text

    queries = report["queries"]
    line = Text(f"{rate(_sum(queries))} queries/s", "bold green")
    line.append(f"  UDP {rate(queries['udp']['per_s'])}  TCP {rate(queries['tcp']['per_s'])}", "not bold default")
    total = queries["udp"]["total"] + queries["tcp"]["total"]
    line.append(f"  since the start {total:,}", "dim")
    return line


def path_line(report: Report, queries: float | None) -> Text:
    """Return how the queries fared: shares of the interval, and losses where there were any since the start."""
    from rich.text import Text

    line = Text()
    for word, figure in (
        ("fast", report["replies"]["fast"]),
        ("slow", report["replies"]["slow"]),
        ("deferred", report["deferred"]),
        ("dropped", report["dropped"]),
    ):
        line.append(f"{word} {share(figure['per_s'], queries)}  ")
    for word, key in (("lost to a full queue", "overflows"), ("send errors", "send_errors")):
        figure = report[key]
        style = "bold red" if figure["per_s"] else "yellow" if figure["total"] else "dim"
        line.append(f"{word} {rate(figure['per_s'])}/s ({figure['total']:,})  ", style)
    line.rstrip()
    return line


def small_table(heading: str, rows: dict[str, dict[str, Any]]) -> Table:
    """Return names with rate and share, the busiest first."""
    table = _table((heading, "left"), ("/s", "right"), ("share", "right"))
    ordered = sorted(rows.items(), key=lambda item: (-(item[1]["per_s"] or 0.0), -item[1]["total"]))
    whole = sum(row["per_s"] or 0.0 for row in rows.values())
    for name, row in ordered[:SMALL_ROWS_MAX]:
        table.add_row(name, rate(row["per_s"]), share(row["per_s"], whole))
    return table


def balancer_table(rows: list[dict[str, Any]], whole: float) -> Table:
    """Return the busiest load balancers; shares are of all decisions."""
    from rich.text import Text

    table = _table(
        ("load balancer", "left"), ("type", "left"), ("decisions/s", "right"), ("share", "right"), ("total", "right")
    )
    for row in rows:
        table.add_row(
            Text(row["name"]), row["type"], rate(row["per_s"]), share(row["per_s"], whole), f"{row['total']:,}"
        )
    return table


def rule_table(rows: list[dict[str, Any]], whole: float) -> Table:
    """Return the rules and pool sets that matched most; shares are of all decisions."""
    from rich.text import Text

    table = _table(
        ("rule of load balancer", "left"),
        ("rule", "left"),
        ("matches/s", "right"),
        ("share", "right"),
        ("total", "right"),
    )
    for row in rows:
        figures = (rate(row["per_s"]), share(row["per_s"], whole), f"{row['total']:,}")
        table.add_row(Text(f"{row['load_balancer']} {row['type']}"), Text(row["rule"]), *figures)
    return table


def pool_table(pools: list[dict[str, Any]], whole: float) -> Table:
    """Return the busiest pools, shares of all decisions, with their endpoints, shares of their pool's answers."""
    from rich.text import Text

    table = _table(
        ("pool / endpoint", "left"),
        ("address", "left"),
        ("state", "left"),
        ("answers/s", "right"),
        ("share", "right"),
        ("total", "right"),
    )
    for pool in pools:
        state = Text(pool["state"], STYLES.get(pool["state"], ""))
        figures = (rate(pool["per_s"]), share(pool["per_s"], whole), f"{pool['total']:,}")
        table.add_row(Text(pool["name"], "bold"), "", state, *figures)
        answers = sum(endpoint["per_s"] or 0.0 for endpoint in pool["endpoints"])
        for endpoint in busiest(pool["endpoints"], ENDPOINTS_MAX):
            state = Text(endpoint["state"], STYLES.get(endpoint["state"], ""))
            figures = (rate(endpoint["per_s"]), share(endpoint["per_s"], answers), f"{endpoint['total']:,}")
            table.add_row(Text(f"  {endpoint['name']}"), Text(endpoint["address"], "dim"), state, *figures)
        if len(pool["endpoints"]) > ENDPOINTS_MAX:
            table.add_row(Text(f"  and {len(pool['endpoints']) - ENDPOINTS_MAX} more", "dim"))
    return table


def busiest(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return the `count` busiest rows in their own order."""
    chosen = sorted(rows, key=lambda row: (-(row["per_s"] or 0.0), -row["total"]))[:count]
    return [row for row in rows if row in chosen]


def rate(per_s: float | None) -> str:
    """Return a rate with as many digits as mean something."""
    if per_s is None:
        return NOT_MEASURED
    return f"{per_s:,.0f}" if per_s >= 100 or per_s == 0 else f"{per_s:.1f}"


def share(part: float | None, whole: float | None) -> str:
    """Return a share of a whole; NOT_MEASURED of nothing."""
    return NOT_MEASURED if part is None or not whole else f"{100 * part / whole:.1f} %"


def _sum(figures: dict[str, dict[str, Any]]) -> float | None:
    rates = [figure["per_s"] for figure in figures.values()]
    return None if None in rates else sum(rates)


def _table(*headings: tuple[str, str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading, justify in headings:
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return table
