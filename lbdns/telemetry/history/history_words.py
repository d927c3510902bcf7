"""What the history's file holds: its kinds of blocks, the steps of its roll-ups, and what cells are told apart by."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

MINUTE_S: Final = 60
QUARTER_S: Final = 900
DAY_S: Final = 86_400
STEPS: Final = (MINUTE_S, QUARTER_S, DAY_S)
"""Spans of blocks, in seconds; all begin at multiples of themselves, unix time: days are UTC's."""


class HistoryKind(IntEnum):
    """What a block is of; the value stands in the file. Names are texts in the order that is given here."""

    SERVER = 1
    """Count of (group, member): "rcode", "type", "source", "transport", "path"; (COVERED,) is the time in ms."""
    LOAD_BALANCERS = 2
    """Decisions of (label, type)."""
    POOLS = 3
    """Decisions that chose (pool,)."""
    ENDPOINTS = 4
    """Decisions that chose (pool, endpoint, address), with the virtual network where it names one."""
    RULES = 5
    """Decisions that (label, type, rule or pool set) matched."""
    ROUND_TRIPS = 6
    """Sum of RTTs in us and how many they are, of (pool, region): what steering used at the end of each minute."""
    CHECKS = 7
    """Checks, those that passed, sum of RTTs in us and how many they are, of what ENDPOINTS names."""
    CELLS = 8
    """Count and samples of what CELL_DIMENSIONS name."""


COVERED: Final = "covered_ms"
"""The name in SERVER of how much of the time was counted."""
TRANSPORT: Final = "transport"
PATH: Final = "path"
RCODE: Final = "rcode"
TYPE: Final = "type"
SOURCE: Final = "source"

VALUE_COUNTS: Final = {HistoryKind.ROUND_TRIPS: 2, HistoryKind.CHECKS: 4, HistoryKind.CELLS: 2}
"""How many numbers a row has; one where a kind does not stand here."""

CELL_DIMENSIONS: Final = (
    "load_balancer",
    "type",
    "view",
    "pool",
    "endpoints",
    "pop",
    "country",
    "subdivision",
    "region",
    "rules",
    "location_source",
    "rcode",
    "qtype",
    "reason",
    "pool_state",
)
"""The columns of a cell; more are appended, never inserted. "endpoints" and "rules" are lists."""
LISTED: Final = {"endpoint": "endpoints", "rule": "rules"}
"""Dimensions of queries that are members of a list."""
PLACES: Final = ("country", "subdivision")
"""What the smallest cells of a block lose, where those are more than it has room for."""
