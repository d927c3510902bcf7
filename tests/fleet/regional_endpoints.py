"""Endpoints on the bridge that answer each region as they are told: well, or ill for some of the probers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Final

from tests.fleet.machines import NETWORK_BITS, STANDS, run

PORT: Final = 8080
WELL: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
ILL: Final = b"HTTP/1.1 503 Ill\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
OPEN_S: Final = 10.0
PULSE_S: Final = 0.05
STOOD_STILL_S: Final = 0.5
"""Who has no processor for so long answers no probe in time, and is down as it would be without one."""
SEEN_AS_DOWN_S: Final = 10.0
"""So long after it an endpoint may be down at some machine: until the next probe, and what is agreed after it."""
EVERYBODY: Final = frozenset(one.address for one in STANDS)


def endpoint_address(number: int) -> str:
    """Return the address of an endpoint, 0 to 4,999."""
    return f"10.77.{100 + number // 250}.{1 + number % 250}"


class RegionalEndpoints:
    """So many endpoints at PORT, in a thread with an event loop of its own."""

    def __init__(self, count: int) -> None:
        """Listen; returns when all of them do."""
        for number in range(count):
            run("ip", "addr", "add", f"{endpoint_address(number)}/{NETWORK_BITS}", "dev", "bridge")
        self.seen: list[tuple[float, str, str, bool]] = []
        """Monotonic time, endpoint, who probed, whether it was told to be well: every probe that was answered."""
        self.stood_still: list[tuple[float, float]] = []
        """Monotonic times between which nobody was answered, as the machine had no processor for it."""
        self._ill: dict[str, frozenset[str]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="endpoints", daemon=True)
        self._thread.start()
        opened = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "0.0.0.0", PORT), self._loop)
        self._server = opened.result(OPEN_S)
        self._pulse_s = time.monotonic()
        self._loop.call_soon_threadsafe(self._pulse)

    def _pulse(self) -> None:
        before_s, self._pulse_s = self._pulse_s, time.monotonic()
        if self._pulse_s - before_s - PULSE_S >= STOOD_STILL_S:
            self.stood_still.append((before_s, self._pulse_s))
        self._loop.call_later(PULSE_S, self._pulse)

    def may_be_down(self, at_s: float) -> bool:
        """Whether machines may have taken endpoints for down at a time, as these had stood still."""
        return any(began_s <= at_s <= ended_s + SEEN_AS_DOWN_S for began_s, ended_s in self.stood_still)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
            endpoint, prober = writer.get_extra_info("sockname")[0], writer.get_extra_info("peername")[0]
            is_well = prober not in self._ill.get(endpoint, ())
            self.seen.append((time.monotonic(), endpoint, prober, is_well))
            writer.write(WELL if is_well else ILL)
            await writer.drain()
        writer.close()

    def fail(self, number: int, probers: frozenset[str] = EVERYBODY) -> None:
        """Be ill to these probers from now on, and well to all others."""
        self._ill[endpoint_address(number)] = probers

    def mend(self, number: int) -> None:
        """Be well to everybody."""
        self._ill.pop(endpoint_address(number), None)

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
