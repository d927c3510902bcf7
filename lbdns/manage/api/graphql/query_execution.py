"""One query, from its text to its answer: checked, then carried out within its bounds.

text -> tokens, nesting -> document -> fields, nodes -> variables by meaning -> the schema's rules -> rows of nodes
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    NoUnusedFragmentsRule,
    NoUnusedVariablesRule,
    OperationDefinitionNode,
    OperationType,
    execute,
    parse,
    specified_rules,
    validate,
)

from lbdns.base.kinds import Kind
from lbdns.manage.api.graphql.graphql_errors import AUTHORIZATION, ERRORS_MAX, refused
from lbdns.manage.api.graphql.graphql_schema import executed_schema, whole_schema
from lbdns.manage.api.graphql.node_facts import NodeFacts
from lbdns.manage.api.graphql.node_rows import AskedNode, KeptRows, check_limit, rows_of
from lbdns.manage.api.graphql.node_table import FIELDS_MAX, NODE_BY_NAME, NODES, PAGE_MAX, Node
from lbdns.manage.api.graphql.query_bounds import ZONES_MAX, Work, beyond, check_size, check_text, check_variables
from lbdns.manage.api.graphql.row_filter import read_filter
from lbdns.manage.api.graphql.selections import selection_of
from lbdns.manage.api.graphql.variable_types import settled
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import AREAS, READ, TokenScopes

MARGIN_S: Final = 3600.0
"""How much older or wider than the bounds say a query may be: who asks for them first is late by its own time."""
_LENIENT: Final = (NoUnusedFragmentsRule, NoUnusedVariablesRule)
"""Rules of GraphQL that mend nothing here; clients break them."""
_RULES: Final = tuple(rule for rule in specified_rules if rule not in _LENIENT)
_AREAS: Final = frozenset(node.area for node in NODES)
"""Who may read some of what nodes show of a zone sees that there is one."""
_UNITS: Final = (("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))

log = logging.getLogger("lbdns.api")


@dataclass(frozen=True, slots=True)
class GraphqlRequest:
    """What a client sent."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None


@dataclass(slots=True)
class QueryContext:
    """What a query is answered from: who asks, what there is, what is kept of it and for how long."""

    scopes: TokenScopes
    account_id: str
    state: State
    facts: NodeFacts
    kept: KeptRows
    kept_s: float
    enabled: bool = True
    now_s: float = field(default_factory=time.time)
    work: Work = field(default_factory=Work)
    zones_left: int = ZONES_MAX


class _Scope(NamedTuple):
    """One zone or the account, as the nodes below it see it; `label` is a zone's."""

    prefix: str
    id: str
    label: str


def answer(request: GraphqlRequest, make_context: Callable[[], QueryContext]) -> dict[str, Any]:
    """Return the answer to a query, `data` and `errors`; what is wrong with it is in the answer."""
    try:
        document, values = _checked(request)
        context = make_context()
        result = execute(
            _executed(),
            document,
            context_value=context,
            variable_values=values,
            operation_name=_operation_name(document, request.operation_name),
            middleware=(_introspecting,),
        )
    except GraphQLError as error:
        return refused([error])
    except _RulesBroken as refusal:
        return refused(refusal.errors)
    assert isinstance(result, ExecutionResult), "no resolver waits"
    if not result.errors:
        return {"data": result.data, "errors": None}
    for one in result.errors:
        if one.original_error is not None and not isinstance(one.original_error, GraphQLError):
            raise one.original_error
    return refused(result.errors)


class _RulesBroken(Exception):
    """A query that breaks rules of the schema."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        super().__init__()
        self.errors = errors


def _checked(request: GraphqlRequest) -> tuple[DocumentNode, dict[str, Any]]:
    check_text(request.query)
    document = parse(request.query)
    check_size(document, NODE_BY_NAME)
    check_variables(request.variables)
    for one in document.definitions:
        if isinstance(one, OperationDefinitionNode) and one.operation is not OperationType.QUERY:
            raise GraphQLError(f"there is no {one.operation.value} here; expected a query", nodes=one)
    schema = whole_schema()
    document, values = settled(document, schema, request.variables)
    errors = validate(schema, document, _RULES, max_errors=ERRORS_MAX)
    if errors:
        raise _RulesBroken(errors)
    return document, values


def _operation_name(document: DocumentNode, wanted: str | None) -> str | None:
    """Return which operation is meant: where there is one alone it is that, whatever a client calls it."""
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    return None if len(operations) == 1 else wanted


def _introspecting(resolve: Callable[..., Any], root: Any, info: GraphQLResolveInfo[Any], **args: Any) -> Any:
    """Have the schema that clients see where they ask for the schema."""
    if info.field_name == "__schema":
        return whole_schema()
    if info.field_name == "__type":
        return whole_schema().get_type(args["name"])
    return resolve(root, info, **args)


@cache
def _executed() -> GraphQLSchema:
    return executed_schema({"zones": _zones, "accounts": _accounts, "settings": _settings, "rows": _rows})


def _unauthorized(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": AUTHORIZATION})


def _may_see(scopes: TokenScopes, label: str) -> bool:
    return any(scopes.allow(READ, area, label if AREAS[area] else "") for area in _AREAS)


def _zones(root: Any, info: GraphQLResolveInfo[QueryContext], **args: Any) -> list[_Scope]:
    context = info.context
    seen = sorted(
        (zone.id, zone.label) for zone in context.state.all(Kind.ZONE).values() if _may_see(context.scopes, zone.label)
    )
    found = _chosen("zones", "zoneTag", seen, args)
    context.zones_left -= len(found)
    if context.zones_left < 0:
        raise beyond(f"the query is about more than {ZONES_MAX} zones; expected at most {ZONES_MAX} in one request")
    return [_Scope("Zone", id, label) for id, label in found]


def _accounts(root: Any, info: GraphQLResolveInfo[QueryContext], **args: Any) -> list[_Scope]:
    found = _chosen("accounts", "accountTag", [(info.context.account_id, "")], args)
    return [_Scope("Account", id, label) for id, label in found]


def _chosen(name: str, tag: str, seen: Sequence[tuple[str, str]], args: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return those that a filter chooses of what a token may see, by their ids; raises GraphQLError where it names
    others, whether there are such or not."""
    wanted = {key: value for key, value in (args.get("filter") or {}).items() if value is not None}
    found = list(seen)
    known = {id for id, _ in seen}
    asked = {wanted[tag]} if tag in wanted else set()
    asked |= set(wanted.get(f"{tag}_in", ()))
    if asked - known:
        unknown = ", ".join(sorted(asked - known)[:ERRORS_MAX])
        raise _unauthorized(f"{name} [{unknown}] are not authorized: there are none, or the token may not read them")
    if tag in wanted:
        found = [one for one in found if one[0] == wanted[tag]]
    if f"{tag}_in" in wanted:
        found = [one for one in found if one[0] in wanted[f"{tag}_in"]]
    if f"{tag}_gt" in wanted:
        found = [one for one in found if one[0] > wanted[f"{tag}_gt"]]
    for word in args.get("orderBy") or ():
        found.sort(reverse=word.endswith("_DESC"))
    limit = args.get("limit")
    if limit is not None:
        check_limit(limit)
    return found[:limit] if wanted else found[: limit or ZONES_MAX]


def _is_allowed(context: QueryContext, node: Node, scope: _Scope) -> bool:
    return context.scopes.allow(READ, node.area, scope.label if AREAS[node.area] else "")


def _settings(scope: _Scope, info: GraphQLResolveInfo[QueryContext]) -> dict[str, Any]:
    context = info.context
    return {
        node.name: {
            "enabled": _is_kept(context, node) and _is_allowed(context, node, scope),
            "maxPageSize": PAGE_MAX,
            "maxDuration": int(context.kept_s),
            "notOlderThan": int(context.kept_s),
            "maxNumberOfFields": FIELDS_MAX,
            "availableFields": list(_fields_of(node)),
        }
        for node in NODES
    }


def _is_kept(context: QueryContext, node: Node) -> bool:
    """Tell whether anything is kept that a node shows: the record of changes of health always is."""
    return context.enabled or node.data == "health"


def _fields_of(node: Node) -> list[str]:
    if not node.groups:
        nested = [f"{one.name}_{name}" for one in node.nested for name, _ in one.fields]
        return [*(one.name for one in node.fields), *nested]
    measures = [f"{one.group}_{one.name}" for one in node.measures]
    return ["count", *measures, *(f"dimensions_{one.name}" for one in node.fields)]


def _rows(
    node: Node, scope: _Scope, info: GraphQLResolveInfo[QueryContext], args: Mapping[str, Any]
) -> list[dict[str, Any]]:
    context = info.context
    if not _is_allowed(context, node, scope):
        needed = f"{node.area}:{READ}" + (f":{scope.label}" if AREAS[node.area] and scope.label else "")
        told = f"does not have access to the path {'.'.join(str(step) for step in info.path.as_list())}"
        raise _unauthorized(f"{told}: it needs a token of scope {READ} or {needed}")
    if not _is_kept(context, node):
        raise GraphQLError("the history is off (history.enabled in lbdns.yaml): of traffic nothing is kept to ask for")
    wanted = read_filter(node, args.get("filter"))
    since_s, until_s = _span(node, context, *wanted.span(float("-inf"), float("inf")))
    asked = AskedNode(
        node=node,
        prefix=scope.prefix,
        zone_id=scope.id if scope.prefix == "Zone" else "",
        selected=selection_of(info),
        wanted=wanted,
        order=args.get("orderBy") or (),
        limit=check_limit(args.get("limit")),
        since_s=since_s,
        until_s=until_s,
    )
    context.work.check()
    return rows_of(asked, context.kept, context.facts, context.work)


def _span(node: Node, context: QueryContext, since_s: float, until_s: float) -> tuple[float, float]:
    """Return the span of time that is read; raises GraphQLError where it is too wide, or too old."""
    oldest_s = context.now_s - context.kept_s
    told = _duration(int(context.kept_s))
    until_s = min(until_s, context.now_s + MARGIN_S)
    if since_s == float("-inf"):
        return oldest_s, until_s
    if until_s - since_s > context.kept_s + 2 * MARGIN_S:
        raise beyond(f"cannot request a time range wider than {told}; settings {{ {node.name} }} tell the bounds")
    if since_s < oldest_s - MARGIN_S:
        raise beyond(f"cannot request data older than {told}; settings {{ {node.name} }} tell the bounds")
    return since_s, until_s


def _duration(seconds: int) -> str:
    """Return a duration as the v4 API's refusals have it: 4w2d, 1h30m."""
    parts = []
    for unit, length in _UNITS:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
