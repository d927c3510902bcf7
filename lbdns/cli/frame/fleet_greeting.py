"""A look at a fleet before this machine joins it, and at a hub that was just begun: by its bus, as any machine does."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.cli.frame.fleet_setup import OwnNats
from lbdns.fleet.bus.nats_bus import NatsBus
from lbdns.fleet.bus.subjects import machine_subject
from lbdns.model.fleet_secret import FleetSecret
from lbdns.model.fleet_terms import BusAccess

REACH_S: Final = 6.0
LISTEN_S: Final = 2.5
"""Each machine says once a second that it is there."""


def greet_fleet(secret: FleetSecret, name: str, own_nats: OwnNats) -> None:
    """Raise LbdnsError where a fleet is not reached, does not take this token, or has a machine of this name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "secret.json")
        path.touch(mode=0o600)
        path.write_text(secret.model_dump_json())
        access = BusAccess(name, secret.fleet_id, secret.urls, secret.domain, str(path))
        credentials, ca = ("" if one is None else str(one) for one in own_nats)
        if credentials or ca:
            access = replace(access, secret_file="", credentials=credentials, ca=ca)
        asyncio.run(_greet(access, name))


def reach_bus(access: BusAccess) -> str:
    """Return why the bus is not reached, "" where it is."""

    async def reach() -> str:
        bus = NatsBus(access)
        bus.start()
        try:
            return "" if await bus.wait_connected(REACH_S) else bus.problem
        finally:
            await bus.close()

    return asyncio.run(reach())


async def _greet(access: BusAccess, name: str) -> None:
    bus = NatsBus(access)
    bus.start()
    heard = asyncio.Event()
    try:
        if not await bus.wait_connected(REACH_S):
            raise LbdnsError(f"the fleet is not reached: {bus.problem}; --offline joins all the same")
        await bus.subscribe(machine_subject("here", name), lambda subject, data, reply: heard.set())
        try:
            await asyncio.wait_for(heard.wait(), LISTEN_S)
        except TimeoutError:
            return
        raise LbdnsError(f'a machine of the fleet is called "{name}" already; --name says another')
    finally:
        await bus.close()
