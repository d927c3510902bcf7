"""Faults, put into real servers under load: each alone, or some at once, drawn by a seed.

Without --rounds each fault is put into a server of its own, once for files and once for a store where both are served.
With it, so many servers get one to three faults at once each. A line a round says what was seen; what fails is told
with the command that repeats it. Exit status: 0 where everything holds that must, 1 where something does not.

Run as one who may (root, or where user namespaces are allowed), it has mounts of its own: a small /dev/shm, and a file
system for each state directory. Faults that this machine cannot have are left out by name.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from lbdns.base.wording import counted
from tests.faults.fault import Fault, Seen, took
from tests.faults.kills import measure_kills
from tests.faults.kinds.filesystems import OWN_MOUNTS
from tests.faults.rig import KINDS, SHARED_SIZE, Rig, rig_of, slowest, until
from tests.faults.table import FAULTS
from tests.processes.namespaces import UNSHARE
from tests.strain.asking import LOST_S, PIPELINED
from tests.strain.endpoints import PlayedElsewhere
from tests.strain.subject import LoadPlan
from tests.strain.truth import NSID, PLAIN, TCP

BEFORE_S = 0.7
"""For the load to run before anything happens; its slowest answer is what this machine adds to each."""
AT_ONCE_MAX = 3
CHANGED_S = 8.0
TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True, slots=True)
class Round:
    """One server and the faults that it gets; its name repeats it."""

    name: str
    kind: str
    faults: tuple[type[Fault], ...]

    @property
    def title(self) -> str:
        """For people."""
        rows = "+".join(str(row) for row in sorted({one.row for one in self.faults}))
        return f"{rows:>5}  {self.kind:5}  {'; '.join(one.what for one in self.faults)}"


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="scripts/faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="what is drawn follows from it; default 1")
    parser.add_argument("--rounds", type=int, default=0, help="so many servers with faults drawn at random")
    parser.add_argument("--rows", default="", help="faults of these rows alone, as 3,4,8")
    parser.add_argument("--match", default="", help="faults alone in whose name this is")
    parser.add_argument("--only", default="", help="this round alone, as a failure names it")
    parser.add_argument(
        "--kills", type=int, default=0, help="kill a responder so often, and time the slowest answer each"
    )
    parser.add_argument("--rate", type=float, default=300.0, help="queries a second; default 300")
    parser.add_argument("--slack", type=float, default=1.0, help="times may be so many times their bounds; default 1")
    parser.add_argument("--keep", type=Path, help="where logs of what failed are kept")
    parser.add_argument("--list", action="store_true", help="print the faults and end")
    return parser.parse_args(given)


def wanted(asked: argparse.Namespace) -> list[type[Fault]]:
    """Return the faults that were asked for."""
    rows = {int(row) for row in asked.rows.split(",") if row}
    return [one for one in FAULTS if (not rows or one.row in rows) and asked.match in one.what]


def rounds(asked: argparse.Namespace, faults: Sequence[type[Fault]]) -> Iterator[Round]:
    """Yield what is done, in order."""
    if not asked.rounds:
        for fault in faults:
            for kind in fault.kinds:
                yield Round(f"{fault.what} ({kind})", kind, (fault,))
        return
    for number in range(asked.rounds):
        random = Random(f"{asked.seed} {number}")
        kind = random.choice(KINDS)
        possible = [one for one in faults if kind in one.kinds]
        if possible:
            count = min(random.randint(1, AT_ONCE_MAX), len(possible))
            yield Round(f"round {number}", kind, tuple(random.sample(possible, count)))


class Verdict:
    """What was seen of one round."""

    def __init__(self, slack: float) -> None:
        """Begin with nothing seen."""
        self.seen: list[Seen] = []
        self.slack = slack

    @property
    def holds(self) -> bool:
        """Whether all of it is as it must be."""
        return all(one.is_met(self.slack) for one in self.seen)

    def add(self, what: str, holds: bool, figure: str) -> None:
        """Note one thing."""
        self.seen.append(Seen(what, holds, figure))


def play(one: Round, work: Path, played: PlayedElsewhere, asked: argparse.Namespace) -> Verdict:
    """Play one round on a server of its own."""
    random = Random(f"{asked.seed} {one.name}")
    environment = {key: value for fault in one.faults for key, value in fault.environment().items()}
    verdict = Verdict(asked.slack)
    load = LoadPlan(asked.rate, random.randrange(1 << 30), LOST_S * max(1.0, asked.slack))
    with rig_of(one.kind, work, played, load, random, environment) as rig:
        until(lambda: not rig.why_not_whole(), 10.0)
        until(lambda: False, BEFORE_S)
        before_s = slowest(rig)
        lines_before = rig.server.log.count("\n")
        faults = [fault(rig, random) for fault in one.faults]
        put_in = []
        try:
            for fault in faults:
                put_in.append(fault)
                fault.inject()
            until(lambda: False, max(fault.hold_s for fault in faults))
            if len(faults) == 1:
                verdict.seen += faults[0].while_held()
        finally:
            for fault in reversed(put_in):
                fault.heal()
        judge(verdict, rig, faults, before_s, lines_before)
    return verdict


def judge(verdict: Verdict, rig: Rig, faults: Sequence[Fault], before_s: float, lines_before: int) -> None:
    """Hold what every fault must hold."""
    limit_s = max(fault.recovers_s for fault in faults)
    whole_s = until(lambda: not rig.why_not_whole(), limit_s)
    verdict.seen.append(took("whole again", whole_s, limit_s))
    if whole_s > limit_s:
        verdict.add("what it lacks", False, rig.why_not_whole())
    for fault in faults:
        verdict.seen += fault.afterwards()
    refused: list[str] = []

    def changes() -> bool:
        refused.append(rig.change())
        return not refused[-1]

    patience_s = CHANGED_S if whole_s <= limit_s else 0.0
    took_s = until(changes, patience_s)
    if took_s > patience_s:
        verdict.add("a change is served", False, refused[-1][-200:])
    until(lambda: False, BEFORE_S)
    rig.subject.asker.stop()
    judge_answers(verdict, rig, faults, before_s)
    log = rig.server.log
    tracebacks = log.count("Traceback (most recent call last)")
    verdict.add("tracebacks", not tracebacks, str(tracebacks))
    lines, most = log.count("\n") - lines_before, max(fault.log_lines for fault in faults)
    verdict.add("log lines", lines <= most * len(faults), str(lines))


def judge_answers(verdict: Verdict, rig: Rig, faults: Sequence[Fault], before_s: float) -> None:
    """Hold that answers kept coming, and were right."""
    late_s, tally = slowest(rig), rig.tally
    answered = tally.counts[PLAIN] + tally.counts[NSID]
    verdict.add("answers", answered > 0, f"{answered:,}")
    first = f", the first: {tally.wrong[0].question}: {tally.wrong[0].text[:200]}" if tally.wrong else ""
    verdict.add("wrong", not tally.counts["wrong"], f"{tally.counts['wrong']}{first}")
    over_udp = sum(road != TCP for _, road, _ in tally.lost)
    over_tcp = len(tally.lost) - over_udp
    most = sum(fault.may_lose for fault in faults)
    verdict.add("lost", over_udp <= most, f"{over_udp} (at most {most})")
    connections = sum(fault.breaks_connections for fault in faults) * PIPELINED * 8
    verdict.add("lost over TCP", over_tcp <= connections, f"{over_tcp} (at most {connections})")
    allowed_s = min(LOST_S, sum(fault.late_s for fault in faults) + 2 * before_s)
    verdict.seen.append(took("latest answer", late_s, allowed_s))


def own_mounts(given: Sequence[str]) -> None:
    """Become the same program in a mount namespace of its own with a small /dev/shm, where that may be."""
    inside = f"mount -t tmpfs -o size={SHARED_SIZE} none /dev/shm"
    if OWN_MOUNTS in os.environ:
        return
    if subprocess.run([*UNSHARE, "sh", "-c", inside], capture_output=True, check=False).returncode == 0:
        command = [sys.executable, "-m", "tests.faults.run", *given]
        os.environ[OWN_MOUNTS] = "1"
        os.execvp(UNSHARE[0], [*UNSHARE, "sh", "-c", f'{inside} && exec "$@"', "sh", *command])


def main(given: Sequence[str]) -> int:
    """Play all rounds that were asked for."""
    asked = arguments(given)
    faults = wanted(asked)
    if asked.list:
        for fault in faults:
            print(f"{fault.row:>3}  {fault.what} ({', '.join(fault.kinds)})")
        return 0
    own_mounts(given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # so that servers and mounts go with it
    sys.setswitchinterval(0.0005)
    absent = {one.what: why for one in faults if (why := one.why_not_here())}
    for what, why in absent.items():
        print(f"left out: {what}: {why}", flush=True)
    failed, done = 0, 0
    with contextlib.closing(PlayedElsewhere()) as played, tempfile.TemporaryDirectory(prefix="lbdns-faults-") as text:
        if asked.kills:
            load = LoadPlan(asked.rate, asked.seed)
            return int(not measure_kills(asked.kills, Path(text) / "kills", played, load, asked.seed))
        for number, one in enumerate(rounds(asked, [one for one in faults if one.what not in absent])):
            if asked.only and asked.only != one.name:
                continue
            done += 1
            work = Path(text) / str(number)
            try:
                verdict = play(one, work, played, asked)
            except Exception:
                verdict = Verdict(asked.slack)
                verdict.add("it could be played", False, traceback.format_exc())
            for address in sorted(played.down):
                played.raise_up(address)
            tell(one, verdict, asked, work)
            failed += not verdict.holds
            shutil.rmtree(work, ignore_errors=True)
    print(f"{counted(done, 'round')}, {failed} failed")
    return int(failed > 0 or not done)


def tell(one: Round, verdict: Verdict, asked: argparse.Namespace, work: Path) -> None:
    """Print a round's line, and where something does not hold, what, and how to repeat it."""
    figures = {seen.what: seen.figure for seen in verdict.seen}
    short = ", ".join(
        f"{what} {figures[what].split(' (')[0]}" for what in ("whole again", "lost", "latest answer") if what in figures
    )
    print(f"{'holds' if verdict.holds else 'FAILS'} {one.title}: {short}", flush=True)
    if verdict.holds:
        return
    for seen in verdict.seen:
        print(f"        {'     ' if seen.is_met(asked.slack) else 'FAILS'} {seen.what}: {seen.figure}")
    options = f"--rounds {asked.rounds} " if asked.rounds else ""
    rows = f"--rows {asked.rows} " if asked.rows else ""
    match = f"--match {asked.match!r} " if asked.match else ""
    print(
        f"        to repeat it: scripts/faults --seed {asked.seed} {rows}{match}{options}--only {one.name!r}",
        flush=True,
    )
    log = work / "log"
    if asked.keep and log.exists():
        asked.keep.mkdir(parents=True, exist_ok=True)
        shutil.copy(log, asked.keep / f"{one.name.replace(' ', '-').replace('/', '-')}.log")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
