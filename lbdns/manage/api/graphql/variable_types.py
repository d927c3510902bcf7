"""Variables' types, matched by what they mean and not by what they are called.

The v4 API's scalars are called `string`, `uint64`, `Time`; clients declare `String!`, `Int`, `[String!]`, `int64!`, or
a filter's type by a name that was its own once; the documents' first examples declare nothing at all. GraphQL refuses
all but one of these. So before a query is checked, each variable is given the type of the place where it stands:

| declared                          | where it stands            | then                                             |
|-----------------------------------|----------------------------|--------------------------------------------------|
| means what the place wants        | one place, or equal ones   | it has the place's type; a `!` of either stays   |
|                                   | places of several types    | it becomes several variables of the same value   |
| means something else              |                            | it is refused                                    |
| not at all, a value is given      |                            | it is declared with the place's type             |

Values are read as the place has it, so that a wrong one is refused all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    SKIP,
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    ListTypeNode,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    TypeNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    get_named_type,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_non_null_type,
    parse_type,
    print_ast,
    visit,
)

from lbdns.manage.api.graphql.scalars import FITTING, MEANINGS

_TEXT: Final = "text"


@dataclass(slots=True)
class _Use:
    """Where a variable stands in a document: the types of its places, by their texts, in order."""

    places: dict[str, GraphQLInputType] = field(default_factory=dict)
    by_node: dict[int, str] = field(default_factory=dict)

    def name(self, variable: str, place: str) -> str:
        """Return what the variable is called in places of one type."""
        number = list(self.places).index(place)
        return variable if not number else f"{variable}_{number}"


def settled(
    document: DocumentNode, schema: GraphQLSchema, values: Mapping[str, Any]
) -> tuple[DocumentNode, dict[str, Any]]:
    """Return a document and the values of its variables, with the types that their places have; raises GraphQLError."""
    uses = _uses(document, schema)
    if not uses:
        return document, dict(values)
    taken = _Renaming(uses)
    renamed = visit(document, taken)
    reached = _reached(renamed)
    definitions = []
    for one in renamed.definitions:
        if isinstance(one, OperationDefinitionNode):
            made = [*_declared(one, uses), *_undeclared(one, uses, values, reached)]
            one = OperationDefinitionNode(
                operation=one.operation,
                name=one.name,
                variable_definitions=tuple(made),
                directives=one.directives,
                selection_set=one.selection_set,
                loc=one.loc,
            )
        definitions.append(one)
    given = dict(values)
    for name, use in uses.items():
        if name in values:
            given |= {use.name(name, place): values[name] for place in use.places}
    return DocumentNode(definitions=tuple(definitions), loc=document.loc), given


def _uses(document: DocumentNode, schema: GraphQLSchema) -> dict[str, _Use]:
    info = TypeInfo(schema)
    uses: dict[str, _Use] = {}

    class Places(Visitor):
        """Notes the type of each place where a variable stands."""

        def enter_variable_definition(self, *_: Any) -> Any:
            """Pass over what declares one."""
            return SKIP

        def enter_variable(self, node: VariableNode, *_: Any) -> None:
            """Note its place."""
            wanted = info.get_input_type()
            if wanted is not None:
                use = uses.setdefault(node.name.value, _Use())
                use.places.setdefault(str(wanted), wanted)
                use.by_node[id(node)] = str(wanted)

    visit(document, TypeInfoVisitor(info, Places()))
    return uses


class _Renaming(Visitor):
    """Calls a variable by another name where it stands in places of another type than its first."""

    def __init__(self, uses: Mapping[str, _Use]) -> None:
        super().__init__()
        self._uses = uses

    def enter_variable(self, node: VariableNode, *_: Any) -> VariableNode | None:
        """Return the variable under its name there."""
        use = self._uses.get(node.name.value)
        place = use.by_node.get(id(node)) if use is not None else None
        if use is None or place is None or (name := use.name(node.name.value, place)) == node.name.value:
            return None
        return VariableNode(name=NameNode(value=name), loc=node.loc)


def _declared(operation: OperationDefinitionNode, uses: Mapping[str, _Use]) -> Iterator[VariableDefinitionNode]:
    for one in operation.variable_definitions or ():
        name = one.variable.name.value
        use = uses.get(name)
        if use is None:
            continue  # nothing hangs on what stands nowhere, whatever its type is called
        for place, wanted in use.places.items():
            if not _means(one.type, wanted):
                told = f"variable ${name} is declared as {print_ast(one.type)}, and stands where {wanted} is expected"
                raise GraphQLError(told, nodes=one)
            yield VariableDefinitionNode(
                variable=VariableNode(name=NameNode(value=use.name(name, place)), loc=one.variable.loc),
                type=_type_at(one.type, wanted),
                default_value=one.default_value,
                directives=one.directives,
                loc=one.loc,
            )


def _undeclared(
    operation: OperationDefinitionNode,
    uses: Mapping[str, _Use],
    values: Mapping[str, Any],
    reached: Mapping[str | None, frozenset[str]],
) -> Iterator[VariableDefinitionNode]:
    known = {one.variable.name.value for one in operation.variable_definitions or ()}
    here = reached[operation.name.value if operation.name else None]
    for name, use in uses.items():
        for place, wanted in use.places.items():
            called = use.name(name, place)
            if name not in known and name in values and called in here:
                variable = VariableNode(name=NameNode(value=called))
                yield VariableDefinitionNode(variable=variable, type=parse_type(str(wanted)))


def _reached(document: DocumentNode) -> dict[str | None, frozenset[str]]:
    """Return the variables that each operation uses, itself or by its fragments."""
    within: dict[str, tuple[set[str], set[str]]] = {}
    operations: list[tuple[str | None, str]] = []
    for number, one in enumerate(document.definitions):
        if isinstance(one, (OperationDefinitionNode, FragmentDefinitionNode)):
            variables: set[str] = set()
            fragments: set[str] = set()
            visit(one, _Collecting(variables, fragments))
            key = f"...{one.name.value}" if isinstance(one, FragmentDefinitionNode) else str(number)
            within[key] = variables, fragments
            if isinstance(one, OperationDefinitionNode):
                operations.append((one.name.value if one.name else None, key))
    found = {}
    for name, key in operations:
        variables, left = set(within[key][0]), set(within[key][1])
        seen: set[str] = set()
        while left:
            fragment = left.pop()
            if fragment in seen or f"...{fragment}" not in within:
                continue
            seen.add(fragment)
            more, further = within[f"...{fragment}"]
            variables |= more
            left |= further
        found[name] = frozenset(variables)
    return found


class _Collecting(Visitor):
    """Collects the variables and fragments that are used in a definition."""

    def __init__(self, variables: set[str], fragments: set[str]) -> None:
        super().__init__()
        self._variables = variables
        self._fragments = fragments

    def enter_variable_definition(self, *_: Any) -> Any:
        """Pass over what declares one."""
        return SKIP

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        """Collect a variable."""
        self._variables.add(node.name.value)

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        """Collect a fragment."""
        self._fragments.add(node.name.value)


def _type_at(declared: TypeNode, wanted: GraphQLInputType) -> TypeNode:
    """Return a place's type, as something that must be given where the place wants it or the variable says so."""
    made = parse_type(str(wanted))
    if isinstance(declared, NonNullTypeNode) and isinstance(made, (NamedTypeNode, ListTypeNode)):
        return NonNullTypeNode(type=made)
    return made


def _means(declared: TypeNode, wanted: GraphQLInputType) -> bool:
    """Tell whether a declared type means what a place wants: a list where it wants one, or what may stand in it."""
    name, depth = _unwrapped(declared)
    if depth > _depth(wanted):
        return False
    inner = get_named_type(wanted)
    meaning = MEANINGS.get(name.lower())
    if is_enum_type(inner):
        return meaning in (None, _TEXT)
    if is_input_object_type(inner):
        return meaning is None
    return meaning in FITTING[MEANINGS[inner.name.lower()]]


def _unwrapped(declared: TypeNode) -> tuple[str, int]:
    depth = 0
    while isinstance(declared, (NonNullTypeNode, ListTypeNode)):
        depth += isinstance(declared, ListTypeNode)
        declared = declared.type
    assert isinstance(declared, NamedTypeNode), "all else wraps a type"
    return declared.name.value, depth


def _depth(wanted: Any) -> int:
    depth = 0
    while is_list_type(wanted) or is_non_null_type(wanted):
        depth += is_list_type(wanted)
        wanted = wanted.of_type
    return depth
