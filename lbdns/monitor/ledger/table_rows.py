"""The health table as the ledger writes it: a column an attribute, of whichever table the generation in force has."""

from __future__ import annotations

import inspect
from typing import Any

from lbdns.mapped.health_table import HealthTable


class TableRows:
    """Columns of one health table, by the names that it gives them; each is a flat memoryview indexed by slot."""

    endpoint_checked_at: memoryview[Any]
    endpoint_checks: memoryview[Any]
    endpoint_code: memoryview[Any]
    endpoint_identity: memoryview[Any]
    endpoint_measured: memoryview[Any]
    endpoint_passed: memoryview[Any]
    endpoint_reason: memoryview[Any]
    endpoint_rtt_us: memoryview[Any]
    endpoint_since: memoryview[Any]
    endpoint_state: memoryview[Any]
    endpoint_streak: memoryview[Any]
    pool_identity: memoryview[Any]
    pool_measured: memoryview[Any]
    pool_rtt: memoryview[Any]
    pool_since: memoryview[Any]
    pool_state: memoryview[Any]

    def __init__(self, table: HealthTable) -> None:
        """Begin with the first generation's table."""
        self.bind(table)

    def bind(self, table: HealthTable) -> None:
        """Write to another table from now on: a larger one, that a generation brought."""
        self.table = table
        for name in inspect.get_annotations(TableRows):
            setattr(self, name, table.columns[name])
