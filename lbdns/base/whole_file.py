"""Writing a small file whole or not at all, whatever the disk does meanwhile."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError

_PRIVATE: Final = 0o600


def write_whole(path: Path, text: str | bytes, what: str, is_lasting: bool = False, is_private: bool = False) -> None:
    """Put a text, or octets, in place of a file's; raises LbdnsError with the file as it was.

    `what`: what it holds, in words. `is_lasting`: it is on the disk when this returns. `is_private`: its owner alone
    may read it.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(fresh, "wb", opener=_private if is_private else None) as out:
            out.write(text.encode() if isinstance(text, str) else text)
            if is_lasting:
                out.flush()
                os.fsync(out.fileno())
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise LbdnsError(f"{path}: cannot write {what}: {error.strerror}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, _PRIVATE)
