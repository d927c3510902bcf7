"""Columns as attributes with C types, which compiled code reads without the interpreter.

Runs interpreted and compiled; the attributes are those that columns.py declares. What checkers know of them stands in
the `.pyi` beside this file, as a compiled class cannot inherit them.
"""

from __future__ import annotations

from collections.abc import Mapping

from lbdns.mapped.columns import COLUMNS, HEALTH_COLUMNS, NO_SIGNATURES, SIGNATURE_COLUMNS


class TypedColumns:
    """A snapshot's columns, a health table's and a signature table's, in one, each a flat memoryview."""

    def __init__(
        self,
        columns: Mapping[str, memoryview],
        health: Mapping[str, memoryview],
        signatures: Mapping[str, memoryview] = NO_SIGNATURES,
    ) -> None:
        """Take the columns of a snapshot, of a health table and of a signature table, by name."""
        for name in COLUMNS:
            setattr(self, name, columns[name])
        for column in HEALTH_COLUMNS:
            setattr(self, column.name, health[column.name])
        for signed in SIGNATURE_COLUMNS:
            setattr(self, signed.name, signatures[signed.name])
