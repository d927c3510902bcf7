"""The calls of bpf(2) that XDP takes: maps, a program, and the link that holds it at an interface.

libc is called by ctypes: the libraries that wrap the call need headers, or versions, that are not where lbdns runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct
from functools import cache
from typing import Final

from lbdns.base.errors import LbdnsError

HASH: Final = 1  # BPF_MAP_TYPE_HASH
SOCKETS: Final = 17  # BPF_MAP_TYPE_XSKMAP
_NUMBERS: Final = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361}
_MAP_CREATE, _MAP_UPDATE, _MAP_DELETE, _PROGRAM_LOAD, _LINK_CREATE = 0, 2, 3, 5, 28
_PROGRAM_XDP: Final = 6
_ATTACH_XDP: Final = 37
_LICENCE: Final = b"GPL"  # what the program says of itself to the kernel: it calls no function that asks for it
_LOG_BYTES: Final = 1 << 16
_ATTRIBUTE_BYTES: Final = 128
_INSTRUCTION_BYTES: Final = 8


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attributes: bytes) -> int:
    number = _NUMBERS.get(platform.machine())
    if number is None:
        raise LbdnsError(f"XDP is not known on {platform.machine()}; it is on {', '.join(_NUMBERS)}")
    block = ctypes.create_string_buffer(attributes.ljust(_ATTRIBUTE_BYTES, b"\0"), _ATTRIBUTE_BYTES)
    result: int = _libc().syscall(ctypes.c_long(number), ctypes.c_int(command), block, ctypes.c_uint(_ATTRIBUTE_BYTES))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def create_map(kind: int, key_bytes: int, value_bytes: int, entries: int, name: str) -> int:
    """Return the descriptor of a map; raises OSError."""
    head = struct.pack("=7I", kind, key_bytes, value_bytes, entries, 0, 0, 0)
    return _bpf(_MAP_CREATE, head + name.encode().ljust(16, b"\0"))


def set_entry(descriptor: int, key: bytes, value: bytes) -> None:
    """Put an entry into a map; raises OSError."""
    _with_entry(_MAP_UPDATE, descriptor, key, value)


def drop_entry(descriptor: int, key: bytes) -> None:
    """Remove an entry that may be there; raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        _with_entry(_MAP_DELETE, descriptor, key, b"")


def _with_entry(command: int, descriptor: int, key: bytes, value: bytes) -> None:
    key_block, value_block = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value)
    _bpf(command, struct.pack("=IIQQ", descriptor, 0, ctypes.addressof(key_block), ctypes.addressof(value_block)))


def load_program(program: bytes, name: str) -> int:
    """Return the descriptor of a program of XDP; raises OSError, LbdnsError with the kernel's words where it finds
    fault with it."""
    code = ctypes.create_string_buffer(program, len(program))
    licence = ctypes.create_string_buffer(_LICENCE)
    said = ctypes.create_string_buffer(_LOG_BYTES)

    def load(level: int) -> int:
        log = (level, _LOG_BYTES if level else 0, ctypes.addressof(said) if level else 0)
        head = struct.pack(
            "=IIQQIIQII",
            _PROGRAM_XDP,
            len(program) // _INSTRUCTION_BYTES,
            ctypes.addressof(code),
            ctypes.addressof(licence),
            *log,
            0,
            0,
        )
        rest = struct.pack("=II", 0, _ATTACH_XDP)
        return _bpf(_PROGRAM_LOAD, head + name.encode().ljust(16, b"\0") + rest)

    try:
        return load(0)
    except OSError:
        try:
            return load(1)
        except OSError as error:
            text = said.value.decode(errors="replace").strip()
            if text:
                raise LbdnsError(f"the kernel refuses the filter: {text.splitlines()[-1]}") from error
            raise


def link_program(program: int, interface: int, flags: int) -> int:
    """Return the descriptor of a link, which holds a program at an interface for as long as it is open anywhere; raises
    OSError."""
    return _bpf(_LINK_CREATE, struct.pack("=IIII", program, interface, _ATTACH_XDP, flags))
