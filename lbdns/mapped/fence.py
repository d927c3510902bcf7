"""Fences between accesses to memory that another process reads or writes. The interpreter needs none; compiled code has
C's."""

from __future__ import annotations

# Compiled, these are the C functions of the .pxd, and what stands here is not looked at.
globals()["hardware_fence"] = int
globals()["hardware_write_fence"] = int


def read_fence() -> None:
    """Order the reads before it and those after it."""
    hardware_fence()  # type: ignore[name-defined] # noqa: F821


def write_fence() -> None:
    """Order the writes before it and those after it."""
    hardware_write_fence()  # type: ignore[name-defined] # noqa: F821
