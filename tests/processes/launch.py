"""A server while it starts: its process is there, and what it does next can be waited for or disturbed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from lbdns.testing import START_S, LbdnsServer


@contextlib.contextmanager
def launched(work: Path) -> Iterator[tuple[LbdnsServer, Future[None]]]:
    """Yield a server whose process has just been started, and what is done once it is ready, or has failed.

    It serves the files in `work`/config.
    """
    with contextlib.closing(LbdnsServer(work / "config", work)) as server, ThreadPoolExecutor(1) as pool:
        started = pool.submit(server.start)
        soon(lambda: server.process is not None or started.done())
        yield server, started
        started.result(START_S)


def soon(condition: Callable[[], object], seconds: float = START_S) -> None:
    """Return as soon as a condition is true, to the microsecond: what is waited for is over in a moment."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0)
