"""What is left of a condition once all that is constant has been worked out: a formula over atoms.

An atom is what a query decides, each kind in its own way:

| atom | decided by | at query time |
|---|---|---|
| `AddressAtom` | ip.src and what the databases say of it | a class of a trie |
| `EcsAtom` | the text of the ECS address, where it comes to networks | a class of the trie of ECS addresses |
| `PRESENCE` | whether there is ECS | which of the two tables |
| `KindAtom` | the type asked for | a column of the table |
| `TestAtom` | bytes of the name or of the ECS text | a bit |

Formulas are values: equal ones are found, so that load balancers share what is made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

import numpy as np
from numpy.typing import NDArray

from lbdns.expressions.function_table import Fact
from lbdns.expressions.tree import Comparison
from lbdns.steering.kernel.numbers import SUBJECT_END

Truths = NDArray[np.bool_]
Constants = tuple[tuple[str, Fact | None], ...]


@dataclass(frozen=True, slots=True)
class AddressAtom:
    """A comparison of ip.src, or of what the databases say of it; `facts`: the constants that it reads beside."""

    comparison: Comparison
    facts: Constants = ()


@dataclass(frozen=True, slots=True)
class EcsAtom:
    """That there is ECS, whose address is in one of these networks."""

    networks: tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class Presence:
    """That the query has ECS."""


PRESENCE = Presence()


@dataclass(frozen=True, slots=True)
class KindAtom:
    """What each kind of query makes it: A, AAAA and CNAME, or three times what the load balancer is asked for."""

    truths: tuple[bool, bool, bool]


@dataclass(frozen=True, slots=True)
class TestAtom:
    """A test of a message's bytes, as the columns test_* have it (TEST_*, SUBJECT_*).

    `reads_name` and `reads_address` are of tests that Python makes: whose text may speak of both.
    """

    subject: int
    op: int
    flags: int = 0
    start: int = 0
    end: int = SUBJECT_END
    operand: bytes = b""
    number: int = 0
    reads_name: bool = False
    reads_address: bool = False


Atom = AddressAtom | EcsAtom | Presence | KindAtom | TestAtom


@dataclass(frozen=True, slots=True)
class Negated:
    """True where its part is false."""

    part: Formula


@dataclass(frozen=True, slots=True)
class Joined:
    """Two parts or more by `and`, `or` or `xor`."""

    operator: str
    parts: tuple[Formula, ...]


Formula = bool | Atom | Negated | Joined


def negated(part: Formula) -> Formula:
    """Return the opposite of a formula."""
    if isinstance(part, bool):
        return not part
    return part.part if isinstance(part, Negated) else Negated(part)


def joined(operator: str, parts: Iterable[Formula]) -> Formula:
    """Return parts joined by `and`, `or` or `xor`, without those that are constant."""
    left: list[Formula] = []
    is_odd = False
    for part in parts:
        if not isinstance(part, bool):
            left.append(part)
        elif operator == "xor":
            is_odd ^= part
        elif part is (operator == "or"):
            return part
    if not left:
        return is_odd if operator == "xor" else operator == "and"
    whole = left[0] if len(left) == 1 else Joined(operator, tuple(left))
    return negated(whole) if is_odd else whole


def atoms_of(formula: Formula) -> Iterator[Atom]:
    """Yield the atoms of a formula, in order, as often as they stand there."""
    ahead = [formula]
    while ahead:
        one = ahead.pop()
        if isinstance(one, Negated):
            ahead.append(one.part)
        elif isinstance(one, Joined):
            ahead.extend(reversed(one.parts))
        elif not isinstance(one, bool):
            yield one


_JOINING: dict[str, Callable[[Truths, Truths], Truths]] = {
    "and": np.logical_and,
    "or": np.logical_or,
    "xor": np.logical_xor,
}


def truths_of(formula: Formula, of_atom: Callable[[Atom], Truths]) -> Truths:
    """Return where a formula is true, given where each of its atoms is."""
    if isinstance(formula, bool):
        return np.array(formula)
    if isinstance(formula, Negated):
        return np.logical_not(truths_of(formula.part, of_atom))
    if isinstance(formula, Joined):
        first, *rest = (truths_of(part, of_atom) for part in formula.parts)
        for part in rest:
            first = _JOINING[formula.operator](first, part)
        return first
    return of_atom(formula)
