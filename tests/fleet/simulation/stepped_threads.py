"""Threads in virtual time: one runs at a time, and the loop stands still meanwhile, so that a seed says everything.

    the loop: run_in_executor --> the thread runs ... ends, or waits for a coroutine --> the loop goes on
                                                      '--- once that is done, the thread goes on, the loop stands still

What belongs to one life of a machine, its tasks and its threads, ends with it wherever it stands (`Lifetime.end`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from tests.fleet.simulation.virtual_loop import InlineLoop

Value = TypeVar("Value")


class Killed(BaseException):
    """The process that a thread was of is killed."""


class Lifetime:
    """One life of a machine: the tasks and threads that were begun in it."""

    def __init__(self) -> None:
        """Begin."""
        self.is_over = False
        self.tasks: set[asyncio.Task[Any]] = set()
        self.threads: set[SteppedThread] = set()

    def begin(self, work: Coroutine[Any, Any, Value]) -> asyncio.Task[Value]:
        """Begin a task of this life; whatever it begins is of this life too."""
        before = LIFETIME.set(self)
        try:
            return asyncio.get_running_loop().create_task(work)
        finally:
            LIFETIME.reset(before)

    def end(self) -> None:
        """End all of it."""
        self.is_over = True
        for task in tuple(self.tasks):
            task.cancel()
        for thread in tuple(self.threads):
            thread.go_on()


LIFETIME: Final[ContextVar[Lifetime | None]] = ContextVar("LIFETIME", default=None)
_current = threading.local()


class SteppedThread:
    """A thread that runs while the loop stands still."""

    def __init__(self, life: Lifetime | None, future: asyncio.Future[Any], work: Callable[[], Any]) -> None:
        """Prepare; `go_on` begins."""
        self._life = life
        self._future = future
        self._work = work
        self._turn, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._found: tuple[Any, BaseException | None] | None = None
        if life is not None:
            life.threads.add(self)
        self._thread.start()

    def go_on(self) -> None:
        """Let it run until it ends, or waits; on the loop."""
        if self._found is not None:
            return
        self._turn.release()
        self._back.acquire()
        if self._found is None:
            return
        self._thread.join()
        if self._life is not None:
            self._life.threads.discard(self)
        if not self._future.done():
            value, error = self._found
            if error is None:
                self._future.set_result(value)
            elif isinstance(error, Killed):
                self._future.cancel()
            else:
                self._future.set_exception(error)

    def wait_for(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Return what a coroutine comes to, which the loop runs; in the thread, while the loop stands still."""
        self._check()
        task = self._future.get_loop().create_task(work)
        task.add_done_callback(lambda _: self.go_on())
        self._back.release()
        self._turn.acquire()
        self._check()
        return task.result()

    def _check(self) -> None:
        if self._life is not None and self._life.is_over:
            raise Killed

    def _run(self) -> None:
        self._turn.acquire()
        _current.thread = self
        try:
            self._found = self._work(), None
        except BaseException as error:
            self._found = None, error
        self._back.release()


def wait_in_thread(work: Coroutine[Any, Any, Value]) -> Value:
    """Return what a coroutine comes to; in a stepped thread."""
    thread: SteppedThread = _current.thread
    return thread.wait_for(work)


class SteppedLoop(InlineLoop):
    """A virtual loop whose threads are stepped."""

    def __init__(self) -> None:
        super().__init__()
        self.set_task_factory(_begin_task)

    def run_in_executor(  # type: ignore[override]
        self, _executor: Any, function: Callable[..., Value], *arguments: Any
    ) -> asyncio.Future[Value]:
        """Do it in a thread, up to where it waits for the loop."""
        future: asyncio.Future[Value] = self.create_future()
        SteppedThread(LIFETIME.get(), future, lambda: function(*arguments)).go_on()
        return future


def _begin_task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    life = LIFETIME.get()
    if life is not None:
        life.tasks.add(task)
        task.add_done_callback(life.tasks.discard)
        if life.is_over:
            task.cancel()
    return task
