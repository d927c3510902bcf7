"""What threads may sample: all together no more than the setting says, and those with traffic most of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.sample_room import allocate_samples
from lbdns.mapped.sample_words import HEAD_OWNER, HEAD_SEEN
from lbdns.processes.responder.sample_shares import SampleShares


@pytest.fixture
def shares(tmp_path: Path) -> Iterator[SampleShares]:
    run = RunDirectory(tmp_path)
    for part in range(4):
        allocate_samples(run.samples(0, part), 16)
    yield SampleShares(run, 0, 4)
    run.remove()


def test_quotas_add_up_and_follow_the_traffic(shares: SampleShares) -> None:
    shares.share_out(200, 1.0)
    assert [sampler.quota for sampler in shares.samplers] == [50.0] * 4
    shares.samplers[1].ring.words[HEAD_SEEN] = 9000
    shares.samplers[2].ring.words[HEAD_SEEN] = 1000
    shares.share_out(200, 1.5)  # not due
    assert shares.samplers[1].quota == 50.0
    shares.share_out(200, 2.0)
    assert [sampler.quota for sampler in shares.samplers] == pytest.approx([12.5, 147.5, 27.5, 12.5])
    shares.share_out(0, 3.0)
    assert [sampler.quota for sampler in shares.samplers] == [0.0] * 4


def test_a_directory_that_cannot_be_read_stops_nobody(shares: SampleShares, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(run: RunDirectory) -> list[Path]:
        raise OSError("no descriptor left")

    monkeypatch.setattr(RunDirectory, "all_samples", fail)
    shares.share_out(200, 1.0)
    assert [sampler.quota for sampler in shares.samplers] == [50.0] * 4


def test_a_ring_that_another_process_took_and_left_is_owned_again(shares: SampleShares) -> None:
    ring = shares.samplers[1].ring
    owner = ring.words[HEAD_OWNER]
    ring.words[HEAD_OWNER] = (1 << 31) - 1  # no process has that number
    shares.share_out(200, 1.0)
    assert ring.words[HEAD_OWNER] == owner
