"""The types of octets.py, whose functions have two forms, for checkers."""

def copy_octets(
    source: bytes | bytearray | memoryview, offset: int, room: bytearray | memoryview, position: int, size: int
) -> None:
    """Write `source[offset : offset + size]` at `room[position:]`; the two are apart."""

def copy_lower(
    source: bytes | bytearray | memoryview, offset: int, room: bytearray | memoryview, position: int, size: int
) -> None:
    """Write `source[offset : offset + size]` at `room[position:]` with A to Z as a to z; the two are apart."""

def same_octets(
    source: bytes | bytearray | memoryview, offset: int, other: bytearray | memoryview, position: int, size: int
) -> bool:
    """Return whether `source[offset : offset + size]` equals `other[position : position + size]`."""
