"""The health table as the ledger writes it: a column an attribute, of whichever table the generation in force has."""

from __future__ import annotations

from lbdns.mapped.columns import HEALTH_COLUMNS, HealthColumns
from lbdns.mapped.endpoint_rows import RowWrite
from lbdns.mapped.health_table import HealthTable


class TableRows(HealthColumns):
    """Columns of one health table, by the names that it gives them; each is a flat memoryview indexed by slot."""

    def __init__(self, table: HealthTable) -> None:
        """Begin with the first generation's table."""
        self.bind(table)

    def bind(self, table: HealthTable) -> None:
        """Write to another table from now on: a larger one, that a generation brought."""
        self.table = table
        for column in HEALTH_COLUMNS:
            setattr(self, column.name, table.columns[column.name])

    def writing(self, slot: int) -> RowWrite:
        """Return the time in which an endpoint's row changes, for a `with` statement: readers see all of it or none."""
        return RowWrite(self.endpoint_version, slot)
