"""Telling systemd how we are doing (sd_notify(3)); nothing happens where systemd did not ask."""

from __future__ import annotations

import contextlib
import logging
import os
import socket

from lbdns.base.passed_sockets import passed_sockets
from lbdns.model.socket_address import format_socket_address

WAIT_S = 1.0

log = logging.getLogger("lbdns.processes")


def notify(*lines: str, wait_s: float = WAIT_S) -> None:
    """Send state lines such as `READY=1` to the socket that NOTIFY_SOCKET names; wait so long for who does not read."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(wait_s)
        sock.sendto("\n".join(lines).encode(), "\0" + address[1:] if address.startswith("@") else address)


def notify_ready() -> None:
    """Tell that all is served, and in the log which of the sockets that were passed to lbdns nothing listens at."""
    for address in passed_sockets().not_taken():
        where = address if isinstance(address, str) else format_socket_address(*address)
        log.warning("a socket at %s was passed to lbdns, but nothing in lbdns.yaml listens there", where)
    notify("READY=1", f"MAINPID={os.getpid()}")


def notify_alive() -> None:
    """Tell systemd's watchdog, where the unit has one (WatchdogSec=), that the supervisor has its turns."""
    if "WATCHDOG_USEC" in os.environ:
        notify("WATCHDOG=1", wait_s=0)
