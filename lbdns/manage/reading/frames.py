"""What the reader's process tells: JSON arrays, each with its length before it, the last one saying that it is all.

Each is small, so that whoever takes them over is never busy with one for long.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any, BinaryIO, Final, TypeVar

from pydantic_core import from_json, to_json

from lbdns.base.errors import Problem

Frame = list[Any]
"""What it is, then what it says."""
PART: Final = 250
"""Objects in one frame."""
_LENGTH: Final = struct.Struct("!I")
_Item = TypeVar("_Item")


def write_frame(out: BinaryIO, frame: Frame) -> None:
    """Write one."""
    text = to_json(frame)
    out.write(_LENGTH.pack(len(text)))
    out.write(text)


def read_frames(source: IO[bytes]) -> Iterator[Frame]:
    """Yield each until the source ends, a last one that is cut off left out."""
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        length = _LENGTH.unpack(head)[0]
        text = source.read(length)
        if len(text) < length:
            return
        yield from_json(text)  # short texts that recur, as types and names of pools do, are there once


def in_parts(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """Yield items in parts that fit a frame."""
    left = iter(items)
    while part := list(islice(left, PART)):
        yield part


def told_problem(problem: Problem) -> list[Any]:
    """Return a problem as JSON."""
    one = problem
    return [one.file, one.line, one.path, one.message, one.severity, one.at, one.beside, one.clash]


def problem_of(told: list[Any]) -> Problem:
    """Return the problem that `told_problem` told."""
    file, line, path, message, severity, at, beside, clash = told
    return Problem(file, line, path, message, severity, tuple(at), tuple(map(tuple, beside)), clash)
