"""A fence between reads of memory that another process writes. The interpreter needs none; compiled code has C's."""

from __future__ import annotations

# Compiled, `hardware_fence` is the C function of the .pxd and this is not looked at.
globals()["hardware_fence"] = int


def read_fence() -> None:
    """Order the reads before it and those after it."""
    hardware_fence()  # type: ignore[name-defined] # noqa: F821
