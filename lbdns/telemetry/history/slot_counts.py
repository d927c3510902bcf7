"""Whose counts are whose: slots by the names of their holders, whatever is reloaded meanwhile.

A slot that fell free rests for some generations before somebody else has it (snapshot/slots.py). So its last known
holder is the one whose queries it counted, also where those were read after a swap, by responders that went on with the
generation before for a moment; and who has it now is the one whose queries it counts, also where those came before the
swap was heard of.

    sums -> the generation in force, after they were read -> holders up to that one -> deltas by name
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from lbdns.mapped.counter_words import (
    DATAGRAMS,
    RCODE_COUNT,
    RCODES_FIRST,
    SLOTS_MAX,
    SOURCE_COUNT,
    SOURCES_FIRST,
    TCP_MESSAGES,
    TYPE_OTHER,
    TYPES_FIRST,
)
from lbdns.mapped.stream_words import STREAM_REPLIES
from lbdns.snapshot.slots import Slots
from lbdns.telemetry.history.history_words import PATH, RCODE, SOURCE, TRANSPORT, TYPE, HistoryKind
from lbdns.telemetry.history.name_book import Name
from lbdns.telemetry.tally import SOURCE_NAMES, Words, rcode_name, type_name

KINDS: Final = (HistoryKind.LOAD_BALANCERS, HistoryKind.POOLS, HistoryKind.ENDPOINTS, HistoryKind.RULES)
"""In the order of the counters' ranges (mapped/counter_room.py)."""


class SlotHolders:
    """The last known holder of each slot, by kind."""

    def __init__(self) -> None:
        """Begin with none."""
        self._names: list[list[Name | None]] = [[] for _ in KINDS]

    def adopt(self, slots: Slots) -> None:
        """Take up a generation that is in force, or was since the one before."""
        held: tuple[Mapping[Any, int], ...] = (
            slots.load_balancer,
            {(name,): slot for name, slot in slots.pool.items()},
            slots.endpoint,
            slots.rule,
        )
        counts = slots.load_balancer_count, slots.pool_count, slots.endpoint_count, slots.rule_count
        for names, keys, count in zip(self._names, held, counts, strict=True):
            names.extend([None] * max(count - len(names), 0))
            for key, slot in keys.items():
                names[slot] = key

    @property
    def counts(self) -> tuple[int, ...]:
        """How many slots of each kind there were ever; those beyond what is counted are not among them."""
        return tuple(min(len(names), SLOTS_MAX) for names in self._names)

    def named(self, deltas: tuple[Words, ...]) -> tuple[list[tuple[HistoryKind, Name, int]], int]:
        """Return what was counted since, by kind and name, of the ranges of slots; and what is nobody's that is
        known."""
        found: list[tuple[HistoryKind, Name, int]] = []
        unnamed = 0
        for kind, names, delta in zip(KINDS, self._names, deltas, strict=True):
            for slot in np.flatnonzero(delta).tolist():
                name = names[slot] if slot < len(names) else None
                if name is None:
                    unnamed += int(delta[slot])
                else:
                    found.append((kind, name, int(delta[slot])))
        return found, unnamed


def server_counts(delta: Words, fast: Words) -> Iterator[tuple[Name, int]]:
    """Yield what the fixed words counted since, by name; `fast`: those of the fast path's threads."""
    yield (TRANSPORT, "udp"), int(delta[DATAGRAMS])
    yield (TRANSPORT, "tcp"), int(delta[TCP_MESSAGES])
    replies = delta[RCODES_FIRST : RCODES_FIRST + RCODE_COUNT]
    of_fast = int(fast[RCODES_FIRST : RCODES_FIRST + RCODE_COUNT].sum()) + int(delta[STREAM_REPLIES])
    yield (PATH, "fast"), of_fast
    yield (PATH, "slow"), max(int(replies.sum()) - of_fast, 0)
    for code in range(RCODE_COUNT):
        yield (RCODE, rcode_name(code)), int(replies[code])
    types = delta[TYPES_FIRST : TYPES_FIRST + TYPE_OTHER + 1]
    for number in np.flatnonzero(types).tolist():
        yield (TYPE, type_name(number)), int(types[number])
    for number in range(SOURCE_COUNT):
        yield (SOURCE, SOURCE_NAMES[number]), int(delta[SOURCES_FIRST + number])
