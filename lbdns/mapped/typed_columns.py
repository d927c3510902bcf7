"""Columns as attributes with C types, which compiled code reads without the interpreter.

Runs interpreted and compiled; the attributes are those that columns.py declares. What checkers know of them stands in
the `.pyi` beside this file, as a compiled class cannot inherit them.
"""

from __future__ import annotations

from collections.abc import Mapping

from lbdns.mapped.columns import COLUMNS, HEALTH_COLUMNS


class TypedColumns:
    """A snapshot's columns and a health table's, paired, each a flat memoryview."""

    def __init__(self, columns: Mapping[str, memoryview], health: Mapping[str, memoryview]) -> None:
        """Take the columns of a snapshot and of a health table, by name."""
        for name in COLUMNS:
            setattr(self, name, columns[name])
        for column in HEALTH_COLUMNS:
            setattr(self, column.name, health[column.name])
