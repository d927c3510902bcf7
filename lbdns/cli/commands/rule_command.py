"""`lbdns rule`: a rule's condition, checked and tried without a server.

Exit status: 0 the condition is good, or holds; 1 it does not hold; 2 it has mistakes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lbdns.cli.frame.common import config_option, print_json
from lbdns.cli.frame.typed import address_of, prefix_of, region_of, type_of, type_option
from lbdns.cli.frame.verb_group import VerbGroup
from lbdns.expressions.expression_error import ExpressionError

if TYPE_CHECKING:
    from lbdns.expressions.evaluate import Lists
    from lbdns.model.settings import Settings
    from lbdns.places.geodata import Geodata
    from lbdns.publish.rule_trial import TriedQuery

_MISTAKE = 2
_DOES_NOT_HOLD = 1


@click.group(cls=VerbGroup)
def rule() -> None:
    """Check and try the conditions of rules."""


@rule.command()
@click.argument("expression")
@click.option("--name", default="", metavar="HOSTNAME", help="The load balancer's hostname, such as www.example.com.")
@click.option(
    "--wildcard", is_flag=True, help="It is a wildcard: the name asked for varies, as with --name '*.a.example'."
)
@click.option(
    "--region", default="", metavar="CODE", callback=region_of, help="The region of the PoP that answers, such as WEU."
)
@config_option("Take lists and region from these files; a list that they do not have is a mistake.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(expression: str, name: str, wildcard: bool, region: str, config: Path | None, as_json: bool) -> None:
    """Show EXPRESSION as a tree: the type of each part, what decides it, and what is left for a load balancer.

    What the load balancer decides folds: it is worked out once, as the configuration is compiled. Exit status 2 where
    there are mistakes; each is told with its column.
    """
    from lbdns.publish.rule_tree import check_expression, tree_lines

    hostname = f"*.{name or 'example'}" if wildcard and not name.startswith("*.") else name
    lists = None
    if config is not None:
        settings, own_region = _settings_in(config)
        lists, region = settings.networks, region or own_region
    told = _or_mistakes(lambda: check_expression(expression, hostname, region, lists), as_json)
    if as_json:
        print_json(told)
        return
    lines = list(tree_lines(told["tree"]))
    width = max(len(part) for part, _, _ in lines)
    for part, kind, decided in lines:
        click.echo(f"{part:<{width}}  {kind:<6}  {decided}".rstrip())
    left = told["left"]
    click.echo(f"\nleft    {f'nothing: always {str(left).lower()}' if isinstance(left, bool) else left}")
    for one in told["warnings"]:
        click.echo(f"warning: column {one['column']}: {one['message']}", err=True)


@rule.command()
@click.argument("expression")
@click.option("--name", default="", metavar="NAME", help="The name that is asked for.")
@click.option("--balancer", default="", metavar="HOSTNAME", help="The load balancer's hostname; by default the name.")
@type_option
@click.option(
    "--ecs",
    metavar="PREFIX",
    callback=prefix_of,
    help="The client's network as EDNS Client Subnet carries it: 192.0.2.0/24.",
)
@click.option(
    "--resolver",
    metavar="IP",
    default="127.0.0.1",
    callback=address_of,
    help="The resolver that asks; default 127.0.0.1.",
)
@click.option(
    "--region",
    default="",
    metavar="CODE",
    callback=region_of,
    help="The region of the PoP that answers; by default the settings'.",
)
@config_option("Take databases, lists and region from these files.")
@click.option("--city", multiple=True, type=click.Path(path_type=Path), help="A place database: an MMDB file.")
@click.option("--asn", type=click.Path(path_type=Path), help="An AS number database: an MMDB file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def test(
    expression: str, qtype: str | None, type_said: str | None, as_json: bool, config: Path | None, **asked: Any
) -> None:
    """Say whether EXPRESSION holds for a query for TYPE (default A), and if not, the first part that failed.

    Exit status 0 where it holds, 1 where it does not, 2 where it has mistakes.
    """
    from lbdns.publish.rule_trial import TRIED_TYPES, try_expression

    rtype = type_of(qtype, type_said)
    if rtype not in TRIED_TYPES:
        raise click.UsageError(f"no load balancer is asked for {rtype}; expected one of {', '.join(TRIED_TYPES)}")
    query, geodata, lists = _asked(config, rtype, asked)
    told = _or_mistakes(lambda: try_expression(expression, query, geodata, lists), as_json)
    if as_json:
        print_json(told)
    else:
        failed = told["failed"]
        click.echo("true" if failed is None else f"false: {failed['part']} (column {failed['column']})")
        width = max(map(len, told["facts"]), default=0)
        for name, value in told["facts"].items():
            lacks = name == "ip.src.asnum" and not told["has_as_numbers"]
            missing = "missing (no AS number database)" if lacks else "missing"
            shown = missing if value is None else str(value).lower() if isinstance(value, bool) else value
            click.echo(f"  {name:<{width}}  {shown}")
    if not told["holds"]:
        click.get_current_context().exit(_DOES_NOT_HOLD)


def _asked(config: Path | None, rtype: str, asked: dict[str, Any]) -> tuple[TriedQuery, Geodata, Lists]:
    """Return the query, the databases and the lists that a condition is tried with."""
    from lbdns.places.geodata import Geodata
    from lbdns.places.place import unmapped
    from lbdns.publish.rule_trial import TriedQuery

    city, asn = asked["city"], asked["asn"]
    databases = city[0] if len(city) == 1 else city or None
    lists: Lists = {}
    region = asked["region"]
    if config is not None:
        if city or asn is not None:
            raise click.UsageError("--config names the databases already: leave it out, or --city and --asn")
        settings, own_region = _settings_in(config)
        databases, asn, lists = settings.geodata.city, settings.geodata.asn, settings.networks
        region = region or own_region
    resolver = unmapped(asked["resolver"])
    query = TriedQuery(asked["name"], asked["balancer"], region, rtype, resolver, asked["ecs"])
    return query, Geodata.open(databases, asn, lookups_only=True), lists


def _settings_in(directory: Path) -> tuple[Settings, str]:
    """Return what the files of a directory set, and the region of their PoP; raises LbdnsError."""
    from lbdns.config.loading import load
    from lbdns.places.pops import region_at

    settings = load(directory).configuration.settings
    return settings, region_at(settings.pop.code, settings.pop.country, settings.pop.region)


def _or_mistakes(work: Callable[[], dict[str, Any]], as_json: bool) -> dict[str, Any]:
    """Return what work gives; end the command where the expression has mistakes, telling each."""
    try:
        return work()
    except ExpressionError as error:
        if as_json:
            print_json({"problems": [{"column": column, "message": message} for column, message in error.problems]})
        else:
            for line in str(error).splitlines():
                click.echo(f"lbdns: {line}", err=True)
        click.get_current_context().exit(_MISTAKE)
