"""Telling systemd how we are doing (sd_notify); nothing happens where systemd did not ask."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(*lines: str) -> None:
    """Send state lines such as `READY=1` to the socket that NOTIFY_SOCKET names."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.sendto("\n".join(lines).encode(), "\0" + address[1:] if address.startswith("@") else address)


def notify_alive() -> None:
    """Tell systemd's watchdog, where the unit has one (WatchdogSec=), that the supervisor has its turns."""
    if "WATCHDOG_USEC" in os.environ:
        notify("WATCHDOG=1")
