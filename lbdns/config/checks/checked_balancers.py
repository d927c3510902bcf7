"""What is kept of all load balancers from one check to the next, and what follows from all of them together: brought up
to date by those that came and went, so that the others are not looked at."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, KeysView, Sequence
from itertools import chain, compress
from operator import attrgetter
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.memo import BySequence, KeyCounts
from lbdns.config.checks.checked_balancer import Checked
from lbdns.config.problem_order import are_alike
from lbdns.config.yaml.source import Placed
from lbdns.dns.name import WILDCARD_LABEL
from lbdns.model.balancer import LoadBalancer

_NAMES, _WIRE, _HAS_RULES = attrgetter("names"), attrgetter("wire"), attrgetter("has_rules")
Problems = tuple[Problem, ...]
_ABOUT: Final = (attrgetter("about_zone"), attrgetter("about_fields"))


class CheckedBalancers:
    """Kept by whoever checks again and again. `checked`: those seen last, in their order; `unsettled`: those of them of
    which some problems are to be found anew, with those that are told of them so far, as `_ABOUT` has them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: BySequence[Placed[LoadBalancer], Checked] = BySequence()
        self._pools: KeyCounts[str] = KeyCounts()
        self._wires: KeyCounts[bytes] = KeyCounts()
        self._answered: KeyCounts[bytes] = KeyCounts()  # those that are answered with addresses
        self._wildcard_count = self._special_count = 0
        self._users: dict[str, list[Checked]] | None = None  # by the pools that they name
        self._told: Sequence[Problem] | None = None
        self.checked: Sequence[Checked] = ()
        self.unsettled: dict[Checked, tuple[Problems, Problems]] = {}

    def __len__(self) -> int:
        """How many are kept."""
        return len(self.checked)

    def see(self, those: Sequence[Placed[LoadBalancer]]) -> Sequence[Checked]:
        """Return what is kept of load balancers, in their order; `those` stay as they are."""
        self.checked = self._kept.of_all(those, Checked)
        came, went = self._kept.came, self._kept.went
        if came or went:
            self._count(came, went)
        return self.checked

    @property
    def are_plain(self) -> bool:
        """Whether everybody sees all of them, and all their fields are known."""
        return not self._special_count

    @property
    def are_named_apart(self) -> bool:
        """Whether no two have one name."""
        return len(self._wires.keys) == len(self.checked)

    @property
    def have_wildcards(self) -> bool:
        """Whether any stands at a wildcard, an enabled one or not."""
        return bool(self._wildcard_count)

    @property
    def answered(self) -> KeyCounts[bytes]:
        """The names that they answer with addresses."""
        return self._answered

    def forget(self, those: Iterable[Checked]) -> None:
        """Have all problems of some found anew."""
        for one in those:
            self._unsettle(one)
            one.about_fields = one.about_zone = None

    def forget_users(self, pools: Collection[str]) -> None:
        """Have all problems found anew of those that name one of some pools."""
        if not pools:
            return
        if self._users is None:
            self._users = {}
            self._note_users(self.checked)
        for name in pools:
            self.forget(self._users.get(name, ()))

    def forget_plans(self) -> None:
        """Have what is wrong with fields found anew of those that have rules."""
        for one in compress(self.checked, map(_HAS_RULES, self.checked)):
            self._unsettle(one)
            one.about_fields = None

    def forget_at(self, owners: Container[bytes] | None) -> None:
        """Have what is wrong with where they stand found anew of those at some names (wire); None: of all."""
        if isinstance(owners, frozenset) and not any(map(self._wires.keys.__contains__, owners)):
            return
        those = self.checked
        for one in those if owners is None else compress(those, map(owners.__contains__, map(_WIRE, those))):
            self._unsettle(one)
            one.about_zone = None

    def settle(self) -> None:
        """Say that the problems of all of them are found."""
        if not all(all(map(are_alike, had, _problems_of(one))) for one, had in self.unsettled.items()):
            self._told = None
        self.unsettled.clear()

    def problems(self) -> Sequence[Problem]:
        """Return the problems of all that are settled: first those of where they stand, each in their order; the very
        same sequence as long as they are alike."""
        if self._told is None:
            self._told = [*chain.from_iterable(chain.from_iterable(map(about, self.checked) for about in _ABOUT))]
        return self._told

    def naming_others(self, declared: KeysView[str]) -> Iterator[Placed[LoadBalancer]]:
        """Yield those that name a pool that is not declared: few, if any, of very many."""
        if not self._pools.keys <= declared:
            yield from (one.placed for one in self.checked if not declared >= {*one.names})

    def _unsettle(self, one: Checked) -> None:
        self.unsettled.setdefault(one, _problems_of(one))

    def _count(self, came: Sequence[Checked], went: Sequence[Checked]) -> None:
        self._pools.change(chain.from_iterable(map(_NAMES, came)), chain.from_iterable(map(_NAMES, went)))
        self._wires.change(map(_WIRE, came), map(_WIRE, went))
        self._answered.change(_answered(came), _answered(went))
        for those, by in ((came, 1), (went, -1)):
            for one in those:
                self._special_count += 0 if one.is_plain else by
                self._wildcard_count += by if one.wire.startswith(WILDCARD_LABEL) else 0
        for one in went:
            if any(self.unsettled.pop(one, _problems_of(one))):
                self._told = None
        if self._users is not None:
            for one in went:
                for name in one.names:
                    self._users[name].remove(one)
        self._note_users(came)
        for one in came:
            self.unsettled[one] = (), ()  # what they have is not told yet

    def _note_users(self, those: Iterable[Checked]) -> None:
        if self._users is not None:
            for one in those:
                for name in one.names:
                    self._users.setdefault(name, []).append(one)


def _problems_of(one: Checked) -> tuple[Problems, Problems]:
    return one.about_zone or (), one.about_fields or ()


def _answered(those: Iterable[Checked]) -> Iterator[bytes]:
    return (one.wire for one in those if one.is_address)
