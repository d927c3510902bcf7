"""The types of octets.py, whose function has two forms, for checkers."""

def copy_octets(
    source: bytes | bytearray | memoryview, offset: int, room: bytearray | memoryview, position: int, size: int
) -> None:
    """Write `source[offset : offset + size]` at `room[position:]`; the two are apart."""
