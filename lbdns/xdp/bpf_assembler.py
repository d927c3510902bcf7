"""Programs of the kernel's own machine (eBPF) out of single instructions, with labels to jump to.

    struct bpf_insn { u8 code; u8 dst:4, src:4; s16 off; s32 imm; }

The numbers are those of linux/bpf.h and linux/bpf_common.h (RFC 9669).
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from typing import Final

from lbdns.base.errors import LbdnsError

_INSTRUCTION: Final = struct.Struct("=BBhi")
_SIZES: Final = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
_LOAD: Final = 0x61  # LDX, MEM
_STORE: Final = 0x63  # STX, MEM
_STORE_NUMBER: Final = 0x62  # ST, MEM
_LOAD_WIDE: Final = 0x18
_OF_MAP: Final = 1  # BPF_PSEUDO_MAP_FD: the number is a map's descriptor
_MOVE: Final = 0xBF
_MOVE_NUMBER: Final = 0xB7
_ADD_NUMBER: Final = 0x07
_AND_NUMBER: Final = 0x57
_TO_BIG_END: Final = 0xDC
_OR: Final = 0x4F
_CALL: Final = 0x85
_EXIT: Final = 0x95
_JUMP: Final = 0x05
_JUMPS: Final = {"==": 0x10, ">": 0x20, ">=": 0x30, "!=": 0x50, "<": 0xA0, "<=": 0xB0}
_AGAINST_NUMBER_32: Final = 0x06
_AGAINST_NUMBER: Final = 0x05
_AGAINST_REGISTER: Final = 0x0D


@dataclass(frozen=True, slots=True)
class _Jump:
    code: int
    registers: int
    label: str
    number: int = 0


class Assembler:
    """A program, an instruction after the other; registers are 0 to 10."""

    def __init__(self) -> None:
        """Begin with none."""
        self._rows: list[bytes | _Jump] = []
        self._labels: dict[str, int] = {}

    def label(self, name: str) -> None:
        """Have jumps to `name` come here."""
        self._labels[name] = len(self._rows)

    def load(self, size: int, target: int, base: int, offset: int) -> None:
        """Read `size` octets at a register's address and an offset from it."""
        self._add(_LOAD | _SIZES[size], target, base, offset)

    def store(self, size: int, base: int, offset: int, source: int) -> None:
        """Write the low `size` octets of a register there."""
        self._add(_STORE | _SIZES[size], base, source, offset)

    def store_number(self, size: int, base: int, offset: int, number: int) -> None:
        """Write a number there."""
        self._add(_STORE_NUMBER | _SIZES[size], base, 0, offset, number)

    def move(self, target: int, source: int) -> None:
        """Copy a register."""
        self._add(_MOVE, target, source)

    def set(self, target: int, number: int) -> None:
        """Set a register."""
        self._add(_MOVE_NUMBER, target, number=number)

    def add(self, target: int, number: int) -> None:
        """Add a number to a register."""
        self._add(_ADD_NUMBER, target, number=number)

    def keep_bits(self, target: int, number: int) -> None:
        """Keep the bits of a register that are in a number."""
        self._add(_AND_NUMBER, target, number=number)

    def join_bits(self, target: int, source: int) -> None:
        """Add the bits of another register."""
        self._add(_OR, target, source)

    def swap_16(self, target: int) -> None:
        """Read the low 16 bits of a register, which came off the wire, as the number that they are."""
        self._add(_TO_BIG_END, target, number=16)

    def set_map(self, target: int, descriptor: int) -> None:
        """Set a register to a map."""
        self._add(_LOAD_WIDE, target, _OF_MAP, number=descriptor)
        self._add(0, 0)

    def call(self, function: int) -> None:
        """Call a function of the kernel; registers 1 to 5 are its arguments, 0 is its result."""
        self._add(_CALL, 0, number=function)

    def exit(self) -> None:
        """End; register 0 is the result."""
        self._add(_EXIT, 0)

    def jump(self, label: str) -> None:
        """Go on at a label."""
        self._rows.append(_Jump(_JUMP, 0, label))

    def jump_if(self, register: int, comparison: str, number: int, label: str) -> None:
        """Go on at a label where a register compares so with a number, both without sign."""
        self._rows.append(_Jump(_AGAINST_NUMBER | _JUMPS[comparison], register, label, number))

    def jump_if_low(self, register: int, comparison: str, number: int, label: str) -> None:
        """The same with the low 32 bits of the register."""
        self._rows.append(_Jump(_AGAINST_NUMBER_32 | _JUMPS[comparison], register, label, number))

    def jump_if_register(self, register: int, comparison: str, other: int, label: str) -> None:
        """The same with two registers."""
        self._rows.append(_Jump(_AGAINST_REGISTER | _JUMPS[comparison], register | other << 4, label))

    def program(self) -> bytes:
        """Return all of it; raises LbdnsError on a machine whose numbers begin with the high octet."""
        if sys.byteorder != "little":
            raise LbdnsError("the filter of XDP is written for processors whose numbers begin with the low octet")
        return b"".join(self._row(number, row) for number, row in enumerate(self._rows))

    def _row(self, number: int, row: bytes | _Jump) -> bytes:
        if isinstance(row, bytes):
            return row
        distance = self._labels[row.label] - number - 1
        return _INSTRUCTION.pack(row.code, row.registers, distance, _signed(row.number))

    def _add(self, code: int, target: int, source: int = 0, offset: int = 0, number: int = 0) -> None:
        self._rows.append(_INSTRUCTION.pack(code, target | source << 4, offset, _signed(number)))


def _signed(number: int) -> int:
    """Return a number of 32 bits as the signed one of the same bits."""
    return number - (1 << 32) if number >= 1 << 31 else number
