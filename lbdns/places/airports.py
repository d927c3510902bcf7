"""Airports by IATA code, from the table that the package airportsdata ships.

The package itself makes a dictionary of each of 28,000 rows, which takes longer than everything else that `lbdns check`
does. Here the 7,900 rows that have an IATA code are found by one search, and a row is read when it is asked for.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

_FILE: Final = "airports.csv"
_CODE_COLUMN: Final = "iata"


def is_airport(code: str) -> bool:
    """Tell whether an airport has this IATA code, in any case."""
    return code.upper().encode() in _table()[1]


def airport(code: str) -> dict[str, Any] | None:
    """Return an airport's row by column name, numbers as floats; None where none has this code."""
    columns, rows = _table()
    row = rows.get(code.upper().encode())
    if row is None:
        return None
    return dict(zip(columns, next(csv.reader([row.decode()], quoting=csv.QUOTE_NONNUMERIC)), strict=True))


@cache
def _table() -> tuple[list[str], dict[bytes, bytes]]:
    """Return the names of the columns, and the text of each row by IATA code; read when first asked for."""
    import airportsdata

    table = Path(airportsdata.__file__).with_name(_FILE).read_bytes()
    columns = next(csv.reader([table.partition(b"\n")[0].decode().rstrip("\r")]))
    before = columns.index(_CODE_COLUMN)  # columns of text, each in quotes
    found = re.findall(rb'\n((?:"[^"\n]*",){%d}"([A-Z0-9]{3})"[^\r\n]*)' % before, table)
    return columns, {code: row for row, code in found}
