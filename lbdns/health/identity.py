"""Whom a slot of the health table belongs to, as a number kept in the slot.

A slot may get another owner on a reload, and a restarted worker must not take the former one's health for its own.
"""

from __future__ import annotations

import hashlib


def identity(pool: str, endpoint: str = "", address: str = "") -> int:
    """Return 64 bits that name an endpoint, or a pool where `endpoint` is empty; never 0, which means nobody."""
    text = "\0".join((pool, endpoint, address)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") or 1
