"""Addresses of hostname endpoints in the health table, written and read under a sequence number.

The writer makes `resolved_version` odd, writes, and makes it even again; a reader that saw an odd number or two
different ones looks again: the writer itself here, both roads of a query in steering/kernel/endpoints.py. Addresses are
packed: 4 bytes for IPv4, 16 for IPv6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lbdns.mapped.columns import ADDRESS_BYTES, READ_ATTEMPTS, RESOLVED_BYTES, RESOLVED_MAX

_ADDRESS_BYTES = {4: 4, 6: 16}

Columns = Mapping[str, "memoryview[Any]"]
Family = Literal[4, 6]


def write_addresses(columns: Columns, slot: int, v4: Sequence[bytes], v6: Sequence[bytes], expiry_s: int) -> None:
    """Put an endpoint's addresses into the table: at most 8 of each family, good until `expiry_s`
    (CLOCK_MONOTONIC)."""
    kept4, kept6 = v4[:RESOLVED_MAX], v6[:RESOLVED_MAX]
    block = b"".join(address.ljust(ADDRESS_BYTES, b"\0") for address in kept4).ljust(RESOLVED_BYTES // 2, b"\0")
    block += b"".join(kept6).ljust(RESOLVED_BYTES // 2, b"\0")
    version = columns["resolved_version"]
    # A writer that was killed midway left an odd number: the same odd number marks this write.
    odd = version[slot] | 1
    version[slot] = odd
    columns["resolved_address"][slot * RESOLVED_BYTES : (slot + 1) * RESOLVED_BYTES] = block
    columns["resolved_count"][2 * slot] = len(kept4)
    columns["resolved_count"][2 * slot + 1] = len(kept6)
    columns["resolved_expiry"][slot] = min(max(expiry_s, 0), 2**32 - 1)
    version[slot] = (odd + 1) & 0xFFFFFFFF


def read_addresses(columns: Columns, slot: int, family: Family) -> list[bytes]:
    """Return an endpoint's packed addresses of one family; empty where there are none or a write never ended."""
    version = columns["resolved_version"]
    first = slot * RESOLVED_BYTES + (0 if family == 4 else RESOLVED_BYTES // 2)
    for _ in range(READ_ATTEMPTS):
        before = version[slot]
        if before & 1:
            continue
        count = min(columns["resolved_count"][2 * slot + (family == 6)], RESOLVED_MAX)
        block = bytes(columns["resolved_address"][first : first + ADDRESS_BYTES * count])
        if version[slot] == before:
            size = _ADDRESS_BYTES[family]
            return [block[at : at + size] for at in range(0, ADDRESS_BYTES * count, ADDRESS_BYTES)]
    return []
