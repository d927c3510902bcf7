"""Coverage-guided fuzzing of `serve`, with atheris (libFuzzer) over the interpreted kernel; scripts/fuzz runs this.

The kernel's sources are the same compiled or not, so that what covers them interpreted covers the compiled code too;
each datagram goes through both where both are installed. The invariant stands in fuzz_check.py. Arguments are those of
libFuzzer:

    python -m tests.fastpath.fuzz_guided CORPUS_FOLDER -max_total_time=60
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path
from types import FunctionType
from typing import Any

from tests.answer.mutations import good_messages
from tests.fastpath.fuzz_check import Checker, available_lanes, make_view, read_corpus, write_corpus

DATAGRAM_BYTES_MAX = 600


def kernel_functions(serve: Any) -> list[FunctionType]:
    """Return every function of the interpreted kernel that `serve` reaches."""
    found: dict[int, FunctionType] = {}
    todo: list[Any] = [serve]
    while todo:
        function = todo.pop()
        if not isinstance(function, FunctionType) or id(function) in found:
            continue
        if not function.__module__.startswith("interpreted_"):
            continue
        found[id(function)] = function
        todo += function.__globals__.values()
    return list(found.values())


def unpack(folder: Path) -> None:
    """Write the corpus and the wire tests' good messages as files, which libFuzzer reads."""
    for number, datagram in enumerate([*good_messages(), *read_corpus()]):
        (folder / f"{number:05}").write_bytes(datagram)


def pack(folder: Path) -> int:
    """Make a folder of files the corpus; return how many there are."""
    datagrams = [path.read_bytes() for path in folder.iterdir()]
    if not datagrams:
        raise SystemExit(f"{folder} is empty; the corpus stays as it is")
    write_corpus(datagrams)
    return len(datagrams)


def fuzz(program: str, arguments: list[str]) -> None:
    """Run libFuzzer; it ends the process. To merge it starts `program` with other arguments."""
    atheris: Any = importlib.import_module("atheris")
    lanes = available_lanes()
    for function in kernel_functions(lanes[0].kernel_serve):
        atheris.instrument_func(function)
    checker = Checker(make_view(Path(tempfile.mkdtemp(prefix="lbdns-fuzz-view-"))), lanes)

    def one(datagram: bytes) -> None:
        checker.check(datagram)

    atheris.Setup([program, f"-max_len={DATAGRAM_BYTES_MAX}", *arguments], one)
    atheris.Fuzz()


def main() -> None:
    """Unpack, pack or fuzz."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--unpack", type=Path, metavar="FOLDER", help="write the corpus as files and end")
    parser.add_argument("--pack", type=Path, metavar="FOLDER", help="make a folder of files the corpus and end")
    parser.add_argument(
        "--again", default=sys.argv[0], metavar="PROGRAM", help="what runs this module anew, for -merge=1"
    )
    said, rest = parser.parse_known_args()
    if said.unpack:
        unpack(said.unpack)
    elif said.pack:
        print(f"{pack(said.pack)} datagrams in the corpus")
    else:
        fuzz(said.again, rest)


if __name__ == "__main__":
    main()
