"""Many MMDB records at once: the few values that are wanted, found with numpy.

maxminddb decodes one record at a time and whole, with its names in eight languages: most of ten seconds for a city
database. Here the records' maps are scanned side by side, one pair per step, for where the wanted values are; few
distinct ones are left, and those maxminddb decodes.

A value is a control byte (type, size), perhaps more bytes of type and size, and its body. Maps and arrays hold values,
a pointer stands for a value elsewhere in the section and never for another pointer.
(Format: MaxMind DB File Format Specification 2.0, "Output Data Section".)

Positions are int64 offsets in the data section; ABSENT stands for no value. Damage raises LbdnsError.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from maxminddb.decoder import Decoder

from lbdns.places.mmdb_reader import DECODE_ERRORS, refusal

Positions = npt.NDArray[np.int64]

ABSENT = -1

EXTENDED, POINTER, STRING, DOUBLE, UINT16, UINT32, MAP, INT32, UINT64 = 0, 1, 2, 3, 5, 6, 7, 8, 9
ARRAY, CACHE_CONTAINER, END_MARKER, BOOLEAN, FLOAT = 11, 12, 13, 14, 15

PAIRS_MAX = 256
"""Pairs of a map, elements of an array. GeoIP2's largest have about 20."""

VALUES_MAX = 4096
"""Values within one value. GeoIP2's largest records have about 200."""

POINTER_BASES = np.array((0, 2048, 526336, 0), dtype=np.int64)
"""What is added to a pointer, by its width code: a wider one begins where the narrower ends."""

SIZE_BASES = np.array((0, 29, 285, 65821), dtype=np.int64)
"""What is added to a size that is told by so many more bytes."""

SHORT_TEXT_BYTES = 6
"""Texts up to this length, such as country codes, are told apart by what they say; others by where they are."""

PADDING_BYTES = 16
"""Zeros behind the section, so that a control sequence cut off at its end is read before it is refused."""


class DataSection:
    """The data section of one file."""

    def __init__(self, path: Path, section: npt.NDArray[np.uint8]) -> None:
        """Read values from these bytes; path is named in errors."""
        self._path = path
        self.size = section.size
        self._bytes = np.concatenate((section, np.zeros(PADDING_BYTES, dtype=np.uint8)))
        self._decoder = Decoder(section.tobytes(), 0)

    def fields(self, maps: Positions, names: tuple[str, ...]) -> list[Positions]:
        """Return for each name the positions of the values under it: ABSENT where the map lacks it or is no map."""
        found = [np.full(len(maps), ABSENT, dtype=np.int64) for _ in names]
        rows = np.flatnonzero(maps != ABSENT)
        kind, size, body = self._control(maps[rows])
        left = np.where(kind == MAP, size, 0)
        rows, left, at = rows[left > 0], left[left > 0], body[left > 0]
        while rows.size:
            key = self.resolved(at)
            key_kind, key_size, key_body = self._control(key)
            self._refuse_if(key_kind != STRING, "the key of a map is not text")
            value = self._behind(at)
            for name, positions in zip(names, found, strict=True):
                hit = self._equal(key_body, key_size, name.encode())
                positions[rows[hit]] = value[hit]
            more = np.flatnonzero(left > 1)
            rows, left, at = rows[more], left[more] - 1, self._behind(value[more])
        return [self.resolved(positions) for positions in found]

    def first_elements(self, arrays: Positions) -> Positions:
        """Return the positions of the arrays' first elements, ABSENT where there is none or no array."""
        found = np.full(len(arrays), ABSENT, dtype=np.int64)
        rows = np.flatnonzero(arrays != ABSENT)
        kind, size, body = self._control(arrays[rows])
        filled = (kind == ARRAY) & (size > 0)
        found[rows[filled]] = body[filled]
        return self.resolved(found)

    def are_maps(self, positions: Positions) -> npt.NDArray[np.bool_]:
        """Return where a map is."""
        found = np.zeros(len(positions), dtype=np.bool_)
        rows = np.flatnonzero(positions != ABSENT)
        found[rows] = self._control(positions[rows])[0] == MAP
        return found

    def numbers(self, positions: Positions) -> npt.NDArray[np.float64]:
        """Return floating-point and whole numbers, not-a-number where there is none."""
        found = np.full(len(positions), np.nan)
        rows = np.flatnonzero(positions != ABSENT)
        kind, size, body = self._control(positions[rows])
        for wanted, width, form in ((DOUBLE, 8, ">f8"), (FLOAT, 4, ">f4")):
            here = np.flatnonzero((kind == wanted) & (size == width))
            found[rows[here]] = self._bytes[body[here, None] + np.arange(width)].view(form)[:, 0]
        whole = np.flatnonzero((kind == UINT16) | (kind == UINT32) | (kind == INT32) | (kind == UINT64))
        if whole.size:
            values, index = self.values(positions[rows[whole]])
            found[rows[whole]] = np.array(values, dtype=np.float64)[index]
        return found

    def unsigned(self, positions: Positions) -> tuple[Positions, npt.NDArray[np.bool_]]:
        """Return whole numbers of up to 32 bits without sign, and where there is one; elsewhere it is 0."""
        found = np.zeros(len(positions), dtype=np.int64)
        rows = np.flatnonzero(positions != ABSENT)
        kind, size, body = self._control(positions[rows])
        plain = ((kind == UINT16) | (kind == UINT32)) & (size <= 4)
        rows, size, body = rows[plain], size[plain], body[plain]
        for place in range(4):
            more = size > place
            found[rows[more]] = found[rows[more]] << 8 | self._bytes[body[more] + place]
        is_plain = np.zeros(len(positions), dtype=np.bool_)
        is_plain[rows] = True
        return found, is_plain

    def values(self, positions: Positions) -> tuple[list[Any], npt.NDArray[np.intp]]:
        """Return the values at these positions, few times each, and for each position its value's index.

        None stands for ABSENT.
        """
        identities = positions.copy()
        rows = np.flatnonzero(positions != ABSENT)
        kind, size, body = self._control(positions[rows])
        short = np.flatnonzero((kind == STRING) & (size <= SHORT_TEXT_BYTES))
        identities[rows[short]] = ABSENT - 1 - self._packed(body[short], size[short])
        _, example, index = np.unique(identities, return_index=True, return_inverse=True)
        return [None if at == ABSENT else self._decoded(at) for at in positions[example].tolist()], index

    def resolved(self, positions: Positions) -> Positions:
        """Return positions with pointers followed."""
        rows = np.flatnonzero(positions != ABSENT)
        kind, target, _ = self._control(positions[rows])
        pointing = kind == POINTER
        found = positions.copy()
        found[rows[pointing]] = target[pointing]
        self._refuse_if(self._control(target[pointing])[0] == POINTER, "a pointer points to a pointer")
        return found

    def _decoded(self, position: int) -> Any:
        """Return the value at a position, decoded by maxminddb."""
        try:
            return self._decoder.decode(position)[0]
        except DECODE_ERRORS as error:
            raise refusal(self._path, "damaged: a record cannot be decoded") from error

    def _behind(self, at: Positions) -> Positions:
        """Return the positions behind these values and all that they hold."""
        at = at.copy()
        pending = np.ones(len(at), dtype=np.int64)
        rows = np.arange(len(at))
        for _ in range(VALUES_MAX):
            if not rows.size:
                return at
            kind, size, body = self._control(at[rows])
            bodiless = (kind == POINTER) | (kind == MAP) | (kind == ARRAY) | (kind == BOOLEAN)
            at[rows] = np.where(bodiless, body, body + size)
            held = np.where(kind == MAP, 2 * size, np.where(kind == ARRAY, size, 0))
            pending[rows] += held - 1
            rows = rows[pending[rows] > 0]
        raise refusal(self._path, f"damaged: a record holds more than {VALUES_MAX} values")

    def _equal(self, body: Positions, size: Positions, name: bytes) -> npt.NDArray[np.intp]:
        """Return the rows whose text is this name."""
        rows = np.flatnonzero(size == len(name))
        for place, letter in enumerate(name):
            rows = rows[self._bytes[body[rows] + place] == letter]
        return rows

    def _packed(self, body: Positions, size: Positions) -> Positions:
        """Return short texts as numbers, equal for equal texts: some writers store one text many times."""
        packed = size
        for place in range(SHORT_TEXT_BYTES):
            packed = packed << 8 | np.where(size > place, self._bytes[body + place], 0)
        return packed

    def _control(self, at: Positions) -> tuple[Positions, Positions, Positions]:
        """Return type, size (of a pointer: its target) and the position behind type and size, of the values at."""
        self._refuse_if((at < 0) | (at >= self.size), "a value lies outside the data section")
        first = self._bytes[at].astype(np.int64)
        kind, size, body = first >> 5, first & 31, at + 1
        rows = np.flatnonzero(kind == POINTER)
        if rows.size:
            width = (first[rows] >> 3) & 3
            size[rows] = self._pointer_targets(first[rows] & 7, width, body[rows])
            body[rows] += width + 1
        rows = np.flatnonzero(kind == EXTENDED)
        if rows.size:
            kind[rows] = 7 + self._bytes[body[rows]]
            body[rows] += 1
        rows = np.flatnonzero((size >= 29) & (kind != POINTER))
        if rows.size:
            size[rows], body[rows] = self._long_sizes(size[rows], body[rows])
        contained = (kind == MAP) | (kind == ARRAY)
        self._refuse_if(contained & (size > PAIRS_MAX), f"a map or an array has more than {PAIRS_MAX} entries")
        ends = np.where(contained | (kind == POINTER) | (kind == BOOLEAN), body, body + size)
        self._refuse_if(ends > self.size, "a value runs over the end of the data section")
        unknown = (kind > FLOAT) | (kind == CACHE_CONTAINER) | (kind == END_MARKER)
        self._refuse_if(unknown, "a value has an unknown type")
        return kind, size, body

    def _pointer_targets(self, top: Positions, width: Positions, body: Positions) -> Positions:
        """Return where pointers of 11, 19, 27 or 32 bits (width 0 to 3) point to; top: their highest three bits."""
        target = np.where(width == 3, 0, top)
        for place in range(4):
            more = width >= place
            target = np.where(more, target << 8 | self._bytes[body + place], target)
        return target + POINTER_BASES[width]

    def _long_sizes(self, code: Positions, body: Positions) -> tuple[Positions, Positions]:
        """Return sizes of 29 and more, whose code says that 1, 2 or 3 bytes more tell them, and where bodies begin."""
        width = code - 28
        size = np.zeros_like(code)
        for place in range(3):
            size = np.where(width > place, size << 8 | self._bytes[body + place], size)
        return size + SIZE_BASES[width], body + width

    def _refuse_if(self, damaged: npt.NDArray[np.bool_], reason: str) -> None:
        """Refuse the file where any of these is damaged."""
        if damaged.any():
            raise refusal(self._path, f"damaged: {reason}")
