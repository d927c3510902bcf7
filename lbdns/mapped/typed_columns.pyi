"""The types of typed_columns.py, for checkers."""

from collections.abc import Mapping

from lbdns.mapped.columns import HealthColumns, SnapshotColumns

class TypedColumns(SnapshotColumns, HealthColumns):
    """A snapshot's columns and a health table's, paired, each a flat memoryview."""

    def __init__(self, columns: Mapping[str, memoryview], health: Mapping[str, memoryview]) -> None: ...
