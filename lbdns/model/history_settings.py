"""The setting `history`: whether what was counted is kept, how long, and how much of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from lbdns.model import bounds
from lbdns.model.fields import Frozen
from lbdns.model.mistakes import shown
from lbdns.model.plain_fields import Flag, Whole
from lbdns.model.refusal import refusal

UNITS: Final = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30}
"""What may stand before the B of bytes, in either case."""
_SIZE: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?) ?([KMG]I?)?B?", re.ASCII | re.IGNORECASE)


def _bytes_in(value: Any) -> Any:
    """Return the bytes that a text such as "500MB" says; numbers are bytes."""
    if not isinstance(value, str):
        return value
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        raise refusal(f"{shown(value)} is no size; expected bytes, or a text such as 500MB or 2GiB")
    return round(float(found[1]) * UNITS[(found[2] or "").upper()])


if TYPE_CHECKING:
    FileSize = int
else:
    FileSize = Annotated[
        Whole,
        Field(ge=bounds.MIN_HISTORY_BYTES, le=bounds.MAX_HISTORY_BYTES),
        BeforeValidator(_bytes_in),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "integer", "minimum": bounds.MIN_HISTORY_BYTES, "maximum": bounds.MAX_HISTORY_BYTES},
                    {"type": "string", "maxLength": 20},
                ]
            }
        ),
    ]


class HistorySettings(Frozen):
    """What was counted, measured and changed, by the minute, in the state directory."""

    enabled: Flag = True
    """Whether it is kept."""
    size: FileSize = bounds.DEFAULT_HISTORY_BYTES
    """How large its file may be: bytes, or a text such as 500MB or 2GiB. What is finest and oldest goes first."""
    days: Annotated[Whole, Field(ge=1, le=bounds.MAX_HISTORY_DAYS)] = bounds.DEFAULT_HISTORY_DAYS
    """How many days anything is kept."""
