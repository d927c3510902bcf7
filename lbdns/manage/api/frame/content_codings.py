"""The content codings that a client takes (RFC 9110, 12.5.3)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Header

GZIP: Final = "gzip"
_NAMES: Final = (GZIP, "x-gzip")  # RFC 9110, 8.4.1.3


def takes_gzip(accepted: str) -> bool:
    """Return whether a client wants gzip; `accepted`: the value of its Accept-Encoding.

    Where it weighs gzip itself that counts, else what it says of all others (`*`).
    """
    weights: dict[str, float] = {}
    for one in accepted.lower().split(","):
        coding, *parameters = (part.strip() for part in one.split(";"))
        weights["gzip" if coding in _NAMES else coding] = _weight(parameters)
    return weights.get(GZIP, weights.get("*", 0)) > 0


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0
    return 1


async def _gzip_taken(accept_encoding: Annotated[str, Header(include_in_schema=False)] = "") -> bool:
    return takes_gzip(accept_encoding)


GzipTaken = Annotated[bool, Depends(_gzip_taken)]
"""Whether the client of a request takes a reply in gzip."""
