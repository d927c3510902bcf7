"""The column of bytes that a snapshot's texts, names and record data stand in."""

from __future__ import annotations

from array import array


class Blob:
    """The byte column that texts, names and rdata stand in; equal texts are stored once."""

    def __init__(self, column: array[int]) -> None:
        """Go on with a column; what it holds already is not looked for."""
        self._column = column
        self._offsets: dict[bytes, int] = {}

    def add(self, data: bytes) -> int:
        """Return the offset of `data`, appended where it is new."""
        offset = self._offsets.get(data)
        if offset is None:
            offset = self._offsets[data] = len(self._column)
            self._column.frombytes(data)
        return offset

    def add_text(self, text: str) -> int:
        """Return the offset of a text."""
        return self.add(encoded_text(text))


def encoded_text(text: str) -> bytes:
    """Return a text as it stands in a blob: its length in two bytes, then UTF-8."""
    data = text.encode()
    return len(data).to_bytes(2, "little") + data


def read_text(blob: memoryview, offset: int) -> str:
    """Return the text that `Blob.add_text` stored at `offset`."""
    length = blob[offset] | blob[offset + 1] << 8
    return str(blob[offset + 2 : offset + 2 + length], "utf-8")
