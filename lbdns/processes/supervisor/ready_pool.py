"""The threads of the supervisor's event loop, made ahead: where none can be made any more (a limit of tasks), what is
done in threads is done all the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from lbdns.base.errors import LbdnsError

THREADS: Final = 8
START_S: Final = 10.0


def ready_pool(settle: Callable[[], None], count: int = THREADS) -> ThreadPoolExecutor:
    """Return a pool whose threads are all there, each having called `settle`; raises LbdnsError where they cannot be
    made.

    One that grows as it is used refuses work where it cannot grow, and does it later all the same.
    """
    pool = ThreadPoolExecutor(count, thread_name_prefix="supervisor", initializer=settle)
    together = threading.Barrier(count)  # so that none of them is done, and does another's first work
    try:
        for one in [pool.submit(together.wait, START_S) for _ in range(count)]:
            one.result()
    except (RuntimeError, threading.BrokenBarrierError) as error:
        together.abort()
        pool.shutdown(wait=False)
        raise LbdnsError(f"no thread can be made: {error}") from error
    return pool
