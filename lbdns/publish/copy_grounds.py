"""What a kept configuration rests on beside the texts that are kept with it: where that is so still, and the texts are,
whoever reads its source again gets what is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, NamedTuple

from lbdns.publish.edited_text import EditedText

UNPACKED: Final = 0
"""The number, which no generation has, of the file in the run directory into which kept tries are unpacked."""
Stamp = tuple[int, int, int]
"""Modification time (ns), size and inode of a file."""


class Written(NamedTuple):
    """Documents of a generation as they were written: its slots, and the parts of what the monitor worker is told that
    are about pools and load balancers."""

    slots: bytes
    pools: EditedText
    load_balancers: EditedText


@dataclass(frozen=True, slots=True)
class Grounds:
    """`files`: every file that was read or looked for, by its path, as it was just before; None: it was not there.
    `objects`: what tells the objects of a store from all others, "" where that is not known or there is no store."""

    files: Mapping[str, Stamp | None] = field(default_factory=dict)
    objects: str = ""

    def encode(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @staticmethod
    def decode(data: bytes) -> Grounds:
        """Return what JSON says; raises ValueError, KeyError or TypeError."""
        document = json.loads(data)
        files = {str(path): _stamp(one) for path, one in document["files"].items()}
        return Grounds(files, str(document["objects"]))


def _stamp(values: list[int] | None) -> Stamp | None:
    if values is None:
        return None
    modified_ns, size, inode = map(int, values)
    return modified_ns, size, inode
