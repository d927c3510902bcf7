"""Writing a small file whole or not at all, whatever the disk does meanwhile."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from lbdns.base.errors import LbdnsError


def write_whole(path: Path, text: str | bytes, what: str, is_lasting: bool = False) -> None:
    """Put a text, or octets, in place of a file's; raises LbdnsError with the file as it was.

    `what`: what it holds, in words. `is_lasting`: it is on the disk when this returns.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as out:
            out.write(text.encode() if isinstance(text, str) else text)
            if is_lasting:
                out.flush()
                os.fsync(out.fileno())
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise LbdnsError(f"{path}: cannot write {what}: {error.strerror}") from error
