"""A file written in parts is whole, however little the system takes at once, and says what it lacks."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from lbdns.mapped.allocation import write_parts


@pytest.mark.parametrize("most", [7, 1000, 1 << 30])
def test_all_parts_are_written_however_few_octets_are_taken_at_once(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, counts = Random(most), list[int]()
    parts = [chance.randbytes(chance.choice((0, 1, 3, 64))) for _ in range(1500)]
    wide = memoryview(bytes(range(16))).cast("I")
    writev = os.writev

    def some(handle: int, buffers: Sequence[memoryview]) -> int:
        counts.append(len(buffers))
        return writev(handle, [b"".join(buffers)[:most]])

    monkeypatch.setattr(os, "writev", some)
    with (tmp_path / "file").open("wb", buffering=0) as file:
        write_parts(file.fileno(), [*parts, wide])
    assert (tmp_path / "file").read_bytes() == b"".join(parts) + bytes(range(16))
    assert max(counts) <= 1024 and 0 not in counts


def test_where_the_disk_is_full_it_says_how_much_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int, buffers: Sequence[memoryview]) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "writev", full)
    told = pytest.raises(OSError, match=r"\(1,234 bytes are needed at once, [\d,]+ free\)")
    with (tmp_path / "file").open("wb", buffering=0) as file, told:
        write_parts(file.fileno(), [bytes(1234)])
