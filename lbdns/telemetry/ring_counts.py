"""What the rings of samples and of dnstap say of themselves, summed over the threads that answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lbdns.mapped.sample_room import open_samples
from lbdns.mapped.sample_words import HEAD_INTERVAL, HEAD_MISSED, HEAD_SEEN, HEAD_WRITTEN
from lbdns.mapped.tap_room import open_tap
from lbdns.mapped.tap_words import TAP_HEAD_LOST, TAP_HEAD_SENT


@dataclass(frozen=True, slots=True)
class RingCounts:
    """Samples written, the replies that those which were left out stood for, and by thread ("RESPONDER-PART") one in
    how many is sampled just now (0: none). Exchanges that dnstap's worker took on, and those that had no room."""

    samples: int
    missed: int
    intervals: dict[str, int]
    told: int
    not_told: int


def ring_counts(run_dir: Path) -> RingCounts:
    """Return what the rings in a run directory say; a file that is just being made says it the next time."""
    samples = dict(_heads(sorted(run_dir.glob("samples-*.bin")), open_samples))
    taps = dict(_heads(sorted(run_dir.glob("taps-*.bin")), open_tap))
    return RingCounts(
        samples=sum(words[HEAD_WRITTEN] for words in samples.values()),
        missed=sum(words[HEAD_MISSED] for words in samples.values()),
        intervals={name: words[HEAD_INTERVAL] for name, words in samples.items() if words[HEAD_SEEN]},
        told=sum(words[TAP_HEAD_SENT] for words in taps.values()),
        not_told=sum(words[TAP_HEAD_LOST] for words in taps.values()),
    )


def _heads(paths: Iterable[Path], open_ring: Callable[[Path], memoryview]) -> Iterator[tuple[str, Sequence[int]]]:
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            yield path.stem.partition("-")[2], open_ring(path).cast("Q")
