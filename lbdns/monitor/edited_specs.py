"""What a generation's document says in place of parts of its lists, which lie in files of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class NamedSpec(Protocol):
    """A pool or a load balancer, as the monitor worker knows it."""

    @property
    def name(self) -> str:
        """Its name; several may have one."""


Spec = TypeVar("Spec", bound=NamedSpec)


@dataclass(frozen=True, slots=True)
class SpecsEdit(Generic[Spec]):
    """In place of `count` parts of a list, from the one at `at` on, stand `specs`."""

    at: int
    count: int
    specs: Sequence[Spec]


class KeptSpecs(Generic[Spec]):
    """What edits said before: what says the same now is the very same object, as what goes on is known by that."""

    def __init__(self, edits: Iterable[SpecsEdit[Spec]] = ()) -> None:
        """Begin with the edits of the document before."""
        self._known: dict[str, list[Spec]] = {}
        for edit in edits:
            for one in edit.specs:
                self._known.setdefault(one.name, []).append(one)

    def same(self, specs: Sequence[Spec]) -> Sequence[Spec]:
        """Return specs, and for each that equals one of before that one."""
        if not self._known:
            return specs
        return [next((known for known in self._known.get(one.name, ()) if known == one), one) for one in specs]


def edited(specs: tuple[Spec, ...], edits: Iterable[SpecsEdit[Spec]]) -> tuple[Spec, ...]:
    """Return a list with its edits; the very same where there are none."""
    found: list[Spec] = []
    at = 0
    for one in edits:
        found += specs[at : one.at]
        found += one.specs
        at = one.at + one.count
    return (*found, *specs[at:]) if at or found else specs
