"""Copying octets from one buffer into another, and comparing them: compiled, it is C's memcpy or goes by eight octets.
A loop over memoryviews is a loop to a compiler too, which cannot see that what it writes changes none of what it
reads."""

from __future__ import annotations


def _copy(source: memoryview, offset: int, room: memoryview, position: int, size: int) -> None:
    room[position : position + size] = source[offset : offset + size]


def _copy_lower(source: memoryview, offset: int, room: memoryview, position: int, size: int) -> None:
    room[position : position + size] = bytes(source[offset : offset + size]).lower()


def _is_same(source: memoryview, offset: int, other: memoryview, position: int, size: int) -> bool:
    return source[offset : offset + size] == other[position : position + size]


# Compiled, these are the macros of the .pxd, and what stands here is not looked at.
globals()["copy_octets"] = _copy
globals()["copy_lower"] = _copy_lower
globals()["same_octets"] = _is_same
