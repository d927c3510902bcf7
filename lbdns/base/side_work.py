"""Work done beside who has more to do meanwhile: passes over arrays, which leave the interpreter to others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class SideWork:
    """Pieces of work, done one after the other by a thread; in place where no thread can be made."""

    def __init__(self) -> None:
        """Begin with none; the thread is made with the first."""
        self._pool: ThreadPoolExecutor | None = None
        self._under_way: list[Future[None]] = []

    def begin(self, work: Callable[[], None]) -> None:
        """Have a piece done behind those before it."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="beside")
        try:
            self._under_way.append(self._pool.submit(work))
        except RuntimeError:  # no thread can be made
            self._pool.shutdown(wait=False, cancel_futures=True)
            work()

    def settle(self) -> None:
        """Wait until all of it is done; raises what the first piece raised that failed."""
        under_way, self._under_way = self._under_way, []
        for one in under_way:
            one.result()

    def end(self) -> None:
        """Do without the thread once all of it is done."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    @property
    def is_under_way(self) -> bool:
        """Whether anything was begun that nobody has waited for."""
        return bool(self._under_way)
