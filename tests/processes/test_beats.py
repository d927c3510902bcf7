"""Beats: those of several periods fall together, none is missed, and what fails is told."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from lbdns.processes.beats import at_each_beat, beat_after, next_beat


@pytest.mark.parametrize(
    "now_s, beat_s",
    [(0.0, 0.2), (0.1, 0.2), (0.18, 0.2), (0.195, 0.4), (0.2, 0.4), (0.2001, 0.4), (80_000.395, 80_000.6)],
)
def test_a_beat_is_a_multiple_of_its_period_and_never_now(now_s: float, beat_s: float) -> None:
    assert beat_after(now_s, 0.2) == pytest.approx(beat_s, abs=1e-6)


def test_one_period_is_woken_with_another_that_divides_it() -> None:
    async def beats() -> list[list[float]]:
        loop = asyncio.get_running_loop()
        seen: list[list[float]] = [[], []]

        async def wait() -> None:
            while True:
                await next_beat(0.1)
                seen[1].append(loop.time())

        tasks = [
            asyncio.create_task(at_each_beat(0.05, lambda: seen[0].append(loop.time()))),
            asyncio.create_task(wait()),
        ]
        await asyncio.sleep(0.45)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        count = len(seen[0])
        await asyncio.sleep(0.12)
        assert len(seen[0]) == count, "what was cancelled goes on"
        return seen

    fast, slow = asyncio.run(beats())
    assert len(slow) in range(3, len(fast))
    assert all(min(abs(one - other) for other in fast) < 0.02 for one in slow)


def test_the_first_look_is_at_once_and_what_it_raises_is_told() -> None:
    async def looked() -> None:
        def look() -> None:
            raise ValueError("lost")

        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(at_each_beat(60.0, look), 1.0)

    with pytest.raises(ValueError, match="lost"):
        asyncio.run(looked())
