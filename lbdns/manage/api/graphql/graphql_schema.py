"""The schema, made from the table of nodes.

There are two of it. Queries are checked against the whole one, which is the one that clients see. They are executed
with one in which the rows of a node are a leaf: the node's resolver makes them as they were asked for
(selections.py), a hundred times faster than a resolver for each field of each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLIncludeDirective,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLSkipDirective,
)

from lbdns.manage.api.graphql.node_table import NODES, Nested, Node, NodeField
from lbdns.manage.api.graphql.row_filter import LIST_OPERATORS, OPERATORS
from lbdns.manage.api.graphql.scalars import FLOAT64, SCALARS, STRING, UINT64, Scalar

Resolver = Callable[..., Any]
DIMENSIONS: Final = "dimensions"
COUNT: Final = "count"
CONFIDENCE: Final = "confidence"
CONFIDENCE_FIELDS: Final = {"estimate": FLOAT64, "lower": FLOAT64, "upper": FLOAT64, "sampleSize": UINT64}
SCOPES: Final = {"zones": ("Zone", "zone", "zoneTag"), "accounts": ("Account", "account", "accountTag")}
"""The fields of `viewer`: what its types' names begin with, the type of one, and the field that has its id."""
_DIRECTIVES: Final = (GraphQLIncludeDirective, GraphQLSkipDirective)
"""What a query may have. Of others the schema would say places that clients as of 2021 do not know, and those
refuse the whole of it."""
_ROWS: Final = GraphQLScalarType("Rows", description="rows of a node, as they were asked for")


def row_type_name(prefix: str, node: Node, part: str = "") -> str:
    """Return what the type of a node's rows is called, or that of a part of them."""
    return f"{prefix}{node.name[:1].upper()}{node.name[1:]}{part[:1].upper()}{part[1:]}"


def orders_of(node: Node) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield what a node's rows can be ordered by: the word in `orderBy`, and the group ("" for fields) and name."""
    if node.groups:
        yield COUNT, ("", COUNT)
        for measure in node.measures:
            yield f"{measure.group}_{measure.name}", (measure.group, measure.name)
    for field in node.fields:
        if not field.is_list:
            yield field.name, ("", field.name)


def _own_id(scope: Any, info: Any) -> str:
    return str(scope.id)


class _Maker:
    """Makes one schema; `rows_are_leaves` says which."""

    def __init__(self, resolvers: Mapping[str, Resolver], rows_are_leaves: bool) -> None:
        self._resolvers = resolvers
        self._rows_are_leaves = rows_are_leaves
        self._scalars = {scalar: scalar.graphql_type() for scalar in SCALARS}

    def schema(self) -> GraphQLSchema:
        """Return the schema."""
        fields = {name: self._scope_field(name, *parts) for name, parts in SCOPES.items()}
        viewer = GraphQLObjectType("viewer", fields, description="who asks")
        root = GraphQLField(GraphQLNonNull(viewer), resolve=lambda root, info: {}, description="all there is to ask")
        types: list[GraphQLNamedType] = list(self._scalars.values())
        query = GraphQLObjectType("Query", {"viewer": root})
        return GraphQLSchema(query, types=types, directives=_DIRECTIVES)

    def _type(self, scalar: Scalar) -> GraphQLScalarType:
        return self._scalars[scalar]

    def _scope_field(self, name: str, prefix: str, type_name: str, tag: str) -> GraphQLField:
        text = self._type(STRING)
        texts = GraphQLList(GraphQLNonNull(text))
        of: dict[str, GraphQLInputType] = {tag: text, f"{tag}_in": texts, f"{tag}_gt": text}
        wanted = GraphQLInputObjectType(
            f"{prefix}Filter", {key: GraphQLInputField(one) for key, one in of.items()}, description=f"which {name}"
        )
        order = GraphQLEnumType(f"{prefix}OrderBy", {f"{tag}_{way}": f"{tag}_{way}" for way in ("ASC", "DESC")})
        args = {
            "filter": GraphQLArgument(wanted),
            "limit": GraphQLArgument(self._type(UINT64)),
            "orderBy": GraphQLArgument(GraphQLList(GraphQLNonNull(order))),
        }
        own = GraphQLField(GraphQLNonNull(text), resolve=_own_id, description=f"the {type_name}'s id")
        fields = {tag: own}
        fields |= {node.name: self._node_field(prefix, node) for node in NODES}
        fields["settings"] = GraphQLField(
            GraphQLNonNull(self._settings_type(prefix)), resolve=self._resolvers["settings"], description="the bounds"
        )
        one = GraphQLObjectType(type_name, fields, description=f"what is known of one of {name}")
        found = GraphQLNonNull(GraphQLList(GraphQLNonNull(one)))
        return GraphQLField(found, args, resolve=self._resolvers[name], description=f"{name} that the token may see")

    def _settings_type(self, prefix: str) -> GraphQLObjectType:
        whole, texts = GraphQLNonNull(self._type(UINT64)), GraphQLList(GraphQLNonNull(self._type(STRING)))
        bounds = GraphQLObjectType(
            f"{prefix}Bounds",
            {
                "enabled": GraphQLField(GraphQLNonNull(GraphQLBoolean), description="whether the token may ask it"),
                "maxPageSize": GraphQLField(whole, description="rows at most"),
                "maxDuration": GraphQLField(whole, description="how wide a span of time may be, in seconds"),
                "notOlderThan": GraphQLField(whole, description="how far back one may ask, in seconds"),
                "maxNumberOfFields": GraphQLField(whole, description="fields at most"),
                "availableFields": GraphQLField(GraphQLNonNull(texts), description="fields that there are"),
            },
        )
        return GraphQLObjectType(
            f"{prefix}Settings", {node.name: GraphQLField(GraphQLNonNull(bounds)) for node in NODES}
        )

    def _node_field(self, prefix: str, node: Node) -> GraphQLField:
        args = {
            "filter": GraphQLArgument(self._filter_type(prefix, node)),
            "limit": GraphQLArgument(self._type(UINT64), description="rows at most"),
            "orderBy": GraphQLArgument(GraphQLList(GraphQLNonNull(self._order_type(prefix, node)))),
        }
        make = self._resolvers["rows"]

        def resolve(scope: Any, info: Any, **given: Any) -> Any:
            return make(node, scope, info, given)

        if self._rows_are_leaves:
            return GraphQLField(GraphQLNonNull(_ROWS), args, resolve=resolve)
        row = GraphQLObjectType(
            row_type_name(prefix, node), self._row_fields(prefix, node), description=node.description
        )
        return GraphQLField(GraphQLNonNull(GraphQLList(GraphQLNonNull(row))), args, description=node.description)

    def _row_fields(self, prefix: str, node: Node) -> dict[str, GraphQLField]:
        if not node.groups:
            made = {field.name: self._value_field(field) for field in node.fields}
            return made | {one.name: self._nested_field(prefix, node, one) for one in node.nested}
        parts: dict[str, dict[str, GraphQLField]] = {
            DIMENSIONS: {field.name: self._value_field(field) for field in node.fields}
        }
        for measure in node.measures:
            parts.setdefault(measure.group, {})[measure.name] = GraphQLField(
                GraphQLNonNull(self._type(measure.type)), description=measure.description
            )
        fields = {COUNT: GraphQLField(GraphQLNonNull(self._type(UINT64)), description="how many")}
        for name, inner in parts.items():
            fields[name] = GraphQLField(GraphQLNonNull(GraphQLObjectType(row_type_name(prefix, node, name), inner)))
        fields[CONFIDENCE] = self._confidence_field(prefix, node)
        return fields

    def _confidence_field(self, prefix: str, node: Node) -> GraphQLField:
        inner = {name: GraphQLField(GraphQLNonNull(self._type(scalar))) for name, scalar in CONFIDENCE_FIELDS.items()}
        of_count = GraphQLObjectType(row_type_name(prefix, node, "confidenceCount"), inner)
        made = GraphQLObjectType(
            row_type_name(prefix, node, CONFIDENCE), {COUNT: GraphQLField(GraphQLNonNull(of_count))}
        )
        level = GraphQLArgument(GraphQLNonNull(self._type(FLOAT64)), description="such as 0.95")
        return GraphQLField(GraphQLNonNull(made), {"level": level}, description="between which bounds the count lies")

    def _value_field(self, field: NodeField) -> GraphQLField:
        inner = GraphQLNonNull(self._type(field.type))
        return GraphQLField(
            GraphQLNonNull(GraphQLList(inner)) if field.is_list else inner, description=field.description
        )

    def _nested_field(self, prefix: str, node: Node, nested: Nested) -> GraphQLField:
        inner = {name: GraphQLField(GraphQLNonNull(self._type(scalar))) for name, scalar in nested.fields}
        one = GraphQLObjectType(row_type_name(prefix, node, nested.name), inner)
        return GraphQLField(GraphQLNonNull(GraphQLList(GraphQLNonNull(one))), description=nested.description)

    def _filter_type(self, prefix: str, node: Node) -> GraphQLInputObjectType:
        def fields() -> dict[str, GraphQLInputField]:
            made = {name: GraphQLInputField(type_) for name, type_ in self._conditions(node.fields)}
            inner = GraphQLList(GraphQLNonNull(wanted))
            return made | {"AND": GraphQLInputField(inner), "OR": GraphQLInputField(inner)}

        name = f"{row_type_name(prefix, node, 'filter')}_InputObject"
        wanted = GraphQLInputObjectType(name, fields, description="which rows")
        return wanted

    def _conditions(self, fields: Sequence[NodeField]) -> Iterator[tuple[str, Any]]:
        for field in fields:
            one = self._type(field.type)
            for operator in LIST_OPERATORS if field.is_list else OPERATORS:
                inner = self._type(STRING) if operator.takes_text else one
                yield (
                    f"{field.name}{operator.ending}",
                    GraphQLList(GraphQLNonNull(inner)) if operator.takes_list else inner,
                )

    def _order_type(self, prefix: str, node: Node) -> GraphQLEnumType:
        words = [f"{word}_{way}" for word, _ in orders_of(node) for way in ("ASC", "DESC")]
        return GraphQLEnumType(row_type_name(prefix, node, "orderBy"), {word: word for word in words})


@lru_cache(maxsize=1)
def whole_schema() -> GraphQLSchema:
    """Return the schema that clients see."""

    def none(*args: Any, **given: Any) -> None:
        return None

    return _Maker(dict.fromkeys((*SCOPES, "settings", "rows"), none), rows_are_leaves=False).schema()


def executed_schema(resolvers: Mapping[str, Resolver]) -> GraphQLSchema:
    """Return the one that queries are executed with; `resolvers`: of each scope, of `settings`, and of `rows`."""
    return _Maker(resolvers, rows_are_leaves=True).schema()
