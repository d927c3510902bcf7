"""`lbdns health`: pools and endpoints of the running server, for a glance or as JSON."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from lbdns.base.wording import counted, moment
from lbdns.base.words import Health
from lbdns.cli.frame.common import (
    PIPE_COLUMNS,
    in_largest_unit,
    parse_duration_s,
    print_json,
)
from lbdns.cli.frame.running import AT_OPTION, RunningServer, ask_at, running_options
from lbdns.cli.frame.verb_group import VerbGroup

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

WATCH_S = 1.0
PROBLEMS_MAX = 5  # that stand below the tables
STALE_S = 2.0
STYLES = {
    Health.HEALTHY: "green",
    Health.DEGRADED: "yellow",
    Health.CRITICAL: "bold red",
    Health.UNHEALTHY: "bold red",
    Health.UNRESOLVED: "bold red",
    Health.UNKNOWN: "yellow",
    Health.DISABLED: "dim",
    Health.NO_MONITOR: "dim",
    Health.NO_HEALTH: "dim",
}


@click.group(cls=VerbGroup, invoke_without_command=True)
@running_options
@AT_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known, as JSON.")
@click.option("--watch", is_flag=True, help="Show it again every second until Ctrl-C.")
def health(running: RunningServer, machine: str | None, as_json: bool, watch: bool) -> None:
    """Show pools and endpoints of the running server: state, since when, why, how fast."""
    if click.get_current_context().invoked_subcommand:
        return
    path = running.control()
    if as_json:
        print_json(ask_at(path, machine, "health"))
        return
    from rich.console import Console

    def drawn() -> Group:
        return render(ask_at(path, machine, "health"), time.time())

    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_COLUMNS)
    if not watch:
        console.print(drawn())
        return
    from rich.live import Live

    with Live(drawn(), console=console, screen=console.is_terminal) as live:
        while True:
            try:
                time.sleep(WATCH_S)
            except KeyboardInterrupt:
                return
            live.update(drawn())


@health.command("set")
@running_options
@click.argument("pattern", metavar="POOL[/ENDPOINT]")
@click.argument("order", type=click.Choice(["up", "down", "auto"]))
@click.option("--for", "for_text", metavar="DURATION", help="How long, such as 90s, 15min, 2h, 3d. [default: for good]")
@click.option("--why", default="", help="The reason, for whoever looks next.")
@click.option("--json", "as_json", is_flag=True, help="Print the names as JSON.")
def set_(running: RunningServer, pattern: str, order: str, for_text: str | None, why: str, as_json: bool) -> None:
    """Force a pool or endpoint up or down, whatever is measured, or take that back with `auto`; globs allowed."""
    from lbdns.processes.supervisor.control_socket import ask

    for_s = parse_duration_s(for_text) if for_text else None
    found = ask(running.control(), "force", pattern=pattern, state=order, for_s=for_s, why=why)
    if as_json:
        print_json(found)
        return
    for name in found["names"]:
        click.echo(f"{name}: {'as measured' if order == 'auto' else order}")


def render(report: dict[str, Any], now_s: float) -> Group:
    """Return the report as a table of pools with their endpoints, and a line for each load balancer."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from lbdns.health.events import duration_text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, justify in (
        ("pool / endpoint", "left"),
        ("address", "left"),
        ("state", "left"),
        ("since", "right"),
        ("last result", "left"),
        ("RTT", "right"),
        ("passed", "right"),
    ):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for pool in report["pools"]:
        table.add_row(Text(pool["name"], "bold"), "", state_text(pool), age(pool, now_s), "", "", "")
        for endpoint in pool["origins"]:
            table.add_row(
                Text(f"  {endpoint['name']}"),
                Text(placed(endpoint), "dim"),
                state_text(endpoint),
                age(endpoint, now_s),
                result_text(endpoint),
                "" if endpoint["rtt_ms"] is None else f"{endpoint['rtt_ms']:.1f} ms",
                share(endpoint),
            )
    lines: list[Any] = [table]
    if report["load_balancers"]:
        lines.append(balancer_table(report["load_balancers"]))
    lines += [Text(line, "bold red") for line in network_lines(report, now_s)]
    lines += [Text(line, "yellow") for line in forced_lines(report, now_s)]
    silent_s = report["monitor"]["silent_s"]
    if silent_s is None or silent_s > STALE_S:
        how_long = "not been heard of yet" if silent_s is None else f"been silent for {silent_s:.0f} s"
        lines.append(Text(f"The monitor worker has {how_long}: what is shown is the last that was known.", "bold red"))
    frozen_since = report["monitor"].get("frozen_since")
    if frozen_since is not None:
        how_long = duration_text(now_s - frozen_since)
        told = f"This machine believes itself cut off, for {how_long}: no target answers, and health stays as it was."
        lines.append(Text(told, "bold red"))
    lines += [Text(line, "bold red") for line in configuration_lines(report)]
    return Group(*lines)


def placed(endpoint: dict[str, Any]) -> str:
    """Return where an endpoint is: its address, and the virtual network that it stands in."""
    network = endpoint.get("virtual_network")  # a server of an earlier release says none
    return f"{endpoint['address']} in {network}" if network else str(endpoint["address"])


def balancer_table(balancers: list[dict[str, Any]]) -> Table:
    """Return a line for each load balancer: its state and its pools, which go on below where they are many."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(overflow="fold")
    for one in balancers:
        pools = f"{', '.join(one['pools'])}; fallback {one['fallback']}"
        table.add_row(Text(one["name"]), Text(one["state"], STYLES.get(one["state"], "")), Text(pools, "dim"))
    return table


def network_lines(report: dict[str, Any], now_s: float) -> Iterator[str]:
    """Yield a line for each virtual network that is down: why, for how long, and for how many endpoints."""
    from lbdns.health.events import duration_text
    from lbdns.health.way_faults import down_text

    for network in report.get("virtual_networks", ()):  # a server of an earlier release does not say
        if network["state"] == Health.DOWN:
            since = network["since"]
            how_long = f", for {duration_text(now_s - since)}" if since else ""
            behind = counted(network["endpoints"], "endpoint")
            yield f"{down_text(network['name'], network['reason'])}{how_long}: {behind} in it"


def configuration_lines(report: dict[str, Any]) -> Iterator[str]:
    """Yield lines about a configuration that is not what lies at its source."""

    found = report.get("configuration")  # a server of an earlier release does not say
    if found is None or found["not_served"] is None:
        return
    problems = found["not_served"]["problems"]
    served_at = moment(found["served_at"])
    yield f"Served is what was served last, as of {served_at}: {found['place']} cannot be, for"
    yield from (f"  {problem}" for problem in problems[:PROBLEMS_MAX])
    if len(problems) > PROBLEMS_MAX:
        yield f"  and {len(problems) - PROBLEMS_MAX} more: lbdns check"


def state_text(row: dict[str, Any]) -> Any:
    """Return a state in its colour; a forced one says so, with what was measured."""
    from rich.text import Text

    text = Text(row["state"], STYLES.get(row["state"], ""))
    if row["forced"]:
        text.append(f" (forced; measured {row['measured']})", "yellow")
    return text


def forced_lines(report: dict[str, Any], now_s: float) -> Iterator[str]:
    """Yield a line for each pool and endpoint that an operator forced: how, for how much longer, why."""
    from lbdns.health.events import duration_text

    for pool in report["pools"]:
        rows = [(pool["name"], pool), *((f"{pool['name']}/{one['name']}", one) for one in pool["origins"])]
        for name, row in rows:
            order = row.get("order")  # a server of an earlier release does not say
            if order is not None:
                until = f" for {duration_text(order['until'] - now_s)} more" if order["until"] else ""
                yield f"{name} is forced {order['state']}{until}" + (f": {order['why']}" if order["why"] else "")


def result_text(endpoint: dict[str, Any]) -> str:
    """Return the last result in words, with the code of an answer that did not match."""
    if endpoint["reason"] is None:
        return ""
    reason: str = endpoint["reason"]
    return f"{reason} ({endpoint['code']})" if endpoint["code"] and reason != "No failures" else reason


def share(endpoint: dict[str, Any]) -> str:
    """Return which share of all checks passed."""
    return f"{100 * endpoint['passed'] / endpoint['checks']:.1f} %" if endpoint["checks"] else ""


def age(row: dict[str, Any], now_s: float) -> str:
    """Return for how long a pool or endpoint has had its state, in the largest unit; "" where nothing is measured."""
    if row["since"] is None or row["state"] == Health.NO_MONITOR:
        return ""
    passed_s = max(now_s - row["since"], 0.0)
    return in_largest_unit(passed_s) if passed_s >= 1 else "now"
