"""A condition -> a formula over what a query decides: all that is constant for a load balancer is worked out.

    text --parse--> tree --fold--> formula (formulas.py) --decision_table.py--> classes and cells

What a comparison reads says what it becomes:

| reads | becomes |
|---|---|
| constants; the name, where the load balancer is no wildcard | true or false |
| the type asked for | a `KindAtom` |
| whether there is ECS | `PRESENCE` |
| ip.src as an address; or what databases say of it | an `AddressAtom` |
| the ECS text, where it comes to networks | an `EcsAtom` |
| the ECS text otherwise; the name under a wildcard | a `TestAtom` of bytes |
| anything else | a `TestAtom` that Python makes |
| of these at once what databases say and what a query says | refused |

`ne` is the opposite of `eq`, for missing values too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from lbdns.dns.codes import TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_MX, TYPE_SRV
from lbdns.expressions.evaluate import evaluate
from lbdns.expressions.expression_error import ExpressionError
from lbdns.expressions.field_table import FIELDS, FieldKind
from lbdns.expressions.function_table import Fact
from lbdns.expressions.parse import parse
from lbdns.expressions.showing import show
from lbdns.expressions.tree import (
    Always,
    And,
    Compare,
    Comparison,
    Condition,
    Not,
    Operator,
    Or,
    Xor,
    fields_of,
)
from lbdns.steering.rules.address_ranges import ecs_networks, is_of_ranges
from lbdns.steering.rules.formulas import (
    PRESENCE,
    AddressAtom,
    EcsAtom,
    Formula,
    KindAtom,
    joined,
    negated,
)
from lbdns.steering.rules.text_tests import asked, text_test

_KEPT_FORMULAS: Final = 65_536
_TYPES: Final = {
    "A": (TYPE_A, TYPE_AAAA, TYPE_CNAME),
    "MX": (TYPE_MX,) * 3,
    "SRV": (TYPE_SRV,) * 3,
}
"""What each kind of query asks a load balancer for, by its type; a kind that it is not asked by is as the others."""
_NAMES: Final = frozenset(name for name, row in FIELDS.items() if row.kind is FieldKind.NAME)


@dataclass(frozen=True, slots=True)
class FoldedFor:
    """What is constant where conditions are folded: the load balancer's hostname, its type, this PoP's region.

    `name` is as text without the final dot, "" where no condition reads it.
    """

    name: str
    type: str
    region: str

    @property
    def facts(self) -> dict[str, Fact | None]:
        """The constants, by field."""
        found: dict[str, Fact | None] = {
            "cf.load_balancer.name": self.name.encode(),
            "cf.load_balancer.region": self.region.encode() or None,
            "dns.qry.qu": True,
        }
        if not self.name.startswith("*."):
            asked_name = f"{self.name}.".lower().encode()
            found |= {"dns.qry.name": asked_name, "dns.qry.name.len": len(asked_name)}
        return found


@lru_cache(_KEPT_FORMULAS)
def reads_names(condition: str) -> bool:
    """Return whether a condition asks for a name, so that it folds otherwise for each load balancer."""
    return any(one.name == "cf.load_balancer.name" or one.name in _NAMES for one in fields_of(parse(condition)))


@lru_cache(_KEPT_FORMULAS)
def fold(condition: str, folding: FoldedFor) -> Formula:
    """Return the formula that is left of a condition. Raises ExpressionError where it is none, or cannot be served."""
    return _fold(parse(condition), folding, folding.facts)


def folded(condition: str, folding: FoldedFor) -> Formula:
    """Return the same, shared by the load balancers for which it is the same."""
    return fold(condition, folding if reads_names(condition) else replace(folding, name=""))


def _fold(node: Condition, folding: FoldedFor, constants: dict[str, Fact | None]) -> Formula:
    if isinstance(node, Always):
        return True
    if isinstance(node, Not):
        return negated(_fold(node.part, folding, constants))
    if isinstance(node, And | Or | Xor):
        operator = {And: "and", Or: "or", Xor: "xor"}[type(node)]
        return joined(operator, (_fold(part, folding, constants) for part in node.parts))
    if isinstance(node, Compare) and node.operator is Operator.NE:
        return negated(_fold(replace(node, operator=Operator.EQ), folding, constants))
    return _fold_comparison(node, folding, constants)


def _fold_comparison(node: Comparison, folding: FoldedFor, constants: dict[str, Fact | None]) -> Formula:
    names = {one.name for one in fields_of(node)}
    varying = names - constants.keys()
    read = {name: constants[name] for name in names & constants.keys()}
    if not varying:
        return evaluate(node, read, {})
    if "dns.qry.type" in varying:
        types = _TYPES[folding.type]
        return joined("or", (
            joined("and", (_is_kind(types, number), _fold(node, folding, {**constants, "dns.qry.type": number})))
            for number in dict.fromkeys(types)
        ))  # fmt: skip
    if "dns.rr.opt.client" in varying:
        there, without = (_fold(node, folding, {**constants, "dns.rr.opt.client": given}) for given in (True, False))
        return joined("or", (joined("and", (PRESENCE, there)), joined("and", (negated(PRESENCE), without))))
    if varying == {"ip.src"} and is_of_ranges(node):
        return AddressAtom(node)
    located = {name for name in varying if name != "ip.src" and FIELDS[name].kind is FieldKind.ADDRESS}
    if located == varying:
        return AddressAtom(node, tuple(sorted(read.items())))
    if located:
        column = node.column
        raise ExpressionError([(column, "compares at once what databases know of an address and what a query says; "
                                        f"expected {sorted(located)[0]} in a comparison of its own")])  # fmt: skip
    networks = ecs_networks(node) if varying == {"dns.rr.opt.client.addr"} else None
    if networks is not None:
        return EcsAtom(networks) if networks else False
    return text_test(node) or asked(node, show(node))


def _is_kind(types: tuple[int, int, int], number: int) -> Formula:
    truths = (types[0] == number, types[1] == number, types[2] == number)
    return all(truths) or KindAtom(truths)
