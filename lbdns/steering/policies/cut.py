"""How location chooses among candidate lists: what follows from which list each place gets, whatever the lists hold.

A `Partition` gives every unit of one kind a list; unit 0 is the unknown place, and UNKNOWN_LIST means that the location
strategy has to ask elsewhere: the resolver, where the strategy asks for it, else the PoP.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.steering.policies.units import Unit

UNKNOWN_LIST: Final = -1


class Partition(NamedTuple):
    """Which list each unit of one kind gets: `lists[number]`, UNKNOWN_LIST where the unit says nothing."""

    unit: Unit
    lists: NDArray[np.int32]


UnitClasses = tuple[Unit, bytes]
"""A kind of unit, and each unit's class, as `_packed` gives it: the key of a trie."""


class Cut(NamedTuple):
    """How the places are cut up.

    `partitions`: for resolver and ECS, one where they are the same. `class_lists`: the list of each class.
    `unit_lists`: for each partition the list of each unit, behind the last one that of the PoP. All are in the least
    that holds them: there may be a cut for each of very many load balancers.
    """

    partitions: tuple[UnitClasses, ...]
    class_lists: tuple[int, ...]
    pop_class: int
    unit_lists: tuple[NDArray[np.unsignedinteger[Any]], ...]


def classes_of(key: UnitClasses) -> NDArray[np.int32]:
    """Return the class of each unit of a partition."""
    size, classes = key[1][0], key[1][1:]
    return np.frombuffer(classes, np.dtype(f"u{size}")).astype(np.int32)


def _packed(numbers: NDArray[np.int32]) -> NDArray[np.unsignedinteger[Any]]:
    """Return numbers that are not negative in the least that holds all of them."""
    return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))


def _key_of(unit: Unit, classes: NDArray[np.int32]) -> UnitClasses:
    packed = _packed(classes)
    return unit, bytes([packed.itemsize]) + packed.tobytes()


class Spread(NamedTuple):
    """Which list is that of this server's own place, and how location chooses among all, None where every place gets
    that one."""

    pop_list: int
    cut: Cut | None

    @property
    def size(self) -> int:
        """Bytes, near enough."""
        if self.cut is None:
            return 0
        classes = sum(len(of_units) for _, of_units in self.cut.partitions)
        return classes + sum(lists.nbytes for lists in self.cut.unit_lists)


def spread(pop_list: int, ecs: Partition, resolver: Partition, mode: str) -> Spread:
    """Return how lists are spread over places: `ecs` applies to those found by ECS, `resolver` to those found by the
    resolver's address.

    `mode`: the location strategy's. Where it is `pop`, nobody asks where the resolver is: an ECS network whose place is
    unknown counts as at the PoP, so it gets that list, and merges with neighbours that get it too. With `resolver_ip`
    the resolver's place decides for it, and one cache may stand behind resolvers in many places: it stays apart.
    """
    if _is_everywhere(pop_list, ecs) and (resolver is ecs or _is_everywhere(pop_list, resolver)):
        return Spread(pop_list, None)
    if mode == "pop":
        resolver = ecs = Partition(ecs.unit, np.where(ecs.lists == UNKNOWN_LIST, np.int32(pop_list), ecs.lists))
    parts = (resolver,) if ecs is resolver else (resolver, ecs)
    class_of_list: dict[int, int] = {}
    classes = [_key_of(part.unit, _number_classes(part, class_of_list)) for part in parts]
    pop_class = class_of_list.setdefault(pop_list, len(class_of_list) + 1)
    unit_lists = []
    for part in parts:
        listed = np.full(len(part.lists) + 1, pop_list, dtype=np.int32)
        np.copyto(listed[:-1], part.lists, where=part.lists != UNKNOWN_LIST)
        unit_lists.append(_packed(listed))
    # Class 0 is the unknown place: never looked up, since the PoP's class stands in for it.
    return Spread(pop_list, Cut(tuple(classes), (pop_list, *class_of_list), pop_class, tuple(unit_lists)))


def _is_everywhere(number: int, partition: Partition) -> bool:
    """Return whether every unit that gets a list gets this one."""
    return not ((partition.lists != UNKNOWN_LIST) & (partition.lists != number)).any()


def _number_classes(partition: Partition, class_of_list: dict[int, int]) -> NDArray[np.int32]:
    """Return each unit's class; `class_of_list` numbers lists by first appearance, from 1."""
    lists = partition.lists
    # Written from the end, the first place where a list appears stands last; UNKNOWN_LIST, -1, writes behind all.
    first = np.full(int(lists.max(initial=0)) + 2, len(lists))
    first[lists[::-1]] = np.arange(len(lists) - 1, -1, -1)
    first[UNKNOWN_LIST] = len(lists)
    for listed in first.argsort(kind="stable").tolist():
        if first[listed] == len(lists):
            break
        class_of_list.setdefault(listed, len(class_of_list) + 1)
    table = np.zeros(max(class_of_list, default=0) + 2, dtype=np.int32)
    for listed, number in class_of_list.items():
        table[listed] = number
    # The last entry is where UNKNOWN_LIST leads: class 0.
    return table[lists]
