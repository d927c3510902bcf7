"""References: whatever an object names, in the fields that its kind's row tells, must be declared.

Where one is not, the nearest declared name is offered, as long as the search for it stays cheap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from lbdns.base.errors import Problem
from lbdns.base.kinds import BALANCING, REFERRED, Kind
from lbdns.base.reference_paths import ReferenceField, located
from lbdns.base.wording import nearest
from lbdns.base.words import STORED
from lbdns.config.checks.check_memo import CheckMemo
from lbdns.config.checks.checked_pool import names_network
from lbdns.config.checks.rule_checks import rule_words
from lbdns.config.yaml.objects import Objects
from lbdns.config.yaml.repair import STAND_IN_ITEMS
from lbdns.config.yaml.source import Placed, Source
from lbdns.model.balancer import LoadBalancer
from lbdns.model.mistakes import shown
from lbdns.model.pool import Pool
from lbdns.model.virtual_network import is_network_id

MAX_COMPARED: Final = 300_000
"""Names compared with misspelt ones in one configuration. A thousand misspelt references to ten thousand pools would
otherwise take minutes to word."""


_NAMES: Final = attrgetter("names")
_AS_ANY: Final = "so the address is reached as any other"


class _Known:
    """The declared names of one kind of object."""

    def __init__(self, kind: str, names: Mapping[str, Source]) -> None:
        self.kind = kind
        self.names = names
        self._hints: dict[str, str] = {}
        self._compared = 0

    def check(self, name: str, source: Source, location: Sequence[str | int]) -> Iterator[Problem]:
        """Yield the problem of a name that is not among them."""
        if name not in self.names:
            hint = self._hints.get(name)
            if hint is None:
                hint = self._hints[name] = self._hint(name)
            yield source.problem(location, f'unknown {self.kind} "{name}"; {hint}')

    def _hint(self, name: str) -> str:
        if not self.names:
            return f"no {self.kind} is declared"
        self._compared += len(self.names)
        near = nearest(name, self.names) if self._compared <= MAX_COMPARED else None
        if near is not None:
            return f'did you mean "{near}"?'
        return f"no {self.kind} of a similar name is declared"


def check_references(objects: Objects, memo: CheckMemo) -> Iterator[Problem]:
    """Yield every reference that leads nowhere. Names of objects that were refused count as declared."""
    known = {kind: _Known(kind.words, _declared(objects, kind)) for kind in REFERRED}
    for kind in BALANCING:
        found = objects.of(kind)
        if kind is Kind.LOAD_BALANCER:
            found = _suspects(objects, memo)
        elif kind is Kind.POOL:
            found = _suspected_pools(objects, memo)
        for placed in found if kind.references else ():
            yield from _check_object(placed, kind, known)


def _declared(objects: Objects, kind: Kind) -> Mapping[str, Source]:
    """Return the places of a kind's objects by name."""
    if kind.is_keyed:
        return objects.declared[kind.section]
    if not any(objects.keyed[user] for user in kind.users):
        return {}  # nobody asks, and there may be very many
    return {placed.item.name: placed.source for placed in objects.of(kind)}


def _check_object(placed: Placed[Any], kind: Kind, known: Mapping[Kind, _Known]) -> Iterator[Problem]:
    for field in kind.references:
        if field.kind == Kind.VIRTUAL_NETWORK and kind is Kind.POOL and not names_network(placed.item):
            continue  # few do, of many endpoints
        if not placed.knows(field.path[0]) and field.path[0] not in STAND_IN_ITEMS:
            continue
        for location, name in located(placed.item, field.path):
            if placed.knows_at(location):
                if kind is Kind.POOL and (why := _passed_over(name, field, placed.source, known)):
                    yield placed.source.warning(location, f"{shown(name)} does not act: {why}")
                    continue
                for problem in known[Kind(field.kind)].check(name, placed.source, location):
                    told = rule_words(placed.item, location) if kind is Kind.LOAD_BALANCER else ""
                    yield replace(problem, message=told + problem.message) if told else problem


def _passed_over(name: str, field: ReferenceField, source: Source, known: Mapping[Kind, _Known]) -> str:
    """Return why an endpoint's network may be none that there is, "" where it may not.

    Where there is no network at all, nothing is. What the store has from before is no mistake of whoever changes
    something else; who sends an id that there is not is refused by the store.
    """
    if field.kind != Kind.VIRTUAL_NETWORK or name in known[Kind.VIRTUAL_NETWORK].names:
        return ""
    if not known[Kind.VIRTUAL_NETWORK].names:
        return f"there is no virtual network, {_AS_ANY}"
    return f"no virtual network has this id, {_AS_ANY}" if source.file == STORED and is_network_id(name) else ""


def _suspected_pools(objects: Objects, memo: CheckMemo) -> Iterable[Placed[Pool]]:
    """Return the pools that name something that is not declared, and those of which it is not known at once."""
    kinds = {Kind(field.kind) for field in Kind.POOL.references} - {Kind.VIRTUAL_NETWORK}
    declared = {(kind, name) for kind in kinds for name in objects.declared[kind.section]}
    return memo.pools.naming_others(objects.pools, declared)


def _suspects(objects: Objects, memo: CheckMemo) -> Iterator[Placed[LoadBalancer]]:
    """Yield the load balancers that name a pool that is not declared."""
    memo.of_all(objects.load_balancers)
    return memo.balancers.naming_others(objects.declared[Kind.POOL.section].keys())
