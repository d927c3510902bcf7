"""What a responder has others do: updates are made by the supervisor, NOTIFYs are told to the transfer worker."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from ipaddress import ip_address

from lbdns.answer.exchange import Exchange
from lbdns.answer.reply import Answer
from lbdns.answer.zone_stream import ZoneNotice
from lbdns.mapped.run_directory import RunDirectory, unix_address
from lbdns.processes.responder.update_client import UpdateClient


class Errands:
    """Those of one responder."""

    def __init__(self, run: RunDirectory) -> None:
        """Go to who listens in a run directory."""
        self._run = run
        self._updates = UpdateClient(lambda: run.updates)

    def update(self, exchange: Exchange, seen: int, take: Callable[[Answer | bytes | None], None]) -> None:
        """Have an UPDATE made that its zone's access lets in, by who is in view number `seen`. `take` gets the answer,
        or the whole reply of somebody else; None where nobody knows what became of it."""
        self._updates.update(exchange, seen, take)

    def notified(self, notice: ZoneNotice) -> None:
        """Take what a NOTIFY told, at once; where nobody listens it is lost, as a NOTIFY may be."""
        told = json.dumps([notice.apex.hex(), str(ip_address(notice.address)), notice.serial]).encode()
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock,
            unix_address(self._run.transfer_notices) as address,
        ):
            sock.sendto(told, address)
