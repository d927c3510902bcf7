"""Soak: two servers under a mixed load, changes, kills and hostile endpoints for as long as asked, and a verdict.

One serves files, has its files changed and its processes killed and stopped; one serves a store, is changed by the API,
and keeps its processes, so that what these hold can be compared over hours. Both probe the same endpoints, a part of
which is hostile. Every reply is held against what configuration and health allow.

Writes samples.jsonl, soak.svg, soak.png, summary.json and the servers' logs into --out. Exit status: 0 where everything
holds that must, 1 where something does not, 130 where it was interrupted; what was seen until then is written.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.soak.disturbing import Chronicle, EndpointDisturber, FilesDisturber, StoreDisturber
from tests.soak.plot import draw
from tests.soak.record import HOUR_S, JUDGED_S, TOLD_EVERY, WARM_UP_S, Judgement, Record, as_json, judge
from tests.strain.endpoints import PlayedElsewhere
from tests.strain.subject import LoadPlan, Subject, files_subject, store_subject

ENDING_S = 1.0
"""Between samples while the last disturbances end."""
MINUTE_S = 60.0
INTERRUPTED = 130


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="scripts/soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    how_long = parser.add_mutually_exclusive_group(required=True)
    how_long.add_argument("--hours", type=float)
    how_long.add_argument("--minutes", type=float)
    parser.add_argument("--rate", type=float, default=300.0, help="queries a second to each server; default 300")
    parser.add_argument("--pause", type=float, default=10.0, help="mean seconds between disturbances; default 10")
    parser.add_argument("--sample", type=float, default=5.0, help="seconds between samples; default 5")
    parser.add_argument("--zones", type=int, default=40, help="small zones beside the one with everything; default 40")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/soak"), help="default build/soak")
    return parser.parse_args()


def main() -> int:
    """Run one soak."""
    asked = arguments()
    seconds = asked.hours * HOUR_S if asked.hours else asked.minutes * MINUTE_S
    asked.out.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    sys.setswitchinterval(0.0005)  # so that one thread's work makes no other's query late
    with contextlib.ExitStack() as opened:
        work = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="lbdns-soak-")))
        played = opened.enter_context(contextlib.closing(PlayedElsewhere()))
        make = (work / "files", played, asked.zones, LoadPlan(asked.rate, asked.seed))
        subjects = [opened.enter_context(files_subject(*make))]
        subjects.append(opened.enter_context(store_subject(work / "store", *make[1:])))
        record = opened.enter_context(contextlib.closing(Record(asked.out / "samples.jsonl")))
        judged, chronicle = soak(asked, seconds, subjects, played, record, stop)
        for subject in subjects:
            shutil.copy(work / subject.name / "log", asked.out / f"{subject.name}.log")
    took_s = record.samples[-1].at_s
    took = f"{took_s / MINUTE_S:.0f} minutes" if took_s > 10 * MINUTE_S else f"{took_s:.0f} s"
    title = f"soak of {took}, {asked.rate:.0f} queries a second to each server, seed {asked.seed}"
    (asked.out / "summary.json").write_text(json.dumps(as_json(judged, chronicle, record), indent=1))
    when = [(record.since_start_s(one.began_s), one) for one in chronicle.happenings]
    draw(record.samples, when, title, [asked.out / "soak.svg", asked.out / "soak.png"])
    tell(judged, chronicle, title, seconds, asked.out)
    return INTERRUPTED if stop.is_set() else int(not all(one.holds for one in judged))


def soak(
    asked: argparse.Namespace,
    seconds: float,
    subjects: list[Subject],
    played: PlayedElsewhere,
    record: Record,
    stop: threading.Event,
) -> tuple[list[Judgement], Chronicle]:
    """Disturb and watch for so long."""
    chronicle, (files, store) = Chronicle(), subjects
    disturbers = [
        FilesDisturber(files, chronicle, asked.pause, asked.seed, played, asked.zones),
        StoreDisturber(store, chronicle, asked.pause, asked.seed + 1),
        EndpointDisturber(subjects, chronicle, asked.pause, asked.seed + 2, played),
    ]
    for disturber in disturbers:
        disturber.start()
    ends_s, number = time.monotonic() + seconds, 0
    while any(disturber.is_running for disturber in disturbers):
        left_s = ends_s - time.monotonic()
        if stop.is_set() or left_s <= 0.0:
            for disturber in disturbers:
                disturber.stop()
            time.sleep(ENDING_S)
        else:
            stop.wait(min(asked.sample, left_s))
        number += 1
        for subject in subjects:
            sample = record.look(subject)
            if number % TOLD_EVERY == 0:
                lost, wrong = len(record.tallies[subject.name].lost), record.tallies[subject.name].counts["wrong"]
                own = sum(one.own_kib for one in sample.processes) // 1024
                print(f"{sample.at_s / MINUTE_S:6.1f} min  {subject.name}: {lost} lost, {wrong} wrong, {own} MiB, "
                      f"{len(chronicle.happenings)} happenings", flush=True)  # fmt: skip
    for subject in subjects:
        subject.asker.stop()
        record.look(subject)  # what came at last
    return judge(record, chronicle, subjects), chronicle


def tell(judged: list[Judgement], chronicle: Chronicle, title: str, seconds: float, out: Path) -> None:
    """Print the summary."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"\n{title}; this program took {100 * (used.ru_utime + used.ru_stime) / seconds:.0f} % of a core")
    counts: dict[str, int] = {}
    for one in chronicle.happenings:
        counts[f"{one.server}: {one.what}"] = counts.get(f"{one.server}: {one.what}", 0) + 1
    print("happenings: " + ", ".join(f"{count} x {what}" for what, count in sorted(counts.items())))
    if seconds < WARM_UP_S + JUDGED_S:
        print(f"too short to judge growth: that needs {(WARM_UP_S + JUDGED_S) / MINUTE_S:.0f} minutes")
    for judgement in judged:
        print(f"{'holds ' if judgement.holds else 'FAILS '} {judgement.what}: {judgement.text}")
    print(f"written to {out}: soak.png, soak.svg, summary.json, samples.jsonl, logs")


if __name__ == "__main__":
    sys.exit(main())
