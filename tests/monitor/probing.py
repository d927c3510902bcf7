"""One http or https probe of a peer on loopback."""

from __future__ import annotations

import asyncio

from lbdns.monitor.probes.http import HttpProbe
from lbdns.monitor.probes.result import Probe, Result, Target
from tests.monitor import peers

HTTP = HttpProbe()


async def probe(what: Probe, port: int, host: str = "app.example", timeout: float = 2.0, address: str = "") -> Result:
    deadline = asyncio.get_running_loop().time() + timeout
    return await what.run(Target(address or "127.0.0.1", port, host), deadline)


def against(data: bytes, what: HttpProbe = HTTP, stay: float = 0.0, timeout: float = 2.0) -> Result:
    async def run() -> Result:
        async with peers.saying(data, stay=stay) as peer:
            return await probe(what, peer.port, timeout=timeout)

    return asyncio.run(run())
