"""The scalar types of the schema, under the names that the v4 API gives them.

| name                | value here            | in JSON                    | read from                                |
|---------------------|-----------------------|----------------------------|------------------------------------------|
| string              | str                   | text                       | text                                     |
| uint8 ... uint64    | int                   | number                     | whole numbers in range; uint8: booleans  |
| float64             | float                 | number                     | numbers                                  |
| Time                | unix seconds          | 2026-11-28T22:41:00Z       | RFC 3339, or a date: its first moment    |
| Date                | unix seconds of a day | 2026-11-28                 | a date, or RFC 3339: its day, in UTC     |

GraphQL's own Int ends at 2^31-1, and one number beyond takes the whole answer with it; these do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from graphql import GraphQLError, GraphQLScalarType

Meaning = Literal["text", "time", "whole", "number", "flag"]
"""What a value of a type means, whatever the type is called."""
DAY_S: Final = 86_400
_SHOWN_CHARS: Final = 60
_YEARS: Final = range(1970, 9000)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One type: its name, what it means, how a value is read from JSON and how one is shown in it."""

    name: str
    meaning: Meaning
    read: Callable[[Any], Any]
    show: Callable[[Any], Any]
    description: str

    def shown(self, value: Any) -> Any:
        """Return a value as JSON has it; what is not known is nothing: "" or 0."""
        return self.show(("" if self.meaning == "text" else 0) if value is None else value)

    def graphql_type(self) -> GraphQLScalarType:
        """Return it as graphql-core has it."""
        return GraphQLScalarType(
            self.name, coerce_output_value=self.show, coerce_input_value=self.read, description=self.description
        )


def _bad(name: str, value: Any, expected: str) -> GraphQLError:
    shown = repr(value)
    return GraphQLError(f"{name} cannot be {shown[:_SHOWN_CHARS]}; expected {expected}")


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise _bad("string", value, "text")
    return value


def _whole(name: str, least: int, most: int) -> Scalar:
    def read(value: Any) -> int:
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, int) or not least <= value <= most:
            raise _bad(name, value, f"a whole number from {least} to {most}")
        return value

    return Scalar(name, "whole", read, int, f"a whole number from {least} to {most}")


def _read_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _bad("float64", value, "a number")
    return float(value)


def _moment(name: str, value: Any) -> float:
    """Return unix seconds of RFC 3339 text, which is UTC where it has no offset."""
    expected = "a time such as 2026-11-28T22:41:00Z, or a date such as 2026-11-28"
    if not isinstance(value, str):
        raise _bad(name, value, expected)
    try:
        moment = datetime.fromisoformat(value.upper())  # t and z are as good (RFC 3339 section 5.6)
    except ValueError:
        raise _bad(name, value, expected) from None
    if moment.year not in _YEARS:
        raise _bad(name, value, f"a year from {_YEARS.start} to {_YEARS.stop - 1}")
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _read_date(value: Any) -> int:
    moment = _moment("Date", value)
    return int(moment - moment % DAY_S)


def time_shown(seconds: float) -> str:
    """Return unix seconds as the v4 API's GraphQL shows a time: whole seconds, in UTC."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _date_shown(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d")


STRING: Final = Scalar("string", "text", _read_text, str, "text")
UINT8: Final = _whole("uint8", 0, 2**8 - 1)
UINT16: Final = _whole("uint16", 0, 2**16 - 1)
UINT32: Final = _whole("uint32", 0, 2**32 - 1)
UINT64: Final = _whole("uint64", 0, 2**64 - 1)
FLOAT64: Final = Scalar("float64", "number", _read_number, float, "a number with a fraction")
TIME: Final = Scalar("Time", "time", lambda value: _moment("Time", value), time_shown, "a time, RFC 3339 in UTC")
DATE: Final = Scalar("Date", "time", _read_date, _date_shown, "a day of UTC, such as 2026-11-28")
SCALARS: Final = (STRING, UINT8, UINT16, UINT32, UINT64, FLOAT64, TIME, DATE)

_NAMES: Final[dict[Meaning, str]] = {
    "text": "string ID",
    "time": "time date datetime timestamp",
    "whole": "int int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 integer long bigint",
    "number": "float float32 float64 double decimal",
    "flag": "bool boolean",
}
MEANINGS: Final[dict[str, Meaning]] = {
    name.lower(): meaning for meaning, names in _NAMES.items() for name in names.split()
}
"""What scalars are called in schemas that clients were written for, in lower case, and what each means."""
FITTING: Final[dict[Meaning, tuple[Meaning, ...]]] = {
    "text": ("text",),
    "time": ("time", "text"),
    "whole": ("whole", "number", "flag"),
    "number": ("number", "whole"),
    "flag": ("flag",),
}
"""Which meanings a variable may be declared with, by what its place wants; its value is read as its place has it."""
