"""`lbdns monitor probe TYPE ADDRESS`: one probe now, printed step by step, with what was expected and what came."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from lbdns.base.errors import LbdnsError
from lbdns.base.probe_types import PROBE_TYPES, acts, port_help
from lbdns.cli.frame.common import print_json

if TYPE_CHECKING:
    from lbdns.model.monitors import Monitor
    from lbdns.monitor.probes.result import Result
    from lbdns.monitor.resolving import Resolved
    from lbdns.monitor.ways.way import Way

LABEL_CHARS = 10


def pem_file() -> click.Path:
    """Return the type of an option that names a PEM file: monitors have absolute paths."""
    return click.Path(dir_okay=False, resolve_path=True)


@click.command()
@click.argument("type", type=click.Choice(list(PROBE_TYPES)))
@click.argument("address")
@click.option("--port", type=int, help=port_help())
@click.option("--path", help="What to ask for (http, https). [default: /]")
@click.option("--method", type=click.Choice(["GET", "HEAD", "OPTIONS"]), help="[default: GET]")
@click.option("--host", help="The Host header, which SNI follows. [default: the address]")
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header to send; may be repeated.")
@click.option("--expected-codes", help="Such as 200, 2xx, 200-299 or a list of those. [default: 200]")
@click.option("--expected-body", help="Text that the first 10 KB of the body must hold, in any case.")
@click.option("--follow-redirects", is_flag=True, default=None, help="Go where redirects lead, at the same address.")
@click.option("--allow-insecure", is_flag=True, default=None, help="Accept any certificate.")
@click.option("--client-certificate", type=pem_file(), help="A certificate to show, in PEM (https).")
@click.option("--client-key", type=pem_file(), help="Its private key. [default: in the same file]")
@click.option("--timeout", type=int, help="Seconds. [default: 5]")
@click.option("--source", default="", help="The local address to probe from.")
@click.option("--device", default="", help="The interface or VRF to leave by.")
@click.option("--namespace", default="", help="The network namespace to probe in: its name, or its file's path.")
@click.option("--proxy", default="", help="The proxy to go through: socks5://HOST:PORT or http://HOST:PORT.")
@click.option("--resolver", "resolvers", multiple=True, help="Who resolves ADDRESS where it is a name: IP or IP:PORT.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def probe(
    type: str,
    address: str,
    host: str | None,
    source: str,
    device: str,
    namespace: str,
    proxy: str,
    resolvers: tuple[str, ...],
    as_json: bool,
    headers: tuple[str, ...],
    **settings: Any,
) -> None:
    """Probe ADDRESS, an IP address or a name, once; exit status 1 where one of its addresses is not healthy."""
    monitor = make_monitor({"type": type, "retries": 0, **settings}, headers)
    via = {"device": device, "namespace": namespace, "proxy": proxy}
    given = {name: value for name, value in via.items() if value}
    results = asyncio.run(probe_all(monitor, address, host or "", source, resolvers, given))
    if as_json:
        print_json([as_dict(*one) for one in results])
    else:
        for where, result in results:
            click.echo(as_text(monitor, where, result))
    sys.exit(0 if all(result.healthy for _, result in results) else 1)


def make_monitor(settings: dict[str, Any], headers: tuple[str, ...]) -> Monitor:
    """Return the monitor that the options describe, checked as a configured one is; raises LbdnsError."""
    from pydantic import ValidationError

    from lbdns.model.monitors import Monitor

    fields = {name: value for name, value in settings.items() if value is not None}
    fields["header"] = {}
    for text in headers:
        name, colon, value = text.partition(":")
        if not colon:
            raise LbdnsError(f'"{text}" is no header; expected NAME:VALUE')
        fields["header"].setdefault(name.strip(), []).append(value.strip())
    try:
        return Monitor.model_validate(fields)
    except ValidationError as error:
        told = "; ".join(dict.fromkeys(problem["msg"] for problem in error.errors()))
        raise LbdnsError(told) from None


async def probe_all(
    monitor: Monitor,
    address: str,
    host: str,
    source: str,
    resolvers: tuple[str, ...],
    via: Mapping[str, str] | None = None,
) -> list[tuple[str, Result]]:
    """Probe an address, or every address of a name; returns (address, result) pairs. `via`: by which device, namespace
    or proxy. Raises LbdnsError."""
    from lbdns.model.targets_document import Vantage, lone_endpoint
    from lbdns.monitor.probe_check import check_key
    from lbdns.monitor.probes.make import probe_of

    spec = lone_endpoint(address, host=host)
    way = way_by(source, via, resolvers) if via else None
    goes_as_it_is = not spec.is_name or (way is not None and way.resolves)
    addresses = (address,) if goes_as_it_is else (await resolve(address, resolvers, way)).addresses
    what = probe_of(monitor)
    results = []
    for one in addresses:
        key = check_key(monitor, spec, one, Vantage(source=source), way=way)
        deadline_s = asyncio.get_running_loop().time() + monitor.timeout
        results.append((one, await what.run(key.target, deadline_s)))
    return results


def way_by(source: str, via: Mapping[str, str], resolvers: tuple[str, ...]) -> Way:
    """Return the way that the options describe, checked as a configured one is; raises LbdnsError."""
    from pydantic import ValidationError

    from lbdns.model.targets_document import NetworkTarget
    from lbdns.model.virtual_network import Via
    from lbdns.monitor.ways.lone_way import lone_way

    try:
        Via.model_validate({**via, **({"source": source} if source else {})})
    except ValidationError as error:
        told = "; ".join(dict.fromkeys(problem["msg"] for problem in error.errors()))
        raise LbdnsError(told) from None
    words = " ".join(f"--{name}" for name in via)
    return lone_way(NetworkTarget(words, 0, source=source, **via), None, resolvers)


async def resolve(name: str, resolvers: tuple[str, ...], way: Way | None = None) -> Resolved:
    """Return a name's addresses, by the resolvers at the end of a way; raises LbdnsError where it has none, or a
    resolver is none."""
    from lbdns.monitor.resolving import NameSources
    from lbdns.monitor.ways.names_there import NamesThere

    try:
        sources = NameSources(resolvers) if way is None else NamesThere(way, resolvers)
    except ValueError as error:
        raise LbdnsError(f"--resolver: {error}") from None
    outcome = await sources.look_up(name, time.monotonic())
    if outcome.resolved is None:
        raise LbdnsError(f"{name} does not resolve: {outcome.problem}")
    return outcome.resolved


def as_dict(address: str, result: Result) -> dict[str, Any]:
    """Return the stable JSON form."""
    from lbdns.health.reasons import reason_text

    return {
        "address": address,
        "healthy": result.healthy,
        "reason": reason_text(result.reason),
        "detail": result.detail,
        "code": result.code,
        "rtt_ms": result.rtt_us / 1000,
        "phases": [{"name": name, "ms": took_us / 1000} for name, took_us in result.phases],
    }


def as_text(monitor: Monitor, address: str, result: Result) -> str:
    """Return the lines that a person reads."""
    lines = [f"{monitor.type} {address}"]
    lines += [f"  {name:<{LABEL_CHARS}} {took_us / 1000:9.1f} ms" for name, took_us in result.phases]
    lines.append(f"  {'in all':<{LABEL_CHARS}} {result.rtt_us / 1000:9.1f} ms")
    if acts(monitor.type, "expected_codes"):
        expected = f"code {monitor.expected_codes}"
        if monitor.expected_body:
            expected += f", {json.dumps(monitor.expected_body)} in the body"
        lines.append(f"  {'expected':<{LABEL_CHARS}} {expected}")
    if result.code:
        lines.append(f"  {'came':<{LABEL_CHARS}} code {result.code}")
    lines.append(f"  {'healthy' if result.healthy else 'unhealthy':<{LABEL_CHARS}} {result.text}")
    return "\n".join(lines)
