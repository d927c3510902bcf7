"""Copying octets from one buffer into another: compiled, it is C's memcpy, as a loop over memoryviews is a loop to a
compiler too, which cannot see that what it writes changes none of what it reads."""

from __future__ import annotations


def _copy(source: memoryview, offset: int, room: memoryview, position: int, size: int) -> None:
    room[position : position + size] = source[offset : offset + size]


# Compiled, this is the macro of the .pxd, and what stands here is not looked at.
globals()["copy_octets"] = _copy
