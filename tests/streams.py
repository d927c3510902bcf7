"""TCP servers of tests that leave nothing behind: no task, no connection, whenever they end."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving_streams(
    handler: Handler, address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[asyncio.Server]:
    """Run `handler` for every connection, which ends with it."""
    tasks: set[asyncio.Task[None]] = set()
    writers: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):  # the other side hung up
            await handler(reader, writer)
        writer.close()

    # No coroutine: a task that is cancelled before it began would leave its connection open.
    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        tasks.add(asyncio.create_task(handle(reader, writer)))

    server = await asyncio.start_server(connected, address, port, ssl=tls)
    try:
        yield server
    finally:
        await _turns()  # what the kernel has accepted becomes a connection, which can be closed
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await _turns()


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
