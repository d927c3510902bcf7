"""What datagrams between machines meet while wires are cut and mended; run in namespaces of its own by its test."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import time
from typing import Final

from tests.fleet.machines import STANDS, Wires, socket_within

PORT: Final = 9000
AGAIN_S: Final = 0.02
HEARD_S: Final = 1.5
"""A way is closed where nothing comes in so long."""


class Ways:
    """Who hears whom: every machine sends to every other, again and again."""

    def __init__(self) -> None:
        """Open a socket on each machine."""
        self._round = 0
        self._socks = {}
        for one in STANDS:
            self._socks[one.name] = sock = socket_within(one.name, socket.SOCK_DGRAM)
            sock.bind((one.address, PORT))
            sock.setblocking(False)

    def open_now(self) -> list[str]:
        """Return the open ways, each as sender and receiver; what was sent before is passed over."""
        self._round += 1
        found: set[str] = set()
        ends_s = time.monotonic() + HEARD_S
        while time.monotonic() < ends_s and len(found) < len(STANDS) * (len(STANDS) - 1):
            for source, target in itertools.permutations(STANDS, 2):
                with contextlib.suppress(OSError):  # there is no carrier, or was none for what was sent before
                    self._socks[source.name].sendto(f"{self._round} {source.name}".encode(), (target.address, PORT))
            time.sleep(AGAIN_S)
            for name, sock in self._socks.items():
                found |= {f"{source} {name}" for source in self._heard(sock)}
        return sorted(found)

    def _heard(self, sock: socket.socket) -> set[str]:
        heard: set[str] = set()
        while True:
            try:
                number, _, source = sock.recv(100).decode().partition(" ")
            except BlockingIOError:
                return heard
            except OSError:
                continue  # of what was sent before
            if int(number) == self._round:
                heard.add(source)


def main() -> None:
    """Print which ways are open after each step."""
    wires = Wires()
    ways = Ways()
    first, second, _ = (one.name for one in STANDS)
    seen = {"at first": ways.open_now()}
    wires.cut_off(first)
    seen["silent"] = ways.open_now()
    wires.heal()
    seen["healed"] = ways.open_now()
    wires.cut_off(second, hears=False)
    seen["mute"] = ways.open_now()
    wires.heal()
    wires.cut_off(second, sends=False)
    seen["deaf"] = ways.open_now()
    wires.heal()
    wires.unplug(first)
    seen["unplugged"] = ways.open_now()
    wires.heal()
    seen["plugged in"] = ways.open_now()
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
