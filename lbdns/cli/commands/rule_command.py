"""`lbdns rule`: a rule's condition, checked without a server.

Exit status: 0 the condition is good; 2 it has mistakes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from lbdns.cli.frame.common import print_json
from lbdns.cli.frame.verb_group import VerbGroup
from lbdns.expressions.expression_error import ExpressionError

_MISTAKE = 2


@click.group(cls=VerbGroup)
def rule() -> None:
    """Check the conditions of rules."""


@rule.command()
@click.argument("expression")
@click.option("--name", default="", metavar="HOSTNAME", help="The load balancer's hostname, such as www.example.com.")
@click.option(
    "--wildcard", is_flag=True, help="It is a wildcard: the name asked for varies, as with --name '*.a.example'."
)
@click.option("--region", default="", metavar="CODE", help="The region of the PoP that answers, such as WEU.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(expression: str, name: str, wildcard: bool, region: str, as_json: bool) -> None:
    """Show EXPRESSION as a tree: the type of each part, what decides it, and what is left for a load balancer.

    What the load balancer decides folds: it is worked out once, as the configuration is compiled. Exit status 2 where
    there are mistakes; each is told with its column.
    """
    from lbdns.publish.rule_tree import check_expression, tree_lines

    hostname = f"*.{name or 'example'}" if wildcard and not name.startswith("*.") else name
    told = _or_mistakes(lambda: check_expression(expression, hostname, region.upper()), as_json)
    if as_json:
        print_json(told)
        return
    lines = list(tree_lines(told["tree"]))
    width = max(len(part) for part, _, _ in lines)
    for part, kind, decided in lines:
        click.echo(f"{part:<{width}}  {kind:<6}  {decided}".rstrip())
    left = told["left"]
    click.echo(f"\nleft    {f'nothing: always {str(left).lower()}' if isinstance(left, bool) else left}")


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
