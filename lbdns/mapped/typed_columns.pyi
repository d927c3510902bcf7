"""The types of typed_columns.py, for checkers."""

from collections.abc import Mapping

from lbdns.mapped.columns import HealthColumns, SignatureColumns, SnapshotColumns

class TypedColumns(SnapshotColumns, HealthColumns, SignatureColumns):
    """A snapshot's columns, a health table's and a signature table's, in one, each a flat memoryview."""

    def __init__(
        self,
        columns: Mapping[str, memoryview],
        health: Mapping[str, memoryview],
        signatures: Mapping[str, memoryview] = ...,
    ) -> None: ...
