"""What tells two states of a store apart: the sum of its rows' digests, whatever their order.

    sum(state) = sum of blake2b-128(row) over all rows, mod 2^128

A change takes the digests of what goes away and adds those of what comes, so that it costs what it changes and not what
there is. All machines that have taken the same changes have the same sum; where one differs, something was lost there.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

MODULUS: Final = 1 << 128
_DIGEST_BYTES: Final = 16

Row = tuple[str | int, ...]
"""The columns of an object or a token, as they are stored."""


def row_sum(kind: str, row: Iterable[object]) -> int:
    """Return the digest of a row; `kind` says of which table. Each column counts with its length: none runs into the
    next."""
    digest = blake2b(kind.encode(), digest_size=_DIGEST_BYTES)
    for column in row:
        data = column if isinstance(column, bytes) else str(column).encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return int.from_bytes(digest.digest(), "big")


def rows_sum(kind: str, rows: Iterable[Iterable[object]]) -> int:
    """Return the sum of some rows."""
    return sum(row_sum(kind, row) for row in rows) % MODULUS


def moved_sum(before: int, gone: int, come: int) -> int:
    """Return a sum after rows of one sum went away and rows of another came."""
    return (before - gone + come) % MODULUS
