"""How a store stands: what whoever has it tells whoever shows the server."""

from __future__ import annotations

from typing import NamedTuple


class StoreFacts(NamedTuple):
    """The store that objects are changed in: its revision, None where it cannot be read, and why nothing can be stored
    in it, "" where it can; how many changes of it were refused since the start."""

    revision: int | None
    problem: str
    refused: int = 0
