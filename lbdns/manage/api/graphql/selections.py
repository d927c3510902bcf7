"""What is asked of the rows of one node: its selection, with fragments, aliases and directives carried out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLResolveInfo,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionSetNode,
    value_from_ast_untyped,
)
from graphql.execution.values import get_directive_values

TYPENAME: Final = "__typename"


@dataclass(slots=True)
class Selected:
    """One field that is asked for: under which key, and what of it, and with which arguments."""

    key: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    inner: dict[str, Selected] = field(default_factory=dict)

    def named(self, name: str) -> Iterator[Selected]:
        """Yield the fields of a name that are asked of it, under whatever keys."""
        return (one for one in self.inner.values() if one.name == name)


def selection_of(info: GraphQLResolveInfo[Any]) -> Selected:
    """Return what is asked of the field that is being resolved. It has been checked against the schema."""
    whole = Selected("", info.field_name)
    for node in info.field_nodes:
        if node.selection_set is not None:
            _collect(whole, node.selection_set, info, ())
    return whole


def _collect(
    into: Selected, selections: SelectionSetNode, info: GraphQLResolveInfo[Any], within: tuple[str, ...]
) -> None:
    for one in selections.selections:
        if not _is_wanted(one, info):
            continue
        if isinstance(one, FieldNode):
            key = one.alias.value if one.alias else one.name.value
            found = into.inner.setdefault(key, Selected(key, one.name.value, _arguments(one, info)))
            if one.selection_set is not None:
                _collect(found, one.selection_set, info, within)
        elif isinstance(one, InlineFragmentNode):
            _collect(into, one.selection_set, info, within)
        elif isinstance(one, FragmentSpreadNode) and one.name.value not in within:
            name = one.name.value
            _collect(into, info.fragments[name].selection_set, info, (*within, name))


def _arguments(node: FieldNode, info: GraphQLResolveInfo[Any]) -> dict[str, Any]:
    """Return a field's arguments; below a node they are plain values."""
    values = info.variable_values.coerced
    return {one.name.value: value_from_ast_untyped(one.value, values) for one in node.arguments or ()}


def _is_wanted(node: Any, info: GraphQLResolveInfo[Any]) -> bool:
    skip = get_directive_values(GraphQLSkipDirective, node, info.variable_values)
    if skip is not None and skip["if"]:
        return False
    include = get_directive_values(GraphQLIncludeDirective, node, info.variable_values)
    return include is None or bool(include["if"])


def leaves(selected: Iterable[Selected]) -> int:
    """Return how many fields without fields of their own are asked for."""
    return sum(leaves(one.inner.values()) if one.inner else 1 for one in selected)
