"""The hashes of steering: 64-bit mixing, keys of source addresses, weighted rendezvous scores.

Runs as plain Python and compiled alike (types stand in the `.pxd` beside it); both give the same 64 bits, so a client
stays on its endpoint whichever of the two serves it. All values are unsigned 64-bit integers unless said.
"""

from __future__ import annotations

from lbdns.steering.kernel.numbers import *


def mix64(value: int) -> int:
    """Return `value` with its bits avalanched (the finaliser of splitmix64)."""
    value = ((value ^ (value >> 30)) * MIX_FIRST) & MASK_64
    value = ((value ^ (value >> 27)) * MIX_SECOND) & MASK_64
    return value ^ (value >> 31)


def draw64(base: int, salt: int) -> int:
    """Return the draw number `salt` of the random word `base`: independent draws from one word, in any order."""
    return mix64((base + salt * GOLDEN_64) & MASK_64)


def address_key(high: int, low: int, version: int) -> int:
    """Return the hash key of a source address.

    `high`, `low`: the address's 128 bits, an IPv4 address in the top 32 bits of `high`; `version`: 4 or 6.
    """
    return mix64(mix64(high ^ version) ^ low)


def rendezvous_score(key: int, name_hash: int, weight: int) -> float:
    """Return the score of an endpoint for a key in weighted rendezvous hashing; the greatest score wins.

    u ** (1 / weight) is the greatest of `weight` uniform draws (weight > 0), so an endpoint wins with probability
    weight / total, and removing one leaves the order of the others as it was.
    """
    drawn = mix64(key ^ name_hash)
    return float((((drawn >> 11) + 1) * UNIT_53) ** (1.0 / weight))
