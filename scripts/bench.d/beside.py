"""Run one benchmark of two checkouts in turn, and print each figure of this one as a ratio to the other's.

    beside.py OTHER-CHECKOUT [--rounds N] BENCHMARK [ARGUMENTS]

BENCHMARK is a script in scripts/ that prints rows: words, then figures. Rounds alternate (other, this, this, other,
...), so that a machine whose speed drifts treats both alike; a figure is the median of the rounds, its ratio that of
the medians.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FIGURE = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w.])")
Rows = dict[tuple[str, int], list[float]]


def figures(text: str) -> dict[tuple[str, int], float]:
    """Return the figures of a benchmark's rows: (the row's words below its heading, the figure's place) -> value."""
    found: dict[tuple[str, int], float] = {}
    heading = ""
    for line in text.splitlines():
        words = re.match(r"\s*([^\d\s].*?)(?:\s{2,}|$)", line)
        if not words:
            continue
        numbers = FIGURE.findall(line[words.end(1) :])
        if not numbers:
            heading = words[1]
        for place, number in enumerate(numbers):
            found[f"{heading[:30]} / {words[1]}", place] = float(number.replace(",", ""))
    return found


def run(checkout: Path, benchmark: str, arguments: list[str]) -> str:
    """Run a checkout's benchmark and return what it printed; one that fails ends everything with its words."""
    command = [str(checkout / "scripts" / benchmark), *arguments]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if not done.stdout.strip():
        raise SystemExit(f"{command[0]} printed nothing, exit status {done.returncode}:\n{done.stderr}")
    return done.stdout


def main() -> None:
    """Alternate, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("benchmark")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    said = parser.parse_args()
    checkouts = {"other": said.other.resolve(), "this": ROOT}
    kept: dict[str, Rows] = {"other": {}, "this": {}}
    for number in range(said.rounds):
        for name in ("other", "this") if number % 2 == 0 else ("this", "other"):
            text = run(checkouts[name], said.benchmark, said.arguments)
            print(f"--- round {number + 1}, {name}", text, sep="\n", file=sys.stderr, flush=True)
            for key, value in figures(text).items():
                kept[name].setdefault(key, []).append(value)
    print(f"{said.benchmark} {' '.join(said.arguments)}: medians of {said.rounds} rounds in turn")
    print(f"{'':64} {'other':>12} {'this':>12} {'ratio':>7}")
    for key, values in kept["this"].items():
        if key in kept["other"]:
            other, this = statistics.median(kept["other"][key]), statistics.median(values)
            ratio = f"{this / other:7.3f}" if other else f"{'-':>7}"
            print(f"{key[0][:58]:58} #{key[1] + 1:<4} {other:12,.2f} {this:12,.2f} {ratio}", flush=True)


if __name__ == "__main__":
    main()
