"""The process that reads one large body: `python -m lbdns.manage.reading --body-fd N`.

What is to be read comes on standard input, a line of JSON: `kind`, `arguments`, `byte_count`. What came of it goes to
standard output (frames.py). It bounds itself in memory and computing before it looks at the body.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import sys
from contextlib import suppress
from typing import BinaryIO, Final

from pydantic_core import from_json

from lbdns.manage.reading.frames import write_frame
from lbdns.manage.reading.readings import READINGS, outcome
from lbdns.manage.reading.request_bounds import CPU_S, MEMORY_LEAST, MEMORY_PER_BYTE, TOO_HEAVY

_KIB: Final = 1024


def main() -> int:
    """Read it; returns the exit status."""
    parser = argparse.ArgumentParser(prog="lbdns.manage.reading", description="Read one large body.")
    parser.add_argument("--body-fd", type=int, required=True, help="where it is")
    given = parser.parse_args()
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):  # nobody wants it any more
        return 0
    task = from_json(line)
    gc.disable()  # a short life, in which little is thrown away that is in a circle
    with suppress(BrokenPipeError), os.fdopen(given.body_fd, "rb") as source, sys.stdout.buffer as out:
        _bound(task["byte_count"])
        try:
            _read(task, source, out)
        except BaseException as error:
            # Where there is no more memory, pydantic-core panics: no Exception, and no MemoryError.
            if isinstance(error, MemoryError) or not isinstance(error, Exception):
                return TOO_HEAVY
            raise
    return 0


def _read(task: dict[str, object], source: BinaryIO, out: BinaryIO) -> None:
    reading = READINGS[str(task["kind"])](**task["arguments"])  # type: ignore[arg-type]
    source.seek(0)
    for frame in outcome(reading, source.read):
        write_frame(out, frame)


def _bound(byte_count: int) -> None:
    """Bound what this process may take from now on."""
    with open("/proc/self/status") as status:
        taken = next(int(line.split()[1]) * _KIB for line in status if line.startswith("VmData:"))
    _lower(resource.RLIMIT_DATA, taken + MEMORY_LEAST + MEMORY_PER_BYTE * byte_count)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + CPU_S + 1)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(limit: int, most: int) -> None:
    _, hard = resource.getrlimit(limit)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (most, most))


if __name__ == "__main__":
    sys.exit(main())
