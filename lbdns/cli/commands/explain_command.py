"""`lbdns explain NAME [TYPE]`: an answer and every step to it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from lbdns.base.errors import LbdnsError, Problem
from lbdns.base.wording import counted
from lbdns.cli.commands.completion_command import views_of
from lbdns.cli.frame.common import config_option, print_json
from lbdns.cli.frame.moves import networks_in, render_moves, text_of
from lbdns.cli.frame.running import AT_OPTION, RunningServer, ask_at, explained_options
from lbdns.cli.frame.typed import type_of, type_option

if TYPE_CHECKING:
    from lbdns.model.configuration import Configuration

STAGE_WIDTH = 11
_FILE: Final = click.Path(path_type=Path, allow_dash=True)
SCOPES_WIDTH = 100
INDENTED = {"pool", "endpoint"}  # steps that belong to the one before them


@click.command()
@explained_options
@click.argument("name")
@type_option
@config_option("Explain what these files would answer; every monitored endpoint is up unless --down says otherwise.")
@click.option("--resolver", metavar="IP", help="The resolver that asks; default 127.0.0.1.")
@click.option("--ecs", metavar="PREFIX", help="The client's network as EDNS Client Subnet carries it: 192.0.2.0/24.")
@click.option(
    "--view",
    metavar="VIEW",
    shell_complete=views_of,
    help="As a client of this view sees it, public for who is in none: also NAME@VIEW.",
)
@click.option("--listener", metavar="HOST:PORT", help="As if it came to this address of listen.")
@click.option("--key", metavar="NAME", help="As if it were signed by this TSIG key.")
@click.option("--pop", metavar="CODE", help="As if the server stood at this airport.")
@click.option(
    "--down", multiple=True, metavar="POOL/ORIGIN", help="Suppose this endpoint down; * and ? match; repeatable."
)
@click.option("--up", multiple=True, metavar="POOL/ORIGIN", help="Suppose this endpoint up.")
@click.option(
    "--rule-off", "rules_off", multiple=True, metavar="NAME", help="Suppose this rule or pool set off; repeatable."
)
@click.option("--rule-on", "rules_on", multiple=True, metavar="NAME", help="Suppose this rule or pool set on.")
@AT_OPTION
@click.option("--draw", type=click.FloatRange(0, 1), metavar="0..1", help="What every random choice draws.")
@click.option("--scopes", is_flag=True, help="Count the networks that resolvers keep the answers for, by length.")
@click.option(
    "--rule", "rules", metavar="FILE", type=_FILE, help="Suppose a rule, YAML or JSON, behind those of the balancer."
)
@click.option(
    "--networks", metavar="FILE", type=_FILE, help="With --rule: which of these, one a line, would change pool."
)
@click.option("--json", "as_json", is_flag=True, help="Print rcode, answer, ttl, scope and steps as JSON.")
def explain(
    running: RunningServer,
    name: str,
    qtype: str | None,
    type_said: str | None,
    config: Path | None,
    machine: str | None,
    rules: Path | None,
    networks: Path | None,
    as_json: bool,
    **supposed: Any,
) -> None:
    """Show the answer for NAME and TYPE (default A), and each step to it, from the code that answers queries.

    Asks the running server; with --config DIR it needs none. Files are - for standard input.
    """
    request = {"name": name, "type": type_of(qtype, type_said), **supposed}
    if networks is not None and rules is None:
        raise click.UsageError("--networks says whose answers a --rule would change; give one")
    if rules is not None:
        request["rules"] = rules_in(rules)
    if networks is not None:
        request["networks"] = networks_in(networks)
    if config and not running.is_said:
        if machine is not None:
            raise click.UsageError("--at asks a machine of the fleet, --config what files would answer; give one")
        explanation = _of_directory(config, request, running.state_dir())
    else:
        explanation = _of_server(running, request, machine)
    if as_json:
        print_json(explanation)
    else:
        click.echo("\n".join(render_moves(explanation) if networks is not None else render(explanation)))


def rules_in(path: Path) -> list[Any]:
    """Return the rules that a file has: one, a list, or `rules:` with a list. Raises LbdnsError with every mistake."""
    from lbdns.config.yaml.repair import build
    from lbdns.config.yaml.source import Source
    from lbdns.config.yaml.yaml_tree import lines_at, parse_yaml
    from lbdns.model.rule import Rule

    tree = parse_yaml(text_of(path), str(path))
    if tree.problems:
        raise LbdnsError("\n".join(map(str, tree.problems)))
    value, lines = tree.value, tree.lines
    if isinstance(value, dict) and set(value) == {"rules"}:
        value, lines = value["rules"], lines_at(lines, "rules")
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(one, dict) for one in found):
        raise LbdnsError(f"{path}: no rule; expected one, such as condition: ip.src in {{192.0.2.0/24}}")
    problems: list[Problem] = []
    for index, one in enumerate(found):
        of_rule = lines_at(lines, index) if isinstance(value, list) else lines
        build(Rule, one, Source(str(path), of_rule, "", None), problems)
    if problems:
        raise LbdnsError("\n".join(map(str, problems)))
    return found


def _of_directory(directory: Path, request: dict[str, Any], state_dir: Path) -> dict[str, Any]:
    from lbdns.config.loading import load
    from lbdns.model.needed_names import needed_hostnames
    from lbdns.publish.explaining import explain_configuration

    configuration = load(directory).configuration
    addresses = None
    if next(needed_hostnames(configuration), None) is not None:
        # Needed by who has hostnames alone.
        import asyncio

        from lbdns.manage.name_lookups import needed_addresses

        addresses = asyncio.run(needed_addresses(configuration))
    explanation = explain_configuration(configuration, request, addresses)
    zone = _signed_zone_of(explanation, configuration, state_dir)
    if zone:
        text = f"files have no keys: {zone} is explained as unsigned; a server that signs it tells of signatures"
        explanation["steps"].append({"stage": "signature", "zone": zone, "text": text})
    return explanation


def _signed_zone_of(explanation: dict[str, Any], configuration: Configuration, state_dir: Path) -> str:
    """Return the zone of an answer where a server signs it, or the settings say how one would; "" for any other."""
    from lbdns.dns.name import encode_canonical, is_at_or_below, show_name
    from lbdns.model.dnssec_settings import DnssecSettings
    from lbdns.processes.supervisor.signed_record import SignedRecord

    name = encode_canonical(explanation["name"]) if "steps" in explanation else b""
    apex = max(
        (zone.apex for zone in configuration.zones if name and is_at_or_below(name, zone.apex)), key=len, default=b""
    )
    is_signed = configuration.settings.dnssec != DnssecSettings() or apex in SignedRecord(state_dir).zones
    return show_name(apex) if apex and is_signed else ""


def _of_server(running: RunningServer, request: dict[str, Any], machine: str | None) -> dict[str, Any]:
    result: dict[str, Any] = ask_at(running.control(), machine, "explain", request)
    return result


def render(explanation: dict[str, Any]) -> list[str]:
    """Return the lines to print: the answer first, then each step."""
    asked = f"{explanation['name']} {explanation['type']}"
    lines = [click.style(f"{asked}: {explanation['rcode']}", bold=True)]
    lines += [f"  {text}" for text in explanation["answer"]] or ["  no records"]
    lines.append("")
    for step in explanation["steps"]:
        stage = "" if step["stage"] in INDENTED else step["stage"].replace("_", " ")
        lines.append(f"{click.style(f'{stage:{STAGE_WIDTH}}', dim=True)} {step['text']}")
    if "scopes" in explanation:
        lines += ["", *_scope_lines(explanation["scopes"])]
    return lines


def _scope_lines(scopes: dict[str, Any]) -> list[str]:
    """Return how many networks get answers of their own, a family after the other, broken between lengths."""
    lines: list[str] = []
    for family, label in (("ipv4", "IPv4"), ("ipv6", "IPv6")):
        found = scopes[family]
        # Spaces that nothing breaks at, until it is broken.
        lengths = ", ".join(f"{count:,}\xa0of\xa0/{length}" for length, count in found["lengths"].items())
        text = f"{label}: {counted(found['networks'], 'network')}: {lengths}"
        lines += [line.replace("\xa0", " ") for line in textwrap.wrap(text, SCOPES_WIDTH)]
    return [
        f"{click.style(f'{stage:{STAGE_WIDTH}}', dim=True)} {line}"
        for stage, line in zip(["scopes", *[""] * len(lines)], lines, strict=False)
    ]
