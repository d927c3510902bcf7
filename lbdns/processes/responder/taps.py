"""What a responder's threads copy for dnstap: the rings are mapped once the settings have it, and not before."""

from __future__ import annotations

import logging
import os
import time
from ipaddress import ip_address
from typing import Final

from lbdns.answer.serving_view import ServingView
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.tap_ring import Tap
from lbdns.mapped.tap_room import open_tap
from lbdns.model.socket_address import parse_socket_address

LAST_RECORD_S: Final = 0.001  # in which a process that wrote to the ring before is done with the record that it is at

log = logging.getLogger("lbdns.processes")


class Taps:
    """The taps of one responder, by part: 0 is the slow path's."""

    def __init__(self, run: RunDirectory, index: int, parts: int) -> None:
        """Begin with taps that are shut."""
        self._run = run
        self._index = index
        self._paths = [run.taps(index, part) for part in range(parts)]
        self.taps = tuple(Tap() for _ in range(parts))

    def follow(self, part: int, view: ServingView) -> None:
        """Open or shut a thread's tap as a view's settings say."""
        tap, share = self.taps[part], view.tapped_share
        if share and not tap.size:
            try:
                tap.attach(open_tap(self._paths[part]), os.getpid())
            except (OSError, ValueError) as error:
                log.warning("dnstap is not told of what it answers: %s", error)
                return
            time.sleep(LAST_RECORD_S)
        tap.share = share


def set_local(tap: Tap, listener: str) -> None:
    """Say at which listener, `IP:PORT`, what is tapped next came in; a wildcard address is none."""
    if not listener:
        return
    host, tap.local_port = parse_socket_address(listener)
    whole = ip_address(host).packed.ljust(16, b"\0")
    tap.local_high, tap.local_low = int.from_bytes(whole[:8]), int.from_bytes(whole[8:])
